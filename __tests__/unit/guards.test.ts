import { EventEmitter } from 'node:events';
import type { Application, AppSupervisor } from '@nocobase/server';
import { describe, expect, it } from 'vitest';
import { guardHostedApps } from '../../src/server/worker/guards';
import { refusalOf } from '../../src/server/worker/guards/actions';
import { guardMethod } from '../../src/server/worker/guards/guard';

const refusal = (action: string, values?: unknown) => {
  const [resourceName, actionName] = action.split(':');
  return refusalOf({ resourceName, actionName, params: { values } });
};

describe('which actions a hosted app refuses', () => {
  it.each(['add', 'update', 'remove', 'npmVersionList', 'destroy', 'create', 'whatComesLater'])('pm:%s', (action) => {
    expect(refusal(`pm:${action}`)).toBe('PLUGINS_BY_OPERATOR');
  });

  it.each(['list', 'listEnabled', 'listEnabledV2', 'get', 'enable', 'disable'])('but not pm:%s', (action) => {
    expect(refusal(`pm:${action}`)).toBeNull();
  });

  it('MCP clients that start a program, but not their end, nor others', () => {
    expect(refusal('aiMcpClients:testConnection', { transport: 'stdio' })).toBe('MCP_PROGRAM');
    expect(refusal('aiMcpClients:create', { transport: 'stdio', enabled: true })).toBe('MCP_PROGRAM');
    expect(refusal('aiMcpClients:update', { transport: 'stdio', enabled: false })).toBeNull();
    expect(refusal('aiMcpClients:update', { enabled: false })).toBeNull();
    expect(refusal('aiMcpClients:create', { transport: 'http' })).toBeNull();
    expect(refusal('aiMcpClients:list')).toBeNull();
  });

  it.each(['users:create', 'constructor:get', '__proto__:list'])('nothing else, such as %s', (action) => {
    expect(refusal(action, { transport: 'stdio' })).toBeNull();
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

  it('is for hosted apps alone, and put on once', () => {
    const before = new Core({ name: 'crm' });
    guard();
    guard();
    expect(before.greet('Ann')).toBe('crm greets dear Ann, says crm');
    expect(new Other({ name: 'crm' }).greet('Ann')).toBe('crm greets dear Ann, says crm');
    expect(new Core({ name: 'main' }).greet('Ann')).toBe('main greets Ann');
    expect(new Core().greet('Ann')).toBe('nobody greets Ann');
  });

  it('fails where the core has no such method', () => {
    expect(() => guardMethod(Core.prototype, 'wave', () => null)).toThrow('This NocoBase has no "wave"');
  });
});

describe('the apps of a process', () => {
  /** Of the core's objects as far as guards look at them. */
  function appOf(name: string) {
    class PluginManager {
      readonly app = { name };
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
    for (const method of METHODS) Object.assign(PluginManager.prototype, { [method]: async () => 'done' });
    const used: unknown[] = [];
    const parts = {
      name,
      pm: new PluginManager() as PluginManager & Record<string, () => Promise<string>>,
      aiManager: { mcpManager: new MCPManager() },
      resourceManager: { use: (middleware: unknown) => used.push(middleware) },
    };
    return { app: Object.assign(new EventEmitter(), parts), used };
  }
  const METHODS = ['addViaCLI', 'pull', 'addByNpm', 'addByFile', 'addByCompressedFileUrl', 'update', 'upgradeByNpm'];
  METHODS.push('upgradeByCompressedFileUrl', 'remove', 'create', 'getNpmVersionList');

  function guarded(name: string) {
    const supervisor = new EventEmitter();
    guardHostedApps(supervisor as unknown as AppSupervisor);
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

  it('but not the main app', async () => {
    const { app, used } = guarded('main');
    app.emit('afterLoad');
    expect(used).toEqual([]);
    for (const method of METHODS) expect(await app.pm[method]()).toBe('done');
    expect(app.aiManager.mcpManager.buildMCPConnection({ transport: 'stdio' })).toEqual({
      transport: 'stdio',
      command: 'touch',
    });
  });

  it('have no package brought or taken, by whatever calls the plugin manager', async () => {
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
});
