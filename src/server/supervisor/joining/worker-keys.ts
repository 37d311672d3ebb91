import type { RedisConfig } from '../../config';
import { doorPasswordOf, environmentKeyOf, publicKeyOf, workerSecretOf } from '../../protocol/keyring';
import { containerOf } from './names';
import { addressForWorker, doorAcl, hasOwnUser, type RedisUser, workerAcl } from './redis-user';

/** What a process beside the Supervisors has of the secrets of its fleet, and nothing of others. Pure functions. */
export interface ProcessKeys {
  variables: [name: string, value: string][];
  /** The command that makes its user of Redis; null: it signs in as the Supervisor does, which has none of its own. */
  acl: string | null;
}

/**
 * Of a Worker.
 * @param facts.floor as in `environmentKeyOf`
 * @param server where the Worker reaches Redis, `host[:port]`; null: at the address of the Supervisor
 */
export function workerKeysOf(
  { fleetKey, redis, floor }: { fleetKey: Buffer; redis: RedisConfig; floor: number },
  environment: string,
  server: string | null,
): ProcessKeys {
  const user = redisUserOf(fleetKey, environment, floor);
  const address = (url: string) => addressForWorker(url, user, server);
  const isOwn = hasOwnUser(redis.stateUrl) || hasOwnUser(redis.commandUrl);
  return {
    variables: [
      ...workerSecretsOf(fleetKey, environment, floor),
      ['APP_SUPERVISOR_REDIS_URL', address(redis.stateUrl)],
      ['APP_COMMAND_REDIS_URL', address(redis.commandUrl)],
    ],
    acl: isOwn ? workerAcl(user, redis.prefix, environment) : null,
  };
}

/** Of the doors: nothing but the key by which they believe what they read, and their own user of Redis. */
export function doorKeysOf({ fleetKey, redis }: { fleetKey: Buffer; redis: RedisConfig }): ProcessKeys {
  const user = doorUserOf(fleetKey);
  return {
    variables: [
      ['APP_SUPERVISOR_PUBLIC_KEY', publicKeyOf(fleetKey)],
      ['APP_SUPERVISOR_REDIS_URL', addressForWorker(redis.stateUrl, user, null)],
    ],
    acl: hasOwnUser(redis.stateUrl) ? doorAcl(user, redis.prefix) : null,
  };
}

export const doorUserOf = (fleetKey: Buffer): RedisUser => ({ name: 'door', password: doorPasswordOf(fleetKey) });

export const workerSecretsOf = (fleetKey: Buffer, environment: string, floor = 0): [name: string, value: string][] => [
  // Of this environment alone: with the key of the fleet it could act as every environment.
  ['APP_SUPERVISOR_ENVIRONMENT_KEY', environmentKeyOf(fleetKey, environment, floor).toString('hex')],
  ['APP_KEY', workerSecretOf(fleetKey, environment, 'APP_KEY', floor)],
];

export const redisUserOf = (fleetKey: Buffer, environment: string, floor = 0): RedisUser => ({
  name: containerOf(environment),
  password: workerSecretOf(fleetKey, environment, 'Redis', floor),
});
