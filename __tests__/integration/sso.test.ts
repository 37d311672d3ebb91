import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
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

const BOB = 'fleet:7';
const bob = { id: BOB, since: 100 };
const account = { id: '3', since: 200 };
/** NocoBase's own. */
const { TokenController } = createRequire(import.meta.url)('@nocobase/plugin-auth/dist/server/token-controller.js');
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
    await one.bind({ user: bob, account, endedAt: 5 });
    const another = { id: '4', since: 1 };
    await expect(other.bind({ user: bob, account: another, endedAt: 5 })).rejects.toThrow();
    await expect(other.bind({ user: { id: 'fleet:8', since: 1 }, account, endedAt: 5 })).rejects.toThrow();
    expect(await other.ofUser(bob)).toEqual({ user: bob, account, endedAt: 5 });
    expect(await other.ofAccount(account)).toMatchObject({ user: bob });
    expect(await other.users()).toEqual([BOB]);
    expect(await other.noteEnd(BOB, 5)).toBe(false);
    expect(await other.noteEnd(BOB, 6)).toBe(true);
    expect(await one.noteEnd(BOB, 6)).toBe(false);
  });

  it('name nobody who has the same id: in another fleet, or where ids were given again', async () => {
    const [one] = databases.map((db) => new Identities(db));
    expect(await one.ofUser({ id: 'other:7', since: bob.since })).toBeNull();
    expect(await one.ofUser({ id: BOB, since: bob.since + 1 })).toBeNull();
    expect(await one.ofAccount({ id: account.id, since: account.since + 1 })).toBeNull();
  });

  it('end where the account has become another one, or the app has come to another fleet', async () => {
    const [one] = databases.map((db) => new Identities(db));
    const carol = { id: 'fleet:70', since: 1 };
    const [before, after] = [1, 2].map((since) => ({ id: '50', since }));
    await one.bind({ user: carol, account: before, endedAt: 0 });
    await one.bind({ user: { id: 'fleet:71', since: 1 }, account: after, endedAt: 0 });
    expect(await one.ofUser(carol)).toBeNull();
    await one.bind({ user: { id: 'other:9', since: 1 }, account: after, endedAt: 0 });
    expect(await one.ofAccount(after)).toMatchObject({ user: { id: 'other:9' } });
    await one.release({ id: 'other:9', since: 1 });
    expect(await one.ofAccount(after)).toBeNull();
  });
});

describe('the end of sign-ins', () => {
  const clock = new FakeClock();
  const store = new MemorySso(clock, new SeededRandom());

  /** A process that runs the app, the tokens that it refuses, and NocoBase's own renewal of tokens. */
  function processOn(db: Database) {
    const refused: string[] = [];
    const remembered = new Map<string, unknown>();
    const cache = {
      get: async (key: string) => remembered.get(key),
      async wrap(key: string, make: () => Promise<unknown>) {
        const made = remembered.get(key) ?? (await make());
        remembered.set(key, made);
        return made;
      },
    };
    const logger = { info() {}, error() {} };
    const app = {
      name: 'crm',
      db,
      authManager: {
        jwt: {
          decode: async (jti: string) => ({ jti }),
          blacklist: {
            add: async ({ token }: { token: string }) => void refused.push(token),
            has: async (token: string) => refused.includes(token),
          },
        },
      },
    } as unknown as Application;
    const tokenController = new TokenController({ app, cache, logger });
    tokenController.getConfig = async () => ({ sessionExpirationTime: SESSION });
    Object.assign(app.authManager, { tokenController });
    const random = new SeededRandom();
    const sessions = new SsoSessions({ store, running: () => [app], clock, random, log: recordedLog() });
    return { app, sessions, refused, tokenController };
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
      { user: BOB, at: 10 },
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
    await store.writeEnds([{ user: BOB, at: 20 }]);
    // As a sign-in does it, which the Supervisor has told of that end.
    await one.sessions.end(one.app, BOB, 20);
    const after = await signIn();
    await one.sessions.check();
    const later = processOn(second());
    await later.sessions.check();
    expect([...one.refused, ...later.refused]).not.toContain(after);
    await store.writeEnds([{ user: BOB, at: 30 }]);
    await later.sessions.check();
    expect(later.refused).toContain(after);
  });

  /** As NocoBase does it (plugin-auth, token-controller.js). @returns whether there was such a token */
  const renew = async (jti: string, next: string) =>
    (await first().getModel('issuedTokens').update({ jti: next }, { where: { jti } }))[0] === 1;

  it('ends a token that is renewed at the same moment, or lets it be renewed no more', async () => {
    const one = processOn(second());
    const tokens = second().getModel('issuedTokens');
    const [before, after] = [await signIn(), await signIn()];
    const renewed = randomUUID();
    // Right after the tokens were read, and right before one of them would be marked.
    const { findAll } = tokens;
    let isRenewed = false;
    tokens.findAll = (async (...given: Parameters<typeof findAll>) => {
      const rows = await findAll.apply(tokens, given);
      if (!isRenewed && rows.length) isRenewed = await renew(before, renewed);
      return rows;
    }) as typeof findAll;
    try {
      await store.writeEnds([{ user: BOB, at: 35 }]);
      await one.sessions.check();
    } finally {
      tokens.findAll = findAll;
    }
    expect(isRenewed).toBe(true);
    expect(one.refused).toEqual(expect.arrayContaining([renewed, after]));
    expect([await renew(renewed, randomUUID()), await renew(after, randomUUID())]).toEqual([false, false]);
    // The other process that runs the app refuses the same.
    const other = processOn(first());
    await other.sessions.check();
    expect(other.refused).toEqual(expect.arrayContaining([renewed, after]));
  });

  it('gives nobody a token that was renewed a moment ago, and has ended, once more', async () => {
    const one = processOn(first());
    const [bobs, another] = [await signIn(), await signIn('app-sso', 4)];
    // With what NocoBase remembers for 10 s, whoever brings the former token gets the same one again.
    const [renewed, kept] = [await one.tokenController.renew(bobs), await one.tokenController.renew(another)];
    expect(await one.tokenController.renew(bobs)).toEqual(renewed);
    await store.writeEnds([{ user: BOB, at: 36 }]);
    await one.sessions.check();
    expect(one.refused).toContain(renewed.jti);
    await expect(one.tokenController.renew(bobs)).rejects.toMatchObject({ code: 'TOKEN_RENEW_FAILED' });
    expect(await one.tokenController.renew(another)).toEqual(kept);
  });

  it('ends nothing by halves: what could not be marked is marked later', async () => {
    const one = processOn(second());
    const mine = await signIn();
    const tokens = second().getModel('issuedTokens');
    const { update } = tokens;
    tokens.update = (() => Promise.reject(new Error('cut'))) as never;
    await store.writeEnds([{ user: BOB, at: 37 }]);
    await one.sessions.check();
    tokens.update = update;
    expect(one.refused).not.toContain(mine);
    await one.sessions.check();
    expect(one.refused).toContain(mine);
  });

  it('ends one session that nobody has yet, and no other', async () => {
    const one = processOn(first());
    const [mine, other] = [await signIn(), await signIn()];
    await one.sessions.endOne(one.app, mine);
    expect(one.refused).toEqual([mine]);
    expect([await renew(mine, randomUUID()), await renew(other, other)]).toEqual([false, true]);
  });

  it('is followed once the store answers again', async () => {
    const one = processOn(first());
    const mine = await signIn();
    await store.writeEnds([{ user: BOB, at: 40 }]);
    const { readEnds } = store;
    store.readEnds = () => Promise.reject(new Error('away'));
    await one.sessions.check();
    expect(one.refused).not.toContain(mine);
    store.readEnds = readEnds;
    await one.sessions.check();
    expect(one.refused).toContain(mine);
  });
});
