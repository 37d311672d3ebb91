import { EventEmitter } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Database } from '@nocobase/database';
import type { Application, ApplicationOptions, AppSupervisor } from '@nocobase/server';
import { afterAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { query } from '../../scripts/fleet';
import { systemClock } from '../../src/server/clock';
import { acquireLock, inspectDatabase } from '../../src/server/databases';
import { CoreAppRegistry } from '../../src/server/nocobase/core-app-registry';
import { hashPassword, isPassword } from '../../src/server/protocol/administrator';
import { seal } from '../../src/server/protocol/secrets';
import { AppHost } from '../../src/server/worker/hosting/host';
import { secretsOf } from '../support/envelope';
import { recordOf } from '../support/fixtures';
import { recordedLog } from '../support/log';
import { until } from '../support/wait';
import { Boots, bootQueueOf } from '../support/worker-boots';
import { install, on, sql, table, tables } from './databases-places';

/**
 * What a boot leaves in a real database when its process is killed in the middle, and what the next process makes of it. Only
 * the core is played: what it does to an app is a function of the test.
 */

const { host, port, user: username, password } = inject('postgres');
const server = { host, port, username, password };
const VERSION = '2.2.15';
const never = new Promise<never>(() => undefined);
const used: string[] = [];
let name: string;

beforeEach(() => {
  name = `killed_${used.length + 1}`;
  used.push(name);
});
/** For what the host keeps of apps. */
const folder = mkdtempSync(path.join(tmpdir(), 'app-supervisor-killed-'));

afterAll(async () => {
  rmSync(folder, { recursive: true });
  for (const each of used) await query(inject('postgres'), 'postgres', `DROP DATABASE IF EXISTS ${each} WITH (FORCE)`);
});

const database = () => on({ ...server, stop: async () => {} }, 'postgres', name);
const mark = async () => (await sql(database(), 'SELECT * FROM app_supervisor_mark'))[0];
const record = (values = {}) => recordOf({ name, database: { dbConnType: 'new_database', database: name }, ...values });

/** A process of its own. @param work what the core does when it starts the app */
function processOf(work: (app: EventEmitter) => Promise<void>) {
  const commands: string[] = [];
  const secrets: Array<string | undefined> = [];
  const creators: string[] = [];
  const core = {
    emit: () => true,
    createDatabase: async ({ app }: { app: { name: string } }) => void creators.push(app.name),
    registerApp({ appModel }: { appModel: { name: string; options: ApplicationOptions } }) {
      secrets.push(appModel.options.authManager?.jwt?.secret?.toString());
      const app = Object.assign(new EventEmitter(), {
        name: appModel.name,
        setMaintainingMessage() {},
        destroy: async () => undefined,
        async runCommandThrowError(...command: string[]) {
          commands.push(command.join(' '));
          await work(app);
          coreApps.appStatus[name] = 'running';
        },
      });
      return coreApps.addApp(app as unknown as Application);
    },
  };
  const coreApps = new CoreAppRegistry(core as unknown as AppSupervisor);
  const main = { name: 'main', getPackageVersion: () => VERSION, db: { options: { ...database(), database: 'main' } } };
  coreApps.apps.main = main as unknown as Application;
  const installed = async () => [{ name: 'acl', version: VERSION, builtIn: true }];
  const supervisor = core as unknown as AppSupervisor;
  const log = recordedLog();
  const host = new AppHost(
    supervisor,
    coreApps,
    secretsOf(null),
    'env_a',
    { logPath: folder, storagePath: folder, databaseHosts: [] },
    systemClock,
    log,
    installed,
  );
  // It boots one app at a time.
  const boots = new Boots({ host, coreApps, clock: systemClock, bootQueue: bootQueueOf(systemClock, 1) });
  const boot = (how: 'start' | 'upgrade' = 'start', values = {}) => boots.boot(record(values), how);
  return { boots, boot, commands, creators, secrets, log };
}

/** `kill -9` while the core works on the app: all that anybody sees of it is that its connections end. */
async function killedWhile(
  work: (app: EventEmitter) => Promise<void>,
  how?: 'start' | 'upgrade',
  values = {},
): Promise<void> {
  let isThere = false;
  const killed = processOf(async (app) => {
    await work(app);
    isThere = true;
    await never;
  });
  void killed.boot(how, values);
  await until('The moment of the kill', () => isThere);
  const end = 'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1';
  await query(inject('postgres'), 'postgres', end, [`nocobase lock: ${name} by env_a`]);
}

const installs = () => install(database(), VERSION);
const whole = () => inspectDatabase(database(), 'new_database', { app: name, uid: 'uid-1' });
const nothing = async () => {};

describe('a worker killed in the middle of an installation', () => {
  const half = () => install(database(), null);

  it('begins it again in the empty database that the app made, and then starts the app as any other', async () => {
    await killedWhile(half, 'start', { provision: 'create' });
    const next = processOf(async () => {
      expect(await tables(database())).toEqual(['app_supervisor_hosts', 'app_supervisor_mark']);
      await installs();
    });
    await next.boot();
    expect(await whole()).toMatchObject({ installed: 'complete', version: VERSION, mark: { created: true } });
    const later = processOf(nothing);
    await later.boot();
    expect([next.commands, later.commands]).toEqual([['start --quickstart'], ['start']]);
  });

  it('asks creators of other plugins for a database that is missing, and for no other', async () => {
    const first = processOf(installs);
    await first.boot('start', { provision: 'create' });
    const second = processOf(nothing);
    await second.boot('start', { provision: 'create' });
    expect([first.creators, second.creators]).toEqual([[name], []]);
  });

  it('does not touch a database that was there before the app, and says what to do', async () => {
    await query(inject('postgres'), 'postgres', `CREATE DATABASE ${name}`);
    await killedWhile(half, 'start', { provision: 'create' });
    const before = await tables(database());
    const next = processOf(nothing);
    await expect(next.boot()).rejects.toMatchObject({ code: 'DATABASE_NOT_EMPTIED' });
    expect(next.commands).toEqual([]);
    expect(await tables(database())).toEqual(before);
  });
});

describe('the administrator of an app', () => {
  const OWN = 'of her own';
  const initialAdmin = async () => ({ username: 'ada', email: 'ada@example.com', password: await hashPassword(OWN) });

  /** What plugin-users does when it is installed, on its collection: a user with the password that everybody knows. */
  async function installUsers(app: EventEmitter): Promise<Database> {
    const db = new Database({ ...database(), logging: false } as never);
    const text = ['username', 'email', 'nickname'].map((name) => ({ name, type: 'string' }));
    db.collection({ name: 'users', fields: [...text, { name: 'password', type: 'password', hidden: true }] });
    await db.sync();
    const plugin = { getName: () => 'users' };
    Object.assign(app, { db });
    for (const listener of app.listeners('beforeInstallPlugin')) await listener(plugin);
    const values = { username: 'nocobase', email: 'admin@nocobase.com', nickname: 'Super Admin', password: 'admin123' };
    await db.getRepository('users').create({ values });
    for (const listener of app.listeners('afterInstallPlugin')) await listener(plugin);
    return db;
  }
  const installUsersOnly = async (app: EventEmitter) => (await installUsers(app)).close();
  const users = () => sql(database(), `SELECT username, email, nickname, password FROM ${table(database(), 'users')}`);

  it('is who the record names, from the first moment, also where the installation was cut off and begun again', async () => {
    const values = { provision: 'create', initialAdmin: await initialAdmin() };
    const ada = { username: 'ada', email: 'ada@example.com', nickname: 'Super Admin' };
    await killedWhile(installUsersOnly, 'start', values);
    const [before] = await users();
    expect(before).toMatchObject(ada);
    expect(await isPassword(OWN, before.password as string)).toBe(true);
    await processOf(async (app) => {
      expect(await tables(database())).not.toContain('users');
      await installUsersOnly(app);
      await installs();
    }).boot('start', values);
    expect(await users()).toEqual([before]);
  });

  it('has a password that nobody knows where the record names none, which is said', async () => {
    const next = processOf(async (app) => {
      await installUsersOnly(app);
      await installs();
    });
    await next.boot('start', { provision: 'create' });
    const [root] = await users();
    expect(root).toMatchObject({ username: 'nocobase' });
    for (const known of ['admin123', '', root.password as string])
      expect(await isPassword(known, root.password as string)).toBe(false);
    expect(next.log.lines.join()).toContain(`Nobody can sign in to app "${name}" as its administrator`);
  });

  it('whose hash is sealed with another key keeps the app from being installed', async () => {
    const sealed = { ...(await initialAdmin()), password: seal('hash', Buffer.alloc(32, 1)) };
    const next = processOf(installUsersOnly);
    await expect(next.boot('start', { provision: 'create', initialAdmin: sealed })).rejects.toMatchObject({
      code: 'KEY_MISSING',
    });
    expect(next.commands).toEqual([]);
  });

  it('that could not be stored as it was meant ends the installation before it is one', async () => {
    const values = { provision: 'create', initialAdmin: await initialAdmin() };
    const next = processOf(async (app) => {
      // As by a plugin that stores passwords in a form of its own.
      app.prependListener('afterInstallPlugin', () => sql(database(), "UPDATE users SET password = 'x'"));
      await installUsersOnly(app);
    });
    await expect(next.boot('start', values)).rejects.toThrow('The password of its administrator was not stored.');
    expect(await whole()).toMatchObject({ installed: 'partial' });
  });
});

describe('an upgrade that was cut off', () => {
  beforeEach(async () => {
    await processOf(installs).boot('start', { provision: 'create' });
  });

  it('is done again by a plain start, though every version is new already, and then no more', async () => {
    await killedWhile(nothing, 'upgrade');
    expect(await mark()).toMatchObject({ upgrading: 1 });
    const next = processOf(nothing);
    await next.boot();
    expect(await mark()).toMatchObject({ upgrading: 0 });
    await next.boot();
    expect(next.commands).toEqual(['start --quickstart', 'start']);
  });

  it('by a failure is done again, too', async () => {
    const failing = processOf(() => Promise.reject(new Error('The migration failed.')));
    await expect(failing.boot('upgrade')).rejects.toThrow('The migration failed.');
    const next = processOf(nothing);
    await next.boot();
    expect(next.commands).toEqual(['start --quickstart']);
  });

  it('while the core rewrote the version is no half installation: nothing is emptied', async () => {
    await killedWhile(async () => {
      await sql(database(), `DELETE FROM ${table(database(), 'applicationVersion')}`);
    }, 'upgrade');
    const next = processOf(nothing);
    await next.boot();
    expect(next.commands).toEqual(['start --quickstart']);
    expect(await tables(database())).toContain('applicationPlugins');
  });
});

describe('the JWT secret of an app', () => {
  it('is the stored one, or one that nobody else has: never the core’s own, which the main app signs with, too', async () => {
    const stored = processOf(installs);
    await stored.boot('start', { provision: 'create', jwtSecret: 'stored' });
    expect(stored.secrets).toEqual(['stored']);
    for (const jwtSecret of [null, '']) {
      const next = processOf(nothing);
      await next.boot('start', { jwtSecret });
      await next.boot('start', { jwtSecret });
      expect(next.secrets.map((secret) => secret?.length)).toEqual([43, 43]);
      expect(new Set(next.secrets).size).toBe(2);
    }
  });
});

describe('a boot that waits for another environment', () => {
  it('keeps no other app from booting, and is given up by a newer record when the other has finished', async () => {
    await processOf(installs).boot('start', { provision: 'create' });
    const lock = await acquireLock(database(), { app: name, environment: 'env_b', timeoutMs: 0 });
    const { boots, boot, commands } = processOf(nothing);
    const waiting = boot();
    await until('Its waiting', () => boots.said.get(name)?.at(-1)?.code === 'WAITS_FOR_LOCK');
    const other = recordOf({ name: 'other', database: { dbConnType: 'new_database', database: 'not_there' } });
    await expect(boots.boot(other)).rejects.toMatchObject({ code: 'DATABASE_MISSING' });
    boots.apps.get(name)!.record = record({ title: 'New' });
    await lock.release();
    expect(await waiting).toBeNull();
    expect(commands).toEqual([]);
    // It has given the lock back.
    expect(await boot('start', { title: 'New' })).toMatchObject({ version: VERSION, record: { title: 'New' } });
    const free = await acquireLock(database(), { app: name, environment: 'env_b', timeoutMs: 5_000 });
    await free.release();
  });
});
