import { type Clock, within } from '../clock';
import type { LockAddress } from '../config/lock-address';
import { acquireLock, type DatabaseConnection, type DatabaseLock, endLockHolder, identifyServer } from '../databases';
import { AppSupervisorError, messageOf } from '../errors';
import { Feed } from '../feed';
import type { Log } from '../log';
import { fingerprint } from '../protocol/secrets';
import { type LockState, PATIENCE, type ProcessLock } from './lock-watch';

/**
 * A session lock on a worker's own main database for the lifetime of the process: the server releases it when the
 * process dies, however it dies. So its holder knows that no other process of this environment and database is alive.
 *
 * @param databaseId reads the id that is stored in the database
 * @param address of the server itself, if `main` leads through a pooler
 */
export function createProcessLock(
  main: DatabaseConnection,
  environment: string,
  databaseId: () => Promise<string>,
  clock: Clock,
  log: Log,
  address?: LockAddress,
): ProcessLock {
  const direct = { ...main, ...address };
  const key = `environment ${environment}`;
  const losses = new Feed<void>();
  const write = log.rooms.lease ?? log.debug;
  let held: DatabaseLock | null = null;
  let asking: { at: number; answer: Promise<LockState> } | null = null;
  let problem = 'The main database does not answer.';
  const print = new Fingerprint(main, environment, databaseId, write);
  const tell = teller(environment, log);
  const ask = async (): Promise<LockState> => {
    const before = held;
    if (await before?.isHeld().catch(() => false)) {
      // It may not have answered when the lock was taken.
      void print.findIfMissing();
      return 'held';
    }
    // Another process may have had it since, although this one gets it again.
    if (before && held === before) losses.emit();
    held = null;
    try {
      const taken = await acquireLock(direct, { key, app: 'main', environment, timeoutMs: 0 });
      held = taken;
      void taken.lost.then(() => {
        if (held !== taken) return;
        held = null;
        losses.emit();
      });
      // Where the session was lost, another database may have taken over.
      await print.findAgain();
      return 'held';
    } catch (error) {
      write(`The process lock of environment ${environment} is not free: ${messageOf(error)}`);
      problem = messageOf(error);
      const state = stateOf(error);
      if (state !== 'unknown') await print.findIfMissing();
      return state;
    }
  };
  return {
    losses,
    get fingerprint() {
      return print.value;
    },
    get problem() {
      return problem;
    },
    async hold() {
      asking ??= {
        at: clock.now().mono,
        answer: ask().finally(() => {
          asking = null;
        }),
      };
      const { at, answer } = asking;
      // A database that hangs proves nothing, and must not delay the renewal of the lease.
      return { state: await within<LockState>(clock, PATIENCE, answer, 'unknown'), askedAt: at };
    },
    displace: () => within(clock, PATIENCE, endHolder(direct, key, tell), false),
    async release() {
      const giveUp = async () => {
        const lock = held;
        held = null;
        await lock?.release().catch(() => undefined);
      };
      // A lock that the database grants too late is released.
      const later = asking?.answer.then(giveUp);
      await within(clock, PATIENCE, later ?? giveUp(), undefined);
    },
  };
}

/**
 * Of the main database and an environment, by what the database says and not by its address: two machines may call two databases
 * `localhost`, and two processes may call one database by two names. A copy has the stored id of its original, and another server or
 * place on it.
 */
class Fingerprint {
  /** As last found; null before that. */
  value: string | null = null;
  private finding: Promise<void> | null = null;

  constructor(
    private readonly main: DatabaseConnection,
    private readonly environment: string,
    private readonly databaseId: () => Promise<string>,
    private readonly write: (line: string) => void,
  ) {}

  /** Never rejects. */
  async findIfMissing(): Promise<void> {
    if (this.value === null) await this.find();
  }

  /** Nothing waits for that where one is known. Never rejects. */
  async findAgain(): Promise<void> {
    const finding = this.find();
    if (this.value === null) await finding;
  }

  private find(): Promise<void> {
    this.finding ??= this.findNow()
      .catch((error) =>
        this.write(`The main database of environment ${this.environment} cannot be identified: ${messageOf(error)}`),
      )
      .finally(() => {
        this.finding = null;
      });
    return this.finding;
  }

  private async findNow(): Promise<void> {
    const [id, server] = await Promise.all([this.databaseId(), identifyServer(this.main)]);
    this.value = fingerprint([id, server, this.environment].join('|'));
  }
}

/** Never rejects. @returns whether no session holds the lock any more */
async function endHolder(direct: DatabaseConnection, key: string, tell: (why: string) => void): Promise<boolean> {
  try {
    const left = await endLockHolder(direct, key);
    if (left) tell(`session ${left} belongs to another user of the database. End it there.`);
    return left === null;
  } catch (error) {
    tell(messageOf(error));
    return false;
  }
}

/** Says once why the session of a holder was not ended. */
function teller(environment: string, log: Log): (why: string) => void {
  let told: string | null = null;
  return (why) => {
    if (why !== told) log.warn(`The session that holds the lock of environment ${environment} was not ended: ${why}`);
    told = why;
  };
}

function stateOf(error: unknown): LockState {
  const code = error instanceof AppSupervisorError ? error.code : null;
  if (code === 'LOCK_BUSY') return 'other';
  return code === 'LOCK_POOLED' ? 'none' : 'unknown';
}
