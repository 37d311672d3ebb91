import { ENVIRONMENT_NAME } from '../../../shared/names';
import type { SupervisorConfig } from '../../config';
import { fleetKeyOf } from '../../protocol/keyring';
import { hasOwnUser, supervisorAcl } from './redis-user';
import { doorKeysOf, workerKeysOf } from './worker-keys';

/** What the program keys.ts writes and prints. */
export interface KeyFiles {
  /** By environment, or `DOOR`: the content of its file. */
  files: Record<string, string>;
  /** One for each user of Redis. */
  commands: string[];
}

/** The doors, in the place of an environment, which has another name. */
export const DOOR = '.door';

/**
 * @param environments `NAME`, or `NAME=FLOOR` of one that was forgotten (`environmentKeyOf`)
 * @throws an Error that names what is no environment
 */
export function keyFilesOf(
  { redis, aesKey, host }: SupervisorConfig,
  environments: string[],
  others: { supervisor?: boolean; door?: boolean } = {},
): KeyFiles {
  const named = environments.map((text) => {
    const [, name = '', floor = '0'] = /^([^=]*)(?:=(\d{1,15}))?$/.exec(text) ?? [];
    if (!ENVIRONMENT_NAME.test(name)) throw new Error(`"${text}" is no name of an environment.`);
    return { name, floor: Number(floor) };
  });
  const fleetKey = fleetKeyOf(aesKey ?? host.appKey);
  const workers = named.map(({ name, floor }) => ({
    name,
    ...workerKeysOf({ fleetKey, redis, floor }, name, null),
  }));
  const all = [...workers, ...(others.door ? [{ name: DOOR, ...doorKeysOf({ fleetKey, redis }) }] : [])];
  return {
    files: Object.fromEntries(all.map(({ name, variables }) => [name, variables.map(lineOf).join('')])),
    commands: [...(others.supervisor ? supervisorUsers(redis) : []), ...all.flatMap(({ acl }) => acl ?? [])],
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
