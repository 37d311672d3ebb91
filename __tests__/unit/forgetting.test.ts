import type { Transaction } from '@nocobase/database';
import { expect, it } from 'vitest';
import { collections } from '../../src/server/core/collections';
import { EnvironmentRemoval, type ForgettingOptions } from '../../src/server/supervisor/control/forgetting';
import { AppCache } from '../../src/server/supervisor/definitions/app-cache';
import { EnvironmentRegistry } from '../../src/server/supervisor/definitions/environment-registry';
import { AppRepository, type Tombstone } from '../../src/server/supervisor/definitions/repository';
import { FakeClock } from '../support/clock';
import { appOf, registrationOf } from '../support/fixtures';
import { MemoryDatabase } from '../support/memory-database';

/** The end of a forgotten environment, in a database that goes back before a write of the leader, to where it was before the pass. */
async function forgottenIn(fallsBackBefore: number, places = ['env_a', 'env_b'], tombstones: Tombstone[] = []) {
  const database = new MemoryDatabase(collections);
  const db = database.connect();
  const registry = new EnvironmentRegistry({ db });
  const appRepository = new AppRepository({ db });
  const appCache = new AppCache(appRepository);
  await appRepository.create(appOf({ environments: places }));
  await appRepository.create(appOf({ name: 'shop', uid: 'uid-2', environments: ['env_a'] }));
  for (const tombstone of tombstones) await appRepository.bury(tombstone);
  await registry.remember(registrationOf('env_b'), 1);
  await registry.forget('env_b', 2);
  const copies = [...database.tables.values()].map((table) => [table, structuredClone(table.rows)] as const);
  let writes = 0;
  const leadership = {
    term: 1,
    write: async <T>(work: (transaction?: Transaction) => Promise<T>) => {
      writes++;
      if (writes === fallsBackBefore) for (const [table, rows] of copies) table.rows = rows;
      return work();
    },
  };
  const nothing = () => undefined;
  const removal = new EnvironmentRemoval({
    registry,
    appRepository,
    appCache,
    leadership,
    environmentCache: { load: nothing },
    environments: { noteFloor: nothing },
    observer: { foreign: false },
    store: { forget: nothing },
    queue: { add: nothing },
    bus: { notify: nothing },
    clock: new FakeClock(),
  } as unknown as ForgettingOptions);
  const state = async () => {
    const { isRemoved } = await registry.stateOf('env_b');
    return { isRemoved, places: (await appRepository.all()).map(({ environments }) => environments) };
  };
  return {
    removal,
    state,
    open: async () => (await appRepository.openTombstones()).map(({ environments }) => environments),
  };
}

const GONE = { isRemoved: false, places: [['env_a'], ['env_a']] };

it('the end of a forgotten environment is noted once no app names it any more', async () => {
  const { removal, state } = await forgottenIn(0);
  expect(await state()).toEqual({ isRemoved: true, places: [['env_a', 'env_b'], ['env_a']] });
  await removal.reconcile('env_b');
  expect(await state()).toEqual(GONE);
});

it('the end of a forgotten environment is not noted where the database has lost what was changed for it', async () => {
  const definition = appOf({ name: 'old', uid: 'uid-3' });
  const tombstone = { uid: 'uid-3', name: 'old', definition, environments: ['env_b'], data: 'keep' } as Tombstone;
  const named: Array<[string[], Tombstone[]]> = [
    [['env_a', 'env_b'], []],
    [['env_a'], [tombstone]],
  ];
  for (const [places, tombstones] of named) {
    const { removal, state, open } = await forgottenIn(2, places, tombstones);
    expect(await removal.reconcile('env_b')).toBe(1_000);
    expect(await state()).toEqual({ isRemoved: true, places: [places, ['env_a']] });
    await removal.reconcile('env_b');
    expect(await state()).toEqual(GONE);
    expect((await open()).flat()).toEqual([]);
  }
});
