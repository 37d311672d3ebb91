import { describe, expect, it } from 'vitest';
import { retryWhenBusy } from '../../src/server/nocobase/busy';

describe('work on a database that another process writes', () => {
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

  it('is repeated until it succeeds', async () => {
    expect(await retryWhenBusy(failing([busy, busy]).work)).toBe(3);
  });

  it('fails if the lock does not end, and immediately for any other reason', async () => {
    const endless = failing(Array(100).fill(busy));
    await expect(retryWhenBusy(endless.work)).rejects.toBe(busy);
    expect(endless.calls()).toBe(8);
    const other = failing([new Error('no such table')]);
    await expect(retryWhenBusy(other.work)).rejects.toThrow('no such table');
    expect(other.calls()).toBe(1);
  });
});
