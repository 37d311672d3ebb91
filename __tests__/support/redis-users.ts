import fs from 'node:fs';
import path from 'node:path';
import type Redis from 'ioredis';
import { HOST } from '../../scripts/fleet';
import { ROOT } from '../../scripts/lib/root.mjs';

/** The two users of docs/redis.md, made with the very lines of that page. */
export const USERS = ['fleet-state', 'fleet-commands'] as const;
export type User = (typeof USERS)[number];
/** As on the page. */
export const PASSWORDS = {
  'fleet-state': 'STATE-PASSWORD',
  'fleet-commands': 'COMMANDS-PASSWORD',
  'fleet-supervisor': 'SUPERVISOR-PASSWORD',
  'fleet-worker': 'WORKER-PASSWORD',
  'fleet-door': 'DOOR-PASSWORD',
};
/** Those of one role each, for both URLs; that of a Worker is for env_a. */
export const ROLES = ['fleet-supervisor', 'fleet-worker'] as const;
type AnyUser = keyof typeof PASSWORDS;

const DOCS = fs.readFileSync(path.join(ROOT, 'docs/redis.md'), 'utf8');

function rulesOf(user: AnyUser): string[] {
  const line = DOCS.split('\n').find((text) => text.startsWith(`ACL SETUSER ${user} `));
  if (!line) throw new Error(`docs/redis.md has no user ${user}.`);
  return line.split(' ').slice(3);
}

export const commandsOf = (user: AnyUser): string[] =>
  rulesOf(user)
    .filter((rule) => rule.startsWith('+'))
    .map((rule) => rule.slice(1));

/** @param without a command that they do not get */
export async function makeUsers(admin: Redis, prefix: string, without?: string): Promise<void> {
  for (const user of USERS) await makeUser(admin, user, prefix, without);
}

export async function makeUser(admin: Redis, user: AnyUser, prefix: string, without?: string): Promise<void> {
  const rules = rulesOf(user)
    .map((rule) => rule.replace('app-supervisor:', `${prefix}:`))
    .filter((rule) => rule !== `+${without}`);
  await admin.call('ACL', 'SETUSER', user, 'reset', ...rules);
}

export const urlOf = (user: AnyUser, port: number, scheme = 'redis'): string =>
  `${scheme}://${user}:${PASSWORDS[user]}@${HOST}:${port}/0`;

/** What the server has refused since it was asked last: `user command`, each once. */
export async function refusals(admin: Redis): Promise<string[]> {
  const entries = (await admin.call('ACL', 'LOG', '1000')) as string[][];
  await admin.call('ACL', 'LOG', 'RESET');
  const refused = entries
    .map((entry) => Object.fromEntries(entry.flatMap((_, i) => (i % 2 ? [] : [[entry[i], entry[i + 1]]]))))
    // ioredis tells its name and version, and takes no for an answer.
    .filter(({ object }) => object !== 'client|setinfo')
    .map(({ username, object }) => `${username} ${object}`);
  return [...new Set(refused)];
}
