import type { Status } from '../../shared/types';
import type { Clock } from '../clock';
import type { Stores } from '../protocol/stores';

/** From this age on, what is known is read again while it is answered with, in ms. */
const REFRESH_AFTER = 10_000;
/** From this age on, the answer waits until it is read again, in ms. */
const OLD_AFTER = 60_000;

/**
 * The statuses that other environments report, for a worker that is asked about all of them. Kept in memory: however many ask, the
 * fleet is polled at most once in 10 s, and not at all while nobody asks. Nothing is known about an environment that nobody holds.
 */
export class StatusesElsewhere {
  private known = new Map<string, { version: number; epoch: number; statuses: Map<string, Status> }>();
  /** When the fleet was last polled, by the monotonic clock. */
  private polledAt = Number.NEGATIVE_INFINITY;
  private polling: Promise<void> | null = null;

  constructor(
    private readonly stores: Pick<Stores, 'fleet' | 'statuses'>,
    private readonly clock: Clock,
  ) {}

  /**
   * By environment and app. Never rejects: what cannot be read is unknown.
   * @param isFresh whether it must be as of now
   */
  async read(isFresh: boolean): Promise<Map<string, Map<string, Status>>> {
    const age = this.clock.now().mono - this.polledAt;
    if (isFresh || age >= OLD_AFTER) await this.poll();
    else if (age >= REFRESH_AFTER) void this.poll();
    return new Map([...this.known].map(([name, { statuses }]) => [name, statuses]));
  }

  private poll(): Promise<void> {
    this.polling ??= this.pollNow().finally(() => {
      this.polling = null;
      this.polledAt = this.clock.now().mono;
    });
    return this.polling;
  }

  private async pollNow(): Promise<void> {
    try {
      const { environments } = await this.stores.fleet.poll();
      const held = [...environments].flatMap(([name, { lease, statusVersion }]) =>
        lease ? [{ name, epoch: lease.epoch, version: statusVersion }] : [],
      );
      const read = await Promise.all(
        held.map(async ({ name, epoch, version }) => {
          const before = this.known.get(name);
          if (before?.epoch === epoch && before.version === version) return [name, before] as const;
          const entries = await this.stores.statuses.read(name);
          return [
            name,
            { version, epoch, statuses: new Map(entries.map((entry) => [entry.name, entry.status])) },
          ] as const;
        }),
      );
      this.known = new Map(read);
    } catch {
      this.known = new Map();
    }
  }
}
