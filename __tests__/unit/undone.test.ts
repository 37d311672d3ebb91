import { describe, expect, it } from 'vitest';
import { retryUndone, retryWhenBusy } from '../../src/server/nocobase/undone';

describe('work that a database has undone', () => {
  const busy = new Error('SQLITE_BUSY: database is locked');
  const failing = (errors: Error[]) => {
    let calls = 0;
    const work = async () => {
      const error = errors[calls++];
      if (error) throw error;
      return calls;
    };
    return { work, calls: () => calls };
  };

  it.each([
    { message: 'SQLITE_BUSY: database is locked' },
    { message: 'Client has encountered a connection error and is not queryable' },
    { message: 'breche Verbindung ab wegen Zeitüberschreitung', parent: { code: '25P03' } },
    { message: 'Cannot execute new commands: connection closed\nsql: COMMIT - parameters:[]' },
    { message: 'write ECONNRESET' },
  ])('is repeated until it succeeds: $message', async ({ message, ...more }) => {
    expect(await retryUndone(failing([Object.assign(new Error(message), more), busy]).work)).toBe(3);
  });

  it('fails if the lock does not end, and immediately where something may have been written', async () => {
    const endless = failing(Array(100).fill(busy));
    await expect(retryUndone(endless.work)).rejects.toBe(busy);
    expect(endless.calls()).toBe(8);
    const other = failing([new Error('Connection terminated unexpectedly')]);
    await expect(retryUndone(other.work)).rejects.toThrow('Connection terminated');
    expect(other.calls()).toBe(1);
  });

  it('is repeated only for a lock where it is no transaction', async () => {
    expect(await retryWhenBusy(failing([busy]).work)).toBe(2);
    await expect(retryWhenBusy(failing([new Error('write ECONNRESET')]).work)).rejects.toThrow('write ECONNRESET');
  });
});
