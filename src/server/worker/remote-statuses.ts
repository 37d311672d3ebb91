import type { Status } from '../../shared/types';
import type { Stores } from '../protocol/stores';

/**
 * The statuses that other environments report, for a worker that is asked about all of them. Read on demand, with one
 * poll of the fleet; nothing is known about an environment that nobody holds.
 */
export class RemoteStatuses {
  private known = new Map<string, { version: number; epoch: number; statuses: Map<string, Status> }>();

  constructor(private readonly stores: Pick<Stores, 'fleet' | 'statuses'>) {}

  /** By environment and app. Never rejects: what cannot be read is unknown. */
  async read(): Promise<Map<string, Map<string, Status>>> {
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
    return new Map([...this.known].map(([name, { statuses }]) => [name, statuses]));
  }
}
