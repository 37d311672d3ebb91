import { setTimeout as delay } from 'node:timers/promises';

/** Number of attempts, and the wait after the first one in ms, which grows with each attempt. */
const ATTEMPTS = 8;
const WAIT = 50;

/**
 * Repeats work that changes nothing when it fails, as long as SQLite reports that another connection writes: SQLite
 * immediately fails a transaction that has read what another one is about to write, whatever its timeout.
 */
export async function retryWhenBusy<T>(work: () => Promise<T>): Promise<T> {
  for (let tried = 1; ; tried++) {
    try {
      return await work();
    } catch (error) {
      if (tried === ATTEMPTS || !String((error as Error)?.message).includes('SQLITE_BUSY')) throw error;
      await delay(WAIT * tried);
    }
  }
}
