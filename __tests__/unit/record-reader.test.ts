import { beforeEach, expect, it } from 'vitest';
import { systemClock, systemRandom } from '../../src/server/core/system';
import { AppIndexReader } from '../../src/server/protocol/app-index';
import { MemoryStores } from '../../src/server/protocol/stores/memory';
import type { AppController } from '../../src/server/worker/apps/controller';
import { Incarnation } from '../../src/server/worker/incarnation';
import { RecordReader } from '../../src/server/worker/record-reader';
import type { AppRecord } from '../../src/shared/messages';
import { recordOf } from '../support/fixtures';
import { recordedLog } from '../support/log';
import { writeRecords } from '../support/records';

let stores: MemoryStores;
let incarnation: Incarnation;
let done: string[];
let reader: RecordReader;
let mayRead: boolean;

beforeEach(() => {
  stores = new MemoryStores({ clock: systemClock, random: systemRandom, isAlone: true });
  incarnation = new Incarnation({ clock: systemClock, mayHost: () => true, saveHeader: async () => undefined });
  done = [];
  mayRead = true;
  const away = async () => {
    throw new Error('The database is away.');
  };
  const accept = async (records: AppRecord[]) => void done.push(`accepted ${records.map(({ name }) => name)}`);
  const controller = {
    incarnation,
    accept,
    acceptAll: accept,
    convergeAll: () => void done.push('converged'),
    apps: { findStalePlugins: away, findChangedAdminPasswords: away },
  };
  reader = new RecordReader({
    environment: 'env_a',
    records: stores.records,
    followed: null,
    appIndex: new AppIndexReader(stores.appIndex),
    controller: controller as unknown as AppController,
    names: { follow: () => undefined },
    log: recordedLog(),
    mayRead: () => mayRead,
  });
});

it('a round in which apps cannot be checked still converges, and rejects nothing', async () => {
  await reader.readAll();
  expect(done).toEqual(['accepted ', 'converged']);
});

it('takes nothing from a store that went back to before its environment was forgotten', async () => {
  incarnation.enter(200, []);
  await writeRecords(stores.records, 'env_a', [recordOf({ name: 'old' })], { incarnation: 100 });
  await reader.read(['uid-1']);
  await reader.readRecords();
  expect(done).toEqual([]);
  await writeRecords(stores.records, 'env_a', [recordOf({ name: 'new' })], { incarnation: 200 });
  await reader.read(['uid-1']);
  await reader.readRecords();
  expect(done).toEqual(['accepted new', 'accepted new']);
});

it('takes nothing before its process has a tenure, and everything then', async () => {
  await writeRecords(stores.records, 'env_a', [recordOf({ name: 'crm' })], { incarnation: 100 });
  mayRead = false;
  await reader.readRecords();
  await reader.read(['uid-1']);
  expect(done).toEqual([]);
  mayRead = true;
  await reader.readRecords();
  expect(done).toEqual(['accepted crm']);
});
