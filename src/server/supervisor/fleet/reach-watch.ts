import type { Health } from '../../../shared/types';
import type { Clock } from '../../clock';
import type { EnvironmentCache } from './environment-cache';
import type { FleetObserver } from './observer';

/** Until its lease says that it is gone, what refuses connections may be shown as online again: also after the store was away. */
const MAY_RETURN: Health[] = ['online', 'suspect', 'unknown'];

/** How often an environment that could not be reached is tried again, in ms. */
const TRY_EVERY = 2_000;

export interface ReachWatchOptions {
  observer: Pick<FleetObserver, 'environment' | 'noteReach'>;
  environmentCache: Pick<EnvironmentCache, 'addressOf'>;
  clock: Clock;
  /** Whether a Worker answers at this address of its environment. Never rejects. */
  reaches(proxyUrl: string): Promise<boolean>;
}

/**
 * Takes refused connections for evidence: their environment is suspect at once, and is checked until it answers, another process holds
 * it, or its lease says that it is gone.
 */
export class ReachWatch {
  private readonly watched = new Set<string>();
  private stopped = false;

  constructor(private readonly options: ReachWatchOptions) {}

  /**
   * A connection to the Worker of this environment could not be established, by this Supervisor or another one.
   * @returns whether it was not doubted before
   */
  doubt(environment: string): boolean {
    const { observer } = this.options;
    const isDoubted = observer.environment(environment)?.unreachableSince !== null;
    if (isDoubted || this.stopped || !this.proxyUrlOf(environment)) return false;
    observer.noteReach(environment, false);
    // A check that began with its predecessor goes on with this process.
    if (!this.watched.has(environment)) void this.check(environment);
    return true;
  }

  stop(): void {
    this.stopped = true;
  }

  private async check(environment: string): Promise<void> {
    const { observer, clock, reaches } = this.options;
    this.watched.add(environment);
    for (;;) {
      const proxyUrl = this.proxyUrlOf(environment);
      const isReached = proxyUrl !== null && (await reaches(proxyUrl));
      const view = observer.environment(environment);
      const isOver = this.stopped || isReached || view === null || view.unreachableSince === null;
      if (isOver || !MAY_RETURN.includes(view.health)) break;
      await clock.sleep(TRY_EVERY);
    }
    // From here on its lease decides alone.
    observer.noteReach(environment, true);
    this.watched.delete(environment);
  }

  /** Null for one that is unknown, or whose lease already says that its Worker is not there. */
  private proxyUrlOf(environment: string): string | null {
    const view = this.options.observer.environment(environment);
    if (!view?.registration || !MAY_RETURN.includes(view.health)) return null;
    return this.options.environmentCache.addressOf(environment) ?? null;
  }
}
