import { beforeEach, expect, it, vi } from 'vitest';
import { systemClock } from '../../src/server/clock';
import { systemRandom } from '../../src/server/core/system';
import { AppIndexReader } from '../../src/server/protocol/app-index';
import { MemoryStores } from '../../src/server/protocol/stores/memory';
import type { AppController } from '../../src/server/worker/apps/controller';
import { Floor } from '../../src/server/worker/apps/floor';
import { RecordReader } from '../../src/server/worker/record-reader';
import type { AppRecord } from '../../src/shared/messages';
import { recordOf } from '../support/fixtures';
import { recordedLog } from '../support/log';
import { writeRecords } from '../support/records';

let stores: MemoryStores;
let floor: Floor;
let done: string[];
let reader: RecordReader;
let mayRead: boolean;
/** What the snapshot waits for before it is written. */
let writing: Promise<void> | null;

beforeEach(() => {
  stores = new MemoryStores({ clock: systemClock, random: systemRandom, isAlone: true });
  floor = new Floor({
    environment: 'env_a',
    clock: systemClock,
    mayHost: () => true,
    saveHeader: async () => undefined,
  });
  done = [];
  mayRead = true;
  writing = null;
  const away = async () => {
    throw new Error('The database is away.');
  };
  const accept = async (records: AppRecord[]) => {
    done.push(`accepted ${records.map(({ name }) => name)}`);
    await writing;
  };
  const controller = {
    floor,
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
  floor.rise(200, [], new Set());
  await writeRecords(stores.records, 'env_a', [recordOf({ name: 'old' })], { floor: 100 });
  await reader.read(['uid-1']);
  await reader.readRecords();
  expect(done).toEqual([]);
  await writeRecords(stores.records, 'env_a', [recordOf({ name: 'new' })], { floor: 200 });
  await reader.read(['uid-1']);
  await reader.readRecords();
  expect(done).toEqual(['accepted new', 'accepted new']);
});

it('reads whatever has changed where a notification names no app', async () => {
  await writeRecords(stores.records, 'env_a', [recordOf({ name: 'crm' })]);
  await reader.read([]);
  await reader.read([]);
  expect(done).toEqual(['accepted crm']);
});

it('takes nothing before its process has a tenure, and everything then', async () => {
  await writeRecords(stores.records, 'env_a', [recordOf({ name: 'crm' })], { floor: 100 });
  mayRead = false;
  await reader.readRecords();
  await reader.read(['uid-1']);
  expect(done).toEqual([]);
  mayRead = true;
  await reader.readRecords();
  expect(done).toEqual(['accepted crm']);
});

it('takes all records over in a new tenure, also where one of before still writes what it has read', async () => {
  await writeRecords(stores.records, 'env_a', [recordOf({ name: 'crm' })]);
  let written = () => {};
  writing = new Promise((resolve) => (written = resolve));
  const before = reader.readRecords();
  await vi.waitFor(() => expect(done).toEqual(['accepted crm']));
  reader.forget();
  written();
  await before;
  await reader.readRecords();
  expect(done).toEqual(['accepted crm', 'accepted crm']);
});

it.each([
  ['all records', () => reader.readRecords()],
  ['records that it was told of', () => reader.read(['uid-1'])],
])('takes nothing in a new tenure of %s that were read before', async (_, read) => {
  await writeRecords(stores.records, 'env_a', [recordOf({ name: 'crm' })]);
  const before = read();
  reader.forget();
  await before;
  expect(done).toEqual([]);
});
