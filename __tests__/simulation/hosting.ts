import { type HostingRow, type HostingRows, judgeAdmission } from '../../src/server/databases';
import type { HostingAuthority } from '../../src/server/worker/hosting/claim';
import type { Machine } from './scheduler';

/** The connections of one app in one process to its database. */
export interface Pool {
  place: string;
  app: string;
  /** The incarnation of the app. */
  uid: string;
  machine: Machine;
  authority: HostingAuthority;
  /** When the server refused a new one, in true ms; null while they work. */
  refusedAt: number | null;
  /** A connection was refused. */
  refused(): void;
}

/** Hosting rows of all databases of apps, as databases/hosting-rows.ts keeps them, and the pools that have sessions there. */
export class HostingGround {
  private readonly places = new Map<string, Map<string, HostingRow>>();
  readonly pools = new Set<Pool>();
  /** By environment and incarnation of an app: the newest generation in which it was taken from there. */
  readonly takes = new Map<string, number>();

  /** @param now in true ms */
  constructor(private readonly now: () => number) {}

  row(place: string, environment: string): HostingRow | undefined {
    return this.places.get(place)?.get(environment);
  }

  rows(place: string): HostingRows {
    const rows = this.places.get(place) ?? new Map<string, HostingRow>();
    this.places.set(place, rows);
    const endSessions = (environment: string, exceptOf: string | null) => {
      for (const pool of this.pools)
        if (pool.place === place && pool.authority.environment === environment && pool.authority.instance !== exceptOf)
          pool.machine.enter(() => this.connect(pool));
    };
    return {
      all: async () => structuredClone([...rows.values()]),
      write: async (row) => {
        rows.set(row.environment, { ...row });
        endSessions(row.environment, row.instance);
      },
      take: async ({ environment, uid }, generation) => {
        const row = rows.get(environment);
        if (row?.uid !== uid) return;
        row.taken = Math.max(row.taken, generation);
        this.takes.set(`${environment} ${uid}`, row.taken);
        endSessions(environment, null);
      },
    };
  }

  /** A pool opens a connection: as `admitConnection`. */
  connect(pool: Pool): void {
    if (!this.pools.has(pool)) return;
    const { environment, instance } = pool.authority;
    const epoch = pool.authority.epoch();
    const row = this.row(pool.place, environment);
    const verdict = judgeAdmission(row, { instance, epoch }, pool.uid);
    if (verdict === 'adopt') Object.assign(row!, { instance, epoch });
    if (verdict !== 'refused') return;
    pool.refusedAt ??= this.now();
    pool.refused();
  }

  drop(place: string): void {
    this.places.delete(place);
  }

  died(machine: Machine): void {
    for (const pool of this.pools) if (pool.machine === machine) this.pools.delete(pool);
  }
}
