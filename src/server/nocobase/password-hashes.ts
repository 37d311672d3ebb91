import { availableParallelism } from 'node:os';
import { PasswordField } from '@nocobase/database';
import PQueue from 'p-queue';

/**
 * How many passwords are hashed at the same time in this process. Each takes a core for about a tenth of a second, and whoever
 * may sign in can ask for it: half of the cores is for all else.
 */
const AT_ONCE = Math.max(1, Math.floor(availableParallelism() / 2));

const PACED = Symbol('paced by App Supervisor');
type Hash = (this: PasswordField, ...args: never[]) => Promise<unknown>;

/** Hashes of passwords wait for their turn, those that are stored first. A repeated call changes nothing. */
export function paceHashes(prototype: object = PasswordField.prototype, atOnce = AT_ONCE): void {
  const queue = new PQueue({ concurrency: atOnce });
  const methods = prototype as Record<string, Hash>;
  for (const [name, priority] of [
    ['hash', 1],
    ['verify', 0],
  ] as const) {
    const original = methods[name];
    if (PACED in original) continue;
    const paced: Hash = function (...args) {
      return queue.add(() => original.apply(this, args), { priority });
    };
    methods[name] = Object.assign(paced, { [PACED]: true });
  }
}
