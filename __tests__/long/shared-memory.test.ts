import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type Api, type Instance, query, waitFor } from '../../scripts/fleet';
import { unseal } from '../../src/server/protocol/secrets';
import { commandLine } from '../support/command-line';
import { startImageNginx } from '../support/front';
import { ask, Tab } from '../support/http';
import { Manager, signInTo, statusIn } from '../support/manager';
import { anotherProcess } from '../support/replica';
import { aloneOnPostgres, aloneOnSqlite, isOneProcess, type TestTarget } from '../support/test-targets';
import { read, signInAt, upload } from '../support/uploads';
import { conforms } from './conformance-suite';

/**
 * One process without Redis: on PostgreSQL everything that a fleet does too (conformance-suite.ts), on SQLite what is left on
 * the disk beside it. On other databases: e2e/one-process.test.ts, chaos/databases.test.ts.
 */

const server = inject('postgres');

describe('on PostgreSQL', () => {
  let one: TestTarget;
  const target = () => one;
  beforeAll(async () => {
    one = await aloneOnPostgres(server);
  });
  afterAll(() => one?.stop());

  it('is one environment in one process, without Redis', () => isOneProcess(one));

  conforms({ remote: false, environment: 'local' }, target);

  describe('STARTUP_SUBAPP', () => {
    let manager: Manager;
    let single: Instance;
    const name = async (headers: Record<string, string> = {}, path = '/api/app:getInfo') =>
      (await ask(single.url, path, { headers })).json?.data?.name;
    const others = () => single.logTail(20_000).filter((line) => line.includes('message=App office: '));

    beforeAll(async () => {
      ({ manager } = target());
      await Promise.all([manager.create({ name: 'kiosk' }), manager.create({ name: 'office', startMode: 'withMain' })]);
      single = await anotherProcess(target().entry, 'single', () => ({ STARTUP_SUBAPP: 'kiosk' }));
      // It is ready when its app is: that alone answers there.
      await single.start();
    });
    afterAll(async () => {
      await single?.kill();
      await manager?.clear('kiosk', 'office');
      await target().dropData('kiosk');
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
      expect(environment.instance).toContain(`:${target().entry.pid}:`);
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
      const { manager, entry } = target();
      const { host, port } = server;
      await query(server, 'postgres', `CREATE ROLE keeper LOGIN CREATEDB PASSWORD '${PASSWORD}'`);
      const database = { dialect: 'postgres', host, port, username: 'keeper', password: PASSWORD, database: 'kept' };
      const options = { dbConnType: 'new_connection', database };
      await manager.create({ name: 'keeper', startMode: 'withMain', options });
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
      expect([code, output]).toEqual([0, expect.stringContaining('Apps with new secrets at rest: 1.')]);
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
      const { entry } = target();
      await entry.restartWith({ APP_DISCOVERY_ADAPTER: '', APP_PROCESS_ADAPTER: '' });
      const { api } = new Manager(await entry.signIn());
      expect((await api.get('appSupervisor:info')).data).toEqual({ part: 'dormant', environment: null, warnings: [] });
      const refused = await api.get('apps:list').catch(({ status, body }) => ({ status, body }));
      expect(refused).toMatchObject({ status: 409, body: expect.stringContaining('its role is dormant') });
    });
  });
});

describe('on SQLite', () => {
  let one: TestTarget;
  const runs = (row: Parameters<typeof statusIn>[0]) => statusIn(row, 'local') === 'running';

  beforeAll(async () => {
    one = await aloneOnSqlite(server);
    await one.manager.create({ name: 'solo', startMode: 'withMain' });
    await one.manager.create({ name: 'mate', cname: 'mate.example.test', startMode: 'withMain' });
  });
  afterAll(() => one?.stop());

  it('behind the nginx of the official image uploads of an app are read by who is signed in, and by nobody else', async () => {
    const front = await startImageNginx(one.entry);
    try {
      const session = await signInAt(front.url, 'solo');
      const url = await upload(front.url, 'solo', session, { name: 'note.txt', content: 'A note' });
      expect(await read(front.url, url, { Cookie: session.Cookie })).toMatchObject({ status: 200, text: 'A note' });
      const { location } = (await ask(front.url, url, { headers: { Cookie: session.Cookie } })).headers;
      expect((await ask(front.url, location!)).status).toBe(401);
    } finally {
      await front.stop();
    }
  });

  it('a second process on the same file is refused at its start, and says so', async () => {
    const second = await anotherProcess(one.entry, 'second', () => ({}));
    await expect(second.start()).rejects.toThrow();
    expect(second.logTail(100).join('\n')).toMatch(/another process has the main database \S+main\.sqlite/);
    expect((await ask(one.entry.url, '/api/__app/solo/app:getInfo')).status).toBe(200);
  });

  describe('NocoBase’s own backups', () => {
    const text = 'as it was';
    let api: Api;
    let backup: string;
    let file: { url: string; path: string; filename: string };
    const inside = (target: string, headers: Record<string, string> = {}) =>
      ask(one.entry.url, target, {
        headers: { Authorization: `Bearer ${api.token}`, 'X-Authenticator': 'basic', ...headers },
      });
    const usernames = async () =>
      (await api.get('users:list')).data.map(({ username }: { username: string }) => username).sort();
    /** Behind the address of an attachment, which leads on. */
    const content = async () => {
      const { headers } = await inside(file.url);
      return (await inside(headers.location!)).text;
    };

    beforeAll(async () => {
      const { entry } = one;
      api = await signInTo(entry, 'mate');
      const body = new FormData();
      body.append('file', new Blob([text]), 'note.txt');
      const headers = { Authorization: `Bearer ${api.token}` };
      const uploaded = await fetch(`${entry.url}/api/__app/mate/attachments:create`, { method: 'POST', headers, body });
      file = ((await uploaded.json()) as any).data;
      expect(await content()).toBe(text);
      await api.post('users:create', { username: 'of-mate', password: 'secret-123' });
      backup = (await api.post('backups:create')).data.name;
      const isThere = async () =>
        (await api.get('backups:list')).data.find(
          ({ name, inProgress }: { name: string; inProgress?: boolean }) => name === backup && !inProgress,
        );
      await waitFor(isThere, { timeout: 60_000, what: 'The backup' });
    });

    it('need no licence, and are fetched at the app’s own domain by who is signed in there alone (#6590, v1.4.9, v1.4.24)', async () => {
      const target = `/api/backups:download?filterByTk=${encodeURIComponent(backup)}`;
      const answer = await inside(target, { Host: 'mate.example.test' });
      expect(answer).toMatchObject({
        status: 200,
        headers: { 'content-disposition': expect.stringContaining(backup) },
        text: expect.stringMatching(/^PK/),
      });
      expect((await inside(target, { Host: 'nobody.example.test' })).status).not.toBe(200);
    });

    it('bring back data and uploaded files, and restart no other app (v1.4.8, v1.6.6)', async () => {
      const { manager, entry } = one;
      const { since } = (await manager.app('solo')).statuses.local;
      const before = await usernames();
      await api.post('users:create', { username: 'later', password: 'secret-123' });
      await rm(path.join(entry.storage, 'apps/mate/uploads', file.path, file.filename));
      expect(await content()).not.toBe(text);
      await api.post('backups:restore', { name: backup });
      const isBack = async () => {
        const names = await usernames().catch(() => null);
        return names && JSON.stringify(names) === JSON.stringify(before);
      };
      await waitFor(isBack, { timeout: 60_000, interval: 300, what: 'The app as it was backed up' });
      expect(await content()).toBe(text);
      await manager.untilApp('mate', runs, { what: 'running again' });
      expect((await manager.app('solo')).statuses.local.since).toBe(since);
    });

    it('make one app of another: what is restored into it is its own from then on (v1.6.6)', async () => {
      const { manager, entry } = one;
      const solo = await signInTo(entry, 'solo');
      const download = await fetch(`${entry.url}/api/__app/mate/backups:download?filterByTk=${backup}`, {
        headers: { Authorization: `Bearer ${api.token}` },
      });
      const body = new FormData();
      body.append('file', await download.blob(), backup);
      const upload = `${entry.url}/api/__app/solo/backups:upload`;
      const headers = { Authorization: `Bearer ${solo.token}` };
      expect((await fetch(upload, { method: 'POST', headers, body })).status).toBe(200);
      const namesIn = async () => {
        const signedIn = await signInTo(entry, 'solo').catch(() => null);
        const { data } = (await signedIn?.get('users:list').catch(() => null)) ?? {};
        return data?.map(({ username }: { username: string }) => username).sort();
      };
      const hasMoved = async () => JSON.stringify(await namesIn()) === JSON.stringify(await usernames());
      await waitFor(hasMoved, { timeout: 60_000, interval: 300, what: 'The other app’s users in this one' });
      await manager.untilApp('solo', runs, { what: 'running again' });
      await manager.command('restart', 'solo');
      expect(await namesIn()).toContain('of-mate');
    });
  });
});
