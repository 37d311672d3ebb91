import { say } from '../../shared/message';
import { AppSupervisorError, fail, messageOf } from '../errors';
import { aboutOf, type DatabaseConnection, type Place, serverOf } from './connection';
import type { Dialect, Relation, Roles } from './dialect';
import { dialectOf } from './dialects';
import { type Row, type Session, within } from './session';

/** A database has answered: its errors have an SQLSTATE. */
const isOfServer = (error: unknown): boolean => {
  const { code, sqlState } = (error ?? {}) as { code?: unknown; sqlState?: unknown };
  return Boolean(sqlState) || /^[0-9A-Z]{5}$/.test(String(code));
};

/**
 * Converts any database failure into the error for callers outside of this folder. The drivers' texts never contain a
 * password.
 */
export function databaseError(connection: DatabaseConnection, error: unknown): AppSupervisorError {
  if (error instanceof AppSupervisorError) return error;
  const server = serverOf(connection);
  const cause = (error as { sqlMessage?: string } | null)?.sqlMessage ?? messageOf(error);
  const fault = dialectOf(connection).faultOf(error);
  if (connection.isSeparate && (fault === 'unreachable' || (fault === 'other' && !isOfServer(error))))
    return new AppSupervisorError('DATABASE_UNREACHABLE', { server, cause: say('NO_DATABASE_THERE') });
  switch (fault) {
    case 'unreachable':
      return new AppSupervisorError('DATABASE_UNREACHABLE', { server, cause });
    case 'signIn':
      return new AppSupervisorError('DATABASE_SIGN_IN', { server, user: connection.username ?? '', cause });
    default:
      return new AppSupervisorError('DATABASE_FAILED', { server, cause });
  }
}

/** Shown in the server's list of connections. */
export const LABEL = 'nocobase app-supervisor';

/** A session on the app's own database; null if the database does not exist. */
export async function openApp(connection: DatabaseConnection, label = LABEL): Promise<Session | null> {
  const dialect = dialectOf(connection);
  const database = (connection.dialect === 'sqlite' ? connection.storage : connection.database) ?? null;
  try {
    return await dialect.connect(connection, database, label);
  } catch (error) {
    if (dialect.faultOf(error) === 'missing') return null;
    throw error;
  }
}

/** A session on the server outside of the app's database. */
async function openServer(connection: DatabaseConnection, main?: string): Promise<Session> {
  const dialect = dialectOf(connection);
  let failure: unknown;
  for (const database of dialect.serverDatabases(connection, main)) {
    try {
      return await dialect.connect(connection, database, LABEL);
    } catch (error) {
      failure ??= error;
      if (dialect.faultOf(error) === 'unreachable') break; // the next one is on the same server
    }
  }
  throw failure;
}

/** Opens sessions that end together with the work they are for. */
export interface Opener {
  /** On the app's own database; null if it is missing. */
  app(): Promise<Session | null>;
  /** @param main a database that certainly exists, for users who may not connect to the server's own */
  server(main?: string): Promise<Session>;
}

/** A session on an app's own database that has a lock: what is done in it is done while this process has that, or not at all. */
export interface LockedSession {
  /** @param ms in total; then the lock is lost */
  use<T>(work: (session: Session) => Promise<T>, ms: number): Promise<T>;
}

/**
 * Runs `work` and closes everything it opened, within `ms` in total.
 * @param locked is on the app's own database, instead of one that is opened
 * @throws AppSupervisorError only: a driver's error is converted, and no answer within `ms` is DATABASE_UNREACHABLE
 */
export async function withSessions<T>(
  connection: DatabaseConnection,
  ms: number,
  work: (open: Opener) => Promise<T>,
  locked?: LockedSession,
): Promise<T> {
  const opened = new Set<Session>();
  let over = false;
  const kept = async <S extends Session | null>(opening: Promise<S>): Promise<S> => {
    const session = await opening;
    if (session) opened.add(session);
    if (session && over) void session.close(); // opened after the deadline
    return session;
  };
  const run = (app: Opener['app']) => work({ app, server: (main) => kept(openServer(connection, main)) });
  const late = () => {
    const cause = connection.isSeparate ? say('NO_DATABASE_THERE') : say('NO_ANSWER_WITHIN', { seconds: ms / 1000 });
    return new AppSupervisorError('DATABASE_UNREACHABLE', { server: serverOf(connection), cause });
  };
  try {
    if (locked) return await locked.use((session) => run(async () => session), ms);
    return await within(
      dialectOf(connection).clock,
      ms,
      run(() => kept(openApp(connection))),
      late,
    );
  } catch (error) {
    throw databaseError(connection, error);
  } finally {
    over = true;
    await Promise.all([...opened].map((session) => session.close()));
  }
}

/** A place of an app, in one session: on its database, or on its server. */
export class OpenPlace {
  readonly dialect: Dialect;

  constructor(
    readonly place: Place,
    readonly session: Session,
  ) {
    this.dialect = dialectOf(place.connection);
  }

  /** @throws if the dialect has none, which `roleMakerOf` excludes */
  get roles(): Roles {
    if (!this.dialect.roles) throw new Error('This dialect has no roles.');
    return this.dialect.roles;
  }

  query(sql: string, params?: readonly unknown[]): Promise<Row[]> {
    return this.session.query(sql, params);
  }

  table(name: string): string {
    return this.dialect.table(this.place, name);
  }

  relations(): Promise<Relation[]> {
    return this.dialect.relations(this.session, this.place);
  }

  hasSchema(): Promise<boolean> {
    return this.dialect.hasSchema(this.session, this.place);
  }
}

/**
 * Works in a place, as `withSessions`.
 * @param work gets null if there is no such database or schema
 */
export const inPlace = <T>(
  place: Place,
  ms: number,
  work: (at: OpenPlace | null) => Promise<T>,
  locked?: LockedSession,
): Promise<T> =>
  withSessions(
    place.connection,
    ms,
    async (open) => {
      const session = await open.app();
      const at = session && new OpenPlace(place, session);
      return work(at && (await at.hasSchema()) ? at : null);
    },
    locked,
  );

/** Works in the place of an app, which has to be there. @throws DATABASE_MISSING, and what `withSessions` throws */
export const inExisting = <T>(
  place: Place,
  ms: number,
  app: string,
  work: (at: OpenPlace) => Promise<T>,
  locked?: LockedSession,
): Promise<T> => inPlace(place, ms, (at) => work(at ?? fail('DATABASE_MISSING', aboutOf(place, app))), locked);
