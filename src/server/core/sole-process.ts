import path from 'node:path';
import type { Database } from '@nocobase/database';
import type { Database as Driver } from 'sqlite3';
import { loadDriver } from '../databases/drivers';
import { PATIENCE } from '../timing';

/** By file. They are never closed: the operating system drops the lock when the process has ended, however it ends. */
const locks = new Map<string, Driver>();

/**
 * Makes sure that no other process has a main database that is a file of SQLite: each would take itself for the only one. The lock is one of
 * SQLite's on an empty database beside the file. Whoever is just being replaced is waited for.
 *
 * @param patience in ms
 * @returns the file if another process has it, otherwise null
 */
export async function findOtherProcess(db: Pick<Database, 'options' | 'inDialect'>, patience = PATIENCE) {
  const { storage } = db.options as { storage?: string };
  if (!db.inDialect('sqlite') || !storage || storage === ':memory:') return null;
  const file = path.resolve(storage);
  if (locks.has(file)) return null;
  const { Database, OPEN_READWRITE, OPEN_CREATE } = await loadDriver('sqlite3', () => import('sqlite3'));
  const lock = await new Promise<Driver>((resolve, reject) => {
    const opened = new Database(`${file}.lock`, OPEN_READWRITE | OPEN_CREATE, (error) =>
      error ? reject(error) : resolve(opened),
    );
  });
  lock.configure('busyTimeout', patience);
  const error = await new Promise<Error | null>((resolve) => lock.all('BEGIN EXCLUSIVE', [], resolve));
  if (!error) {
    locks.set(file, lock);
    return null;
  }
  lock.close(() => undefined);
  if (!error.message.includes('SQLITE_BUSY')) throw error;
  return file;
}
