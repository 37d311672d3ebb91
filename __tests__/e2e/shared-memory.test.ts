import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type Instance, query, waitFor } from '../../scripts/fleet';
import { unseal } from '../../src/server/apps/secrets';
import { commandLine } from '../support/command-line';
import { ask, Tab } from '../support/http';
import { Manager, signInTo, statusIn } from '../support/manager';
import { type Alone, aloneOnMariadb, aloneOnPostgres, aloneOnSqlite } from '../support/shared-memory';
import { besides } from '../support/twin';
import { conforms, type Ground } from './conformance-suite';

/** One process without Redis, on each database that can be run here; what a fleet does too is in conformance-suite.ts. */

const server = inject('postgres');

describe('on PostgreSQL', () => {
  const start = () => aloneOnPostgres(server);
  const { ground, alone } = isOneProcess(start);

  describe('STARTUP_SUBAPP', () => {
    let manager: Manager;
    let single: Instance;
    const name = async (headers: Record<string, string> = {}, path = '/api/app:getInfo') =>
      (await ask(single.url, path, { headers })).json?.data?.name;
    const others = () => single.logTail(20_000).filter((line) => line.includes('message=App office: '));

    beforeAll(async () => {
      ({ manager } = ground());
      await Promise.all([manager.create({ name: 'kiosk' }), manager.create({ name: 'office', startMode: 'withMain' })]);
      single = await besides(ground().entry, 'single', () => ({ STARTUP_SUBAPP: 'kiosk' }));
      // It is ready when its app is: that alone answers there.
      await single.start();
    });
    afterAll(async () => {
      await single?.kill();
      await manager?.clear('kiosk', 'office');
      await alone().dropData('kiosk');
    });

    it('runs that app alone: every request is for it', async () => {
      expect(await name()).toBe('kiosk');
      expect(await name({ 'X-App': 'main' })).toBe('kiosk');
      expect(await name({}, '/api/__app/office/app:getInfo')).toBe('kiosk');
      const { token } = await signInTo(single, 'kiosk');
      const tab = (await Tab.open(single.url, '/ws')) as Tab;
      tab.send({ type: 'auth:token', payload: { token, authenticator: 'basic' } });
      await tab.message(({ type }) => type === 'authorized');
      tab.close();
    });

    it('manages nothing, and is nobody to the process that does', async () => {
      const [environment] = await manager.environments();
      expect(environment).toMatchObject({ health: 'online', standby: null });
      expect(environment.instance).toContain(`:${ground().entry.pid}:`);
      await manager.command('restart', 'office');
      expect(others()).toEqual([]);
    });

    it('follows what the app is wished to be', async () => {
      const answers = async (status: number, code?: string) => {
        const wanted = async () => {
          const answer = await ask(single.url, '/api/app:getInfo');
          return answer.status === status && answer.code === code;
        };
        await waitFor(wanted, { timeout: 60_000, what: `An answer ${status}` });
      };
      await manager.command('stop', 'kiosk');
      await answers(503, 'APP_STOPPED');
      await manager.command('start', 'kiosk');
      await answers(200);
      await manager.destroy('kiosk', 'keep');
      await answers(503, 'APP_STOPPED');
    });
  });

  describe('another AES key', () => {
    const PASSWORD = 'a-password-of-its-own';
    const NEW_KEY = randomBytes(32).toString('hex');

    it('is in force after app-supervisor:rekey: every secret is sealed with it, and the apps work as before', async () => {
      const { manager, entry } = ground();
      const { host, port } = server;
      await query(server, 'postgres', `CREATE ROLE keeper LOGIN CREATEDB PASSWORD '${PASSWORD}'`);
      const database = { dialect: 'postgres', host, port, username: 'keeper', password: PASSWORD, database: 'kept' };
      const options = { dbConnType: 'new_connection', database };
      await manager.create({ name: 'keeper', startMode: 'withMain', independentSecret: true, options });
      const { token } = await signInTo(entry, 'keeper');
      const stored = async () => {
        const select = `SELECT "jwtSecret", database->>'password' AS password FROM apps`;
        const remembered = `SELECT record->>'jwtSecret' AS "jwtSecret", record->'database'->>'password' AS password FROM "appSnapshots"`;
        const { rows } = await query(server, entry.database, `${select} UNION ALL ${remembered}`);
        return rows.map(({ jwtSecret, password }) => [jwtSecret, password]);
      };
      const oldKey = entry.env.APP_SUPERVISOR_AES_SECRET_KEY!;
      const plain = (key: string, secrets: string[][]) =>
        secrets.map((pair) => pair.map((secret) => unseal(secret, Buffer.from(key, 'hex'), 'keeper')));
      const before = plain(oldKey, await stored());
      expect(before).toEqual(Array(2).fill([expect.any(String), PASSWORD]));

      await entry.stop();
      const keys = { APP_SUPERVISOR_AES_OLD_SECRET_KEY: oldKey, APP_SUPERVISOR_AES_SECRET_KEY: NEW_KEY };
      const { code, output } = await commandLine(['app-supervisor:rekey'], { ...entry.env, ...keys });
      expect([code, output]).toEqual([0, expect.stringContaining('1 apps have new secrets at rest.')]);
      expect(plain(NEW_KEY, await stored())).toEqual(before);

      entry.saveEnv({ APP_SUPERVISOR_AES_SECRET_KEY: NEW_KEY });
      await entry.start();
      const running = (app: Parameters<typeof statusIn>[0]) => statusIn(app, 'local') === 'running';
      await manager.untilApp('keeper', running, { timeout: 200_000, what: 'running again' });
      const check = await ask(entry.url, '/api/__app/keeper/auth:check', {
        headers: { Authorization: `Bearer ${token}`, 'X-Authenticator': 'basic' },
      });
      expect(check.json.data).toMatchObject({ id: 1 });
      expect((await manager.app('keeper')).pendingChanges).toEqual([]);
      // It got there at once, not by trying again with a record that came later.
      expect(entry.logTail(20_000).filter((line) => line.includes('KEY_MISSING'))).toEqual([]);
      await manager.destroy('keeper', 'drop');
      await query(server, 'postgres', 'DROP ROLE keeper');
    });
  });

  describe('without any variable', () => {
    it('the plugin is dormant, and says so', async () => {
      const { entry } = ground();
      await entry.restartWith({ APP_DISCOVERY_ADAPTER: '', APP_PROCESS_ADAPTER: '' });
      const { api } = new Manager(await entry.signIn());
      expect((await api.get('appSupervisor:info')).data).toEqual({ part: 'dormant', environment: null, warnings: [] });
      const refused = await api.get('apps:list').catch(({ status, body }) => ({ status, body }));
      expect(refused).toMatchObject({ status: 409, body: expect.stringContaining('its part is dormant') });
    });
  });
});

describe('on SQLite, without an AES key', () => {
  const { ground } = isOneProcess(() => aloneOnSqlite(server, { APP_SUPERVISOR_AES_SECRET_KEY: '' }));

  it('a warning says what to do, once', async () => {
    const { manager } = ground();
    const { warnings } = (await manager.api.get('appSupervisor:info')).data;
    expect(warnings).toEqual([expect.stringMatching(/^APP_SUPERVISOR_AES_SECRET_KEY is not set: .*openssl/)]);
    expect((await manager.environment('local')).warnings).toEqual([]);
  });

  hasNoSchemas(ground);
});

describe('on MariaDB', () => {
  const { ground, alone } = isOneProcess(() => aloneOnMariadb(server));

  hasNoSchemas(ground);

  it('a connection of its own makes a database there, and drops it when it is asked to', async () => {
    const { manager, entry, hasData } = ground();
    const { host, port, username, password } = alone().server;
    const database = { dialect: 'mariadb', host, port, username, password, database: 'partner_data' };
    await manager.create({ name: 'partner', options: { dbConnType: 'new_connection', database } });
    expect(await hasData('partner_data')).toBe(true);
    expect(await signInTo(entry, 'partner')).toBeTruthy();
    await manager.destroy('partner', 'drop');
    expect(await hasData('partner_data')).toBe(false);
  });
});

/** What is the same on every database. */
function isOneProcess<T extends Alone>(start: () => Promise<T>): { ground(): Ground; alone(): T } {
  let alone: T;
  let ground: Ground;
  beforeAll(async () => {
    alone = await start();
    const entry = alone.fleet.supervisor;
    ground = { ...alone, manager: await Manager.of(alone.fleet), entry, host: entry };
  });
  afterAll(() => alone?.stop());

  it('is one environment in one process, without Redis', async () => {
    const { manager, entry } = ground;
    expect((await manager.api.get('appSupervisor:info')).data).toMatchObject({ part: 'local', environment: 'local' });
    expect(await manager.environments()).toMatchObject([{ name: 'local', health: 'online', appVersion: '2.2.15' }]);
    expect(entry.env.APP_SUPERVISOR_REDIS_URL).toBeUndefined();
  });

  conforms({ remote: false, environment: 'local' }, () => ground);

  return { ground: () => ground, alone: () => alone };
}

function hasNoSchemas(ground: () => Ground): void {
  it('an app that asks for a schema fails in words', async () => {
    const { manager } = ground();
    const options = { dbConnType: 'new_schema', database: { schema: 'books' } };
    const { operation } = await manager.begin('create', { name: 'books', options });
    expect(await manager.ended(operation!)).toMatchObject({
      state: 'failed',
      steps: [{ error: { code: 'DATABASE_DIALECT', message: expect.stringContaining('it has no schemas') } }],
    });
    await manager.destroy('books', 'keep');
  });
}
