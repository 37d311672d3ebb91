import { createHash } from 'node:crypto';
import { chmodSync, lstatSync, mkdirSync } from 'node:fs';
import { devNull, tmpdir } from 'node:os';
import path from 'node:path';
import { ROOT } from '../lib/root.mjs';
import type { InstanceConfig } from './config';
import type { InstanceKeys } from './keys';
import { PACKAGE_NAME, PLUGIN_STORAGE } from './plugin';
import { HOST } from './ports';
import type { PostgresServer } from './postgres';
import { roleOf } from './roles';

/** The administrator of the Supervisor's main app, or of the only process in shared memory, as in the README. */
export const ADMIN = { email: 'admin@nocobase.com', password: 'admin123' };
/** The administrator that tests and tools give to the apps that they create. */
export const APP_ADMIN = { username: 'nocobase', email: ADMIN.email, password: 'of-the-apps-of-tests' };

export interface EnvironmentInput {
  home: string;
  instance: InstanceConfig;
  postgres: PostgresServer;
  redis: { stateUrl: string; commandUrl: string; keyPrefix?: string } | null;
  keys: InstanceKeys;
  /** For the Supervisor, which gives it to the Workers that it adds. */
  workerRolePassword: string;
  /** Password of the main app's administrator, if this start installs it. */
  rootPassword: string;
}

/**
 * An instance gets only these variables of the launcher: those that a process needs, and those that configure NocoBase
 * or this plugin. A stray `DB_…` or `NODE_ENV` must not change what is started.
 */
const PASSED_ON =
  /^(PATH|HOME|USER|LOGNAME|SHELL|LANG|LC_.*|TMPDIR|TZ|.*_proxy|NODE_EXTRA_CA_CERTS|LOGGER_.*|INIT_.*|SUBAPP_.*|TELEMETRY_.*|ENVIRONMENT_HEARTBEAT_INTERVAL|APP_SUPERVISOR_(DEBUG|PUBLIC_URL|TRUSTED_PROXIES))$/i;

/** Two copies of a core package in one process do not recognize each other's classes (symlinked plugin folder). */
export const NODE_OPTIONS = '--preserve-symlinks';

/** All environment variables of one instance; `nocobase-v1`'s own defaults are added (instance-env.cjs). */
export function environmentOf(input: EnvironmentInput): NodeJS.ProcessEnv {
  const { home, instance, postgres } = input;
  const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => PASSED_ON.test(name)));
  return {
    TZ: Intl.DateTimeFormat().resolvedOptions().timeZone,
    LOGGER_FORMAT: 'logfmt',
    INIT_APP_LANG: 'en-US',
    INIT_ROOT_USERNAME: 'nocobase',
    INIT_ROOT_NICKNAME: 'Super Admin',
    INIT_ROOT_EMAIL: ADMIN.email,
    INIT_ROOT_PASSWORD: input.rootPassword,
    ...inherited,
    NODE_OPTIONS,
    NODE_PATH: path.join(ROOT, 'node_modules'),
    NODE_MODULES_PATH: path.join(ROOT, 'node_modules'),
    APP_ENV: 'production',
    // A developer's `.env` in the working directory does not belong to this fleet.
    APP_ENV_PATH: devNull,
    APP_HOST: HOST,
    APP_PORT: String(instance.port),
    ...input.keys,
    APPEND_PRESET_BUILT_IN_PLUGINS: PACKAGE_NAME,
    STORAGE_PATH: storageOf(home, instance.name),
    PLUGIN_STORAGE_PATH: PLUGIN_STORAGE,
    SOCKET_PATH: socketOf(home, instance.name),
    DB_DIALECT: 'postgres',
    DB_HOST: postgres.host,
    DB_PORT: String(postgres.port),
    DB_USER: postgres.user,
    DB_PASSWORD: postgres.password,
    DB_DATABASE: instance.database,
    ...partOf(input),
    ...instance.env,
  };
}

function partOf({ instance, redis, workerRolePassword }: EnvironmentInput): Record<string, string> {
  // `npm start` does it (keep.ts).
  const restarted = { APP_SUPERVISOR_RESTARTED: 'true' };
  if (!redis) return { APP_DISCOVERY_ADAPTER: 'local', APP_PROCESS_ADAPTER: 'local', ...restarted };
  const common = {
    APP_MODE: instance.part,
    APP_DISCOVERY_ADAPTER: 'remote',
    APP_PROCESS_ADAPTER: instance.part === 'worker' ? 'local' : 'remote',
    APP_COMMAND_ADAPTER: 'redis',
    APP_SUPERVISOR_REDIS_URL: redis.stateUrl,
    APP_COMMAND_REDIS_URL: redis.commandUrl,
    ...(redis.keyPrefix && { APP_SUPERVISOR_KEY_PREFIX: redis.keyPrefix }),
  };
  if (instance.part === 'supervisor')
    return {
      ...common,
      APP_SUPERVISOR_WORKER_DB_USER: roleOf({ part: 'worker' }),
      APP_SUPERVISOR_WORKER_DB_PASSWORD: workerRolePassword,
    };
  return {
    ...common,
    ...restarted,
    ENVIRONMENT_NAME: instance.name,
    ENVIRONMENT_URL: `http://${HOST}:${instance.port}`,
  };
}

export const storageOf = (home: string, instance: string) => path.join(home, 'storage', instance);

/** The path of a socket may have 107 bytes, which a folder deep in a home directory exceeds. */
const socketOf = (home: string, instance: string) => path.join(socketFolder(home), `${instance}.sock`);

/**
 * Makes the folder of a fleet's sockets, to which nobody else may write: its name can be guessed.
 * @throws if somebody else has made it
 */
export function makeSocketFolder(home: string): void {
  const folder = socketFolder(home);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const found = lstatSync(folder);
  if (!found.isDirectory() || found.uid !== process.getuid?.()) {
    throw new Error(`${folder} is not a folder of yours. Remove it, or set TMPDIR to a folder of your own.`);
  }
  chmodSync(folder, 0o700);
}

export const socketFolder = (home: string) =>
  path.join(tmpdir(), `nocobase-fleet-${createHash('sha256').update(home).digest('hex').slice(0, 8)}`);
