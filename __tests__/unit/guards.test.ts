import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { isInside } from '../../src/server/worker/files/file-addresses';
import { type Rules, refusalOf } from '../../src/server/worker/guards/actions';
import { resetOwn } from '../../src/server/worker/guards/caches';
import { connectionOf } from '../../src/server/worker/guards/foreign-servers';
import { guardMethod } from '../../src/server/worker/guards/guard';
import { withImagesByHttp } from '../../src/server/worker/guards/images';
import { isLanguage } from '../../src/server/worker/guards/languages';
import { mailOf } from '../../src/server/worker/guards/mail';
import { isPackageName } from '../../src/server/worker/guards/plugin-rules';
import { restartAt } from '../../src/server/worker/guards/restarts';
import { timeoutOf } from '../../src/server/worker/guards/scripts';
import { isOfApp } from '../../src/server/worker/guards/tasks';
import { PLUGIN } from '../../src/shared/names';

const RULES: Rules = { appPlugins: { upload: false, allowed: [] }, dialect: 'postgres' };
const refusal = (action: string, values?: unknown, rules: Partial<Rules> = {}, filterByTk?: unknown) => {
  const [resourceName, actionName] = action.split(':');
  return refusalOf({ resourceName, actionName, params: { values, filterByTk } }, { ...RULES, ...rules })?.code ?? null;
};

describe('actions that a hosted app refuses', () => {
  it.each(['add', 'update', 'remove', 'npmVersionList', 'destroy', 'create', 'whatComesLater'])('pm:%s', (action) => {
    expect(refusal(`pm:${action}`)).toBe('PLUGINS_BY_OPERATOR');
  });

  it.each(['list', 'listEnabled', 'listEnabledV2', 'get', 'enable', 'disable'])('but not pm:%s', (action) => {
    expect(refusal(`pm:${action}`)).toBeNull();
  });

  it('no change of plugins that the operator allowed, except what is unknown', () => {
    const rules = { appPlugins: { upload: true, allowed: [] } };
    for (const action of ['add', 'update', 'remove', 'npmVersionList']) {
      expect([action, refusal(`pm:${action}`, {}, rules)]).toEqual([action, null]);
    }
    for (const action of ['destroy', 'whatComesLater']) {
      expect([action, refusal(`pm:${action}`, {}, rules)]).toEqual([action, 'PLUGINS_BY_OPERATOR']);
    }
  });

  it.each([
    'collection-fdw',
    '@nocobase/plugin-collection-fdw',
    'kanban, multi-app-manager',
    ['kanban', 'backup-restore'],
    '*',
  ])('pm:enable of plugins that reach other apps or the host: %j', (plugins) => {
    expect(refusal('pm:enable', undefined, {}, plugins)).toBe('PLUGIN_REFUSED');
  });

  it.each(['kanban', ['kanban', '@nocobase/plugin-gantt'], '@ours/plugin-x', undefined])(
    'but not pm:enable of others: %j',
    (plugins) => {
      expect(refusal('pm:enable', undefined, {}, plugins)).toBeNull();
    },
  );

  it('no pm:enable of one that the operator allowed by name', () => {
    const rules = { appPlugins: { upload: false, allowed: ['@nocobase/plugin-collection-fdw'] } };
    expect(refusal('pm:enable', undefined, rules, 'collection-fdw')).toBeNull();
    expect(refusal('pm:enable', undefined, rules, 'collection-fdw,multi-app-manager')).toBe('PLUGIN_REFUSED');
  });

  it('pm:disable of this plugin, and of no other', () => {
    for (const plugin of ['app-supervisor', PLUGIN, `kanban,${PLUGIN}`, ['app-supervisor']]) {
      expect(refusal('pm:disable', undefined, {}, plugin)).toBe('PLUGIN_KEPT');
    }
    expect(refusal('pm:disable', undefined, {}, 'kanban')).toBeNull();
  });

  it('restores of backups where the client of the database runs commands', () => {
    for (const action of ['backups:upload', 'backups:restore', 'backup:restore', 'backup:restoreUpload']) {
      for (const dialect of ['mysql', 'mariadb']) expect(refusal(action, {}, { dialect })).toBe('RESTORE_BY_OPERATOR');
      for (const dialect of ['postgres', 'kingbase', 'sqlite']) expect(refusal(action, {}, { dialect })).toBeNull();
    }
    for (const action of ['backups:create', 'backups:list', 'backups:download', 'backups:destroy', 'backup:create']) {
      expect(refusal(action, {}, { dialect: 'mysql' })).toBeNull();
    }
  });

  it('backups by a path, and not by their name', () => {
    const file = '../../apps/main/jwt_secret.dat';
    expect(refusal('backupFiles:destroy', undefined, {}, file)).toBe('BACKUP_FILE');
    expect(refusal('backupFiles:restore', { key: file })).toBe('BACKUP_FILE');
    expect(refusal('backupFiles:restore', { filterByTk: '/etc/passwd' })).toBe('BACKUP_FILE');
    expect(refusal('backupFiles:download', undefined, {}, 'backup_20260101_1.nbdump')).toBeNull();
    expect(refusal('backupFiles:restore', { key: '1700000000123456', dataTypes: ['required'] })).toBeNull();
  });

  it('MCP clients that start a program, but not their removal, nor others', () => {
    expect(refusal('aiMcpClients:testConnection', { transport: 'stdio' })).toBe('MCP_PROGRAM');
    expect(refusal('aiMcpClients:create', { transport: 'stdio', enabled: true })).toBe('MCP_PROGRAM');
    expect(refusal('aiMcpClients:update', { transport: 'stdio', enabled: false })).toBeNull();
    expect(refusal('aiMcpClients:update', { enabled: false })).toBeNull();
    expect(refusal('aiMcpClients:create', { transport: 'http' })).toBeNull();
    expect(refusal('aiMcpClients:list')).toBeNull();
  });

  it.each(['create', 'update', 'destroy', 'updateOrCreate', 'firstOrCreate', 'add'])('asyncTasks:%s', (action) => {
    expect(refusal(`asyncTasks:${action}`)).toBe('TASK_CHANGE');
  });

  it.each(['list', 'get', 'stop', 'fetchFile'])('but not asyncTasks:%s', (action) => {
    expect(refusal(`asyncTasks:${action}`)).toBeNull();
  });

  it('the actions of the licence page, but not a collection of that name', () => {
    expect(refusal('license:instance-id')).toBe('LICENSE_BY_OPERATOR');
    expect(refusal('license:license-key')).toBe('LICENSE_BY_OPERATOR');
    expect(refusal('license:list')).toBeNull();
  });

  it.each(['users:create', 'constructor:get', '__proto__:list'])('nothing else, such as %s', (action) => {
    expect(refusal(action, { transport: 'stdio' })).toBeNull();
  });
});

describe('what a guard accepts as', () => {
  it.each(['en', 'en-US', 'zh_CN', 'kmr-IQ', 'es-419', 'zh-Hans-CN'])('a language: %s', (name) => {
    expect(isLanguage(name)).toBe(true);
  });

  it.each(['', '*', '../../x', 'en/../../x', 'en-US.json', 'en\0', 'en-US\n', ['en'], undefined, null])(
    'no language: %j',
    (name) => {
      expect(isLanguage(name)).toBe(false);
    },
  );

  it("a connection: the fields of a server's form", () => {
    const entered = { host: 'db', port: 5432, database: 'sales', username: 'reader', password: 'x' };
    const names = { serverName: 'sales', user: 'reader', dialect: 'postgres' };
    const further = { dialectModulePath: '/tmp/x.js', storage: '/tmp/x', dialectOptions: {}, logging: true };
    expect(connectionOf({ ...entered, ...names, ...further })).toEqual({ ...entered, ...names });
    expect(connectionOf({ port: {}, dialect: 'sqlite' })).toEqual({});
    // A path is a socket of the host.
    for (const host of ['/var/run/postgresql', '\\\\.\\pipe\\x', { path: '/x' }]) {
      expect(connectionOf({ host })).toEqual({ host: 'invalid-host' });
    }
    expect(connectionOf('host=db')).toEqual({});
  });

  describe('a file in a folder', () => {
    const place = mkdtempSync(path.join(tmpdir(), 'app-supervisor-guards-'));
    const folder = path.join(place, 'tmp');
    const file = (...names: string[]) => path.join(place, ...names);
    mkdirSync(path.join(folder, '..export'), { recursive: true });
    for (const name of ['tmp/export.xlsx', 'tmp/..export/a.xlsx', 'key', 'tmpkey']) writeFileSync(file(name), 'x');
    symlinkSync(file('key'), file('tmp/link'));
    symlinkSync(folder, file('other'));
    afterAll(() => rmSync(place, { recursive: true }));

    it.each(['tmp/export.xlsx', 'other/export.xlsx', 'tmp/../tmp/export.xlsx', 'tmp/..export/a.xlsx'])('%s', (name) => {
      expect(isInside(folder, `${place}/${name}`)).toBe(true);
    });

    it.each(['key', 'tmpkey', 'tmp', 'tmp/../key', 'tmp/link', 'tmp/absent', '../'])('not %s', (name) => {
      expect(isInside(folder, `${place}/${name}`)).toBe(false);
    });

    it('nothing if the folder does not exist', () => {
      expect(isInside(file('absent'), file('tmp/export.xlsx'))).toBe(false);
    });
  });
});

describe('restarts of an app', () => {
  it('are six a minute, and then as many as a minute leaves', () => {
    let times: number[] = [];
    const at = (now: number) => {
      const next = restartAt(times, now);
      if ('times' in next) times = next.times;
      return 'wait' in next ? next.wait : 'may';
    };
    for (const now of [0, 1_000, 2_000, 3_000, 4_000, 5_000]) expect(at(now)).toBe('may');
    expect([at(5_001), at(59_999)]).toEqual([55, 1]);
    expect([at(60_000), at(60_001)]).toEqual(['may', 1]);
    for (let now = 1_000_000; now < 2_000_000; now += 10_000) expect(at(now)).toBe('may');
  });
});

describe('what a node of a workflow may have', () => {
  it('of mail: text for text, a server for a server', () => {
    const { provider, ...mail } = mailOf({
      provider: {
        host: 'smtp',
        port: 465,
        secure: true,
        auth: { user: 'u', pass: 'p', type: 'x' },
        sendmail: true,
        path: '/bin/sh',
      },
      from: 'a@x',
      to: ['b@x', [{ path: '/etc/passwd' }, 'c@x']],
      cc: null,
      subject: 7,
      contentType: 'html',
      html: { path: '/proc/self/environ' },
      raw: { path: '/x' },
      alternatives: [{ href: 'http://x' }],
      attachments: [1],
    });
    expect(provider).toEqual({ host: 'smtp', port: '465', secure: true, auth: { user: 'u', pass: 'p' } });
    expect(mail).toMatchObject({
      from: 'a@x',
      to: ['b@x', 'c@x'],
      subject: '7',
      contentType: 'html',
      attachments: [1],
      html: '{"path":"/proc/self/environ"}',
    });
    expect(Object.keys(mail).filter((name) => ['raw', 'alternatives', 'envelope'].includes(name))).toEqual([]);
    expect(mailOf('x')).toEqual({});
  });

  it('of a request to an LLM: images by HTTP', () => {
    const image = (url: unknown) => ({
      messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url } }] }],
    });
    for (const good of ['https://x/a.png', ['HTTP://x/a.png', { url: 'http://x' }], undefined, '']) {
      expect(withImagesByHttp(image(good))).toEqual(image(good));
    }
    for (const bad of [
      '../../proc/self/environ',
      '/etc/passwd',
      ['http://x', 'apps/main/key'],
      { url: 'file:///x' },
      'httpx/../y',
      { url: {} },
    ]) {
      expect(() => withImagesByHttp(image(bad))).toThrow('begins with http');
    }
    for (const other of [undefined, {}, { messages: 'x' }, { messages: [null, { content: 'text' }] }]) {
      expect(withImagesByHttp(other)).toBe(other);
    }
  });

  it('of time for a script: its own limit, up to the operator’s', () => {
    for (const [timeout, allowed] of [
      [undefined, 60_000],
      [0, 60_000],
      [-1, 60_000],
      ['x', 60_000],
      [500, 500],
      ['500', 500],
      [90_000, 60_000],
      [Number.POSITIVE_INFINITY, 60_000],
    ]) {
      expect([timeout, timeoutOf(timeout, 60_000)]).toEqual([timeout, allowed]);
    }
  });
});

describe('a background command', () => {
  it.each([[['export', '--app=crm']], [['export:run', '--app=crm', '--taskId=1']]])('of the app itself: %j', (argv) => {
    expect(isOfApp(argv, 'crm')).toBe(true);
  });
  it.each([
    [['export']],
    [['pm', 'add', '/x', '--app=main']],
    [['pm', '--app', 'hr']],
    [['x', '--app=crm', '--app=hr']],
    [['x', 'app:hr', '--app=crm']],
    [['x', '-a=hr', '--app=crm']],
    ['--app=crm'],
    [[{}, '--app=crm']],
    [undefined],
  ])('of another app, or the main one: %j', (argv) => {
    expect(isOfApp(argv, 'crm')).toBe(false);
  });
});

describe('the name of a package', () => {
  it.each(['kanban', '@nocobase/plugin-kanban', '@our-s/plugin_x.y'])('%s', (name) => {
    expect(isPackageName(name)).toBe(true);
  });
  it.each(['/storage/apps/crm/uploads/x', '../x', 'a/b', '@a/../x', 'file:x', '', null, undefined, ['a']])(
    'not %j',
    (name) => {
      expect(isPackageName(name)).toBe(false);
    },
  );
});

describe('the cache of an app on Redis', () => {
  it('is cleared by its own keys alone', async () => {
    const deleted: string[] = [];
    const matched: string[] = [];
    const client = {
      async *scanIterator({ MATCH }: { MATCH: string }) {
        matched.push(MATCH);
        yield ['crm:a', 'crm:b'];
        yield 'crm:c';
        yield [];
      },
      del: async (keys: string[]) => deleted.push(...keys),
    };
    await resetOwn({ prefix: 'crm', store: { store: { client } } });
    await resetOwn({ prefix: 'a*[b]', store: { store: { client } } });
    expect(matched).toEqual(['crm:*', 'a\\*\\[b\\]:*']);
    expect(deleted).toEqual(['crm:a', 'crm:b', 'crm:c', 'crm:a', 'crm:b', 'crm:c']);
  });
});

describe('a guard on a method of the core', () => {
  class Core {
    constructor(readonly app?: { name: string }) {}
    greet(name: string) {
      return `${this.app?.name ?? 'nobody'} greets ${name}`;
    }
  }
  class Other extends Core {}
  const guard = () =>
    guardMethod(Core.prototype, 'greet', (original, [name], app) => `${original(`dear ${name}`)}, says ${app.name}`);

  it('applies to hosted apps only, and is installed once', () => {
    const before = new Core({ name: 'crm' });
    guard();
    guard();
    expect(before.greet('Ann')).toBe('crm greets dear Ann, says crm');
    expect(new Other({ name: 'crm' }).greet('Ann')).toBe('crm greets dear Ann, says crm');
    expect(new Core({ name: 'main' }).greet('Ann')).toBe('main greets Ann');
    expect(new Core().greet('Ann')).toBe('nobody greets Ann');
  });

  it('fails if the core has no such method', () => {
    expect(() => guardMethod(Core.prototype, 'wave', () => null)).toThrow('This NocoBase has no "wave"');
  });
});
