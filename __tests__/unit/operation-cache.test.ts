import { beforeEach, describe, expect, it } from 'vitest';
import { OperationCache, type OperationStore } from '../../src/server/supervisor/definitions/operation-store';
import type { Operation } from '../../src/shared/operation';
import { operationOf } from '../support/fixtures';

/** Answers of the table that wait until a test lets them go; each shows what the table held when it was asked. */
let table: Operation[];
let answers: Array<() => void>;
let cache: OperationCache;

const one = operationOf(['env_a boot'], { id: 'op-1' });
const two = operationOf(['env_a boot'], { id: 'op-2', generation: 11 });
const ofAnother = operationOf(['env_a boot'], { id: 'op-3', appName: 'shop', appUid: 'uid-2' });
const known = () => cache.all().map(({ id }) => id);
const release = async () => {
  for (const answer of answers.splice(0)) answer();
  await new Promise((resolve) => setImmediate(resolve));
};

const settle = () => new Promise((resolve) => setImmediate(resolve));

beforeEach(() => {
  table = [];
  answers = [];
  const active = ({ appName }: { appName?: { $in: string[] } }) => {
    const found = structuredClone(table.filter((operation) => appName?.$in.includes(operation.appName) ?? true));
    return new Promise<Operation[]>((resolve) => answers.push(() => resolve(found)));
  };
  cache = new OperationCache({ active } as unknown as OperationStore);
});

describe('operations in memory', () => {
  it.each([
    ['of named apps', () => cache.refresh(['crm'])],
    ['of all', () => cache.load()],
  ])('are those of the newest read, where those %s are still read that were there before', async (_, read) => {
    table = [one];
    const before = read();
    await settle();
    table = [two];
    const after = cache.refresh(['crm']);
    await settle();
    // Of two at a time the later one would be answered first.
    for (; answers.length; await settle()) answers.pop()?.();
    await Promise.all([before, after]);
    expect(known()).toEqual(['op-2']);
  });

  it('are those of the table after a read: of named apps for these apps only', async () => {
    table = [one, two, ofAnother];
    for (const read of [() => cache.load(), () => cache.refresh(['crm', 'wiki'])]) {
      const reading = read();
      await settle();
      await release();
      await reading;
      expect(known()).toEqual(table.length ? ['op-1', 'op-2', 'op-3'] : ['op-3']);
      table = [];
    }
    const reading = cache.load();
    await settle();
    await release();
    await reading;
    expect(known()).toEqual([]);
  });

  it('tell of changes, and of nothing else', async () => {
    let told = 0;
    cache.changes.listen(() => told++);
    const toldBy = async (read: () => Promise<void>) => {
      told = 0;
      const reading = read();
      await settle();
      await release();
      await reading;
      return told;
    };
    const reads = [() => cache.refresh(['crm']), () => cache.load()];
    for (const operations of [[one, two], [{ ...one, message: 'It waits.' }, two], [two], []]) {
      table = operations;
      expect(await toldBy(reads[0])).toBe(1);
      for (const read of reads) expect(await toldBy(read)).toBe(0);
    }
  });
});
