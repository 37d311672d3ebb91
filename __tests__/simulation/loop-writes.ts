import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';
import { ControlLoop } from '../../src/server/supervisor/control/loop';
import type { MemoryTransaction } from '../support/memory-database';

/**
 * Which statements the control loop asks for, whatever service they come from. It costs too much for every run: a test watches the
 * loop in some.
 */

const inLoop = new AsyncLocalStorage<boolean>();
let isWatched = false;

/** From now on, in all simulations of this process. */
export function watchLoop(): void {
  if (isWatched) return;
  isWatched = true;
  const { prototype } = ControlLoop as unknown as { prototype: { work(key: string): Promise<number | null> } };
  const { work } = prototype;
  prototype.work = function (key) {
    return inLoop.run(true, () => work.call(this, key));
  };
}

/** Keeps who asked for it known until it is carried out. */
export const asAsked = <T>(statement: () => Promise<T>): (() => Promise<T>) =>
  isWatched ? AsyncResource.bind(statement) : statement;

/** What operators and the loop both change: of the loop, only in its term. */
const SHARED = ['apps', 'appOperations', 'appTombstones', 'appEvents'];

/** The tables that the loop changes with this transaction, as far as only a leader may. */
export const changedByLoop = ({ writes }: MemoryTransaction): string[] =>
  inLoop.getStore() ? SHARED.filter((table) => writes.get(table)?.size) : [];
