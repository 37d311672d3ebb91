import { EventEmitter } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Application, AppSupervisor } from '@nocobase/server';
import { afterAll, describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/server/config';
import { guardHostedApps } from '../../src/server/worker/guards';
import { refusalOf } from '../../src/server/worker/guards/actions';
import { isInside } from '../../src/server/worker/guards/files/places';
import { connectionOf } from '../../src/server/worker/guards/foreign-servers';
import { guardMethod } from '../../src/server/worker/guards/guard';
import { isLanguage } from '../../src/server/worker/guards/languages';

const refusal = (action: string, values?: unknown) => {
  const [resourceName, actionName] = action.split(':');
  return refusalOf({ resourceName, actionName, params: { values } });
};

describe('actions that a hosted app refuses', () => {
  it.each(['add', 'update', 'remove', 'npmVersionList', 'destroy', 'create', 'whatComesLater'])('pm:%s', (action) => {
    expect(refusal(`pm:${action}`)).toBe('PLUGINS_BY_OPERATOR');
  });

  it.each(['list', 'listEnabled', 'listEnabledV2', 'get', 'enable', 'disable'])('but not pm:%s', (action) => {
    expect(refusal(`pm:${action}`)).toBeNull();
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
    expect(connectionOf({ host: { path: '/x' }, dialect: 'sqlite' })).toEqual({});
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

describe('the apps of a process', () => {
  /** Of the core's objects as far as guards look at them. */
  function appOf(name: string) {
    class PluginManager {
      readonly app = { name };
      get() {
        return undefined;
      }
      async list() {
        return ['ai'];
      }
    }
    class MCPManager {
      readonly app = { name };
      stored = [
        { name: 'by-http', transport: 'http' },
        { name: 'by-program', transport: 'stdio' },
      ];
      buildMCPConnection({ transport }: { transport: string }) {
        return transport === 'stdio'
          ? { transport, command: 'touch' }
          : { transport: transport === 'sse' ? 'sse' : 'http' };
      }
      async listMCP() {
        return this.stored;
      }
    }
    class Locale {
      readonly app = { name };
      readonly defaultLang = 'en-US';
      readonly read: string[] = [];
      async get(lang: string) {
        return { lang, resources: await this.getBuiltInResources(lang) };
      }
      async getBuiltInResources(lang: string) {
        this.read.push(lang);
        return { client: { lang } };
      }
    }
    class DatabaseServer {
      readonly app = { name };
      renderJsonTemplate(options: object) {
        return options;
      }
    }
    for (const method of METHODS) Object.assign(PluginManager.prototype, { [method]: async () => 'done' });
    const used: unknown[] = [];
    const parts = {
      name,
      pm: new PluginManager() as PluginManager & Record<string, () => Promise<string>>,
      aiManager: { mcpManager: new MCPManager() },
      localeManager: new Locale(),
      db: { models: new Map([['DatabaseServerModel', DatabaseServer]]) },
      use: (middleware: unknown) => used.push(middleware),
      resourceManager: { use: (middleware: unknown) => used.push(middleware) },
    };
    return { app: Object.assign(new EventEmitter(), parts), used };
  }
  const METHODS = ['addViaCLI', 'pull', 'addByNpm', 'addByFile', 'addByCompressedFileUrl', 'update', 'upgradeByNpm'];
  METHODS.push('upgradeByCompressedFileUrl', 'remove', 'create', 'getNpmVersionList');

  function guarded(name: string) {
    const supervisor = new EventEmitter();
    const { host } = parseConfig({}, { command: 'start', isMainThread: true });
    guardHostedApps(supervisor as unknown as AppSupervisor, host);
    const made = appOf(name);
    supervisor.emit('afterAppAdded', made.app as unknown as Application);
    return made;
  }

  it('are guarded before their plugins load, and again whenever they have loaded', () => {
    const { app, used } = guarded('crm');
    expect(used).toEqual([]);
    app.emit('afterLoad');
    const once = used.length;
    expect(once).toBeGreaterThan(0);
    app.emit('afterLoad');
    expect(used).toHaveLength(2 * once);
  });

  it('except the main app', async () => {
    const { app, used } = guarded('main');
    app.emit('afterLoad');
    expect(used).toEqual([]);
    for (const method of METHODS) expect(await app.pm[method]()).toBe('done');
    expect(app.aiManager.mcpManager.buildMCPConnection({ transport: 'stdio' })).toEqual({
      transport: 'stdio',
      command: 'touch',
    });
  });

  it('have no package added or removed, whoever calls the plugin manager', async () => {
    const { app } = guarded('crm');
    for (const method of METHODS) {
      await expect(app.pm[method]()).rejects.toMatchObject({ code: 'PLUGINS_BY_OPERATOR', status: 403 });
    }
    expect(await app.pm.list()).toEqual(['ai']);
  });

  it('start no programs as MCP clients', async () => {
    const { mcpManager } = guarded('crm').app.aiManager;
    expect(() => mcpManager.buildMCPConnection({ transport: 'stdio' })).toThrow('cannot start a program');
    expect(mcpManager.buildMCPConnection({ transport: 'http' })).toEqual({ transport: 'http' });
    expect(mcpManager.buildMCPConnection({ transport: 'sse' })).toEqual({ transport: 'sse' });
    expect(await mcpManager.listMCP()).toEqual([{ name: 'by-http', transport: 'http' }]);
  });

  it('read texts by language only', async () => {
    const { localeManager } = guarded('crm').app;
    expect(await localeManager.get('zh-CN')).toEqual({ lang: 'zh-CN', resources: { client: { lang: 'zh-CN' } } });
    expect((await localeManager.get('../../key')).lang).toBe('en-US');
    expect(await localeManager.getBuiltInResources('../../key')).toEqual({});
    expect(localeManager.read).toEqual(['zh-CN', 'en-US']);
  });

  it('connect to servers of foreign tables with the entered fields only', () => {
    const { app } = guarded('crm');
    const server = new (app.db.models.get('DatabaseServerModel')!)();
    expect(server.renderJsonTemplate({ host: 'db', dialectModulePath: '/x' })).toHaveProperty('dialectModulePath');
    app.emit('afterLoad');
    expect(server.renderJsonTemplate({ host: 'db', dialectModulePath: '/x' })).toEqual({ host: 'db' });
  });
});
