import { setTimeout as delay } from 'node:timers/promises';

/** Number of attempts, and the wait after the first one in ms, which grows with each attempt. */
const ATTEMPTS = 8;
const WAIT = 50;

/**
 * What says that nothing was written: SQLite immediately fails a transaction that has read what another one is about to write, whatever its
 * timeout; the other servers undo a transaction with which its process did not go on in time (`transact`), and the driver finds its connection
 * closed before it sends anything.
 */
const UNDONE =
  /SQLITE_BUSY|is not queryable$|idle-in-transaction timeout$|^Cannot execute new commands|^write (ECONNRESET|EPIPE)$/;

/** Repeats work that changes nothing when it fails, as long as the database has undone it only because of others, or of time. */
export async function retryUndone<T>(work: () => Promise<T>): Promise<T> {
  for (let tried = 1; ; tried++) {
    try {
      return await work();
    } catch (error) {
      if (tried === ATTEMPTS || !UNDONE.test(String((error as Error)?.message))) throw error;
      await delay(WAIT * tried);
    }
  }
}
