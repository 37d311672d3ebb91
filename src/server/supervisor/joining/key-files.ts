import { ENVIRONMENT_NAME } from '../../../shared/names';
import type { SupervisorConfig } from '../../config';
import { fleetKeyOf } from '../../protocol/keyring';
import { hasOwnUser, supervisorAcl } from './redis-user';
import { workerKeysOf } from './worker-keys';

/** What the program keys.ts writes and prints. */
export interface KeyFiles {
  /** By environment: the content of its file. */
  files: Record<string, string>;
  /** One for each user of Redis. */
  commands: string[];
}

/** @throws an Error that names what is no environment */
export function keyFilesOf(
  { redis, aesKey, host }: SupervisorConfig,
  environments: string[],
  withSupervisor: boolean,
): KeyFiles {
  const wrong = environments.find((name) => !ENVIRONMENT_NAME.test(name));
  if (wrong !== undefined) throw new Error(`"${wrong}" is no name of an environment.`);
  const fleetKey = fleetKeyOf(aesKey ?? host.appKey);
  const workers = environments.map((name) => ({ name, ...workerKeysOf({ fleetKey, redis }, name, null) }));
  return {
    files: Object.fromEntries(workers.map(({ name, variables }) => [name, variables.map(lineOf).join('')])),
    commands: [...(withSupervisor ? supervisorUsers(redis) : []), ...workers.flatMap(({ acl }) => acl ?? [])],
  };
}

/** As its addresses name it; none without a name of its own. */
function supervisorUsers({ stateUrl, commandUrl, prefix }: SupervisorConfig['redis']): string[] {
  const urls = [stateUrl, commandUrl].filter((url) => hasOwnUser(url) && !url.startsWith('{'));
  const users = urls.map((url) => new URL(url));
  return [...new Set(users.map(({ username: name, password }) => supervisorAcl({ name, password }, prefix)))];
}

/** For a shell that reads the file. */
const lineOf = ([name, value]: [name: string, value: string]): string =>
  `${name}='${value.replaceAll("'", "'\\''")}'\n`;
