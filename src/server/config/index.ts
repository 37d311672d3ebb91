import { isMainThread } from 'node:worker_threads';
import { z } from 'zod';
import { type Message, say } from '../../shared/message';
import { ENVIRONMENT_NAME, isAppName, LOCAL_ENVIRONMENT } from '../../shared/names';
import { parseAppsDomain, receivesCookiesOf } from '../../shared/origins';
import { inEnglish } from '../errors';
import { LOG_ROOMS, type LogRoom } from '../log';
import { INTERVAL } from '../timing';
import { type Bounds, boundsOf } from './bounds';
import { checkProcesses, processesOf } from './cluster-mode';
import { type HostConfig, hostOf } from './core-settings';
import { type DatabaseRolesConfig, databaseRolesOf } from './database-roles';
import { type DockerAddress, dockerOf } from './docker';
import { type GuardConfig, guardConfigOf } from './guards';
import { type JoinConfig, joinConfigOf } from './join';
import { REDIS_ADDRESS_FORM, type RedisStateConfig, redisAddress, redisStateOf } from './redis-address';
import {
  APPS_DOMAIN_FORM,
  appsDomain,
  type Env,
  FRAME_ANCESTORS_FORM,
  frameAncestors,
  httpUrl,
  list,
  Variables,
} from './variables';

/** The only reader of environment variables. All other code uses the configuration. */

export interface RedisConfig extends RedisStateConfig {
  /** Notifications and request/reply: `APP_COMMAND_REDIS_URL`. */
  commandUrl: string;
}

export interface EnvironmentConfig {
  name: string;
  url: string;
  proxyUrl: string;
  /** Whether this process serves requests (`WORKER_MODE`, server/src/worker-mode.ts). */
  serves: boolean;
  /** Lease renewal in ms: `ENVIRONMENT_HEARTBEAT_INTERVAL`. */
  heartbeatInterval: number;
  /** Whether a process that can host no more ends: `APP_SUPERVISOR_EXIT_WHEN_SPENT`. */
  exitsWhenSpent?: boolean;
}

export interface BootstrapConfig {
  /** Number of apps that boot at the same time: `SUBAPP_BOOTSTRAP_CONCURRENCY`. */
  concurrency: number;
  /** At most `intervalCap` boots begin per `interval` ms; 0 means no limit. */
  interval: number;
  intervalCap: number;
}

interface Common {
  /** False in command-line runs and transient worker threads, which take no lease and change nothing. */
  active: boolean;
  host: HostConfig;
  guards: GuardConfig;
  /** 32 bytes, or null: `APP_SUPERVISOR_AES_SECRET_KEY`. */
  aesKey: Buffer | null;
  /** 32 bytes, or null: `APP_SUPERVISOR_ENVIRONMENT_KEY`, of a Worker that gets no other key of the fleet. */
  environmentKey: Buffer | null;
  /** Only for the command `app-supervisor:rekey`: `APP_SUPERVISOR_AES_OLD_SECRET_KEY`. */
  oldAesKey: Buffer | null;
  publicUrl: string | null;
  /** `[scheme://]host[:port]` below which each app has an origin of its own: `APP_SUPERVISOR_APPS_DOMAIN`. */
  appsDomain: string | null;
  /** Values of CSP's `frame-ancestors`; empty: all pages may show it in a frame. */
  frameAncestors: { main: string; apps: string };
  bounds: Bounds;
  trustedProxies: string[];
  bootstrap: BootstrapConfig;
  /** The parts of the plugin that write debug lines: `APP_SUPERVISOR_DEBUG`. */
  debug: LogRoom[];
  /** The only app that this process runs, or for which a worker thread has a command: `STARTUP_SUBAPP`. */
  singleApp: string | null;
  /** A worker thread that the core starts for one command, and that may open `singleApp` for it (worker-mode.ts). */
  transient: boolean;
  /** A command-line run of `nocobase pm`, which may open an app (`--app`). */
  isPluginCommand: boolean;
  databaseRoles: DatabaseRolesConfig;
  /** Warnings for the operator. */
  warnings: Message[];
}

export interface DormantConfig extends Common {
  part: 'dormant';
}
export interface LocalConfig extends Common {
  part: 'local';
  environment: EnvironmentConfig;
}
export interface SupervisorConfig extends Common {
  part: 'supervisor';
  redis: RedisConfig;
  /** For the Workers of new environments. */
  join: JoinConfig;
  /** The engine in which this process makes Workers itself; null: none. */
  docker: DockerAddress | null;
  /** How many doors there are to be: `APP_SUPERVISOR_DOORS`. */
  doors: number;
}
export interface WorkerConfig extends Common {
  part: 'worker';
  redis: RedisConfig;
  environment: EnvironmentConfig;
}
/** The configuration of a process that has a role. */
export type ActiveConfig = LocalConfig | SupervisorConfig | WorkerConfig;
export type Config = DormantConfig | ActiveConfig;

/** Problems of the environment variables: one line for each, for the operator's terminal. */
export class ConfigError extends Error {
  constructor(
    readonly problems: string[],
    program = 'App Supervisor',
  ) {
    super(
      [`${program} cannot start with these environment variables:`, ...problems.map((line) => `  - ${line}`)].join(
        '\n',
      ),
    );
    this.name = 'ConfigError';
  }
}

/** The configuration of this process; if it is invalid, prints every problem and ends the process. */
export function loadConfig(): Config {
  try {
    const config = parseConfig(process.env, {
      command: process.argv[2],
      isMainThread,
      pm2Processes: processesOf(process.env),
    });
    for (const warning of config.warnings) console.warn(`App Supervisor: ${inEnglish(warning)}`);
    return config;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    // The core logs and ignores errors thrown here, and would start with other adapters
    // (run-plugin-static-imports.ts).
    console.error(error.message);
    process.exit(1);
  }
}

/** What a Supervisor with these variables has, for a program that is none. @throws ConfigError */
export const supervisorConfig = (env: Env = process.env): SupervisorConfig =>
  parseConfig({ ...env, ...PARTS.supervisor }, { command: undefined, isMainThread }) as SupervisorConfig;

/** How the process was started: only `start` in the main thread participates in the fleet. */
interface Run {
  command: string | undefined;
  isMainThread: boolean;
  /** The number of processes that PM2 started on one port, as it writes it. */
  pm2Processes?: string;
}

/** The role by the four selecting variables; docs/reference/environment-variables.md. */
const PARTS = {
  local: { APP_MODE: '', APP_DISCOVERY_ADAPTER: 'local', APP_PROCESS_ADAPTER: 'local', APP_COMMAND_ADAPTER: '' },
  supervisor: {
    APP_MODE: 'supervisor',
    APP_DISCOVERY_ADAPTER: 'remote',
    APP_PROCESS_ADAPTER: 'remote',
    APP_COMMAND_ADAPTER: 'redis',
  },
  worker: {
    APP_MODE: 'worker',
    APP_DISCOVERY_ADAPTER: 'remote',
    APP_PROCESS_ADAPTER: 'local',
    APP_COMMAND_ADAPTER: 'redis',
  },
} as const;
const SELECTORS = Object.keys(PARTS.local) as Array<keyof (typeof PARTS)['local']>;

const MISSPELT = 'APP_COMMAND_ADPATER';

/**
 * @param env variables as the core left them; `APP_COMMAND_ADAPTER` is set here from its misspelled alias, because the
 * core reads it too (app-supervisor/index.ts:140)
 * @throws ConfigError with every problem at once
 */
export function parseConfig(env: Env, run: Run): Config {
  const warnings: Message[] = [];
  if (env[MISSPELT] && !env.APP_COMMAND_ADAPTER) {
    env.APP_COMMAND_ADAPTER = env[MISSPELT];
    warnings.push(say('MISSPELT_VARIABLE', { misspelt: MISSPELT }));
  }
  const part = partOf(env);
  const variables = new Variables(env);
  const active = run.isMainThread && run.command === 'start' && env.WORKER_MODE !== '-';
  const isPluginCommand = run.isMainThread && run.command === 'pm' && env.WORKER_MODE !== '-';
  const config = configOf(part, variables, { ...commonOf(variables), active, isPluginCommand, warnings });
  if (part !== 'dormant') {
    // A Worker with the key of its environment stores only what is sealed for that.
    if (!config.aesKey && !(part === 'worker' && config.environmentKey)) warnings.push(say('NO_AES_KEY'));
    if (env.WORKFLOW_SCRIPT_MODULES && part !== 'supervisor') warnings.push(say('SCRIPT_MODULES_OF_MAIN'));
    if (env.UNSAFE_USE_DEFAULT_JWT_SECRET === 'true') warnings.push(say('DEFAULT_JWT_SECRET_USED'));
    if (active && config.singleApp && part !== 'local') {
      variables.problems.push(
        `STARTUP_SUBAPP is "${config.singleApp}"; the role "${part}" needs it unset. Only a process in shared memory can run a single app; in a fleet, assign the app to an environment that hosts no other app.`,
      );
    }
  }
  if (active && part !== 'dormant')
    checkProcesses(env.CLUSTER_MODE?.trim() || run.pm2Processes || '1', part, variables.problems);
  checkAppsDomain(config, variables.problems);
  if (variables.problems.length) throw new ConfigError(variables.problems);
  return config;
}

function commonOf(variables: Variables): Omit<Common, 'active' | 'isPluginCommand' | 'warnings'> {
  const { env } = variables;
  const interval = variables.whole('SUBAPP_BOOTSTRAP_INTERVAL', 0, 3_600_000, 0);
  const intervalCap = variables.whole('SUBAPP_BOOTSTRAP_INTERVAL_CAP', 1, 10_000, 1);
  const appName = z.string().refine(isAppName);
  return {
    transient: env.WORKER_MODE === '-',
    host: hostOf(env),
    guards: guardConfigOf(variables),
    aesKey: variables.key('APP_SUPERVISOR_AES_SECRET_KEY'),
    environmentKey: variables.key('APP_SUPERVISOR_ENVIRONMENT_KEY'),
    oldAesKey: variables.key('APP_SUPERVISOR_AES_OLD_SECRET_KEY'),
    publicUrl:
      variables.read('APP_SUPERVISOR_PUBLIC_URL', httpUrl, 'an address such as https://apps.example.com', '') || null,
    appsDomain: variables.read('APP_SUPERVISOR_APPS_DOMAIN', appsDomain, APPS_DOMAIN_FORM, '') || null,
    frameAncestors: {
      main: variables.read('APP_SUPERVISOR_FRAME_ANCESTORS', frameAncestors, FRAME_ANCESTORS_FORM, "'self'"),
      apps: variables.read('APP_SUPERVISOR_APPS_FRAME_ANCESTORS', frameAncestors, FRAME_ANCESTORS_FORM, ''),
    },
    bounds: boundsOf(variables),
    trustedProxies: list(env.APP_SUPERVISOR_TRUSTED_PROXIES, ['loopback']),
    bootstrap: { concurrency: variables.whole('SUBAPP_BOOTSTRAP_CONCURRENCY', 1, 100, 2), interval, intervalCap },
    databaseRoles: databaseRolesOf(variables),
    debug: debugRooms(variables),
    singleApp:
      variables.read('STARTUP_SUBAPP', appName, 'the identifier of an app (letters, digits, _ and -)', '') || null,
  };
}

/** An app could set a cookie for all hosts below the domain, and main would take it for its own. */
function checkAppsDomain({ appsDomain, publicUrl }: Common, problems: string[]): void {
  const domain = appsDomain && parseAppsDomain(appsDomain);
  if (!domain || !publicUrl || !receivesCookiesOf(new URL(publicUrl).hostname.toLowerCase(), domain)) return;
  problems.push(
    `APP_SUPERVISOR_APPS_DOMAIN is "${appsDomain}", and the Supervisor's own address ${publicUrl} (APP_SUPERVISOR_PUBLIC_URL) is that domain or below it, so that apps could set its cookies; use another domain, such as apps.example.com for a Supervisor at https://nocobase.example.com.`,
  );
}

function debugRooms(variables: Variables): LogRoom[] {
  const rooms = list(variables.env.APP_SUPERVISOR_DEBUG, []);
  if (rooms.includes('*')) return [...LOG_ROOMS];
  const allowed = `"*" or, separated by commas, some of ${LOG_ROOMS.join(', ')}`;
  return variables.read('APP_SUPERVISOR_DEBUG', roomsOf, allowed, []);
}

function configOf(part: Config['part'], variables: Variables, common: Common): Config {
  if (part === 'dormant') return { part, ...common };
  if (part === 'local') {
    const environment = {
      name: LOCAL_ENVIRONMENT,
      url: '',
      proxyUrl: '',
      serves: true,
      heartbeatInterval: INTERVAL,
      exitsWhenSpent: false,
    };
    return { part, ...common, environment };
  }
  const redis = redisOf(variables);
  const config: Config =
    part === 'supervisor'
      ? {
          part,
          ...common,
          redis,
          join: joinConfigOf(variables),
          docker: dockerOf(variables),
          doors: variables.whole('APP_SUPERVISOR_DOORS', 0, 16, 0),
        }
      : { part, ...common, redis, environment: environmentOf(variables) };
  if (variables.env.DB_DIALECT === 'sqlite') {
    variables.problems.push(
      'DB_DIALECT is "sqlite", which several processes cannot share; a fleet needs postgres, mysql, mariadb or kingbase.',
    );
  }
  return config;
}

const redisOf = (variables: Variables): RedisConfig => ({
  ...redisStateOf(variables),
  commandUrl: variables.read('APP_COMMAND_REDIS_URL', redisAddress, REDIS_ADDRESS_FORM),
});

function environmentOf(variables: Variables): EnvironmentConfig {
  const url = variables.read('ENVIRONMENT_URL', httpUrl, 'the address of this worker, such as http://localhost:15000');
  return {
    name: variables.read(
      'ENVIRONMENT_NAME',
      z.string().regex(ENVIRONMENT_NAME),
      'a name of letters, digits, "_", "-" or ".", at most 64, such as env_a',
    ),
    url,
    proxyUrl: variables.read('ENVIRONMENT_PROXY_URL', httpUrl, 'an address such as http://worker_a', '') || url,
    serves: serves(variables.env.WORKER_MODE),
    heartbeatInterval: variables.whole('ENVIRONMENT_HEARTBEAT_INTERVAL', 100, 60_000, INTERVAL),
    exitsWhenSpent: variables.whole('APP_SUPERVISOR_EXIT_WHEN_SPENT', 0, 1, 0) === 1,
  };
}

/** Values of `APP_KEY` in NocoBase's code or documentation. */
export const WELL_KNOWN_APP_KEYS: ReadonlySet<string> = new Set(['', 'test-jwt-secret', 'test-key', 'your-secret-key']);

function partOf(env: Env): Config['part'] {
  const value = (name: string) => env[name]?.trim() ?? '';
  if (SELECTORS.every((name) => !value(name))) return 'dormant';
  for (const [part, expected] of Object.entries(PARTS)) {
    if (SELECTORS.every((name) => value(name) === expected[name])) return part as keyof typeof PARTS;
  }
  // The intended role is the one that most variables agree with; variables that differ from it are reported.
  const [role, expected] = Object.entries(PARTS)
    .map(([part, values]) => [part, values, SELECTORS.filter((name) => value(name) === values[name]).length] as const)
    .sort((a, b) => Number(b[0] === value('APP_MODE')) - Number(a[0] === value('APP_MODE')) || b[2] - a[2])[0];
  const problems = SELECTORS.filter((name) => value(name) !== expected[name]).map((name) => {
    const actual = value(name) ? `is "${value(name)}"` : 'is not set';
    const needed = expected[name] ? `"${expected[name]}"` : 'it unset';
    return `${name} ${actual}; the role "${role}" needs ${needed}.`;
  });
  throw new ConfigError([
    ...problems,
    `Roles: ${Object.entries(PARTS)
      .map(([part, values]) => `${part} (${SELECTORS.map((name) => `${name}=${values[name] || '-'}`).join(' ')})`)
      .join('; ')}.`,
  ]);
}

const roomsOf = z
  .string()
  .transform((value) => list(value, []))
  .pipe(z.array(z.enum(LOG_ROOMS)));

/** Empty `WORKER_MODE` serves; a list serves only if it contains `!` (server/src/worker-mode.ts). */
function serves(mode: string | undefined): boolean {
  const parts = list(mode, []);
  return parts.length === 0 || parts.includes('!');
}
