import { describe, expect, it } from 'vitest';
import { retryUndone } from '../../src/server/nocobase/undone';

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
    'SQLITE_BUSY: database is locked',
    'Client has encountered a connection error and is not queryable',
    'terminating connection due to idle-in-transaction timeout',
    'Cannot execute new commands: connection closed\nsql: COMMIT - parameters:[]',
    'write ECONNRESET',
  ])('is repeated until it succeeds: %s', async (message) => {
    expect(await retryUndone(failing([new Error(message), busy]).work)).toBe(3);
  });

  it('fails if the lock does not end, and immediately for any other reason', async () => {
    const endless = failing(Array(100).fill(busy));
    await expect(retryUndone(endless.work)).rejects.toBe(busy);
    expect(endless.calls()).toBe(8);
    const other = failing([new Error('Connection terminated unexpectedly')]);
    await expect(retryUndone(other.work)).rejects.toThrow('Connection terminated');
    expect(other.calls()).toBe(1);
  });
});
