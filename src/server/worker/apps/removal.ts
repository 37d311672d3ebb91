import { type Message, say } from '../../../shared/message';
import type { AppRecord } from '../../../shared/messages';
import { describeError, hasCode, inEnglish, messageOf } from '../../errors';
import { INTERVAL } from '../../timing';
import { HostingTaken } from '../hosting/claim';
import type { AppState } from './app-states';
import type { WorkOnApps } from './failures';
import { DATA_LIMIT, STOP_LIMIT } from './time-limits';

export interface AppRemovalOptions extends WorkOnApps {
  /** Whatever an older copy of the store says later, the app is not here any more. */
  remember(record: AppRecord): Promise<void>;
  removeFromSnapshot(name: string): Promise<void>;
}

/** How often a database server that does not answer is asked to drop data. */
const ATTEMPTS = 4;

/** Whether a process of this environment has begun to start it, also if that failed, and not another app of its name. */
const hasHosted = ({ applied, record }: AppState): boolean =>
  applied?.uid === record.uid && [applied.version, applied.unfinished, applied.failure].some((known) => known !== null);

/** Removes apps from this environment, with their data if the record says so. */
export class AppRemoval {
  constructor(private readonly options: AppRemovalOptions) {}

  private async rest(name: string, held: AppState): Promise<void> {
    const { host, limits } = this.options;
    await limits.run(name, held, STOP_LIMIT, host.rest(name));
    // Whatever follows, it does not run.
    held.state = 'absent';
  }

  /**
   * No former process of this environment, which may be frozen, writes to the app's database any more, and no older record starts the
   * app here. Where the database does not answer, nothing is known to write there.
   *
   * @returns false if this process may not act now, or a session could not be ended: it is tried again
   */
  private async leaveDatabase(name: string, held: AppState, record: AppRecord): Promise<boolean> {
    const { host, limits, authority, log } = this.options;
    if (!hasHosted(held)) return true;
    if (!(await authority.confirm())) return false;
    try {
      await limits.run(name, held, DATA_LIMIT, host.hosted.leave(record, authority));
      return true;
    } catch (error) {
      if (error instanceof HostingTaken) held.newest = error.newest;
      else log.warn(`App ${name} could not leave its database: ${messageOf(error)}`, { app: name });
      return !hasCode(error, 'HOSTING_HELD');
    }
  }

  /**
   * Removes an app as its record asks. It is not done, and tried again, if this process finds that it may not act. Never rejects because
   * of the data: that is shown.
   */
  async remove(name: string, held: AppState, record: AppRecord, data: AppRecord['data']): Promise<void> {
    const { host, apps, limits, remember, removeFromSnapshot, failures } = this.options;
    const log = this.options.log.bound({ app: name });
    await this.rest(name, held);
    const wait = () => apps.show(name, held, 'waiting', say('WAITS_FOR_MAIN_DATABASE'));
    if (!(await this.leaveDatabase(name, held, record))) return wait();
    let outcome: Message | undefined;
    if (data !== 'keep') {
      try {
        const ended = await limits.run(name, held, DATA_LIMIT, this.endData(held, record));
        if (!ended) return wait();
        outcome = ended;
        log.info(`App ${name}: ${inEnglish(outcome)}`);
      } catch (error) {
        // A remaining marker is only noted; remaining data means that the drop failed.
        if (data === 'drop') {
          held.generation = record.generation;
          failures.show(name, held, error);
          return;
        }
        outcome = say('DATA_KEEPS_MARKER', { cause: describeError(error) });
        log.warn(`App ${name}: ${inEnglish(outcome)}`);
      }
    }
    await host.forgetLogs(name).catch((error) => log.warn(`The logs of app ${name} stay: ${messageOf(error)}`));
    await remember(record);
    // It may have been assigned anew meanwhile.
    if (held.record === record) {
      await removeFromSnapshot(name);
      apps.forgetVisits(name);
    }
    const failure = held.applied?.failure;
    // Only now, because an earlier removal left the same status.
    held.generation = record.generation;
    Object.assign(held, {
      applied: null,
      booted: null,
      state: 'absent',
      version: null,
      doing: null,
      adminPassword: null,
    });
    apps.show(name, held, 'not_found', outcome);
    if (failure?.code !== 'APP_STOPS_LOOP') return;
    // It may run where a failover has brought it: the Supervisor has still to learn it.
    held.error = failure;
    apps.report(name);
  }

  /**
   * A server that does not answer may do so a moment later, and a process that was frozen finds its time over.
   * @returns what was done; null if this process may not act
   */
  private async endData(held: AppState, record: AppRecord): Promise<Message | null> {
    const { host, authority, clock } = this.options;
    for (let attempt = 1; ; attempt++) {
      if (!(await authority.confirm())) return null;
      try {
        return await host.endData(record);
      } catch (error) {
        const isAway = hasCode(error, 'DATABASE_UNREACHABLE');
        if (!isAway || record.data !== 'drop' || attempt === ATTEMPTS || held.record !== record) throw error;
      }
      await clock.sleep(INTERVAL);
    }
  }
}
