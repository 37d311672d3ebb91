import { setTimeout as delay } from 'node:timers/promises';

/** Number of attempts, and the wait after the first one in ms, which grows with each attempt. */
const ATTEMPTS = 8;
const WAIT = 50;

const textOf = (error: unknown): string => String((error as Error | null)?.message);

/** SQLite immediately fails a transaction that has read what another connection is about to write, whatever its timeout. */
const isBusy = (error: unknown): boolean => textOf(error).includes('SQLITE_BUSY');

/** The driver found its connection closed before it sent anything. */
const UNSENT = /is not queryable$|^Cannot execute new commands|^write (ECONNRESET|EPIPE)$/;
/** PostgreSQL’s idle_in_transaction_session_timeout: its text depends on the language of the server. */
const IDLE = '25P03';

/** PostgreSQL and MariaDB undo a transaction with which its process does not go on (`transact`). */
const isUndone = (error: unknown): boolean =>
  isBusy(error) ||
  UNSENT.test(textOf(error)) ||
  (error as { parent?: { code?: string } } | null)?.parent?.code === IDLE;

/** Repeats work that changes nothing when it fails, as long as SQLite reports that another connection writes. */
export const retryWhenBusy = <T>(work: () => Promise<T>): Promise<T> => again(work, isBusy);

/** Repeats a transaction of `transact`, as long as its error proves that nothing was written, and it may succeed. */
export const retryUndone = <T>(work: () => Promise<T>): Promise<T> => again(work, isUndone);

async function again<T>(work: () => Promise<T>, mayRepeat: (error: unknown) => boolean): Promise<T> {
  for (let tried = 1; ; tried++) {
    try {
      return await work();
    } catch (error) {
      if (tried === ATTEMPTS || !mayRepeat(error)) throw error;
      await delay(WAIT * tried);
    }
  }
}
