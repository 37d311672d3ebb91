import { expect, it } from 'vitest';
import { EnvironmentCache } from '../../src/server/supervisor/fleet/environment-cache';
import { FakeClock } from '../support/clock';
import { recordedLog } from '../support/log';

type Options = ConstructorParameters<typeof EnvironmentCache>[0];

it('a transaction that places an app does not wait for a read, which needs a connection of the same pool', async () => {
  let answer = (_: never[]) => {};
  const registry = {
    all: () => new Promise<never[]>((resolve) => (answer = resolve)),
    forgotten: async () => new Map(),
    has: async () => true,
  };
  const observer = { names: () => [] };
  const cache = new EnvironmentCache({
    registry,
    observer,
    clock: new FakeClock(),
    log: recordedLog(),
  } as unknown as Options);
  const loaded = cache.load();
  await cache.assertStored(['env_a'], 'environments', {} as never);
  let isSettled = false;
  const settled = cache.settled().then(() => {
    isSettled = true;
  });
  await cache.assertStored(['env_a'], 'environments', {} as never);
  expect(isSettled).toBe(false);
  answer([]);
  await Promise.all([loaded, settled]);
});
