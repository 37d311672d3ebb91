import { expect, it } from 'vitest';
import { Floor, type SnapshotHeader } from '../../src/server/worker/apps/floor';
import { FakeClock } from '../support/clock';

it('remembers each of several apps that are removed at once, whatever the database takes for each write', async () => {
  let stored: SnapshotHeader | null = null;
  const writes: Array<() => void> = [];
  const floor = new Floor({
    environment: 'env_a',
    clock: new FakeClock(),
    mayHost: () => true,
    saveHeader: async (header) => {
      await new Promise<void>((resolve) => writes.push(resolve));
      stored = header;
    },
  });
  const removals = [1, 2].map((generation) => floor.removed({ uid: `uid-${generation}`, generation }));
  const all = Promise.all(removals);
  let isOver = false;
  void all.then(() => {
    isOver = true;
  });
  while (!isOver) {
    writes.pop()?.();
    await new Promise(setImmediate);
  }
  expect(stored).toMatchObject({ removed: [{ uid: 'uid-1' }, { uid: 'uid-2' }] });
});
