import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import { hasSchemas } from '../../shared/dialects';
import { say } from '../../shared/message';
import { type Clock, pause, type Timer } from '../clock';
import { AppSupervisorError, fail } from '../errors';
import { type DatabaseConnection, serverOf } from './connection';
import type { Dialect, SessionMark } from './dialect';
import { dialectOf } from './dialects';
import { databaseError, openApp } from './open';
import { isPooled } from './pooler';
import { type Session, within } from './session';

/** Interval at which a waiting caller retries, in ms. */
const RETRY_INTERVAL = 200;
/** Interval at which a holder verifies that it still holds the lock, in ms. */
const HEARTBEAT = 5_000;
/** Time limit for one answer of the server, in ms. */
const ANSWER_TIMEOUT = 10_000;

export interface LockOptions {
  /** Named in errors and, with the environment, in the server's list of connections. */
  app: string;
  environment: string;
  /** The purpose of the lock; absent: booting the app of this database and schema. */
  key?: string;
  /** What says whose session it is, from before it has the lock. */
  mark?: SessionMark;
  /** Ends the wait with the signal's reason. */
  signal?: AbortSignal;
  /** Called once, if another session holds the lock. */
  onWaiting?: () => void;
  /** How long to wait for another holder, in ms; 0 tries once. */
  timeoutMs: number;
}

export interface DatabaseLock {
  /** Releases the lock. Never rejects; a second call does nothing. */
  release(): Promise<void>;
  /** Resolves with LOCK_LOST if the lock is lost before its release; otherwise never settles. */
  lost: Promise<AppSupervisorError>;
  /**
   * Works in the session that has the lock: what it does is done while this process has it, or not at all.
   * @param ms in total; then the lock is lost, because what hangs there may hold rows that others wait for
   * @throws LOCK_LOST, DATABASE_UNREACHABLE if it takes longer, and what `work` throws
   */
  use<T>(work: (session: Session) => Promise<T>, ms: number): Promise<T>;
  /** Queries the server. Never rejects. */
  isHeld(): Promise<boolean>;
}

/**
 * Takes a lock that the database server releases by itself when its holder's connection ends, however that ends. It
 * uses its own connection to the app's own database. SQLite: among the callers of this process only.
 *
 * @throws LOCK_BUSY, LOCK_POOLED, DATABASE_MISSING, DATABASE_UNREACHABLE, DATABASE_SIGN_IN, DATABASE_FAILED
 */
export async function acquireLock(connection: DatabaseConnection, options: LockOptions): Promise<DatabaseLock> {
  const server = new LockServer(connection, options);
  let session: Session | undefined;
  try {
    session = await server.open();
    return await take(server, session, options);
  } catch (error) {
    await session?.close();
    if (options.signal?.aborted && error === options.signal.reason) throw error;
    throw databaseError(connection, error);
  }
}

/**
 * 64 bits, signed as in PostgreSQL. The server's address is not part of the key, because environments may use different
 * names for it.
 */
export function lockKey(connection: DatabaseConnection, purpose = 'boot'): bigint {
  const { dialect, database = '', schema, storage = '' } = connection;
  const place = dialect === 'sqlite' ? [resolve(storage)] : [database, hasSchemas(dialect) ? schema || 'public' : ''];
  return createHash('sha256')
    .update([purpose, ...place].join('\0'))
    .digest()
    .readBigInt64BE();
}

/** What a lock is taken on, and held. */
class LockServer {
  readonly dialect: Dialect;
  readonly key: bigint;

  constructor(
    private readonly connection: DatabaseConnection,
    private readonly options: LockOptions,
  ) {
    this.dialect = dialectOf(connection);
    this.key = lockKey(connection, options.key);
  }

  async open(): Promise<Session> {
    const { app, environment } = this.options;
    const object = say('DATABASE', { name: String(this.connection.database) });
    const session = await openApp(this.connection, `nocobase lock: ${app} by ${environment}`);
    return session ?? fail('DATABASE_MISSING', { object, server: this.name, app });
  }

  /** Nobody waits for a server that does not answer. */
  answer<T>(work: Promise<T>, ms = ANSWER_TIMEOUT, onLate = () => {}): Promise<T> {
    return within(this.dialect.clock, ms, work, () => {
      onLate();
      const cause = say('NO_ANSWER_WITHIN', { seconds: ms / 1000 });
      return new AppSupervisorError('DATABASE_UNREACHABLE', { server: this.name, cause });
    });
  }

  poll(session: Session) {
    return this.answer(this.dialect.lock.poll(session, this.key));
  }

  lost(): AppSupervisorError {
    return new AppSupervisorError('LOCK_LOST', { app: this.options.app });
  }

  pooled(): AppSupervisorError {
    return new AppSupervisorError('LOCK_POOLED', { server: this.name, app: this.options.app });
  }

  private get name(): string {
    return serverOf(this.connection);
  }
}

async function take(server: LockServer, session: Session, options: LockOptions): Promise<DatabaseLock> {
  const { dialect, key } = server;
  const { mark } = options;
  // A server that does not know these settings still has the lock.
  if (dialect.lock.watch) await server.answer(dialect.lock.watch(session)).catch(() => {});
  await refusePooler(server, session);
  // Before it may have the lock: whoever is frozen from here on can be ended.
  if (mark && !(await server.answer(dialect.mark((...query) => session.query(...query), mark))))
    throw new Error('The session cannot be marked.');
  await waitFor(dialect.clock, () => server.answer(dialect.lock.tryTake(session, key)), options);
  // Twice, because a pooler that rotates its connections is only visible at the second look.
  const [first, second] = [await server.poll(session), await server.poll(session)];
  if (first.held && second.held && first.backend === second.backend)
    return new HeldLock(server, session, first.backend);
  // We took the lock, so its holder is now the pooler, which would block every boot of this app as long as it runs.
  if (dialect.lock.evict) await server.answer(dialect.lock.evict(session, key)).catch(() => {});
  throw server.pooled();
}

/** Before the lock is taken: a lock that a pooler keeps would stay on a connection that is not ours. */
async function refusePooler(server: LockServer, session: Session): Promise<void> {
  const opened: Session[] = [];
  const open = async () => {
    const second = await server.open();
    opened.push(second);
    return second;
  };
  try {
    if (await isPooled(server.dialect, session, open, (answer) => server.answer(answer))) throw server.pooled();
  } finally {
    for (const second of opened) await second.close();
  }
}

async function waitFor(
  clock: Clock,
  tryTake: () => Promise<boolean>,
  { app, signal, onWaiting, timeoutMs }: LockOptions,
): Promise<void> {
  signal?.throwIfAborted();
  const since = clock.now().mono;
  for (let first = true; !(await tryTake()); first = false) {
    if (first) onWaiting?.();
    if (clock.now().mono - since >= timeoutMs) fail('LOCK_BUSY', { app, seconds: Math.round(timeoutMs / 1000) });
    await pause(clock, RETRY_INTERVAL, signal);
    signal?.throwIfAborted();
  }
  signal?.throwIfAborted();
}

class HeldLock implements DatabaseLock {
  readonly lost: Promise<AppSupervisorError>;
  private lose!: () => void;
  private state: 'held' | 'lost' | 'released' = 'held';
  /** How much work uses the session: it is not polled meanwhile. */
  private users = 0;
  private beat: Timer;

  constructor(
    private readonly server: LockServer,
    private readonly session: Session,
    private readonly backend: string,
  ) {
    this.lost = new Promise((resolve) => {
      this.lose = () => {
        if (this.state !== 'held') return;
        this.state = 'lost';
        this.beat.cancel();
        void this.session.close();
        resolve(this.server.lost());
      };
    });
    this.beat = this.scheduleHeartbeat();
    session.onLost(this.lose);
  }

  async use<T>(work: (session: Session) => Promise<T>, ms: number): Promise<T> {
    if (this.state !== 'held') throw this.server.lost();
    this.users++;
    try {
      const lost = this.lost.then((error) => Promise.reject(error));
      return await this.server.answer(Promise.race([work(this.session), lost]), ms, this.lose);
    } finally {
      this.users--;
    }
  }

  async isHeld(): Promise<boolean> {
    if (this.state !== 'held') return false;
    if (this.users) return true;
    const seen = await this.server.poll(this.session).catch(() => null);
    if (!seen?.held || seen.backend !== this.backend) this.lose();
    return this.state === 'held';
  }

  async release(): Promise<void> {
    if (this.state !== 'held') return;
    this.state = 'released';
    this.beat.cancel();
    // The end of the connection also releases it, but only when the server has noticed the end.
    const { server } = this;
    await server.answer(server.dialect.lock.release(this.session, server.key)).catch(() => {});
    await this.session.close();
  }

  /** Detects a silently cut connection, and keeps an idle one from being closed. */
  private scheduleHeartbeat(): Timer {
    return this.server.dialect.clock.timeout(HEARTBEAT, async () => {
      if (await this.isHeld()) this.beat = this.scheduleHeartbeat();
    });
  }
}
