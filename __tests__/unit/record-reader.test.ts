import { expect, it } from 'vitest';
import { systemClock, systemRandom } from '../../src/server/core/system';
import { AppIndexReader } from '../../src/server/protocol/app-index';
import { MemoryStores } from '../../src/server/protocol/stores/memory';
import type { AppController } from '../../src/server/worker/apps/controller';
import { RecordReader } from '../../src/server/worker/record-reader';
import { recordedLog } from '../support/log';

it('a round in which apps cannot be checked still converges, and rejects nothing', async () => {
  const stores = new MemoryStores({ clock: systemClock, random: systemRandom, isAlone: true });
  const done: string[] = [];
  const away = async () => {
    throw new Error('The database is away.');
  };
  const controller = {
    acceptAll: async () => void done.push('accepted'),
    convergeAll: () => void done.push('converged'),
    apps: { findStalePlugins: away, findChangedAdminPasswords: away },
  };
  const reader = new RecordReader({
    environment: 'env_a',
    records: stores.records,
    followed: null,
    appIndex: new AppIndexReader(stores.appIndex),
    controller: controller as unknown as AppController,
    names: { follow: () => undefined },
    log: recordedLog(),
  });
  await reader.readAll();
  expect(done).toEqual(['accepted', 'converged']);
});
