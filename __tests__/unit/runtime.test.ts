import { EventEmitter } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import type { Application, AppSupervisor } from '@nocobase/server';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type ActiveConfig, parseConfig } from '../../src/server/config';
import { createRuntime } from '../../src/server/core/create-runtime';
import { NO_WORK_LOG } from '../../src/server/worker/watchdog/busy-with';
import { recordedLog } from '../support/log';

/** A server that counts who comes. */
let connections: number;
let server: net.Server;
beforeEach(async () => {
  connections = 0;
  server = net.createServer((socket) => {
    connections++;
    socket.on('error', () => undefined);
    socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(() => new Promise((resolve) => server.close(resolve)));

function runtimeOf(
  part: 'local' | 'supervisor' | 'worker',
  command: string,
  { isMainThread = true, isLoaded = true, builtIn = '' } = {},
) {
  const redis = `redis://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const env = {
    APP_MODE: part === 'local' ? '' : part,
    APP_DISCOVERY_ADAPTER: part === 'local' ? 'local' : 'remote',
    APP_PROCESS_ADAPTER: part === 'supervisor' ? 'remote' : 'local',
    APP_COMMAND_ADAPTER: part === 'local' ? '' : 'redis',
    APP_SUPERVISOR_REDIS_URL: redis,
    APP_COMMAND_REDIS_URL: redis,
    ENVIRONMENT_NAME: 'env_a',
    ENVIRONMENT_URL: 'http://localhost:15000',
    APPEND_PRESET_BUILT_IN_PLUGINS: builtIn,
  };
  const config = parseConfig(env, { command, isMainThread }) as ActiveConfig;
  const log = recordedLog();
  const host = {
    logger: log,
    registerAppDbCreator: () => undefined,
    on: () => undefined,
    emit: () => true,
  } as unknown as AppSupervisor;
  const runtime = createRuntime(config, host, async () => [], NO_WORK_LOG);
  const touched: string[] = [];
  const pm = { get: () => ({ state: { loaded: isLoaded } }) };
  const main = Object.defineProperty(Object.assign(new EventEmitter(), { name: 'main', pm }), 'db', {
    get() {
      touched.push('db');
      throw new Error('No database in this test.');
    },
  });
  runtime.coreApps.apps.main = main as unknown as Application;
  /** As the core starts its main app: the environment is registered, other plugins follow, and then it has started. */
  const start = () => {
    runtime.begin();
    main.emit('__started');
  };
  return { runtime, touched, start, log };
}

describe.each(['local', 'supervisor', 'worker'] as const)('a %s', (part) => {
  it.each([
    ['a command-line run', 'upgrade', true],
    ['a transient worker thread', 'start', false],
  ])(
    'invariant 10: as %s takes no lease, writes no status, changes nothing, and ends',
    async (_, command, isMainThread) => {
      vi.useFakeTimers();
      try {
        const { runtime, touched, start } = runtimeOf(part, command, { isMainThread });
        start();
        start();
        await vi.advanceTimersByTimeAsync(60_000);
        expect(touched).toEqual([]);
        const { begun, loaded, role } = runtime.probeState();
        expect([begun, loaded ?? false, role ?? null]).toEqual([false, false, null]);
        await runtime.leave();
        await runtime.close();
        // Nothing that would keep the process alive.
        expect(vi.getTimerCount()).toBe(0);
      } finally {
        vi.useRealTimers();
      }
      expect(connections).toBe(0);
    },
  );

  it('that is started participates, and not before its main app has started', async () => {
    const { runtime, touched, start } = runtimeOf(part, 'start');
    runtime.begin();
    await new Promise((resolve) => setImmediate(resolve));
    expect(touched).toEqual([]);
    start();
    await vi.waitFor(() => expect(touched.length).toBeGreaterThan(0), 30_000);
    if (part !== 'local') await vi.waitFor(() => expect(connections).toBeGreaterThan(0), 30_000);
    await runtime.leave();
    await runtime.close();
  });

  it('says what it says with its environment as a field, where it has one', async () => {
    const { runtime, start, log } = runtimeOf(part, 'start');
    start();
    const found = () => log.at('error').filter((line) => line.includes('could not begin'));
    const wanted = { local: 2, supervisor: 1, worker: 1 }[part];
    await vi.waitFor(() => expect(found()).toHaveLength(wanted), 30_000);
    await runtime.leave();
    await runtime.close();
    const environments = found().map((line) => /"environment":"(\w+)"/.exec(line)?.[1] ?? null);
    expect(environments.sort()).toEqual({ local: ['local', null], supervisor: [null], worker: ['env_a'] }[part]);
  });

  it.each(['@nocobase/plugin-app-supervisor', 'ai, app-supervisor'])(
    'whose core started without the plugin ends with a reason if it is built in (%s), instead of retrying forever',
    async (builtIn) => {
      const { runtime, touched, start } = runtimeOf(part, 'start', { isLoaded: false, builtIn });
      const said = vi.spyOn(console, 'error').mockImplementation(() => undefined);
      const exit = vi.spyOn(process, 'exit').mockImplementation(() => {
        throw new Error('ended');
      });
      try {
        expect(start).toThrow('ended');
        expect(exit).toHaveBeenCalledWith(1);
        expect(said.mock.calls.join()).toContain('NocoBase has started without this plugin');
      } finally {
        exit.mockRestore();
        said.mockRestore();
      }
      expect([touched, connections]).toEqual([[], 0]);
      await runtime.leave();
      await runtime.close();
    },
  );

  it('whose core started without the plugin, which is not enabled yet, says so and changes nothing', async () => {
    const { runtime, touched, start } = runtimeOf(part, 'start', { isLoaded: false });
    const said = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
    try {
      start();
      expect(said.mock.calls.join()).toContain('Enable it in the plugin manager');
    } finally {
      said.mockRestore();
    }
    expect([touched, connections]).toEqual([[], 0]);
    await runtime.leave();
    await runtime.close();
  });

  it('invariant 7: that cannot begin delays nothing and answers what it can', async () => {
    const { runtime, start } = runtimeOf(part, 'start');
    start();
    expect(runtime.models()).toEqual([]);
    expect(await runtime.statuses()).toEqual({});
    // Nobody can say yet that there is no such app.
    expect(runtime.visit('crm')).toBe(true);
    await expect(runtime.requestAction('start', 'crm')).resolves.toBeUndefined();
    await expect(runtime.unload('crm')).resolves.toBe(false);
    await expect(runtime.dispatchEvent('crm', 'x', null)).resolves.toBeUndefined();
    await runtime.leave();
    await runtime.close();
  });
});
