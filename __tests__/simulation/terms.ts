import { Leadership } from '../../src/server/supervisor/control/leader';
import type { MemoryTransaction } from '../support/memory-database';
import { Machine } from './scheduler';

/** Of which term each transaction of a leader is. */

const terms = new WeakMap<MemoryTransaction, { instance: string; term: number }>();
let isWatching = false;

/** From now on, in all simulations of this process. */
export function watchTerms(): void {
  if (isWatching) return;
  isWatching = true;
  const { holdTerm } = Leadership.prototype;
  Leadership.prototype.holdTerm = function (this: Leadership, transaction) {
    const { instance, clock } = (this as unknown as { options: { instance: string; clock: Machine } }).options;
    terms.set(transaction as unknown as MemoryTransaction, { instance, term: this.term });
    // Another test may turn the clock by hand.
    if (clock instanceof Machine) clock.spring();
    return holdTerm.call(this, transaction);
  };
}

/** Undefined for a transaction that no leader has begun as such. */
export const termOfTransaction = (transaction: MemoryTransaction) => terms.get(transaction);
