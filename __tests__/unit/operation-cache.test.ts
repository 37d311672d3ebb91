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

  it('are kept in the order of their requests', () => {
    for (const operation of [two, one]) cache.put(operation);
    expect(known()).toEqual(['op-1', 'op-2']);
  });

  it('that are put as they were known outdate a read in progress: it may have found what was there in between', async () => {
    cache.put(one);
    table = [{ ...one, state: 'running' }];
    const reading = cache.refresh('uid-1');
    table = [one];
    cache.put(one);
    await release();
    await release();
    await reading;
    expect(cache.of('uid-1')).toEqual([one]);
  });

  it('tell of changes, and of nothing else', async () => {
    let told = 0;
    cache.changes.listen(() => told++);
    const toldBy = async (work: () => unknown) => {
      told = 0;
      const working = work();
      await release();
      await working;
      return told;
    };
    table = [one, two];
    const reads = [() => cache.refresh('uid-1'), () => cache.refreshNamed(['crm']), () => cache.load()];
    expect(await toldBy(() => cache.put(two))).toBe(1);
    expect(await toldBy(() => cache.put(one))).toBe(1);
    for (const read of reads) expect(await toldBy(read)).toBe(0);
    expect(await toldBy(() => cache.put(structuredClone(one)))).toBe(0);
    // As the control loop takes a message away.
    expect(
      await toldBy(() =>
        cache.put({ ...one, progress: one.progress.map((item) => ({ ...item, message: undefined })) }),
      ),
    ).toBe(0);
    for (const operation of [one, two])
      expect(await toldBy(() => cache.put({ ...operation, state: 'succeeded', finishedAt: 1 }))).toBe(1);
    expect(await toldBy(() => cache.put({ ...one, state: 'succeeded', finishedAt: 1 }))).toBe(0);
    table = [];
    for (const read of reads) expect(await toldBy(read)).toBe(0);
  });
});
