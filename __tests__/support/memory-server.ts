import type { Clock, Timer } from '../../src/server/clock';
import type { DatabaseConnection, Place } from '../../src/server/databases/connection';
import type { Dialect, Roles, SessionMark } from '../../src/server/databases/dialect';
import { postgres } from '../../src/server/databases/dialects/postgres';
import { ConnectionLoss, type Row, type Session } from '../../src/server/databases/session';
import { copyOf } from './copy';
import { MemoryDatabase, type MemoryTransaction } from './memory-database';
import { statementOf } from './memory-sql';

/**
 * A server for the databases of apps, in memory, with what PostgreSQL promises of sessions: locks that end with the session, transactions
 * that are undone with it, and its end by another one, which takes a moment. It passes the contract tests of
 * `contracts/app-database-suite.ts`, as PostgreSQL does.
 */

/** How a process reaches the server. */
export interface Line {
  clock: Clock;
  /** The process; sessions of one that has died end. */
  owner: string;
  /** Carries a statement to the server and its answer back: a simulation delays either. */
  ask<T>(statement: () => Promise<T>): Promise<T>;
  /** Something reaches the process that it has not asked for. */
  tell(news: () => void): void;
}

export const failure = (code: string, message: string) => Object.assign(new Error(message), { code });
const TERMINATED = 'Connection terminated unexpectedly';

/** A database of the server. */
export class AppDatabase {
  readonly content = new MemoryDatabase([]);

  constructor(
    readonly name: string,
    onCommit: (transaction: MemoryTransaction) => void,
  ) {
    this.content.onCommit = onCommit;
  }
}

/** A session as the server has it. */
export class ServerSession {
  label: string;
  transaction: MemoryTransaction | null = null;
  isOver = false;
  hasBootLock = false;
  /** How long it may rest in a transaction, in ms; 0 for ever. */
  idleLimit = 0;
  idle: Timer | undefined;
  readonly loss = new ConnectionLoss();

  constructor(
    readonly id: string,
    readonly user: string,
    readonly database: AppDatabase | null,
    readonly line: Line,
    label: string,
  ) {
    this.label = label;
  }
}

/** A session as its process has it, also as a pool has it. */
export class MemorySession implements Session {
  constructor(
    private readonly server: MemoryServer,
    readonly at: ServerSession,
  ) {}

  /** Something that its server does for it. */
  do<T>(work: () => T | Promise<T>): Promise<T> {
    return this.at.line.ask(async () => {
      if (this.at.isOver) throw new Error(TERMINATED);
      return work();
    });
  }

  query(sql: string, params: readonly unknown[] = []): Promise<Row[]> {
    return this.do(() => this.server.execute(this.at, sql, params));
  }

  async close(): Promise<void> {
    await this.end();
  }

  end(): Promise<void> {
    return this.at.line.ask(async () => this.server.end(this.at)).catch(() => undefined);
  }

  onLost(listener: (error: Error) => void): void {
    this.at.loss.listen(listener);
  }
}

interface Held {
  session: ServerSession;
  /** Of a mark, or of the boot lock. */
  group: string;
  holder: string;
}

export class MemoryServer {
  readonly databases = new Map<string, AppDatabase>();
  /** Passwords by the name of the user. */
  readonly users = new Map<string, string>();
  readonly sessions = new Map<string, ServerSession>();
  private held: Held[] = [];
  private ids = 0;
  /** How long a session lives on that somebody ends, in ms. */
  endsAfter: () => number = () => 0;
  /** Called before what a transaction has written is seen, and before a database goes. */
  onCommit: (transaction: MemoryTransaction) => void = () => undefined;
  onDrop: (database: AppDatabase) => void = () => undefined;
  /** Called when a session has ended. */
  onEnd: (session: ServerSession) => void = () => undefined;
  /** Called when a user has got another password. */
  onPassword: (user: string, password: string, by: ServerSession) => void = () => undefined;

  /** @param clock its own */
  constructor(readonly clock: Clock) {}

  /** @returns false if there is one of that name */
  make(name: string): boolean {
    if (this.databases.has(name)) return false;
    this.databases.set(name, new AppDatabase(name, (transaction) => this.onCommit(transaction)));
    return true;
  }

  /** The options by which a process reaches it. */
  connectionOf(line: Line, values: Partial<DatabaseConnection>, hasRoles: boolean): DatabaseConnection {
    const driver: Dialect = memoryDialect(this, line, hasRoles);
    return { dialect: 'postgres', host: 'here', ...values, driver } as DatabaseConnection;
  }

  connect(line: Line, to: DatabaseConnection, name: string | null, label: string): MemorySession {
    const { username = '', password } = to;
    if (!this.users.has(username) || this.users.get(username) !== password)
      throw failure('28P01', `password authentication failed for user "${username}"`);
    const database = name === null ? null : this.databases.get(name);
    if (database === undefined) throw failure('3D000', `database "${name}" does not exist`);
    const session = new ServerSession(`${++this.ids}`, username, database, line, label);
    this.sessions.set(session.id, session);
    return new MemorySession(this, session);
  }

  async execute(session: ServerSession, sql: string, params: readonly unknown[]): Promise<Row[]> {
    session.idle?.cancel();
    try {
      return copyOf(await statementOf(sql)(this, session, params));
    } finally {
      if (session.transaction && session.idleLimit && !session.isOver)
        session.idle = this.clock.timeout(session.idleLimit, () => this.end(session));
    }
  }

  /** A lock of a session in its database; several may have the same mark. @returns whether it has it now */
  take(session: ServerSession, group: string, holder: string, isShared: boolean): boolean {
    const same = this.holding(session.database, group).filter((one) => one.holder === holder);
    if (!isShared && same.some((one) => one.session !== session)) return false;
    if (!same.some((one) => one.session === session)) this.held.push({ session, group, holder });
    return true;
  }

  release(session: ServerSession, group: string): void {
    this.held = this.held.filter((one) => one.session !== session || one.group !== group);
  }

  holding(database: AppDatabase | null, group: string): Held[] {
    return this.held.filter((one) => one.session.database === database && one.group === group);
  }

  /** Somebody ends a session: it ends a moment later. */
  terminate(session: ServerSession): void {
    const ms = this.endsAfter();
    if (ms) this.clock.timeout(ms, () => this.end(session));
    else this.end(session);
  }

  end(session: ServerSession): void {
    if (session.isOver) return;
    session.isOver = true;
    session.idle?.cancel();
    if (session.transaction) session.database?.content.rollBack(session.transaction);
    this.held = this.held.filter((one) => one.session !== session);
    this.sessions.delete(session.id);
    this.onEnd(session);
    session.line.tell(() => session.loss.emit(new Error(TERMINATED)));
  }

  endAll(test: (session: ServerSession) => boolean): void {
    for (const session of [...this.sessions.values()]) if (test(session)) this.end(session);
  }

  /** What a database holds, for a failover to it. */
  copy(name: string): () => void {
    const tables = this.databases.get(name)?.content.tables ?? new Map();
    const copy = new Map([...tables].map(([table, { rows, ...rest }]) => [table, { ...rest, rows: copyOf(rows) }]));
    return () => {
      this.endAll(({ database }) => database?.name === name);
      const { tables } = this.databases.get(name)!.content;
      tables.clear();
      for (const [table, { rows, ...rest }] of copy) tables.set(table, { ...rest, rows: copyOf(rows) });
    };
  }
}

const on = (session: Session) => session as MemorySession;
const BOOT = 'boot lock';
const labelOf = (name: string) => `nocobase drop ${name}`;
/** How often a database is tried to be dropped that somebody connects to meanwhile. */
const ROUNDS = 5;

/** PostgreSQL's dialect, without what it reads of catalogs: the server is here. */
function memoryDialect(server: MemoryServer, line: Line, hasRoles: boolean): Dialect {
  const others = (own: ServerSession) => [...server.sessions.values()].filter((one) => one !== own);
  /** Whom this user may end: its own sessions, and those of roles that it has made. */
  const mayEnd = (own: ServerSession, one: ServerSession) => one.user === own.user || hasRoles;
  return {
    ...postgres,
    clock: line.clock,
    connect: (connection, database, label) => line.ask(async () => server.connect(line, connection, database, label)),
    serverDatabases: () => [null],
    identity: async () => 'memory',
    hasSchema: async () => true,
    mayCreate: async () => true,
    create: (session, { database }) =>
      on(session).do(() => {
        if (!server.make(database)) throw failure('42P04', `database "${database}" already exists`);
      }),
    relations: (session) =>
      on(session).do(() =>
        [...(on(session).at.database?.content.tables.keys() ?? [])].map((name) => ({ name, kind: 'TABLE' as const })),
      ),
    emptying: { each: '' },
    size: async () => 0,
    otherTenant: async () => null,
    async drop(session, place: Place) {
      const { at } = on(session);
      for (let round = 1; ; round++) {
        const isDropped = await on(session).do(() => {
          const inIt = others(at).filter(({ database }) => database?.name === place.database);
          for (const one of inIt) server.terminate(one);
          const database = server.databases.get(place.database);
          if (inIt.length || !database) return !database;
          server.onDrop(database);
          server.databases.delete(place.database);
          return true;
        });
        if (isDropped) return;
        if (round === ROUNDS) throw failure('55006', `database "${place.database}" is being accessed by other users`);
        await line.clock.sleep(200);
      }
    },
    lock: {
      tryTake: (session, key) =>
        on(session).do(() => {
          const { at } = on(session);
          at.hasBootLock = server.take(at, `${BOOT} ${key}`, '', false);
          return at.hasBootLock;
        }),
      poll: (session, key) =>
        on(session).do(() => {
          const { at } = on(session);
          const held = server.holding(at.database, `${BOOT} ${key}`).some((one) => one.session === at);
          return { backend: at.id, held };
        }),
      release: (session, key) =>
        on(session).do(() => {
          on(session).at.hasBootLock = false;
          server.release(on(session).at, `${BOOT} ${key}`);
        }),
      holder: (session, key) =>
        on(session).do(() => server.holding(on(session).at.database, `${BOOT} ${key}`)[0]?.session.id ?? null),
    },
    drops: {
      mark: (session, name) =>
        on(session).do(() => {
          on(session).at.label = labelOf(name);
          return true;
        }),
      endOthers: (session, name) =>
        on(session).do(() => {
          const { at } = on(session);
          const found = others(at).filter(({ label, user }) => label === labelOf(name) && user === at.user);
          for (const one of found) server.terminate(one);
          return found.length > 0;
        }),
    },
    roles: hasRoles ? rolesOf(server) : undefined,
    transaction: { ...postgres.transaction, limits: postgres.transaction.limits.slice(0, 1) },
    mark: async (query, { group, holder }: SessionMark) => (await query('MARK', [group, holder]))[0]?.marked === true,
    marked: (session, group, exceptOf) =>
      on(session).do(() => {
        const { at } = on(session);
        const found = server.holding(at.database, group).filter((one) => one.holder !== exceptOf && one.session !== at);
        return [...new Set(found.map((one) => one.session.id))];
      }),
    endSessions: (session, ids) =>
      on(session).do(() => {
        const { at } = on(session);
        const found = others(at).filter(
          (one) => ids.includes(one.id) && one.database === at.database && mayEnd(at, one),
        );
        for (const one of found) server.terminate(one);
        return found.length;
      }),
    queryBy: (opened, sql, params) => (opened as MemorySession).query(sql, params),
  };
}

const rolesOf = (server: MemoryServer): Roles => ({
  rights: async () => ({ isSuperuser: false, mayMakeRoles: true }),
  adminSql: () => '-',
  exists: (session, role) => on(session).do(() => server.users.has(role)),
  make: (session, role, password) =>
    on(session).do(() => {
      const before = server.users.get(role);
      server.users.set(role, password);
      if (before !== undefined && before !== password) server.onPassword(role, password, on(session).at);
    }),
  give: async () => undefined,
  closeToFormer: async () => undefined,
  lockTable: (_session, _table, work) => work(),
  foreign: async () => [],
  drop: (session, _place, role) => on(session).do(() => void server.users.delete(role)),
  open: async () => [],
  closeSql: () => '',
});
