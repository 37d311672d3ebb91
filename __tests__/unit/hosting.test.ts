import type { Application, AppSupervisor } from '@nocobase/server';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CoreAppRegistry } from '../../src/server/nocobase/core-app-registry';
import { createPlaceholderApp, isPlaceholderApp } from '../../src/server/nocobase/placeholder-app';
import { seal, unseal } from '../../src/server/protocol/secrets';
import { connectionOf, connectionToCheck, type HostDatabase } from '../../src/server/worker/hosting/host-database';
import { compareVersions, type PluginVersion, planBoot } from '../../src/server/worker/hosting/start-kind';
import type { AppDatabase } from '../../src/shared/messages';
import { recordOf } from '../support/fixtures';

const plugin = (name: string, version: string, more: Partial<PluginVersion> = {}): PluginVersion => ({
  name,
  version,
  enabled: true,
  builtIn: false,
  ...more,
});

describe('how an app boots (#6133)', () => {
  const acl = plugin('acl', '2.2.15', { builtIn: true });
  const kanban = plugin('kanban', '2.2.15');
  const host = { version: '2.2.15', plugins: [acl, kanban] };
  const app = { name: 'crm', autoUpgrade: true };
  type Content = Parameters<typeof planBoot>[2];
  const content = (values: Partial<Content> = {}): Content => ({
    installed: 'complete',
    version: '2.2.15',
    plugins: [acl, kanban],
    upgrading: false,
    ...values,
  });

  it.each<[string, Partial<Content>, 'start' | 'restart' | 'upgrade', string]>([
    ['an empty database', { installed: 'none', version: null, plugins: [] }, 'start', 'install'],
    [
      'an installation that was cut off',
      { installed: 'partial', version: null, plugins: [] },
      'start',
      'resumeInstall',
    ],
    ['nothing changed', {}, 'start', 'start'],
    ['nothing changed, at a restart', {}, 'restart', 'start'],
    ['nothing changed, but an upgrade is asked for', {}, 'upgrade', 'upgrade'],
    ['an older core', { version: '2.2.14' }, 'start', 'upgrade'],
    ['an unknown core', { version: null }, 'start', 'upgrade'],
    ['a plugin of another version', { plugins: [acl, plugin('kanban', '2.2.14')] }, 'start', 'upgrade'],
    [
      'a disabled plugin of another version',
      { plugins: [acl, plugin('kanban', '2.2.14', { enabled: false })] },
      'start',
      'start',
    ],
    ['a plugin that is not here', { plugins: [acl, kanban, plugin('gone', '1.0.0')] }, 'start', 'start'],
    ['a new built-in', { plugins: [kanban] }, 'start', 'upgrade'],
    [
      'an upgrade that was cut off or failed, whose versions are written already',
      { upgrading: true },
      'start',
      'upgrade',
    ],
  ])('%s', (_, values, how, expected) => {
    expect(planBoot(app, how, content(values), host)).toBe(expected);
  });

  it.each<[string, Partial<Content>, string, RegExp]>([
    [
      'data of a newer core',
      { version: '2.3.0' },
      'APP_TOO_NEW',
      /from NocoBase 2\.3\.0, but this environment runs 2\.2\.15/,
    ],
    [
      'data of a newer plugin',
      { plugins: [acl, plugin('kanban', '2.2.16')] },
      'APP_TOO_NEW',
      /from kanban 2\.2\.16, but this environment runs kanban 2\.2\.15/,
    ],
    [
      'data of a newer plugin, half upgraded',
      { plugins: [acl, plugin('kanban', '2.2.16')], upgrading: true },
      'APP_TOO_NEW',
      /kanban/,
    ],
  ])('%s is refused, whatever is requested', (_, values, code, message) => {
    for (const how of ['start', 'restart', 'upgrade'] as const) {
      expect(() => planBoot(app, how, content(values), host)).toThrow(expect.objectContaining({ code }));
      expect(() => planBoot(app, how, content(values), host)).toThrow(message);
    }
  });

  it('a pre-release is older than its release', () => {
    const beta = { ...host, version: '2.2.15-beta.3' };
    expect(() => planBoot(app, 'start', content({ version: '2.2.15' }), beta)).toThrow(
      /from NocoBase 2\.2\.15, but this environment runs 2\.2\.15-beta\.3/,
    );
    expect(planBoot(app, 'start', content({ version: '2.2.15-beta.3' }), host)).toBe('upgrade');
  });

  it('an app that forbids upgrades is refused, except for a requested upgrade (#2728)', () => {
    const pinned = { name: 'crm', autoUpgrade: false };
    const older = content({ plugins: [acl, plugin('kanban', '2.2.14')] });
    expect(() => planBoot(pinned, 'start', older, host)).toThrow(/from kanban 2\.2\.14 .*upgrade to kanban 2\.2\.15/);
    expect(planBoot(pinned, 'upgrade', older, host)).toBe('upgrade');
    expect(planBoot(pinned, 'start', content(), host)).toBe('start');
    expect(planBoot(pinned, 'start', content({ installed: 'partial', version: null }), host)).toBe('resumeInstall');
  });

  it.each([
    ['2.2.15', '2.2.15', 0],
    ['2.2.9', '2.2.15', -1],
    ['2.10.0', '2.9.9', 1],
    ['2.2', '2.2.0', 0],
    ['2.2.1', '2.2', 1],
    ['2.2.15-beta.3', '2.2.15', -1],
    ['2.2.15-beta.10', '2.2.15-beta.9', 1],
    ['2.2.15-beta.1', '2.2.15-alpha.20', 1],
    ['2.2.15+build.7', '2.2.15', 0],
    ['2.2', '2.2.0-beta.1', 1],
    ['none', '0.0.0', 0],
    ['3.0.0-alpha.1', '2.9.0', 1],
  ])('%s against %s: %d', (a, b, expected) => {
    expect(compareVersions(a, b)).toBe(expected);
    expect(compareVersions(b, a)).toBe(expected === 0 ? 0 : -expected);
  });
});

describe('how an environment reaches an app’s database', () => {
  const KEY = Buffer.alloc(32, 7);
  const opener = (key: Buffer | null) => (password: string) => unseal(password, key, 'crm');
  const main = {
    dialect: 'postgres',
    host: 'db.a',
    port: 5432,
    username: 'noco',
    password: 'own',
    database: 'main_a',
    schema: 'main_schema',
    tablePrefix: 'm_',
    underscored: true,
    ssl: { ca: 'x' },
    dialectOptions: { ssl: { ca: 'x' } },
    migrator: {},
    logging: false,
  } as unknown as HostDatabase;
  const of = (database: Partial<AppDatabase>, values = {}) =>
    connectionOf(recordOf({ database: database as AppDatabase, ...values }), main, opener(KEY));

  it('host and password are the environment’s own, the name is the app’s', () => {
    expect(of({ dbConnType: 'new_database', database: 'crm' })).toMatchObject({
      host: 'db.a',
      username: 'noco',
      password: 'own',
      database: 'crm',
      underscored: true,
      dialectOptions: { ssl: { ca: 'x' } },
    });
  });

  it('the main app’s table prefix and migrations are not used for the app', () => {
    const connection = of({ dbConnType: 'new_database', database: 'crm' });
    expect(connection.tablePrefix).toBe('');
    expect(connection).not.toHaveProperty('migrator');
    expect(of({ dbConnType: 'new_database', database: 'crm', tablePrefix: 'c_' }).tablePrefix).toBe('c_');
  });

  it('a schema is in the environment’s main database', () => {
    expect(of({ dbConnType: 'new_schema', schema: 'crm' })).toMatchObject({ database: 'main_a', schema: 'crm' });
  });

  it('a separate connection defines everything, and uses nothing of the environment’s server', () => {
    const connection = of({
      dbConnType: 'new_connection',
      dialect: 'mysql',
      host: 'elsewhere',
      port: 3306,
      username: 'crm',
      password: seal('theirs', KEY),
      database: 'crm',
    });
    expect(connection).toMatchObject({
      dialect: 'mysql',
      host: 'elsewhere',
      port: 3306,
      username: 'crm',
      password: 'theirs',
      database: 'crm',
    });
    for (const key of ['schema', 'ssl', 'dialectOptions']) expect(connection).not.toHaveProperty(key);
  });

  /** What of a connection decides where its user and password go. */
  const WHERE = ['dialect', 'host', 'port', 'username', 'password', 'ssl', 'dialectOptions', 'storage'];
  const part = fc.option(fc.oneof(fc.string(), fc.constantFrom('evil.example.com', '/run/socket')), { nil: undefined });

  it('invariant 8: no record redirects the environment’s own user and password, whoever wrote it', () => {
    const forged = fc.record({
      dbConnType: fc.constantFrom('new_database' as const, 'new_schema' as const),
      database: part,
      schema: part,
      tablePrefix: part,
      dialect: part,
      host: part,
      port: fc.option(fc.nat(65535), { nil: undefined }),
      username: part,
      password: part,
    });
    fc.assert(
      fc.property(forged, (database) => {
        const connection = of(database);
        for (const key of WHERE) expect([key, connection[key]]).toEqual([key, main[key]]);
      }),
    );
  });

  it('a separate connection uses only the server that it names, and nothing of the environment’s', () => {
    const own = { dbConnType: 'new_connection' as const, dialect: 'postgres', database: 'crm' };
    for (const host of [undefined, '', '/var/run/postgresql', '@x', 'db:5432']) {
      expect(() => of({ ...own, host })).toThrow(
        expect.objectContaining({
          code: 'INVALID_INPUT',
          field: 'database.host',
          message: expect.stringMatching(/host/),
        }),
      );
    }
    const connection = of({ ...own, host: 'elsewhere' });
    expect(connection).toMatchObject({ host: 'elsewhere', password: '', tablePrefix: '' });
    for (const key of ['username', 'ssl', 'dialectOptions']) expect(connection[key]).toBeUndefined();
  });

  it.each<[string, string, boolean]>([
    ['db.example.com', '', true],
    ['DB.example.com', 'db.example.com, 10.0.0.5', true],
    ['db.example.com.', 'db.example.com', true],
    ['evil.example.com', 'db.example.com', false],
    ['a.db.example.com', '*.db.example.com', true],
    ['a.other.example.com', '*.db.example.com', false],
    ['evildb.example.com', '*.db.example.com', false],
    ['10.0.0.5', '10.0.0.5', true],
    ['10.0.0.6', '10.0.0.5', false],
    ['10.9.9.9', '10.0.0.0/8', true],
    ['11.0.0.1', '10.0.0.0/8', false],
    ['2001:db8::1', '2001:db8::/32', true],
    ['10.9.9.9', '10.0.0.0/33', false],
    ['127.1', '127.0.0.0/8', false],
    ['localhost', '127.0.0.0/8', false],
  ])('a separate connection to %s, where %j are allowed: %s', (host, allowed, expected) => {
    const list = allowed.split(', ').filter(Boolean);
    const database = { dbConnType: 'new_connection' as const, dialect: 'postgres', database: 'crm', host };
    for (const make of [
      () => connectionToCheck({ name: 'crm', database }, main, list),
      () => connectionOf(recordOf({ database }), main, opener(null), list),
    ]) {
      if (expected) expect(make()).toMatchObject({ host, isSeparate: true });
      else expect(make).toThrow(expect.objectContaining({ code: 'INVALID_INPUT', field: 'database.host' }));
    }
    const own = { dbConnType: 'new_database' as const, database: 'crm' };
    expect(connectionToCheck({ name: 'crm', database: own }, main, list)).not.toHaveProperty('isSeparate');
  });

  it('invariant 8: a check opens no sealed password, which belongs to some app and another server', () => {
    const own = { dbConnType: 'new_connection' as const, dialect: 'postgres', host: 'elsewhere', database: 'crm' };
    for (const password of [seal('theirs', KEY), 'plain:theirs', 'theirs']) {
      expect(connectionToCheck({ name: 'crm', database: { ...own, password } }, main).password).toBe(password);
    }
    expect(connectionToCheck({ name: 'crm', database: own }, main).password).toBe('');
  });

  it('a password sealed with another key is a clear error', () => {
    const record = recordOf({
      database: { dbConnType: 'new_connection', host: 'x', database: 'crm', password: seal('theirs', KEY) },
    });
    expect(() => connectionOf(record, main, opener(null))).toThrow(expect.objectContaining({ code: 'KEY_MISSING' }));
  });

  it('empty fields of a form count as not given', () => {
    expect(of({ dbConnType: 'new_database', database: 'crm', host: '', username: undefined })).toMatchObject({
      host: 'db.a',
      username: 'noco',
    });
  });

  it('SQLite keeps each app in a file next to the main one', () => {
    const sqlite = { dialect: 'sqlite', storage: '/app/storage/db/nocobase.sqlite' } as unknown as HostDatabase;
    expect(connectionOf(recordOf(), sqlite, opener(null))).toMatchObject({
      dialect: 'sqlite',
      storage: '/app/storage/db/crm.sqlite',
    });
  });
});

describe('the placeholder app', () => {
  it('has all methods that the core calls on it', async () => {
    const placeholder = createPlaceholderApp('crm');
    expect(placeholder.name).toBe('crm');
    expect(placeholder.getMaintaining()).toBeNull();
    expect(placeholder.emit('anything')).toBe(false);
    await placeholder.emitAsync('anything');
    await placeholder.destroy();
    expect(isPlaceholderApp(placeholder)).toBe(true);
    expect(isPlaceholderApp({})).toBe(false);
    expect(isPlaceholderApp(undefined)).toBe(false);
  });
});

describe('the apps of this process', () => {
  function bench() {
    const emitted: unknown[] = [];
    const supervisor = { emit: (...args: unknown[]) => emitted.push(args) } as unknown as AppSupervisor;
    const coreApps = new CoreAppRegistry(supervisor);
    const told: string[] = [];
    coreApps.onStatus = (name) => told.push(`${name} ${coreApps.appStatus[name]}`);
    return { coreApps, emitted, told };
  }
  const app = (name: string) =>
    ({ name, setMaintainingMessage() {}, authManager: { jwt: { sign: () => '' } }, on() {} }) as unknown as Application;

  it('know no name that nobody gave them, because names come from requests', () => {
    const { coreApps } = bench();
    for (const map of [coreApps.apps, coreApps.appErrors, coreApps.appStatus, coreApps.lastMaintainingMessage]) {
      for (const name of ['__proto__', 'constructor', 'toString']) expect(map[name]).toBeUndefined();
    }
  });

  it('have a status in memory before it is reported, and report each once', () => {
    const { coreApps, emitted, told } = bench();
    coreApps.setStatus('crm', 'running');
    coreApps.setStatus('crm', 'running');
    expect(told).toEqual(['crm running']);
    expect(emitted).toEqual([['appStatusChanged', { appName: 'crm', status: 'running', options: {} }]]);
  });

  it('are added once, and forget that the name was unknown before', () => {
    const { coreApps } = bench();
    coreApps.appStatus.crm = 'not_found';
    coreApps.addApp(app('crm'));
    expect(coreApps.appStatus.crm).toBe('preparing');
    expect(() => coreApps.addApp(app('crm'))).toThrow(/already exists/);
    coreApps.addApp(app('main'));
    expect(coreApps.subApps().map(({ name }) => name)).toEqual(['crm']);
  });

  it('bind the main app once it exists, and not while it runs', () => {
    const { coreApps, told } = bench();
    coreApps.bootstrapMain();
    expect(coreApps.appStatus.main).toBeUndefined();
    coreApps.addApp(app('main'));
    coreApps.bootstrapMain();
    expect(coreApps.appStatus.main).toBe('initialized');
    coreApps.setStatus('main', 'running');
    coreApps.bootstrapMain();
    expect(told).toEqual(['main preparing', 'main initializing', 'main initialized', 'main running']);
  });

  it('are forgotten completely', () => {
    const { coreApps } = bench();
    coreApps.addApp(app('crm'));
    coreApps.setError('crm', new Error('x'));
    coreApps.lastMaintainingMessage.crm = 'x';
    coreApps.drop('crm');
    expect([coreApps.apps.crm, coreApps.appErrors.crm, coreApps.lastMaintainingMessage.crm]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });
});
