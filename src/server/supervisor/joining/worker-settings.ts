import { DIALECTS } from '../../../shared/dialects';
import type { JoinRequest, JoinStep } from '../../../shared/join';
import { type Message, say } from '../../../shared/message';
import type { SupervisorConfig } from '../../config';
import { type DatabaseConnection, type WorkerDatabase, workerSql } from '../../databases';
import { workerSecretOf } from '../../protocol/keyring';
import { containerOf, databaseOf } from './names';
import { hostOfRedis } from './redis-user';
import { workerKeysOf } from './worker-keys';

/** What the Worker of a new environment is started with. Pure functions: an equal request gets equal settings. */

/** What a Supervisor knows. */
export interface JoinFacts extends Pick<SupervisorConfig, 'redis' | 'host' | 'join'> {
  fleetKey: Buffer;
  /** When the environment was last forgotten, as in `environmentKeyOf`. */
  floor: number;
  /** Of this Supervisor. */
  database: Pick<DatabaseConnection, 'dialect' | 'host' | 'port'>;
}

/** How the Worker is started, and with what. */
export interface WorkerSettings {
  environment: string;
  /** Of the container, and on its network. */
  container: string;
  image: string;
  network: string | null;
  url: string;
  /** Null: the Supervisor reaches it at `url`. */
  proxyUrl: string | null;
  /** In the order in which they are shown, without the addresses of the environment. Contains secrets. */
  variables: [name: string, value: string][];
  /** As in `JoinFacts`. */
  floor: number;
  /** Where its main database is made, as seen by this Supervisor. */
  database: WorkerDatabase;
  /** For an administrator. */
  steps: JoinStep[];
  warnings: Message[];
}

export function settingsFor(facts: JoinFacts, request: JoinRequest): WorkerSettings {
  const { redis, join, fleetKey } = facts;
  const { name } = request;
  const container = containerOf(name);
  const keys = workerKeysOf(facts, name, request.redis || null);
  const database = databaseFor(facts, request, workerSecretOf(fleetKey, name, 'database').slice(0, 32));
  const seen = serverFrom(request.database, database);
  return {
    environment: name,
    container,
    image: request.image || join.image,
    network: request.network || join.network,
    url: request.url,
    proxyUrl: request.proxyUrl || null,
    variables: [
      ['APP_MODE', 'worker'],
      ['APP_DISCOVERY_ADAPTER', 'remote'],
      ['APP_PROCESS_ADAPTER', 'local'],
      ['APP_COMMAND_ADAPTER', 'redis'],
      ['APPEND_PRESET_BUILT_IN_PLUGINS', '@nocobase/plugin-app-supervisor'],
      ['ENVIRONMENT_NAME', name],
      ...keys.variables,
      ...differing(facts),
      ['DB_DIALECT', database.dialect],
      ['DB_HOST', seen.host],
      ['DB_PORT', String(seen.port)],
      ['DB_USER', database.username],
      ['DB_PASSWORD', database.password],
      ['DB_DATABASE', database.database],
      ...(join.timeZone ? ([['TZ', join.timeZone]] as [string, string][]) : []),
    ],
    floor: facts.floor,
    database,
    steps: [
      ...(join.role ? [] : [{ kind: 'database' as const, commands: workerSql(database) }]),
      ...(keys.acl ? [{ kind: 'redis' as const, commands: keys.acl }] : []),
    ],
    warnings: [
      ...loopback('APP_SUPERVISOR_REDIS_URL', request.redis ? null : hostOfRedis(redis.stateUrl)),
      ...loopback('DB_HOST', seen.host),
    ],
  };
}

/** Comes to a container by a file: what is in its configuration is shown to whoever may look at containers. */
export const isSecret = (variable: string): boolean => /(?:_KEY|_PASSWORD|_REDIS_URL)$/.test(variable);

/** A password of the first administrator that nobody has to know: the page gives him another one. */
export const initialPasswordOf = ({ fleetKey, floor }: Pick<JoinFacts, 'fleetKey' | 'floor'>, environment: string) =>
  workerSecretOf(fleetKey, environment, 'INIT_ROOT_PASSWORD', floor).slice(0, 24);

function databaseFor({ database, join }: JoinFacts, { name }: JoinRequest, password: string): WorkerDatabase {
  const { dialect, host = 'localhost', port } = database;
  const own = databaseOf(name);
  const { user, password: known } = join.role ?? { user: own, password };
  return { dialect, host, port: port || DIALECTS[dialect]?.port || '', username: user, password: known, database: own };
}

/** @param entered `host[:port]`; empty: the address of this Supervisor */
function serverFrom(
  entered: string | undefined,
  { host, port }: WorkerDatabase,
): { host: string; port: number | string } {
  if (!entered) return { host, port };
  const url = new URL(`tcp://${entered}`);
  return { host: url.hostname.replace(/^\[|\]$/g, ''), port: url.port || port };
}

/** Settings in which this Supervisor differs from the defaults, and that a Worker has to share. */
function differing({ redis, host }: JoinFacts): [string, string][] {
  const { publicPath, apiBasePath, wsPath, pluginStaticsPath, modernPrefix, clientEntryMode } = host;
  // The core derives the paths from this one unless they are set.
  const below = (path: string) => `${publicPath}${path}`;
  const wanted: [name: string, value: string, isNeeded: boolean][] = [
    ['APP_SUPERVISOR_KEY_PREFIX', redis.prefix, redis.prefix !== 'app-supervisor'],
    ['APP_PUBLIC_PATH', publicPath, publicPath !== '/'],
    ['API_BASE_PATH', apiBasePath, apiBasePath !== below('api/')],
    ['WS_PATH', wsPath, wsPath !== below('ws')],
    ['PLUGIN_STATICS_PATH', pluginStaticsPath, pluginStaticsPath !== below('static/plugins/')],
    ['APP_MODERN_CLIENT_PREFIX', modernPrefix, modernPrefix !== 'v'],
    ['APP_CLIENT_ENTRY_MODE', clientEntryMode, clientEntryMode !== 'legacy-default'],
  ];
  return wanted.filter(([, , isNeeded]) => isNeeded).map(([name, value]) => [name, value]);
}

/** A container, and another machine, finds itself there. */
const loopback = (variable: string, host: string | null): Message[] =>
  host && /^(localhost|127\.|\[?::1\]?$)/.test(host) ? [say('JOIN_LOOPBACK', { variable, host })] : [];
