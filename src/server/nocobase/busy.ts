import { setTimeout as delay } from 'node:timers/promises';

/** Tries in all, and the wait after the first of them in ms, which grows with each. */
const TRIES = 8;
const WAIT = 50;

/**
 * Does work that changes nothing when it fails, again while SQLite says that somebody else writes: it fails at once a
 * transaction that has read what another one is about to write, however long it may wait.
 */
export async function againWhenBusy<T>(work: () => Promise<T>): Promise<T> {
  for (let tried = 1; ; tried++) {
    try {
      return await work();
    } catch (error) {
      if (tried === TRIES || !String((error as Error)?.message).includes('SQLITE_BUSY')) throw error;
      await delay(WAIT * tried);
    }
  }
}
