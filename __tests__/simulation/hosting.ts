import type { HostPlace, HostRow } from '../../src/server/databases';
import { AppSupervisorError } from '../../src/server/errors';
import type { HostingAuthority } from '../../src/server/worker/hosting/claim';
import { judgeAdmission } from '../../src/server/worker/hosting/guarded-pool';
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
  /** Whether it would try this password. */
  knows(password: string): boolean;
  /** A connection was refused. */
  refused(): void;
  /** A connection found no row of this process. */
  lost(): void;
}

/** Who has the boot lock of a place. */
export interface BootLock {
  machine: Machine;
  environment: string;
}

/** Rows of all databases of apps, as databases/host-rows.ts keeps them, and the pools that have sessions there. */
export class HostingGround {
  private readonly places = new Map<string, Map<string, HostRow>>();
  readonly pools = new Set<Pool>();
  /** By incarnation of an app, when its database last fell back to an older copy, in true ms. */
  readonly restoredAt = new Map<string, number>();
  /** By place and time. */
  private readonly copies = new Map<string, { owner: string; rows: Map<string, HostRow> | undefined }>();
  /** By environment and incarnation of an app: the newest generation in which it has left it. */
  readonly left = new Map<string, number>();
  /** Who boots in a database: the session lock that the real host takes. */
  readonly locks = new Map<string, BootLock>();

  /**
   * @param now in true ms
   * @param ownerOf a database; undefined if there is none
   * @param onBootEnd the session that has the boot lock was ended
   */
  constructor(
    private readonly now: () => number,
    private readonly ownerOf: (place: string) => string | undefined,
    private readonly onBootEnd: (machine: Machine) => void,
  ) {}

  row(place: string, environment: string): HostRow | undefined {
    return this.places.get(place)?.get(environment);
  }

  /** The place of an app, as a Worker opens it. */
  place(name: string, app: string, uid: string): HostPlace {
    const owner = this.ownerOf(name);
    const details = { object: `database "${name}"`, app, server: 'here' };
    if (owner === undefined) throw new AppSupervisorError('DATABASE_MISSING', details);
    if (owner === '') throw new AppSupervisorError('DATABASE_UNMARKED', details);
    if (owner !== uid) throw new AppSupervisorError('DATABASE_FOREIGN', details);
    const rows = this.places.get(name) ?? new Map<string, HostRow>();
    this.places.set(name, rows);
    return {
      rows: async () => structuredClone([...rows.values()]),
      change: async (judge) => {
        const change = judge(structuredClone([...rows.values()]));
        for (const environment of change.remove ?? []) rows.delete(environment);
        for (const row of change.write ?? []) {
          rows.set(row.environment, { ...row });
          if (row.gone) this.left.set(`${row.environment} ${row.uid}`, row.generation);
        }
        return change;
      },
      endSessions: async (environment, exceptOf) => {
        for (const pool of this.pools) {
          const { authority } = pool;
          if (pool.place !== name || authority.environment !== environment || authority.holder === exceptOf) continue;
          // A process that is frozen finds that out when it goes on; it does not write until then.
          pool.refusedAt ??= this.now();
          pool.machine.enter(() => this.connect(pool));
        }
        const lock = this.locks.get(name);
        if (lock?.environment === environment && lock.machine.name !== exceptOf) this.endBootOf(name);
      },
      endBoot: async (environments, exceptOf) => {
        const lock = this.locks.get(name);
        if (!lock || !environments.includes(lock.environment) || lock.machine.name === exceptOf) return false;
        this.endBootOf(name);
        return true;
      },
    };
  }

  /** A pool opens a connection: as `guardPool`. */
  connect(pool: Pool): void {
    if (!this.pools.has(pool)) return;
    const { environment, holder } = pool.authority;
    const verdict = judgeAdmission(
      this.row(pool.place, environment),
      { holder, term: pool.authority.term() },
      pool.uid,
    );
    if (verdict === 'lost') pool.lost();
    if (verdict !== 'refused') {
      pool.refusedAt = null;
      return;
    }
    pool.refusedAt ??= this.now();
    pool.refused();
  }

  /** Keeps what a database says of its hosts, for a failover to it. */
  copy(place: string, at: number): void {
    const owner = this.ownerOf(place);
    if (owner) this.copies.set(`${place} ${at}`, { owner, rows: structuredClone(this.places.get(place)) });
  }

  /** A replica of a database takes over that was behind. One of another app, or from before it was made, does not. */
  restore(place: string, at: number): void {
    const copy = this.copies.get(`${place} ${at}`);
    if (!copy || copy.owner !== this.ownerOf(place)) return;
    this.restoredAt.set(copy.owner, this.now());
    if (copy.rows) this.places.set(place, structuredClone(copy.rows));
    else this.places.delete(place);
    for (const key of this.left.keys()) if (key.endsWith(` ${copy.owner}`)) this.left.delete(key);
    for (const row of copy.rows?.values() ?? [])
      if (row.gone) this.left.set(`${row.environment} ${row.uid}`, row.generation);
    this.endBootOf(place);
    for (const pool of this.pools) if (pool.place === place) pool.machine.enter(() => this.connect(pool));
  }

  drop(place: string): void {
    this.places.delete(place);
  }

  died(machine: Machine): void {
    for (const pool of this.pools) if (pool.machine === machine) this.pools.delete(pool);
    for (const [place, lock] of this.locks) if (lock.machine === machine) this.locks.delete(place);
  }

  private endBootOf(place: string): void {
    const lock = this.locks.get(place);
    this.locks.delete(place);
    if (lock) this.onBootEnd(lock.machine);
  }
}
