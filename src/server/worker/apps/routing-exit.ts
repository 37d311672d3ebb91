import type { Message } from '../../../shared/message';
import type { AppRecord } from '../../../shared/messages';
import type { Clock } from '../../clock';
import type { AppState, AppStates } from './app-states';

/**
 * Time from the report of a status until every Supervisor routes by it, in ms: a report, a notification or a poll, and
 * the table.
 */
const LEAVING = 1_500;

/** Gives Supervisors time to route visitors to the other environments of an app before it ends here. */
export class RoutingExit {
  /** @param leaving replaces `LEAVING` */
  constructor(
    private readonly apps: AppStates,
    private readonly clock: Clock,
    private readonly leaving = LEAVING,
  ) {}

  /** Announces that a running app is about to stop; it serves visitors until then. */
  async leave(name: string, held: AppState, record: AppRecord, message: Message): Promise<void> {
    if (held.state !== 'running' || record.environments.length < 2) return;
    this.apps.show(name, held, 'preparing', message);
    await this.clock.sleep(this.leaving);
  }

  /**
   * The process is about to end, and has announced it: it serves visitors of apps that also run elsewhere until they
   * are routed there.
   */
  async drain(): Promise<void> {
    const isShared = ([, { state, record }]: [string, AppState]) =>
      state === 'running' && record.environments.length > 1;
    if (this.apps.all().some(isShared)) await this.clock.sleep(this.leaving);
  }
}
