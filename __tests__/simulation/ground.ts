import { type HostRow, readRows } from '../../src/server/databases';
import { HOSTS_TABLE } from '../../src/server/databases/host-rows';
import { MARKER_TABLE } from '../../src/server/databases/ownership-marker';
import type { AppRecord } from '../../src/shared/messages';
import { type AppDatabase, type Line, MemoryServer } from '../support/memory-server';
import type { PlayedPool } from './pool';
import { type Machine, randomFor, type Scheduler } from './scheduler';

/** How one boot goes. */
export interface Boot {
  ends: 'well' | 'failed' | 'crashed' | 'never';
  /** In ms. */
  takes: number;
}

export interface GroundOptions {
  seed: number;
  scheduler: Scheduler;
  /** The server of the apps' databases. */
  machine: Machine;
  /** Whether apps have database roles of their own. */
  roles: boolean;
  note(line: string): void;
  violate(what: string): void;
  nextBoot(): Boot;
  /** How long the next end of an app takes, in ms. */
  nextStop(): number;
  crash(machine: Machine): void;
  /** Whether an app of this incarnation runs somewhere, in a process that its database knows as its host there. */
  isRunning(uid: string, place: string): boolean;
  /** Called when a boot is about to begin. */
  onBoot(machine: Machine, environment: string, record: AppRecord, row: HostRow | undefined): void;
  /** Whether somebody asked for the data of this incarnation of an app to be dropped. */
  mayDrop(uid: string): boolean;
}

/** Of each process, by which it signs in. */
const WORKER = { username: 'worker', password: 'secret' };
/** After how long the server finds that the machine of a session is gone, in ms: as lock.ts and the pools have it ask. */
const NOTICED_AFTER = 25_000;
/** How long the server takes to end a session, at most, in ms. */
const ENDS_WITHIN = 1_500;

/** What all environments share: the server of the apps' databases, and who is connected to it. */
export class Ground {
  readonly server: MemoryServer;
  readonly pools = new Set<PlayedPool>();
  /** `<uid> <environment>` where a copy of an app's uploads has begun. */
  readonly copied = new Set<string>();
  /** Who boots an app, by its name, whatever the locks say. */
  readonly booting = new Map<string, Machine>();
  /** By incarnation of an app, when its database last fell back to an older copy, in true ms. */
  readonly restoredAt = new Map<string, number>();
  /** By environment and incarnation of an app: the newest generation in which it has left it. */
  readonly left = new Map<string, number>();
  private readonly copies = new Map<string, { owner: string; restore(): void }>();

  constructor(readonly options: GroundOptions) {
    const { seed, machine } = options;
    const random = randomFor(seed, 'ends of sessions');
    this.server = new MemoryServer(machine);
    Object.assign(this.server, {
      endsAfter: () => 1 + random.fraction() ** 4 * ENDS_WITHIN,
      onEnd: (session) => {
        for (const pool of this.pools) pool.ended(session);
        if (session.hasBootLock) this.endBoots(session.line.owner, session.database?.name);
      },
      onCommit: ({ writes }) => this.noteLeft(writes.get(HOSTS_TABLE)?.values() ?? []),
      onDrop: (database) => this.judgeDrop(database),
      onPassword: (user, password, by) => this.judgePassword(user, password, by.line.owner),
    } satisfies Partial<MemoryServer>);
    this.server.users.set(WORKER.username, WORKER.password);
  }

  /** How a process reaches the server, of which `main` is the name of its main database. */
  connectionOf(machine: Machine, main: string) {
    const { seed, scheduler, roles } = this.options;
    const random = randomFor(seed, `${machine.name} databases`);
    const delay = () => 0.5 + random.fraction() * 4;
    const line: Line = {
      clock: machine,
      owner: machine.name,
      ask: (statement) =>
        new Promise((resolve, reject) => {
          scheduler.after(delay(), () => {
            // The server has ended the sessions of a process that is dead.
            if (machine.isDead) return;
            statement().then(
              (result) => machine.enter(() => resolve(result)),
              (error) => machine.enter(() => reject(error)),
            );
          });
        }),
      tell: (news) => void scheduler.after(delay(), () => machine.enter(news)),
    };
    this.server.make(main);
    return this.server.connectionOf(line, { ...WORKER, database: main }, roles);
  }

  /** Uid of the app to which a database belongs; empty for one without a marker, undefined where there is none. */
  ownerOf(place: string): string | undefined {
    const database = this.server.databases.get(place);
    return database && String(rowsOf(database, MARKER_TABLE)[0]?.uid ?? '');
  }

  /** Uids of all apps that have a database which was made for them: another one is kept. */
  get makers(): Set<string> {
    const marks = [...this.server.databases.values()].flatMap((database) => rowsOf(database, MARKER_TABLE));
    return new Set(marks.flatMap(({ uid, created }) => (created === 1 ? String(uid) : [])));
  }

  row(place: string, environment: string): HostRow | undefined {
    const database = this.server.databases.get(place);
    const row = database?.content.tables.get(HOSTS_TABLE)?.rows.get(environment);
    return readRows(row ? [row] : [])[0];
  }

  /** Keeps what a database says, for a failover to it. */
  copy(place: string, at: number): void {
    const owner = this.ownerOf(place);
    if (owner) this.copies.set(`${place} ${at}`, { owner, restore: this.server.copy(place) });
  }

  /** A replica of a database takes over that was behind. One of another app, or from before it was made, does not. */
  restore(place: string, at: number): void {
    const copy = this.copies.get(`${place} ${at}`);
    const database = this.server.databases.get(place);
    if (!copy || !database || copy.owner !== this.ownerOf(place)) return;
    this.restoredAt.set(copy.owner, this.options.scheduler.now);
    copy.restore();
    for (const key of this.left.keys()) if (key.endsWith(` ${copy.owner}`)) this.left.delete(key);
    this.noteLeft(rowsOf(database, HOSTS_TABLE));
  }

  /** @param isNoticed false: its machine is gone, too, and the server takes its sessions for alive until no packet of them is answered */
  died(machine: Machine, isNoticed: boolean): void {
    for (const pool of this.pools) if (pool.machine === machine) this.pools.delete(pool);
    this.endBoots(machine.name);
    const end = () => this.server.endAll(({ line }) => line.owner === machine.name);
    if (isNoticed) end();
    else this.options.scheduler.after(NOTICED_AFTER, end);
  }

  /** The app writes nothing any more, even if its boot is still to end: it has lost its lock or its row. */
  endBoots(owner: string, place?: string): void {
    for (const [app, booting] of this.booting)
      if (booting.name === owner && (place === undefined || place === app)) this.booting.delete(app);
  }

  private noteLeft(rows: Iterable<unknown>): void {
    for (const { environment, uid, generation, gone } of readRows([...rows]))
      if (gone) this.left.set(`${environment} ${uid}`, generation);
  }

  private judgeDrop(database: AppDatabase): void {
    const uid = this.ownerOf(database.name);
    if (!uid) return;
    if (!this.options.mayDrop(uid)) this.options.violate(`the data of ${database.name} were dropped, unasked`);
    if (this.options.isRunning(uid, database.name))
      this.options.violate(`the data of ${database.name} were dropped while it runs`);
  }

  /** The role of an app gets a password. Whoever runs the app has to know it by then. */
  private judgePassword(user: string, password: string, by: string): void {
    for (const pool of this.pools) {
      const { environment, holder } = pool.authority;
      const row = this.row(pool.place, environment);
      const isHost = row?.uid === pool.uid && row.holder === holder && !row.gone;
      if (pool.user === user && isHost && pool.refusedAt === null && !pool.knows(password))
        this.options.violate(`${pool.app} loses its database in ${pool.machine.name}: ${by} sets another password`);
    }
  }
}

const rowsOf = ({ content }: AppDatabase, table: string) => [...(content.tables.get(table)?.rows.values() ?? [])];
