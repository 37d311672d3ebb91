import { type Message, say } from '../../../shared/message';
import type { Clock } from '../../clock';
import { AppSupervisorError, describeError } from '../../errors';
import type { BootTurn } from '../hosting/boot-turn';
import { type HostingAuthority, HostingTaken } from '../hosting/claim';
import type { AppHost } from '../hosting/host';
import type { AppState, AppStates } from './app-states';
import { BOOT_LIMIT } from './boot-queue';
import { type Applied, type Because, decide, retryAfter } from './decide';
import type { TimeLimits } from './time-limits';

/** Of an app that was never applied here. */
export const NEVER = { generation: 0, bootGeneration: 0, unfinished: null, version: null, failure: null };

/** Why an app is not started here. */
export function keptOut(app: string, { applied, record }: AppState, because: Because): Error {
  const known = because === 'loop' ? applied?.failure : because === 'paused' ? record.paused?.cause : null;
  if (known) return new AppSupervisorError('APP_STOPS_LOOP', known.params as never);
  const times = applied?.unfinished?.count ?? 0;
  return new AppSupervisorError('APP_CRASH_LOOP', { app, times, cause: say('WORKER_ENDED') });
}

export interface AppBootsOptions {
  apps: AppStates;
  limits: TimeLimits;
  host: AppHost;
  clock: Clock;
  authority: HostingAuthority;
  mayHost(): boolean;
  mayBoot(record: AppState['record']): boolean;
  leaveRouting(name: string, held: AppState, record: AppState['record'], message: Message): Promise<void>;
  /** Copies what is stored elsewhere. Never rejects. @param signal ends it */
  copyUploads(name: string, held: AppState, signal: AbortSignal): Promise<void>;
  save(name: string): Promise<void>;
  failed(name: string, held: AppState, error: unknown): void;
  converge(name: string): void;
}

/** Boots apps by the newest record that there is when their turn comes. */
export class AppBoots {
  constructor(private readonly options: AppBootsOptions) {}

  /** How an app is to boot by its newest record; null: it is not to, or not now. */
  wish(held: AppState, applied = held.applied): ReturnType<BootTurn['decide']> {
    const { mayHost, mayBoot, clock } = this.options;
    const { record } = held;
    if (!held.confirmed || !mayHost() || !mayBoot(record)) return null;
    const decision = decide(record, applied, held, clock.now().mono, held.visited);
    return decision.do === 'boot' ? { record, how: decision.how } : null;
  }

  async boot(name: string, held: AppState): Promise<void> {
    const { host, clock, apps, limits, leaveRouting, copyUploads, save, failed, converge } = this.options;
    const { status } = held;
    // It ended by itself: nothing of it runs that visitors could leave, and what is shown from now on says so no more.
    if (held.state === 'running' && (status === 'error' || status === 'stopped')) held.state = 'absent';
    // A retry serves the visitor of the failed boot. `begin` clears the error, so only this still says why an app that starts when visited boots.
    if (held.state === 'error') held.visited = true;
    let { record } = held;
    // This boot's own mark does not count as a crash when the boot is decided again.
    const known = held.applied;
    const unfinished = known?.unfinished ?? null;
    const before = (): Applied => ({ ...(held.applied ?? { ...NEVER, uid: record.uid }), unfinished });
    const applied = (): Applied => ({
      ...before(),
      generation: record.generation,
      bootGeneration: Math.max(record.boot.generation, before().bootGeneration),
      unfinished: null,
      failure: null,
    });
    await leaveRouting(name, held, record, say('RESTARTING'));
    held.waiting = new AbortController();
    await copyUploads(name, held, held.waiting.signal);
    const turn: BootTurn = {
      decide: () => {
        const wish = this.wish(held, before());
        if (wish) record = wish.record;
        return wish;
      },
      begin: () => {
        if (record.boot.generation > (held.applied?.bootGeneration ?? 0)) held.failures = 0;
        Object.assign(held, { state: 'absent', error: undefined });
      },
      authority: this.options.authority,
      // Noted before it begins: a process that dies in it finds the note, and blames nobody else.
      mark: async () => {
        const count = (unfinished?.bootGeneration === record.boot.generation ? unfinished.count : 0) + 1;
        held.applied = { ...before(), unfinished: { bootGeneration: record.boot.generation, count } };
        await save(name);
      },
      progress: (message, waiting) => {
        if (held.isStuck) apps.reportProgress(name, message);
        else apps.show(name, held, waiting ? 'waiting' : 'preparing', message);
      },
      onLate: () => limits.noteStuck(name, held, BOOT_LIMIT),
      signal: held.waiting.signal,
    };
    try {
      const outcome = await host.boot(name, turn);
      limits.noteEnd(name, held);
      if (!outcome) return await this.giveUp(name, held, known, status);
      const { version, record: by } = outcome;
      held.applied = { ...applied(), version };
      Object.assign(held, { booted: by, claimed: by, state: 'running', version, visited: false });
      Object.assign(held, { failures: 0, retryAt: null, newest: undefined });
      apps.show(name, held, 'running');
    } catch (error) {
      limits.noteEnd(name, held);
      held.applied = { ...applied(), failure: describeError(error) };
      held.failures++;
      Object.assign(held, { visited: false, newest: error instanceof HostingTaken ? error.newest : undefined });
      const wait = retryAfter(held.failures);
      held.retryAt = wait === null ? null : clock.now().mono + wait;
      failed(name, held, error);
      if (wait !== null) clock.timeout(wait + 10, () => converge(name));
    } finally {
      held.waiting = null;
    }
    await save(name);
  }

  /**
   * Ends a boot that is not to go on. The process did not die in it: its mark would say so to the next boot. One that does not host any more
   * writes nothing, so its successor still counts the mark.
   * @param known what was applied before it
   * @param status that was shown before it
   */
  private async giveUp(name: string, held: AppState, known: Applied | null, status: AppState['status']): Promise<void> {
    const { apps, save } = this.options;
    if (held.applied !== known && held.applied?.unfinished) {
      held.applied = known;
      await save(name);
    }
    apps.show(name, held, held.state === 'absent' ? 'waiting' : status);
  }
}
