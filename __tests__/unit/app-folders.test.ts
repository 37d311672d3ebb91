import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type NewOwner, removeFolders, takeFolders } from '../../src/server/worker/files/app-folders';

let storage: string;
beforeEach(() => {
  storage = mkdtempSync(path.join(tmpdir(), 'app-folders-'));
});
afterEach(() => rmSync(storage, { recursive: true }));

const UPLOAD = 'apps/crm/uploads/salaries.txt';
const KEY = 'apps/crm/aes_key.dat';
const BACKUP = 'backups/crm/backup_1.nbdata';
const TEMPORARY = 'tmp/backups/crm/backup_2.nbdata';
const write = (file: string, text = file) => {
  mkdirSync(path.dirname(path.join(storage, file)), { recursive: true });
  writeFileSync(path.join(storage, file), text);
};
const has = (...files: string[]) => files.map((file) => existsSync(path.join(storage, file)));
const take = (uid: string, database: string, begins: NewOwner['begins']) =>
  takeFolders(storage, { app: 'crm', uid, database, begins });

/** An app that runs, and writes. */
async function former(): Promise<void> {
  await take('one', 'crm_db', 'install');
  for (const file of [UPLOAD, KEY, BACKUP, TEMPORARY]) write(file);
}

describe('an app of a name that another app had', () => {
  it('finds nothing of it', async () => {
    await former();
    expect(await take('two', 'other_db', 'install')).toBe(path.join(storage, 'apps/.former/crm/one'));
    expect(has(UPLOAD, KEY, BACKUP, TEMPORARY)).toEqual([false, false, false, false]);
    expect(has('apps/.former/crm/one/apps/uploads/salaries.txt')).toEqual([true]);
  });

  it('finds nothing, where it comes to after it was installed elsewhere', async () => {
    await former();
    await take('two', 'other_db', 'none');
    expect(has(UPLOAD, BACKUP)).toEqual([false, false]);
  });

  it('finds nothing of one that has left before folders had owners', async () => {
    write(UPLOAD);
    await take('two', 'other_db', 'install');
    expect(has(UPLOAD, 'apps/.former/crm/unknown/apps/uploads/salaries.txt')).toEqual([false, true]);
  });

  it('finds nothing if it adopts another database than that one’s', async () => {
    await former();
    await take('two', 'other_db', 'adopt');
    expect(has(UPLOAD, BACKUP)).toEqual([false, false]);
  });
});

it.skipIf(!existsSync('/dev/shm'))(
  'a folder on a file system of its own is set aside and taken back, too',
  async () => {
    const mounted = mkdtempSync('/dev/shm/app-folders-');
    try {
      symlinkSync(mounted, path.join(storage, 'backups'));
      await former();
      await take('two', 'other_db', 'install');
      expect(has(BACKUP, 'apps/.former/crm/one/backups/backup_1.nbdata')).toEqual([false, true]);
      await take('three', 'crm_db', 'adopt');
      expect(has(BACKUP, 'apps/.former/crm/one')).toEqual([true, false]);
    } finally {
      rmSync(mounted, { recursive: true });
    }
  },
);

describe('an app keeps its folders', () => {
  it('from start to start', async () => {
    await former();
    for (const begins of ['install', 'none', 'adopt'] as const) expect(await take('one', 'crm_db', begins)).toBeNull();
    expect(has(UPLOAD, KEY, BACKUP)).toEqual([true, true, true]);
  });

  it('when its database gets another name, also for a later adoption', async () => {
    await former();
    await take('one', 'renamed', 'none');
    await take('two', 'renamed', 'adopt');
    expect(has(UPLOAD)).toEqual([true]);
  });

  it('of before folders had owners', async () => {
    for (const begins of ['none', 'adopt'] as const) {
      write(UPLOAD);
      expect(await take('one', 'crm_db', begins)).toBeNull();
      expect(has(UPLOAD)).toEqual([true]);
      rmSync(path.join(storage, 'apps'), { recursive: true });
    }
  });
});

describe('an app that adopts the database of a former one', () => {
  it('takes its folders over', async () => {
    await former();
    await take('two', 'crm_db', 'adopt');
    expect(has(UPLOAD, KEY, BACKUP)).toEqual([true, true, true]);
  });

  it('takes them back, when another app had the name in between', async () => {
    await former();
    await take('two', 'other_db', 'install');
    write(UPLOAD, 'of the second');
    await take('three', 'crm_db', 'adopt');
    expect(readFileSync(path.join(storage, UPLOAD), 'utf8')).toBe(UPLOAD);
    expect(has(BACKUP, 'apps/.former/crm/two/apps/uploads/salaries.txt')).toEqual([true, true]);
    // And so the other one.
    await take('four', 'other_db', 'adopt');
    expect(readFileSync(path.join(storage, UPLOAD), 'utf8')).toBe('of the second');
  });
});

it('a broken owner file names nobody', async () => {
  await former();
  write('apps/crm/.owner.json', '{"uid": 1');
  await take('two', 'other_db', 'install');
  expect(has(UPLOAD)).toEqual([false]);
});

it('what an app left goes with its data, and nothing of others', async () => {
  await former();
  write('apps/hr/uploads/a.txt');
  await removeFolders(storage, 'crm');
  expect(has(UPLOAD, KEY, BACKUP, TEMPORARY, 'apps/hr/uploads/a.txt')).toEqual([false, false, false, false, true]);
});
