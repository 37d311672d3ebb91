import { AppSupervisorError, describeError, hasCode, messageOf } from '../../errors';
import { COMPARE } from '../../timing';
import { HostingTaken } from '../hosting/claim';
import type { AppState } from './app-states';
import { NEVER } from './boots';
import type { WorkOnApps } from './failures';
import { STOP_LIMIT } from './time-limits';

export interface ReclaimsOptions extends WorkOnApps {
  inQueue(name: string, work: () => Promise<void>): Promise<void>;
  /** Writes the snapshot of an app. @throws errors of the database */
  write(name: string): Promise<void>;
}

/** Claims running apps again where their records or their data have changed, and ends those that another process hosts. */
export class Reclaims {
  constructor(private readonly options: ReclaimsOptions) {
    const { hosted } = options.host;
    hosted.refusals.listen((name) => this.lost(name));
    hosted.losses.listen((name) => this.claimAgain(name));
  }

  /**
   * Claims a running app by its newest record: environments that may not host it any more are cut off from its database.
   * @returns whether that is done; it is tried again with the next round
   */
  async claim(name: string, held: AppState): Promise<boolean> {
    const { host, authority, log } = this.options;
    const { record } = held;
    try {
      if (!(await authority.confirm())) return false;
      await host.hosted.claim(record, authority);
      held.claimed = record;
      return true;
    } catch (error) {
      this.noteLost(name, held, error);
      log.warn(`App ${name} could not be claimed by its newest record: ${messageOf(error)}`, { app: name });
      return false;
    }
  }

  /**
   * Does to the data of an app what its newest record asks for beside booting it, under a claim. A process that dies in it does it again: it
   * changes nothing twice.
   * @returns false if this process may not act now
   */
  async work(name: string, held: AppState): Promise<boolean> {
    const { apps, host, authority, clock, log, write } = this.options;
    const { record } = held;
    const generation = record.work?.generation ?? 0;
    try {
      if (!(await authority.confirm())) return false;
      await host.hosted.claim(record, authority);
      if (held.state === 'running') held.claimed = record;
      // First: the next process of this environment has to know both passwords.
      await write(name);
      await host.setPassword(record);
      held.applied = { ...(held.applied ?? { ...NEVER, uid: record.uid }), work: generation };
      held.failedWork = null;
      await write(name);
    } catch (error) {
      this.noteLost(name, held, error);
      held.failedWork = { generation, error: describeError(error), retryAt: clock.now().mono + COMPARE };
      log.warn(`App ${name}: work on its data has failed: ${messageOf(error)}`, { app: name });
    }
    apps.report(name);
    return true;
  }

  /** @param error why an app could not be claimed */
  private noteLost(name: string, held: AppState, error: unknown): void {
    if (error instanceof HostingTaken) held.newest = error.newest;
    if (hasCode(error, 'HOSTING_TAKEN') || hasCode(error, 'HOSTING_LOST')) this.lost(name);
  }

  /** Other data were restored into a running app. */
  private claimAgain(name: string): void {
    const held = this.options.apps.get(name);
    if (held?.state !== 'running' || held.isReclaiming) return;
    held.isReclaiming = true;
    void this.options.inQueue(name, async () => {
      // It may be about to leave by now, by a record that names nobody who may host it.
      const { desired } = held.record;
      const stays = this.options.apps.get(name) === held && (desired === 'running' || desired === 'onDemand');
      if (held.state === 'running' && stays) await this.claim(name, held);
      held.isReclaiming = false;
    });
  }

  /** Another process hosts an app: it ends here, and is tried again, in case only its row was lost. */
  private lost(name: string): void {
    const { apps, limits, host, authority, inQueue, failures } = this.options;
    const held = apps.get(name);
    if (held?.state !== 'running') return;
    held.state = 'error';
    void inQueue(name, async () => {
      // What was under way has removed or stopped it, or has started it anew.
      if (held.state !== 'error') return;
      await limits.run(name, held, STOP_LIMIT, host.rest(name));
      failures.showAndRetry(name, held, new AppSupervisorError('HOSTING_LOST', { environment: authority.environment }));
    });
  }
}
