import { createHmac } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import type { Api } from '../../scripts/fleet';
import { say } from '../../src/shared/message';
import { ask } from '../support/http';
import { signInTo, statusIn } from '../support/manager';
import { PLUGINS_LEFT_OUT } from '../support/plugins-left-out';
import { aloneOnMariadb, aloneOnSqlite, isOneProcess, type TestTarget } from '../support/test-targets';

/**
 * One process without Redis, on the databases other than PostgreSQL: each boots, and does in small what a database can matter
 * to. Everything that a fleet does too is shown of it by long/shared-memory.test.ts and chaos/databases.test.ts.
 */

const server = inject('postgres');
const FEWER = { FLEET_WITHOUT: PLUGINS_LEFT_OUT };
const KINDS = ['SQLite', 'MariaDB'] as const;
const targets = {} as Record<(typeof KINDS)[number], TestTarget>;
/** At once: a process keeps one core busy. */
const onBoth = <T>(work: (target: TestTarget) => Promise<T>) => Promise.all(KINDS.map((kind) => work(targets[kind])));
const runs = (row: Parameters<typeof statusIn>[0]) => statusIn(row, 'local') === 'running';
const probe = async (api: Api, action: string, values: object = {}) =>
  (await api.post(`coreProbe:${action}`, values as Record<string, unknown>)).data;

beforeAll(async () => {
  [targets.SQLite, targets.MariaDB] = await Promise.all([aloneOnSqlite(server, FEWER), aloneOnMariadb(server, FEWER)]);
  await onBoth(({ manager }) => manager.create({ name: 'solo', title: 'Solo', startMode: 'withMain' }));
});
afterAll(() => Promise.all(KINDS.map((kind) => targets[kind]?.stop())));

it.each(KINDS)('%s: is one environment in one process, without Redis', (kind) => isOneProcess(targets[kind]));

it.each(KINDS)('%s: an app has data of its own, and is found by what lies in the table', async (kind) => {
  const { manager, hasData } = targets[kind];
  const row = await manager.app('solo');
  expect(row).toMatchObject({
    title: 'Solo',
    options: { dbConnType: 'new_database', database: { database: 'solo' } },
    statuses: { local: { status: 'running' } },
    version: '2.2.15',
  });
  expect(await hasData('solo')).toBe(true);
  // Each heartbeat changes when that was last known.
  const found = { ...row, statuses: { local: { ...row.statuses.local, observedAt: expect.any(Number) } } };
  for (const filter of [{ title: { $includes: 'olo' } }, { startMode: 'withMain', title: 'Solo' }]) {
    expect(await manager.apps({ filter, sort: '-title' })).toEqual([found]);
  }
  expect((await manager.apps({ sort: '-name' })).map(({ name }) => name)[0]).toBe('solo');
});

it.each(KINDS)('%s: an app that asks for a schema is refused in words, and not written', async (kind) => {
  const { manager } = targets[kind];
  const options = { dbConnType: 'new_schema', database: { schema: 'books' } };
  await expect(manager.begin('create', { name: 'books', options })).rejects.toThrow(
    /DATABASE_UNUSABLE.*DATABASE_DIALECT.*DIALECT_NO_SCHEMAS/,
  );
  expect(await manager.apps({ filter: { name: 'books' } })).toEqual([]);
});

it('SQLite, without an AES key: a warning says what to do, once', async () => {
  const { manager } = targets.SQLite;
  const { warnings } = (await manager.api.get('appSupervisor:info')).data;
  // The administrator is as it was installed.
  expect(warnings).toEqual([say('NO_AES_KEY'), say('OWN_ADMIN_KNOWN')]);
  expect((await manager.environment('local')).warnings).toEqual([]);
});

it('SQLite, without APP_KEY: what NocoBase signs with by default is not what the main app accepts', async () => {
  const { entry } = targets.SQLite;
  const file = path.join(entry.storage, 'apps/main/jwt_secret.dat');
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  const base64 = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const apiKey = (secret: string | Buffer) => {
    const body = `${base64({ alg: 'HS256', typ: 'JWT' })}.${base64({ userId: 1, roleName: 'root' })}`;
    return `${body}.${createHmac('sha256', secret).update(body).digest('base64url')}`;
  };
  const list = (secret: string | Buffer) =>
    ask(entry.url, '/api/apps:list', { headers: { Authorization: `Bearer ${apiKey(secret)}` } });
  expect(await list('test-jwt-secret')).toMatchObject({ status: 401 });
  expect(await list(await readFile(file))).toMatchObject({ status: 200 });
});

it('SQLite: a restart brings back what ran, with its secret and its manifest', async () => {
  const { manager, entry } = targets.SQLite;
  const api = await signInTo(entry, 'solo');
  await probe(api, 'setItem', { of: 'solo', namespace: 'ns', key: 'k', item: { kept: [1, '“two”'] } });
  await manager.command('stop', 'solo');
  await manager.command('start', 'solo');
  await entry.restart();
  await manager.untilApp('solo', runs, { timeout: 60_000, what: 'running again' });
  const headers = { Authorization: `Bearer ${api.token}`, 'X-Authenticator': 'basic' };
  const check = await ask(entry.url, '/api/__app/solo/auth:check', { headers });
  expect(check.json.data).toMatchObject({ id: 1 });
  expect(await probe(manager.api, 'items', { of: ['solo', 'nobody'], namespace: 'ns' })).toEqual({
    solo: [{ kept: [1, '“two”'] }],
  });
});

it.each(KINDS)('%s: drops what it created, when it is asked to', async (kind) => {
  const { manager, hasData } = targets[kind];
  await manager.destroy('solo', 'drop');
  expect(await hasData('solo')).toBe(false);
});
