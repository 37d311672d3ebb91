import type { Clock } from '../../clock';
import { describeError, inEnglish, messageOf, referenceOf } from '../../errors';
import type { Log } from '../../log';
import type { HostingAuthority } from '../hosting/claim';
import type { AppHost } from '../hosting/host';
import type { AppState, AppStates } from './app-states';
import { retryAfter } from './decide';
import type { TimeLimits } from './time-limits';

export interface FailuresOptions extends Pick<WorkOnApps, 'apps' | 'clock' | 'log'> {
  host: Pick<AppHost, 'showError'>;
  converge(name: string): void;
}

/** What whoever does something with apps needs. */
export interface WorkOnApps {
  apps: AppStates;
  host: AppHost;
  limits: TimeLimits;
  failures: Failures;
  authority: HostingAuthority;
  clock: Clock;
  log: Log;
}

/** Shows that apps have failed, and tries them again. */
export class Failures {
  constructor(private readonly options: FailuresOptions) {}

  show(name: string, held: AppState, error: unknown): void {
    const { apps, host, log } = this.options;
    held.state = 'error';
    held.error = describeError(error);
    const details = { code: held.error.code, reference: referenceOf(name, held.error), stack: (error as Error)?.stack };
    log.bound({ app: name }).error(`App ${name}: ${inEnglish(held.error)}`, details);
    host.showError(name, error instanceof Error ? error : new Error(messageOf(error)));
    apps.show(name, held, 'error');
  }

  /** It is tried again later, unless it has failed too often. */
  showAndRetry(name: string, held: AppState, error: unknown): void {
    const { clock, converge } = this.options;
    held.failures++;
    const wait = retryAfter(held.failures);
    held.retryAt = wait === null ? null : clock.now().mono + wait;
    this.show(name, held, error);
    if (wait !== null) clock.timeout(wait + 10, () => converge(name));
  }
}
