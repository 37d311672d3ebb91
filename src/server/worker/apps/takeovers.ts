import type { AppRecord } from '../../../shared/messages';
import type { Clock } from '../../clock';
import { AppSupervisorError, describeError, messageOf } from '../../errors';
import type { Log } from '../../log';
import type { HostingAuthority } from '../hosting/claim';
import type { AppHost } from '../hosting/host';
import type { AppState, AppStates } from './app-states';
import { retryAfter } from './decide';
import { STOP_LIMIT, type TimeLimits } from './time-limits';

export interface TakeoversOptions {
  apps: AppStates;
  host: Pick<AppHost, 'hosted' | 'rest'>;
  authority: HostingAuthority;
  limits: TimeLimits;
  clock: Clock;
  log: Log;
  inQueue(name: string, work: () => Promise<void>): Promise<void>;
  save(name: string): Promise<void>;
  failed(name: string, held: AppState, error: unknown): void;
  converge(name: string): void;
}

/**
 * Takes apps over from environments that they have left, and ends those that were taken from this one. An environment stops an app
 * itself when it reads that it has left; from one that nobody holds, which cannot read it, the app is taken.
 */
export class Takeovers {
  /** By app, environments that it has left and that may still run it. */
  private readonly left = new Map<string, Set<string>>();
  private checking = false;

  constructor(private readonly options: TakeoversOptions) {
    options.host.hosted.refusals.listen((name) => this.refused(name));
  }

  /** What is known of an app from its rows when it boots. */
  note(name: string, environments: string[]): void {
    if (environments.length) this.left.set(name, new Set(environments));
    else this.left.delete(name);
  }

  /**
   * A record comes in place of another one.
   * @returns the new one
   */
  follow(before: AppRecord, record: AppRecord): AppRecord {
    const { name, uid, environments } = record;
    // Such a record does not say where the app belongs.
    if (record.desired === 'removed') {
      this.note(name, []);
      return record;
    }
    const known = before.uid === uid ? (this.left.get(name) ?? []) : [];
    const gone = before.uid === uid ? before.environments : [];
    this.note(
      name,
      [...new Set([...known, ...gone])].filter((one) => !environments.includes(one)),
    );
    return record;
  }

  /** Takes apps from environments that they have left and that nobody holds. Never rejects. */
  async check(): Promise<void> {
    if (this.checking || !this.left.size || !(await this.options.authority.confirm())) return;
    this.checking = true;
    for (const [name, environments] of [...this.left]) {
      const held = this.options.apps.get(name);
      if (!held) this.left.delete(name);
      else if (held.state === 'running') await this.take(name, held.record, [...environments]);
    }
    this.checking = false;
  }

  private async take(name: string, record: AppRecord, environments: string[]): Promise<void> {
    const { host, authority, log } = this.options;
    try {
      const silent = await authority.silentOf(environments);
      if (!silent.length) return;
      await host.hosted.takeFrom(record, silent);
      log.warn(`App ${name} was taken from environments that nobody holds.`, { app: name, taken: silent });
      const left = this.left.get(name);
      for (const one of silent) left?.delete(one);
      if (left?.size === 0) this.left.delete(name);
    } catch (error) {
      log.warn(`App ${name} could not be taken from the environments that it has left: ${messageOf(error)}`, {
        app: name,
      });
    }
  }

  /**
   * Another process has taken an app over: it ends here, and is tried again, in case only its row was lost. One of another installation
   * keeps the app until an operator starts it here: both hold their environment, and would take the app from each other for ever.
   */
  private refused(name: string): void {
    const { apps, limits, host, clock, authority, inQueue, save, failed, converge } = this.options;
    const held = apps.get(name);
    if (held?.state !== 'running') return;
    held.state = 'error';
    void inQueue(name, async () => {
      // What was under way has removed or stopped it, or has started it anew.
      if (held.state !== 'error') return;
      await limits.run(name, held, STOP_LIMIT, host.rest(name));
      const { environment } = authority;
      if (await host.hosted.isForeign(held.record, authority).catch(() => false)) {
        const error = new AppSupervisorError('HOSTING_FOREIGN', { app: name, environment });
        if (held.applied) held.applied = { ...held.applied, failure: describeError(error) };
        held.retryAt = null;
        failed(name, held, error);
        await save(name);
        return;
      }
      held.failures++;
      const wait = retryAfter(held.failures);
      held.retryAt = wait === null ? null : clock.now().mono + wait;
      failed(name, held, new AppSupervisorError('HOSTING_LOST', { environment }));
      if (wait !== null) clock.timeout(wait + 10, () => converge(name));
    });
  }
}
