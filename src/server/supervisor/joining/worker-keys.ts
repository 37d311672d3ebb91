import type { RedisConfig } from '../../config';
import { environmentKeyOf, workerSecretOf } from '../../protocol/keyring';
import { containerOf } from './names';
import { addressForWorker, hasOwnUser, type RedisUser, workerAcl } from './redis-user';

/** What the Worker of one environment has of the secrets of its fleet, and nothing of others. Pure functions. */
export interface WorkerKeys {
  variables: [name: string, value: string][];
  /** The command that makes its user of Redis; null: it signs in as the Supervisor does, which has none of its own. */
  acl: string | null;
}

/**
 * @param facts.floor as in `environmentKeyOf`
 * @param server where the Worker reaches Redis, `host[:port]`; null: at the address of the Supervisor
 */
export function workerKeysOf(
  { fleetKey, redis, floor }: { fleetKey: Buffer; redis: RedisConfig; floor: number },
  environment: string,
  server: string | null,
): WorkerKeys {
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

export const workerSecretsOf = (fleetKey: Buffer, environment: string, floor = 0): [name: string, value: string][] => [
  // Of this environment alone: with the key of the fleet it could act as every environment.
  ['APP_SUPERVISOR_ENVIRONMENT_KEY', environmentKeyOf(fleetKey, environment, floor).toString('hex')],
  ['APP_KEY', workerSecretOf(fleetKey, environment, 'APP_KEY', floor)],
];

export const redisUserOf = (fleetKey: Buffer, environment: string, floor = 0): RedisUser => ({
  name: containerOf(environment),
  password: workerSecretOf(fleetKey, environment, 'Redis', floor),
});
