import { type Message, say } from '../../../shared/message';
import type { AppRecord } from '../../../shared/messages';
import type { DatabaseLock } from '../../databases';
import { AppSupervisorError, describeError, hasCode } from '../../errors';
import { BOOT } from '../../timing';
import { HostingTaken, judgeClaim } from '../hosting/claim';
import type { AppState } from './app-states';
import type { BootQueue, Waiting } from './boot-queue';
import { maySetPasswordBy } from './by-cache';
import { type Applied, type Because, decide } from './decide';
import type { Failures, WorkOnApps } from './failures';
import type { RoutingExit } from './routing-exit';
import type { Uploads } from './uploads';

/** Of an app that was never applied here. */
export const NEVER = { generation: 0, bootGeneration: 0, unfinished: null, version: null, failure: null };

/** Why an app is not started here. */
export function keptOut(app: string, { applied, record }: AppState, because: Because): Error {
  const known = because === 'loop' ? applied?.failure : because === 'paused' ? record.paused?.cause : null;
  if (known) return new AppSupervisorError('APP_STOPS_LOOP', known.params as never);
  const times = applied?.unfinished?.count ?? 0;
  return new AppSupervisorError('APP_CRASH_LOOP', { app, times, cause: say('WORKER_ENDED') });
}

export interface AppBootsOptions extends Omit<WorkOnApps, 'failures' | 'log'> {
  failures: Pick<Failures, 'showAndRetry'>;
  bootQueue: BootQueue;
  exit: RoutingExit;
  uploads: Pick<Uploads, 'before'>;
  mayBoot(held: AppState): boolean;
  save(name: string): Promise<void>;
}

/** How a boot by a record ended: with the version of NocoBase in the app's data, or an error. */
type Ended = { record: AppRecord } & ({ version: string | null } | { error: unknown });

/** Boots apps by the newest record that there is when their turn comes. */
export class AppBoots {
  /** By which records boots have begun that have not ended. */
  private readonly begun = new Map<AppState, AppRecord>();

  constructor(private readonly options: AppBootsOptions) {}

  /** Whether what an app waits for is still to be waited for. */
  isWanted(held: AppState): boolean {
    const record = this.begun.get(held);
    return record ? this.isStill(held, record) : this.wish(held) !== null;
  }

  /** How an app is to boot by its newest record; null: it is not to, or not now. */
  wish(held: AppState): { record: AppRecord; how: 'start' | 'restart' | 'upgrade' } | null {
    const { record } = held;
    if (!this.isStill(held, record)) return null;
    const decision = decide(record, held.applied, held, this.options.clock.now().mono, held.visited);
    return decision.do === 'boot' ? { record, how: decision.how } : null;
  }

  async boot(name: string, held: AppState): Promise<void> {
    const { apps, limits, exit, uploads, save, failures } = this.options;
    const { status, applied } = held;
    // It ended by itself: nothing of it runs that visitors could leave, and what is shown from now on says so no more.
    if (held.state === 'running' && (status === 'error' || status === 'stopped')) held.state = 'absent';
    // A retry serves the visitor of the failed boot. `begin` clears the error, so only this still says why an app that starts when visited boots.
    if (held.state === 'error') held.visited = true;
    held.waiting = new AbortController();
    await exit.leave(name, held, held.record, say('RESTARTING'));
    await uploads.before(name, held, held.waiting.signal);
    let ended = await this.inOrder(name, held, held.waiting.signal);
    // Its role got its other password after it was found by which one it signs in.
    if (ended && isRefusedBetween(ended)) {
      // It is one boot, also for a process that begins in the middle of it.
      held.applied = applied;
      await save(name);
      ended = await this.inOrder(name, held, held.waiting.signal);
    }
    held.waiting = null;
    limits.noteEnd(held);
    if (!this.isSuspectBeside(held)) this.options.bootQueue.isOneByOne = false;
    if (!ended) return this.giveUp(name, held, applied, status);
    const { record } = ended;
    held.applied = {
      ...appliedBefore(record, applied),
      generation: record.generation,
      bootGeneration: Math.max(record.boot.generation, applied?.bootGeneration ?? 0),
      unfinished: null,
      failure: 'error' in ended ? describeError(ended.error) : null,
    };
    held.visited = false;
    if ('error' in ended) {
      held.newest = ended.error instanceof HostingTaken ? ended.error.newest : undefined;
      failures.showAndRetry(name, held, ended.error);
    } else {
      const { version } = ended;
      held.applied.version = version;
      Object.assign(held, { booted: record, claimed: record, state: 'running', version });
      Object.assign(held, { failures: 0, retryAt: null, newest: undefined });
      apps.show(name, held, 'running');
    }
    await save(name);
  }

  /**
   * One boot, from its turn in the queue to the release of its lock. What ends it leaves nothing of the app in this process.
   * @returns null if the app is not to boot any more, or by a newer record: that is decided anew
   */
  private async inOrder(name: string, held: AppState, signal: AbortSignal): Promise<Ended | null> {
    const { host, bootQueue, authority } = this.options;
    let turn = await bootQueue.turn(this.waiting(name, held, signal, false));
    const wish = turn && this.wish(held);
    if (!wish) {
      turn?.end();
      return null;
    }
    const { record, how } = wish;
    let lock: DatabaseLock | null = null;
    let ended: Ended | null = null;
    try {
      this.begin(held, record);
      await host.unload(name);
      this.tell(name, held, 'preparing', say('CHECKING_DATABASE'));
      await host.prepareDatabase(record, (rows) => {
        // Whoever hosts it by a newer record may have given it another password, without which it would lose its database.
        const verdict = judgeClaim(rows, record, authority);
        if ('newest' in verdict) throw new HostingTaken(name, authority.environment, verdict.newest);
        return maySetPasswordBy(held);
      });
      lock = await host.lock(record, authority, 0, signal);
      if (!lock) {
        if (!this.isStill(held, record)) return null;
        // Another environment boots it. Waiting for that takes no place in the queue.
        turn?.end();
        this.tell(name, held, 'waiting', say('WAITS_FOR_LOCK'));
        await host.hosted.endBootInTheWay(record, authority);
        lock = await host.lock(record, authority, BOOT, signal);
        turn = lock && (await bootQueue.turn(this.waiting(name, held, signal, true)));
        if (!lock || !turn) return null;
      }
      if (!this.isStill(held, record)) return null;
      if (!(await authority.confirm())) return null;
      await host.hosted.claim(record, authority, lock);
      await this.mark(name, held, record);
      const found = await host.inspect(record, lock);
      // All of this may have taken long: what was wished meanwhile holds.
      if (!this.isStill(held, record)) return null;
      if (found.content.installed === 'partial') this.tell(name, held, 'preparing', say('RESUMES_INSTALL'));
      ended = { record, version: await host.start(record, how, found, lock, authority, () => held.record) };
      return ended;
    } catch (error) {
      return { record, error };
    } finally {
      this.begun.delete(held);
      // In its turn, too: what is left of it may take long to end.
      if (!ended) await host.rest(name).catch(() => undefined);
      await lock?.release();
      turn?.end();
    }
  }

  /** Whether one of the apps that still boot may have crashed the last process. */
  private isSuspectBeside(booted: AppState): boolean {
    const others = this.options.apps.all().flatMap(([, held]) => (held === booted ? [] : held));
    return others.some((held) => held.applied?.unfinished && (this.begun.has(held) || this.wish(held) !== null));
  }

  /** Whether an app may still be booted by this record. */
  private isStill(held: AppState, record: AppRecord): boolean {
    const { apps, mayBoot } = this.options;
    return held.record === record && apps.get(record.name) === held && mayBoot(held);
  }

  /** What ran of the app ends now. */
  private begin(held: AppState, record: AppRecord): void {
    if (record.boot.generation > (held.applied?.bootGeneration ?? 0)) held.failures = 0;
    Object.assign(held, { state: 'absent', error: undefined });
    this.begun.set(held, record);
  }

  /** Noted before it begins: a process that dies in it finds the note, and blames nobody else. */
  private async mark(name: string, held: AppState, record: AppRecord): Promise<void> {
    const before = appliedBefore(record, held.applied);
    const { generation: bootGeneration } = record.boot;
    const count = before.unfinished?.bootGeneration === bootGeneration ? before.unfinished.count : 0;
    held.applied = { ...before, unfinished: { bootGeneration, count: count + 1 } };
    await this.options.save(name);
  }

  private waiting(name: string, held: AppState, signal: AbortSignal, isNext: boolean): Waiting {
    return {
      isNext,
      signal,
      onPlace: (place) => this.tell(name, held, 'waiting', say('IN_BOOT_QUEUE', { place })),
      onLate: () => this.options.limits.noteStuck(name, held, BOOT),
    };
  }

  private tell(name: string, held: AppState, status: 'waiting' | 'preparing', message: Message): void {
    const { apps } = this.options;
    if (held.late === 'work') apps.reportProgress(name, message);
    else apps.show(name, held, status, message);
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

const isRefusedBetween = (ended: Ended): boolean =>
  'error' in ended && hasCode(ended.error, 'DATABASE_SIGN_IN') && ended.record.database.nextPassword !== undefined;

const appliedBefore = ({ uid }: AppRecord, applied: Applied | null): Applied => applied ?? { ...NEVER, uid };
