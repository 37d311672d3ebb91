import path from 'node:path';
import { CLIENT_ENTRY_MODES, type ClientEntryMode } from '../../shared/client-paths';
import { PLUGIN } from '../../shared/names';
import { secretsIn } from './secret-values';
import { type Env, list } from './variables';

/** Paths of the core (cli-v1/src/util.js:608-760), with its defaults. */
export interface HostConfig {
  apiBasePath: string;
  wsPath: string;
  publicPath: string;
  pluginStaticsPath: string;
  modernPrefix: string;
  clientEntryMode: ClientEntryMode;
  nodeModulesPath: string;
  /** `APPEND_PRESET_BUILT_IN_PLUGINS` names this plugin: every start loads it. */
  isBuiltIn: boolean;
  /** Hosts that an app's separate database connection may name; empty: all. `APP_SUPERVISOR_DATABASE_HOSTS`. */
  databaseHosts: string[];
  /** Folder with one log folder for each app. */
  logPath: string;
  /** File with the main app's JWT secret. */
  mainSecretFile: string;
  /** Folder for temporary files, such as those of exports. */
  temporaryPath: string;
  /** Absolute: `STORAGE_PATH`. */
  storagePath: string;
  appKey: string;
  /** What no log that a page shows may contain: the values of variables that are keys, passwords and tokens. */
  secrets: string[];
  /** `USE_DB_SCHEMA_IN_SUBAPP`: the core's own switch for schema mode by default. */
  schemaByDefault: boolean;
}

export function hostOf(env: Env): HostConfig {
  const storage = env.STORAGE_PATH || 'storage';
  return {
    apiBasePath: env.API_BASE_PATH || '/api/',
    wsPath: env.WS_PATH || '/ws',
    publicPath: env.APP_PUBLIC_PATH || '/',
    pluginStaticsPath: env.PLUGIN_STATICS_PATH || '/static/plugins/',
    modernPrefix: env.APP_MODERN_CLIENT_PREFIX || 'v',
    // As the core, which takes any other value for the default.
    clientEntryMode: CLIENT_ENTRY_MODES.find((mode) => mode === env.APP_CLIENT_ENTRY_MODE?.trim()) ?? 'legacy-default',
    nodeModulesPath: env.NODE_MODULES_PATH || 'node_modules',
    // The core accepts both (plugin-manager/findPackageNames.ts).
    isBuiltIn: list(env.APPEND_PRESET_BUILT_IN_PLUGINS, []).some(
      (name) => name === PLUGIN || name === 'app-supervisor',
    ),
    logPath: env.LOGGER_BASE_PATH || `${storage}/logs`,
    secrets: secretsIn(env),
    mainSecretFile: path.resolve(storage, 'apps/main/jwt_secret.dat'),
    temporaryPath: `${storage}/tmp`,
    storagePath: path.resolve(storage),
    appKey: env.APP_KEY || '',
    databaseHosts: list(env.APP_SUPERVISOR_DATABASE_HOSTS, []),
    schemaByDefault: env.USE_DB_SCHEMA_IN_SUBAPP === 'true',
  };
}
