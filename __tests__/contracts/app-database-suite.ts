import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  acquireLock,
  type DatabaseConnection,
  dropDatabase,
  type HostPlace,
  type HostRow,
  inspectDatabase,
  markOf,
  markUpgrading,
  prepareDatabase,
  type RoleRepairer,
  releaseDatabase,
  resetPartialInstall,
  signsIn,
  withHostPlace,
} from '../../src/server/databases';
import { placeOf } from '../../src/server/databases/connection';
import type { Dialect } from '../../src/server/databases/dialect';
import { dialectOf } from '../../src/server/databases/dialects';
import { inExisting } from '../../src/server/databases/open';
import type { Session } from '../../src/server/databases/session';
import { claimHosting, endBootInTheWay, HostingTaken } from '../../src/server/worker/hosting/claim';
import { guardPool } from '../../src/server/worker/hosting/guarded-pool';
import { HostedDatabases } from '../../src/server/worker/hosting/hosted-databases';
import { recordOf } from '../support/fixtures';
import { recordedLog } from '../support/log';
import { until } from '../support/wait';
import { authorityOf } from '../support/worker-boots';

/** A server for the databases of apps. */
export interface AppDatabaseServer {
  /** How a Worker reaches a database that is not there yet. */
  connectionOf(name: string): DatabaseConnection;
  /** A connection as an app's pool opens it, before any hook. */
  openPooled(connection: DatabaseConnection): Promise<{ end(): unknown }>;
}

const owner = { app: 'crm', uid: 'uid-1' };
const MODE = 'new_database';
const ROWS = '"public"."app_supervisor_hosts"';
const MARKER = '"public"."app_supervisor_mark"';

/** What is used of the server of the apps' databases: its sessions, their locks and transactions, and their end. */
export function appDatabaseSuite(server: () => AppDatabaseServer): void {
  let count = 0;
  let connection: DatabaseConnection;
  const opened: Session[] = [];
  beforeEach(async () => {
    connection = server().connectionOf(`contract_${++count}`);
    await prepareDatabase(connection, MODE, { ...owner, mayCreate: true });
  });
  afterEach(async () => {
    for (const session of opened.splice(0)) await session.close();
  });

  const dialect = () => dialectOf(connection);
  async function open(to = connection): Promise<Session> {
    const session = await dialect().connect(to, to.database ?? null, 'test');
    opened.push(session);
    return session;
  }
  const faultOf = (work: Promise<unknown>) =>
    work.then(
      () => 'none',
      (error) => dialect().faultOf(error),
    );
  const isLost = (session: Session) => {
    let lost = false;
    session.onLost(() => {
      lost = true;
    });
    return () => lost;
  };
  const row = (values: Partial<HostRow> = {}): HostRow => ({
    environment: 'env_a',
    uid: 'uid-1',
    term: 1,
    holder: 'one',
    generation: 4,
    gone: false,
    ...values,
  });
  const inPlace = <T>(work: (place: HostPlace) => Promise<T>) => withHostPlace(connection, MODE, owner, work);
  const write = (...rows: HostRow[]) => inPlace((place) => place.change(() => ({ write: rows })));
  const rows = () => inPlace((place) => place.rows());
  const record = recordOf({ uid: 'uid-1', generation: 5, environments: ['env_a'], hosts: ['env_a'] });
  const by = (holder: string, term: number) => authorityOf({ holder, term: () => term });
  const mark = async (session: Session, holder: string, environment = 'env_a') =>
    dialect().mark((...query) => session.query(...query), markOf('uid-1', { environment, holder }));
  const group = 'uid-1 env_a';
  const lockOf = (holder: string) => {
    const own = markOf('uid-1', { environment: 'env_a', holder });
    return acquireLock(connection, { app: 'crm', environment: 'env_a', timeoutMs: 0, mark: own });
  };

  describe('a database', () => {
    it('is made once, says whose it is, and is refused to others', async () => {
      expect(await prepareDatabase(connection, MODE, { ...owner, mayCreate: true })).toMatchObject({ created: false });
      expect(await inspectDatabase(connection, MODE, owner)).toMatchObject({
        installed: 'none',
        mark: { created: true },
      });
      const other = inspectDatabase(connection, MODE, { app: 'shop', uid: 'uid-2' });
      await expect(other).rejects.toMatchObject({ code: 'DATABASE_OTHER_APP' });
      const claims = withHostPlace(connection, MODE, { app: 'shop', uid: 'uid-2' }, (place) => place.rows());
      await expect(claims).rejects.toMatchObject({ code: 'DATABASE_OTHER_APP' });
      const missing = inspectDatabase(server().connectionOf('nowhere'), MODE, owner);
      await expect(missing).rejects.toMatchObject({ code: 'DATABASE_MISSING' });
      const wrong = inspectDatabase({ ...connection, password: 'x' }, MODE, owner);
      await expect(wrong).rejects.toMatchObject({ code: 'DATABASE_SIGN_IN' });
    });

    it('belongs to nobody once it is released', async () => {
      await write(row());
      await releaseDatabase(connection, MODE, owner);
      await expect(rows()).rejects.toMatchObject({ code: 'DATABASE_UNMARKED' });
    });

    it('says what is wrong as its driver does', async () => {
      const session = await open();
      expect(await faultOf(session.query(`SELECT uid FROM "public"."nothing" WHERE id = 1`))).toBe('noTable');
      expect(await faultOf(dialect().create(session, placeOf(connection), 'database'))).toBe('exists');
      expect(await faultOf(open(server().connectionOf('nowhere')))).toBe('missing');
      expect(await faultOf(open({ ...connection, password: 'x' }))).toBe('signIn');
    });

    it('has roles that keep their sessions when they get another password', async () => {
      const session = await open();
      const role = `role_${count}`;
      const as = (password: string) => ({ ...connection, username: role, password });
      await dialect().roles!.make(session, role, 'first');
      await dialect().roles!.give(session, placeOf(connection), role);
      const own = await open(as('first'));
      await dialect().roles!.make(session, role, 'second');
      expect([await signsIn(as('first')), await signsIn(as('second'))]).toEqual([false, true]);
      await own.query(dialect().transaction.begin);
      await own.query('COMMIT');
    });
  });

  describe('a role that exists', () => {
    const as = (password: string) => ({ ...connection, username: `repaired_${count}`, password });
    const makerOf = (password: string, more: Partial<RoleRepairer> = {}): RoleRepairer => ({
      worker: connection,
      role: `repaired_${count}`,
      password,
      maySet: () => true,
      ...more,
    });
    const prepare = (maker: RoleRepairer, options: object = { mayCreate: false }) =>
      prepareDatabase(as(maker.password), MODE, { ...owner, mayCreate: false, ...options, maker });

    beforeEach(async () => {
      await write(row({ generation: 700 }));
      const session = await open();
      await dialect().roles!.make(session, `repaired_${count}`, 'first');
      await dialect().roles!.give(session, placeOf(connection), `repaired_${count}`);
      await dialect().roles!.takeOver?.(session, placeOf(connection), `repaired_${count}`, 'own');
    });

    it.each([['boots'], ['made it', { mayCreate: true }], ['adopted it', { adopt: true }]])(
      'gets no other password by one who %s, where the rows of its app do not let it',
      async (_, options?: object) => {
        const seen: HostRow[][] = [];
        const repair = (answer: boolean | HostingTaken) => {
          const maySet = (hosts: HostRow[]) => {
            seen.push(hosts);
            if (answer instanceof HostingTaken) throw answer;
            return answer;
          };
          return prepare(makerOf('second', { maySet }), options);
        };
        await expect(repair(false)).rejects.toMatchObject({ code: 'DATABASE_SIGN_IN' });
        expect(await signsIn(as('first'))).toBe(true);
        expect(seen[0]).toEqual([row({ generation: 700 })]);
        await expect(repair(new HostingTaken('crm', 'env_a', 700))).rejects.toMatchObject({ code: 'HOSTING_TAKEN' });
        expect(await signsIn(as('first'))).toBe(true);
        await repair(true);
        expect([await signsIn(as('first')), await signsIn(as('second'))]).toEqual([false, true]);
      },
    );

    it('keeps the password that it was about to get', async () => {
      await dialect().roles!.make(await open(), `repaired_${count}`, 'second');
      await expect(prepare(makerOf('first', { nextPassword: 'second' }))).rejects.toMatchObject({
        code: 'DATABASE_SIGN_IN',
      });
      expect([await signsIn(as('first')), await signsIn(as('second'))]).toEqual([false, true]);
    });
  });

  describe('a transaction', () => {
    it('is seen by others once it has ended, and its rows are waited for', async () => {
      await write(row());
      const session = await open();
      await session.query(dialect().transaction.begin);
      await session.query(`SELECT uid FROM ${MARKER} WHERE id = 1 FOR UPDATE`);
      await session.query(`UPDATE ${ROWS} SET generation = ? WHERE environment = ?`, [900, 'env_a']);
      expect(await rows()).toEqual([row()]);
      let seen: HostRow[] | null = null;
      const waiting = inPlace((place) => place.change((found) => ({ found }))).then(({ found }) => {
        seen = found;
      });
      await rows();
      expect(seen).toBeNull();
      await session.query('COMMIT');
      await waiting;
      expect(seen).toEqual([row({ generation: 900 })]);
    });

    it('is undone with its session, and nobody waits for it any more', async () => {
      await write(row());
      const session = await open();
      await session.query(dialect().transaction.begin);
      await session.query(`SELECT uid FROM ${MARKER} WHERE id = 1 FOR UPDATE`);
      await session.query(`DELETE FROM ${ROWS} WHERE environment = ?`, ['env_a']);
      const waiting = inPlace((place) => place.change((found) => ({ found })));
      await session.close();
      expect((await waiting).found).toEqual([row()]);
    });

    it('reads and changes the rows of an app: another one begins when it has ended', async () => {
      const before = Array.from({ length: 6 }, (_, i) => row({ environment: `env_${i}` }));
      await write(...before);
      const after = before.map((one) => ({ ...one, generation: 5 }));
      await inPlace(async (second) => {
        let other: Promise<{ found: HostRow[] }> | undefined;
        await inPlace((first) =>
          first.change(() => {
            other = second.change((found) => ({ found }));
            return { write: after };
          }),
        );
        expect((await other)?.found).toEqual(after);
      });
    });

    it('that its session rests in for too long ends with it', async () => {
      await write(row());
      const session = await open();
      const lost = isLost(session);
      await session.query("SET idle_in_transaction_session_timeout = '1s'");
      await session.query(dialect().transaction.begin);
      await session.query(`SELECT uid FROM ${MARKER} WHERE id = 1 FOR UPDATE`);
      await inPlace((place) => place.change(() => ({ remove: ['env_a'] })));
      await until('The loss', async () => lost());
      expect(await rows()).toEqual([]);
    });
  });

  describe('the boot lock', () => {
    it('is of one session at a time, and ends with it', async () => {
      const lock = await lockOf('one');
      await expect(lockOf('two')).rejects.toMatchObject({ code: 'LOCK_BUSY' });
      expect(await lock.isHeld()).toBe(true);
      await lock.release();
      const next = await lockOf('two');
      // As when its process is killed.
      await next.use((session) => session.close(), 5_000).catch(() => undefined);
      await (await lockOf('three')).release();
    });

    it('is of the session in which an app is claimed, or it is not claimed', async () => {
      const hosted = new HostedDatabases({ signedIn: async () => connection as never }, recordedLog());
      const lock = await lockOf('one');
      await hosted.claim(record, by('one', 1), lock);
      const claimed = await rows();
      await lock.use((session) => session.close(), 5_000).catch(() => undefined);
      const later = hosted.claim({ ...record, generation: 6 }, by('one', 1), lock);
      await expect(later).rejects.toMatchObject({ code: 'LOCK_LOST' });
      expect(await rows()).toEqual(claimed);
    });

    it('is of the session in which a boot looks into the database, marks and empties it, or none of that is done', async () => {
      await (await open()).query('CREATE TABLE IF NOT EXISTS "public"."users" (id INTEGER PRIMARY KEY, email TEXT)');
      const content = () => inspectDatabase(connection, MODE, owner);
      const lock = await lockOf('one');
      expect(await inspectDatabase(connection, MODE, owner, lock)).toMatchObject({ installed: 'partial' });
      await markUpgrading(connection, owner, true, lock);
      await lock.use((session) => session.close(), 5_000).catch(() => undefined);
      const lost = { code: 'LOCK_LOST' };
      await expect(inspectDatabase(connection, MODE, owner, lock)).rejects.toMatchObject(lost);
      await expect(markUpgrading(connection, owner, false, lock)).rejects.toMatchObject(lost);
      await expect(resetPartialInstall(connection, owner, lock)).rejects.toMatchObject(lost);
      expect(await content()).toMatchObject({ installed: 'partial', mark: { upgrading: true } });
      const next = await lockOf('two');
      await resetPartialInstall(connection, owner, next);
      expect(await next.isHeld()).toBe(true);
      await next.release();
      expect(await content()).toMatchObject({ installed: 'none' });
    });

    it('is lost by what takes too long in its session, of which nothing is done any more', async () => {
      const lock = await lockOf('one');
      let goesOn = () => {};
      const gate = new Promise<void>((resolve) => {
        goesOn = resolve;
      });
      let later: Promise<unknown> | undefined;
      const work = inExisting(
        placeOf(connection),
        100,
        'crm',
        ({ session }) => {
          later = gate.then(() => session.query('CREATE TABLE "public"."late" (id INTEGER PRIMARY KEY)'));
          return later.catch(() => undefined);
        },
        lock,
      );
      await expect(work).rejects.toMatchObject({ code: 'DATABASE_UNREACHABLE' });
      await lock.release();
      goesOn();
      await expect(later).rejects.toThrow();
      expect(await lock.lost).toMatchObject({ code: 'LOCK_LOST' });
      await (await lockOf('two')).release();
    });

    it('is taken from a session that somebody ends', async () => {
      await write(row());
      const lock = await lockOf('one');
      expect(await inPlace((place) => endBootInTheWay(place, record, by('one', 1)))).toBe(false);
      expect(await inPlace((place) => endBootInTheWay(place, record, by('two', 2)))).toBe(true);
      expect(await lock.lost).toMatchObject({ code: 'LOCK_LOST' });
      expect(await lock.isHeld()).toBe(false);
      await (await lockOf('two')).release();
    });
  });

  describe('the mark of a session', () => {
    it('is found by its group, in the database, and goes with the session', async () => {
      const [asking, one, two, other] = [await open(), await open(), await open(), await open()];
      for (const [session, holder] of [
        [one, 'one'],
        [two, 'two'],
        [asking, 'one'],
      ] as const)
        expect(await mark(session, holder)).toBe(true);
      await mark(other, 'one', 'env_b');
      const marked = (exceptOf: string | null) => dialect().marked(asking, group, exceptOf);
      const [all, butTwo] = [await marked(null), await marked('two')];
      expect([all.length, butTwo.length]).toEqual([2, 1]);
      await one.close();
      await until('Its end', async () => (await marked('two')).length === 0);
      expect(await marked(null)).toHaveLength(1);
    });

    it('lets others end the session: it is lost, and does nothing more', async () => {
      const [asking, one] = [await open(), await open()];
      const lost = isLost(one);
      await mark(one, 'one');
      await write(row());
      await one.query(dialect().transaction.begin);
      await one.query(`DELETE FROM ${ROWS} WHERE environment = ?`, ['env_a']);
      expect(await dialect().endSessions(asking, await dialect().marked(asking, group, null))).toBe(1);
      await until('The loss', async () => lost());
      expect(await faultOf(one.query('COMMIT'))).toBe('unreachable');
      expect(await rows()).toEqual([row()]);
    });

    it('ends with its session before a claim ends', async () => {
      await write(row());
      const [asking, one] = [await open(), await open()];
      await mark(one, 'one');
      await inPlace((place) => claimHosting(place, record, by('two', 2)));
      expect(await dialect().marked(asking, group, null)).toEqual([]);
      expect(await faultOf(one.query(`DELETE FROM ${ROWS} WHERE environment = ?`, ['env_a']))).toBe('unreachable');
      expect(await rows()).toEqual([row({ holder: 'two', term: 2, generation: 5 })]);
    });
  });

  it('lets a connection of a pool in that finds its own row, and no other', async () => {
    await write(row());
    const ended: unknown[] = [];
    const connectAs = async (holder: string) => {
      const told: string[] = [];
      const { hooks } = guardPool(connection as never, 'uid-1', by(holder, 1), (found) => told.push(found));
      const pooled = await server().openPooled(connection);
      ended.push(pooled);
      const [hook] = (hooks as { afterConnect: Array<(opened: unknown) => Promise<void>> }).afterConnect;
      const error = await hook(pooled).catch((error) => error.code);
      return [...told, error];
    };
    expect(await connectAs('one')).toEqual([undefined]);
    expect(await connectAs('two')).toEqual(['refused', 'HOSTING_LOST']);
    await inPlace((place) => place.change(() => ({ remove: ['env_a'] })));
    expect(await connectAs('one')).toEqual(['lost', undefined]);
    for (const pooled of ended) await (pooled as { end(): unknown }).end();
  });

  describe('a drop', () => {
    const drop = (uid = 'uid-1') => dropDatabase(connection, MODE, { uid });

    it('ends who is connected, drops what the app made, and nothing of another one', async () => {
      const session = await open();
      const lost = isLost(session);
      expect(await drop('uid-2')).toMatchObject({ code: 'DATA_KEPT' });
      expect(lost()).toBe(false);
      expect(await drop()).toEqual({ code: 'DATA_DROPPED' });
      await until('The loss', async () => lost());
      expect(await faultOf(open())).toBe('missing');
      expect(await drop()).toEqual({ code: 'DATA_DROPPED' });
    });

    /** Lets a drop stop in a step, while the place gets another owner, and go on. @returns what the drop has answered */
    async function frozenIn(step: 'mark' | 'drop', meanwhile: () => Promise<unknown>) {
      const { drops, drop: dropPlace, ...rest } = dialect();
      let wake = () => {};
      const woken = new Promise<void>((resolve) => {
        wake = resolve;
      });
      let isFrozen = false;
      const stop = async () => {
        isFrozen = true;
        await woken;
      };
      const driver: Dialect = {
        ...rest,
        drops: {
          ...drops!,
          mark: async (...to) => {
            if (step === 'mark') await stop();
            return drops!.mark(...to);
          },
        },
        drop: async (...to) => {
          if (step === 'drop') await stop();
          return dropPlace(...to);
        },
      };
      const frozen = dropDatabase({ ...connection, driver } as DatabaseConnection, MODE, { uid: 'uid-1' });
      const ended = frozen.catch((error) => error);
      await until('The freeze', async () => isFrozen);
      await meanwhile();
      wake();
      const answer = await ended;
      expect(await inspectDatabase(connection, MODE, next)).toMatchObject({ mark: { uid: 'uid-2' } });
      return answer;
    }
    const next = { app: 'shop', uid: 'uid-2' };
    const makeNext = () => prepareDatabase(connection, MODE, { ...next, mayCreate: true });
    const makeAgain = async () => {
      expect(await drop()).toEqual({ code: 'DATA_DROPPED' });
      await makeNext();
    };

    it('that freezes before it is marked looks again whose the place is', async () => {
      expect(await frozenIn('mark', makeAgain)).toMatchObject({ code: 'DATA_KEPT' });
    });

    it('that freezes after its check is ended before the place is dropped and made again', async () => {
      expect(await frozenIn('drop', makeAgain)).toMatchObject({ code: 'DATABASE_UNREACHABLE' });
    });

    it('that freezes after its check is ended before the place gets another owner', async () => {
      const give = async () => {
        await releaseDatabase(connection, MODE, owner);
        await makeNext();
      };
      expect(await frozenIn('drop', give)).toMatchObject({ code: 'DATABASE_UNREACHABLE' });
    });
  });
}
