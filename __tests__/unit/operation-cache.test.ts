import { beforeEach, describe, expect, it } from 'vitest';
import { OperationCache, type OperationStore } from '../../src/server/supervisor/control/store';
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

beforeEach(() => {
  table = [];
  answers = [];
  const read = (test: (operation: Operation) => boolean) => {
    const found = table.filter(test);
    return new Promise<Operation[]>((resolve) => answers.push(() => resolve(found)));
  };
  cache = new OperationCache({
    active: () => read(() => true),
    activeOf: (uid: string) => read(({ appUid }) => appUid === uid),
    activeNamed: (names: string[]) => read(({ appName }) => names.includes(appName)),
  } as unknown as OperationStore);
});

describe('operations in memory', () => {
  it.each([
    ['of one app', () => cache.refresh('uid-1')],
    ['of named apps', () => cache.refreshNamed(['crm'])],
    ['of all', () => cache.load()],
  ])('keep what is put while those %s are read', async (_, read) => {
    table = [one];
    const reading = read();
    table = [two];
    cache.put(two);
    await release();
    await release();
    await reading;
    expect(known()).toEqual(['op-2']);
  });

  it('of an app that are read twice at a time are those of the later read', async () => {
    table = [one];
    const first = cache.refresh('uid-1');
    table = [];
    const [answer] = answers;
    const second = cache.refresh('uid-1');
    answers.shift();
    await release();
    answer();
    await release();
    // The earlier one asks again.
    await release();
    await release();
    await Promise.all([first, second]);
    expect(known()).toEqual([]);
  });

  it('are those of the table after a read: of named apps for these apps only', async () => {
    table = [one, ofAnother];
    for (const read of [() => cache.load(), () => cache.refreshNamed(['crm', 'wiki'])]) {
      const reading = read();
      await release();
      await reading;
      expect(known()).toEqual(table.includes(one) ? ['op-1', 'op-3'] : ['op-3']);
      table = [];
    }
    const reading = cache.load();
    await release();
    expect([...(await reading)]).toEqual(['uid-2']);
    expect(known()).toEqual([]);
  });
});
