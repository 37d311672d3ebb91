import { randomUUID } from 'node:crypto';
import { Database } from '@nocobase/database';
import type { Application } from '@nocobase/server';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { ensureDatabase } from '../../scripts/fleet';
import { MemorySso } from '../../src/server/protocol/stores/memory/sso';
import { Identities } from '../../src/server/worker/sso/identities';
import { SsoSessions } from '../../src/server/worker/sso/sessions';
import { FakeClock } from '../support/clock';
import { recordedLog } from '../support/log';
import { SeededRandom } from '../support/random';

/** What an app's own database keeps of sign-ins by the main app, on a real one, for two environments of the app. */

const SESSION = 7 * 24 * 3_600_000;

let databases: Database[];
const [first, second] = [() => databases[0], () => databases[1]];

beforeAll(async () => {
  const server = inject('postgres');
  const database = `sso_${randomUUID().slice(0, 8)}`;
  await ensureDatabase(server, database);
  const { host, port, user: username, password } = server;
  const open = () => {
    const options = {
      dialect: 'postgres',
      host,
      port,
      username,
      password,
      database,
      logging: false,
      tablePrefix: 'p_',
    };
    const db = new Database(options as never);
    db.collection({
      name: 'issuedTokens',
      autoGenId: false,
      fields: [
        { name: 'id', type: 'uuid', primaryKey: true },
        { name: 'jti', type: 'uuid' },
        { name: 'userId', type: 'bigInt' },
        { name: 'authenticator', type: 'string' },
      ],
    });
    return db;
  };
  databases = [open(), open()];
  await first().sync();
});
afterAll(() => Promise.all(databases.map((db) => db.close())));

describe('identities', () => {
  it('are in one table, whoever makes it, which has the app’s prefix and is no collection of NocoBase', async () => {
    const both = databases.map((db) => new Identities(db));
    expect(await both[0].exists()).toBe(false);
    await Promise.all(both.map((each) => each.prepare()));
    expect(await both[1].exists()).toBe(true);
    expect(first().hasCollection('app_supervisor_identities')).toBe(false);
    expect(await first().sequelize.getQueryInterface().showAllTables()).toContain('p_app_supervisor_identities');
  });

  it('bind a user and an account once, and note the newest end alone', async () => {
    const [one, other] = databases.map((db) => new Identities(db));
    await one.bind({ user: '7', account: '3', endedAt: 5 });
    await expect(other.bind({ user: '7', account: '4', endedAt: 5 })).rejects.toThrow();
    await expect(other.bind({ user: '8', account: '3', endedAt: 5 })).rejects.toThrow();
    expect(await other.ofUser('7')).toEqual({ user: '7', account: '3', endedAt: 5 });
    expect(await other.ofAccount('3')).toMatchObject({ user: '7' });
    expect(await other.users()).toEqual(['7']);
    expect(await other.noteEnd('7', 5)).toBe(false);
    expect(await other.noteEnd('7', 6)).toBe(true);
    expect(await one.noteEnd('7', 6)).toBe(false);
  });
});

describe('the end of sign-ins', () => {
  const clock = new FakeClock();
  const store = new MemorySso(clock, new SeededRandom());

  /** A process that runs the app, and the tokens that it refuses. */
  function processOn(db: Database) {
    const refused: string[] = [];
    const app = {
      name: 'crm',
      db,
      authManager: {
        jwt: { blacklist: { add: async ({ token }: { token: string }) => void refused.push(token) } },
        tokenController: { getConfig: async () => ({ sessionExpirationTime: SESSION }) },
      },
    } as unknown as Application;
    const sessions = new SsoSessions({ store, running: () => [app], clock, log: recordedLog() });
    return { app, sessions, refused };
  }
  const signIn = async (authenticator = 'app-sso', userId = 3) => {
    const jti = randomUUID();
    await first().getModel('issuedTokens').create({ id: randomUUID(), jti, userId, authenticator });
    return jti;
  };

  it('ends the sessions of that user by the main app in every process, and no others', async () => {
    const [one, other] = [processOn(first()), processOn(second())];
    const [mine, byPassword, another] = [await signIn(), await signIn('basic'), await signIn('app-sso', 4)];
    await store.writeEnds([
      { user: '7', at: 10 },
      { user: 'unknown here', at: 10 },
    ]);
    await one.sessions.check();
    await other.sessions.check();
    expect([one.refused, other.refused]).toEqual([[mine], [mine]]);
    expect(one.refused).not.toContain(byPassword);
    expect(one.refused).not.toContain(another);
  });

  it('leaves a session that began after it, also in a process that learns of it later', async () => {
    const one = processOn(first());
    await store.writeEnds([{ user: '7', at: 20 }]);
    // As a sign-in does it, which the Supervisor has told of that end.
    await one.sessions.end(one.app, '7', 20);
    const after = await signIn();
    await one.sessions.check();
    const later = processOn(second());
    await later.sessions.check();
    expect([...one.refused, ...later.refused]).not.toContain(after);
    await store.writeEnds([{ user: '7', at: 30 }]);
    await later.sessions.check();
    expect(later.refused).toContain(after);
  });

  it('is followed once the store answers again', async () => {
    const one = processOn(first());
    const mine = await signIn();
    await store.writeEnds([{ user: '7', at: 40 }]);
    const { readEnds } = store;
    store.readEnds = () => Promise.reject(new Error('away'));
    await one.sessions.check();
    expect(one.refused).not.toContain(mine);
    store.readEnds = readEnds;
    await one.sessions.check();
    expect(one.refused).toContain(mine);
  });
});
