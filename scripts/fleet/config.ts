import path from 'node:path';
import { ROOT } from '../lib/root.mjs';
import type { InstalledPlugin } from './plugin';
import { freePort, freePorts, HOST } from './ports';
import type { PostgresServer } from './postgres';

/** All files of a fleet are below this ignored folder. */
export const FLEETS = path.join(ROOT, '.fleet');

export interface FleetOptions {
  /** Its folder below `.fleet`. */
  name?: string;
  /** `local`: one process in shared-memory mode, without Redis. */
  mode?: 'remote' | 'local';
  workers?: number;
  /**
   * The port of the door, of the Supervisor where there is none, or of the only process; those of the Workers are 1000, 2000, … away.
   * `free` uses any free port.
   */
  port?: number | 'free';
  /** HAProxy at that port, with the Supervisor and its Workers behind it. Only with Workers. */
  door?: boolean;
  /** Deletes the data of earlier starts first. */
  reset?: boolean;
  /** A separate Redis for APP_COMMAND_REDIS_URL, so that either can fail alone. */
  separateCommandRedis?: boolean;
  /** An existing PostgreSQL; without it the fleet starts its own. */
  postgres?: PostgresServer;
  /** An existing Redis; without it the fleet starts its own. */
  redisUrl?: string;
  /** False for tests: PostgreSQL does not wait for the disk. */
  durable?: boolean;
  /**
   * Workers have the key of the fleet, the Supervisor's `APP_KEY` and the only user of Redis, as in the compose file of NocoBase's
   * documentation. Otherwise each has those of its environment alone.
   */
  sharedKeys?: boolean;
  /** False: the Supervisor is not told its own address, and custom domains are refused (`npm start`, which has any number of them). */
  knowsItsUrl?: boolean;
  /** Environment variables of every instance. */
  env?: Record<string, string>;
  /** Environment variables by instance: `supervisor`, `env_a`, … */
  instanceEnv?: Record<string, Record<string, string>>;
  /** Installs the plugin in another way. */
  installPlugin?(): Promise<InstalledPlugin>;
}

export interface InstanceConfig {
  /** `supervisor`, `nocobase` in shared-memory mode, or the environment's name. */
  name: string;
  part: 'supervisor' | 'worker' | 'local';
  /** Its name for people. */
  title: string;
  port: number;
  database: string;
  /** Environment variables from the options and from later restarts. */
  env: Record<string, string>;
}

/** The options with all defaults. */
export interface FleetConfig {
  name: string;
  mode: 'remote' | 'local';
  instances: InstanceConfig[];
  /** Of the door; null: there is none. Absent in fleets of earlier releases. */
  doorPort?: number | null;
  ownPostgresPort: number | null;
  postgres: PostgresServer | null;
  /** None in shared-memory mode or with an existing Redis. */
  ownRedisPorts: { state: number; command: number } | null;
  redisUrl: string | null;
  durable: boolean;
  /** Absent in fleets of earlier releases. */
  sharedKeys?: boolean;
}

const PREFERRED_PORTS = { first: 14_000, postgres: 15_432, redis: 16_379 };
const STEP = 1_000;

export async function resolveConfig(options: FleetOptions): Promise<FleetConfig> {
  const { mode = 'remote', workers = 2, port } = options;
  const anyPort = port === 'free';
  const names = mode === 'local' ? [] : Array.from({ length: workers }, (_, index) => letter(index));
  const first = typeof port === 'number' ? port : PREFERRED_PORTS.first;
  const hasDoor = mode === 'remote' && (options.door ?? false);
  const [doorPort, ...ports] = anyPort
    ? await freePorts(names.length + 2)
    : [first, hasDoor ? first + 1 : first, ...names.map((_, index) => first + (index + 1) * STEP)];
  if (ports.some((value) => value < 1 || value > 65_535)) {
    throw new Error(`${workers} Workers from port ${first} on, ${STEP} apart, go beyond port 65535.`);
  }
  const supervisorOf = {
    ...supervisor(ports[0]),
    // As an operator who starts them himself: they need no confirmation.
    env: {
      APP_SUPERVISOR_ENVIRONMENT_ADDRESSES: names
        .map((name, index) => `env_${name}=http://${HOST}:${ports[index + 1]}`)
        .join(),
      // One that is missing is a problem on the Overview.
      ...(hasDoor && { APP_SUPERVISOR_DOORS: '1' }),
    },
  };
  const ownRedis = mode === 'remote' && !options.redisUrl;
  const redisPort = ownRedis ? await freePort(anyPort ? undefined : PREFERRED_PORTS.redis) : 0;
  return {
    name: options.name ?? (mode === 'local' ? 'local' : 'default'),
    mode,
    instances: [
      mode === 'local' ? { ...local(ports[0]), env: {} } : supervisorOf,
      ...names.map((name, index) => ({ ...worker(name, ports[index + 1]), env: {} })),
    ].map((instance) => ({
      ...instance,
      env: {
        ...instance.env,
        ...ownUrl(instance, hasDoor ? doorPort : instance.port, options),
        ...options.env,
        ...options.instanceEnv?.[instance.name],
      },
    })),
    doorPort: hasDoor ? doorPort : null,
    ownPostgresPort: options.postgres ? null : await freePort(anyPort ? undefined : PREFERRED_PORTS.postgres),
    postgres: options.postgres ?? null,
    ownRedisPorts: ownRedis
      ? { state: redisPort, command: options.separateCommandRedis ? await freePort() : redisPort }
      : null,
    redisUrl: options.redisUrl ?? null,
    durable: options.durable ?? true,
    sharedKeys: options.sharedKeys ?? false,
  };
}

const ownUrl = (
  { part }: Pick<InstanceConfig, 'part'>,
  port: number,
  { knowsItsUrl = true }: FleetOptions,
): Record<string, string> =>
  part === 'worker' || !knowsItsUrl ? {} : { APP_SUPERVISOR_PUBLIC_URL: `http://${HOST}:${port}` };

const local = (port: number): Omit<InstanceConfig, 'env'> => ({
  name: 'nocobase',
  part: 'local',
  title: 'NocoBase',
  port,
  database: 'nocobase_local',
});

const supervisor = (port: number): Omit<InstanceConfig, 'env'> => ({
  name: 'supervisor',
  part: 'supervisor',
  title: 'Supervisor',
  port,
  database: 'nocobase_supervisor',
});

const worker = (name: string, port: number): Omit<InstanceConfig, 'env'> => ({
  name: `env_${name}`,
  part: 'worker',
  title: `Worker env_${name}`,
  port,
  database: `nocobase_worker_${name}`,
});

/** a, b, …, z, then 27, 28, … */
const letter = (index: number) => (index < 26 ? String.fromCharCode(97 + index) : String(index + 1));
