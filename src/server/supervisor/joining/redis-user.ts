import { sentinelsOf } from '../../config/redis-address';
import { SUPERVISOR } from '../../protocol/envelope';

/** The address of Redis for a Worker. Pure functions. */

/** A user of Redis. */
export interface RedisUser {
  name: string;
  password: string;
}

/**
 * @param address as the Supervisor has it
 * @param own of the Worker; replaces the user of the Supervisor, if that has one of its own
 * @param server where the Worker reaches Redis, `host[:port]`; null: at the address of the Supervisor
 */
export function addressForWorker(address: string, own: RedisUser, server: string | null): string {
  const sentinels = sentinelsOf(address);
  if (sentinels)
    return JSON.stringify(
      hasOwnUser(address) ? { ...sentinels, username: own.name, password: own.password } : sentinels,
    );
  const url = new URL(address);
  if (server) url.host = server;
  if (hasOwnUser(address)) Object.assign(url, { username: own.name, password: own.password });
  return url.href;
}

/** Whether the Supervisor signs in with a name, and so has permissions that a Worker does not need. */
export function hasOwnUser(address: string): boolean {
  const user = sentinelsOf(address)?.username ?? (address.startsWith('{') ? '' : new URL(address).username);
  return Boolean(user) && user !== 'default';
}

/** The host of the server, for people; null for Sentinels. */
export const hostOfRedis = (address: string): string | null =>
  sentinelsOf(address) ? null : new URL(address).hostname;

/** What a Supervisor may do, as in docs/redis.md. */
export function supervisorAcl({ name, password }: RedisUser, prefix: string): string {
  return acl(
    name,
    password,
    [`~${prefix}:*`],
    [`&${prefix}:*`],
    'get set setnx mget del hget hset hdel hmget hgetall hlen hrandfield hstrlen sadd srem smembers pttl eval evalsha info config|get publish subscribe',
  );
}

/** What the Worker of one environment may do, as in docs/redis.md. Needs Redis 7. */
export function workerAcl({ name, password }: RedisUser, prefix: string, environment: string): string {
  const ownKeys = ['lease', 'standby', 'statuses', 'version', 'registration'].map((key) => `${key}:${environment}`);
  const shared = ['environments', 'probe', 'manifests', 'manifestsVersion', 'ssoCode:*'];
  const read = ['apps', 'ssoEnds', 'ssoEndsVersion'];
  const requests = [environment, SUPERVISOR].map((to) => `requests:${to}`);
  const channels = ['wake:supervisors', `wake:environment:${environment}`, ...requests, 'replies:*'];
  return acl(
    name,
    password,
    [
      ...[...ownKeys, ...shared].map((key) => `~${prefix}:${key}`),
      ...[`records:${environment}`, ...read].map((key) => `%R~${prefix}:${key}`),
    ],
    channels.map((channel) => `&${prefix}:${channel}`),
    'get set del hget hset hdel hmget hgetall hlen sadd pttl eval evalsha info publish subscribe',
  );
}

/** What a door may do, as in docs/redis.md: it reads the routes, and writes what it reports. Needs Redis 7. */
export const doorAcl = ({ name, password }: RedisUser, prefix: string): string =>
  acl(name, password, [`%R~${prefix}:routes`, `%W~${prefix}:doors`], [], 'hget hmget hgetall hset hdel info');

const acl = (name: string, password: string, keys: string[], channels: string[], commands: string): string =>
  [
    // Also a password of before.
    `ACL SETUSER ${name} on resetpass >${password} resetkeys`,
    ...keys,
    'resetchannels',
    ...channels,
    '-@all',
    ...commands.split(' ').map((command) => `+${command}`),
  ].join(' ');
