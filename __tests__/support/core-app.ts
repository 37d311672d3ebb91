import { EventEmitter } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Application, type AppSupervisor } from '@nocobase/server';
import { vi } from 'vitest';
import { parseConfig } from '../../src/server/config';
import { type Guarded, guardHostedApps } from '../../src/server/worker/guards';
import { NO_WORK_LOG } from '../../src/server/worker/watchdog/busy-with';
import { FakeClock } from './clock';

/** Apps of the core's own classes, which are not started: no database is there. */

const require = createRequire(import.meta.url);

/** What a module of another plugin exports: the very one that this plugin uses. */
export const pluginServer = (name: string, file: string) => require(`@nocobase/plugin-${name}/dist/server/${file}`);

/** What a package of the host exports: the very one that plugins use. */
export const hostPackage = (name: string) => require(name);

/** How long a formula may take, in ms: a busy machine was seen to hold a short one up for 200. */
export const LIMIT = 500;
/** The first is in s. */
const LIMITS = { APP_SUPERVISOR_SCRIPT_TIMEOUT: '1', APP_SUPERVISOR_FORMULA_TIMEOUT: String(LIMIT) };
let instance: ReturnType<typeof makeInstance> | undefined;

function makeInstance() {
  const place = mkdtempSync(path.join(tmpdir(), 'guardsfiles'));
  const storage = path.join(place, 'storage');
  const { host, guards } = parseConfig({ STORAGE_PATH: storage, ...LIMITS }, { command: 'start', isMainThread: true });
  const clock = new FakeClock();
  const guarded: Guarded = { host, guards, clock, work: NO_WORK_LOG };
  const end = () => {
    vi.unstubAllEnvs();
    rmSync(place, { recursive: true, force: true });
  };
  return { place, storage, host, guarded, clock, end };
}

/**
 * A folder, whose name may be part of a language's name, with the storage of an instance in it: one for all files of a process, since
 * what the guards put on NocoBase's classes stays there with the instance that they were put there for.
 */
export function instanceIn() {
  instance ??= makeInstance();
  vi.stubEnv('STORAGE_PATH', instance.storage);
  vi.stubEnv('APP_ENV', 'production');
  vi.stubEnv('LOGGER_TRANSPORT', 'console');
  vi.stubEnv('LOGGER_SILENT', 'true');
  mkdirSync(instance.host.temporaryPath, { recursive: true });
  return instance;
}

const NO_DATABASE = { dialect: 'postgres', host: '127.0.0.1', port: 1, database: 'x', username: 'x', password: 'x' };
/** A database that ends with the app. */
export const IN_MEMORY = { dialect: 'sqlite', storage: ':memory:' };

/** An app as the core makes it. @param plugins those that it has enabled, by name */
export function coreApp(
  name: string,
  plugins: Record<string, object> = {},
  database: object = NO_DATABASE,
  options: object = {},
): Application {
  const app = new Application({ name, database, skipSupervisor: true, logger: false, ...options } as never);
  for (const [plugin, instance] of Object.entries(plugins)) app.pm.pluginAliases.set(plugin, instance as never);
  return app;
}

/** Installs the guards as for an app that has been loaded: once for each time that it was. */
export function guardApps(guarded: Guarded, apps: Application[], times = 1): void {
  const supervisor = new EventEmitter();
  guardHostedApps(supervisor as unknown as AppSupervisor, guarded);
  for (const app of apps) {
    const known = app.listeners('afterLoad');
    supervisor.emit('afterAppAdded', app);
    // Ours alone: those of the core read the database.
    const ours = app.listeners('afterLoad').filter((listener) => !known.includes(listener));
    for (let time = 0; time < times; time++) for (const listener of ours) listener();
  }
}
