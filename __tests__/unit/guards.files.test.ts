import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { Registry } from '@nocobase/utils';
import { afterAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { bringLogo } from '../../src/server/worker/files/default-logo';
import { fileOf, subfolderOf } from '../../src/server/worker/files/file-addresses';
import { type FormerFile, isMoved, moveFormerUploads } from '../../src/server/worker/files/moved-uploads';
import { rangeOf, serveFiles } from '../../src/server/worker/guards/files/serve-file';
import { coreApp, guardApps, instanceIn, pluginServer } from '../support/core-app';

/** Uploads of apps, with the storage types and backup managers of NocoBase itself. */

const { place, storage, host, guarded, end } = instanceIn();
const own = (app: string, ...names: string[]) => path.join(storage, 'apps', app, 'uploads', ...names);
const shared = (...names: string[]) => path.join(storage, 'uploads', ...names);
const write = (file: string, content = path.basename(file)) => {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, content);
};

/** A storage of the core, as far as tests use it. */
interface Storage {
  make(): { _handleFile(req: object, file: object, done: (error: unknown, info: { path: string }) => void): void };
  exists(record: object): Promise<boolean>;
  copy(source: object, target: object): Promise<void>;
  delete(records: object[]): Promise<[number, object[]]>;
  getFileURL(record: object, preview?: boolean, options?: object): Promise<string>;
  getFileStream(record: object): Promise<{ stream: Readable }>;
}

/** The guards on an app with NocoBase's storage types. */
function storagesOf(name: string): (type: string, row: object) => Storage {
  const storageTypes = new Registry<new (row: object) => Storage>();
  for (const type of ['local', 's3', 'ali-oss', 'tx-cos']) {
    storageTypes.register(type, pluginServer('file-manager', `storages/${type}`).default);
  }
  // A reload registers nothing twice.
  guardApps(guarded, [coreApp(name, { 'file-manager': { storageTypes }, backups: {} })], 2);
  return (type, row) => new (storageTypes.get(type)!)({ id: 1, type, path: '', baseUrl: '/storage/uploads', ...row });
}
/** @returns the path of the file that the upload has made */
const uploadTo = (target: Storage, name = 'note.txt') =>
  new Promise<string>((resolve, reject) => {
    const file = { originalname: name, stream: Readable.from(['content']) };
    target.make()._handleFile({}, file, (error, info) => (error ? reject(error) : resolve(info.path)));
  });

beforeEach(() => rmSync(storage, { recursive: true, force: true }));
afterAll(end);

describe('local storages of an app', () => {
  it.each<[string, object, string]>([
    ['as NocoBase installs it', { documentRoot: 'storage/uploads' }, ''],
    ['without a folder', {}, ''],
    ['in a folder of its own below', { documentRoot: 'storage/uploads/scans' }, 'scans'],
    ['in the folder of plugins', { documentRoot: 'storage/plugins' }, ''],
    ['anywhere on the host, as SQL writes it', { documentRoot: '/etc' }, ''],
    ['in the folder of another app', { documentRoot: 'storage/uploads/../apps/hr/uploads' }, ''],
    ['with an invalid folder', { documentRoot: ['/etc'] }, ''],
  ])('%s keep their files in its own folder', async (_, options, subfolder) => {
    const local = storagesOf('crm')('local', { options, path: 'a/b' });
    const file = await uploadTo(local);
    expect(path.dirname(file)).toBe(own('crm', subfolder, 'a/b'));
    const record = { path: 'a/b', filename: path.basename(file), mimetype: 'text/plain' };
    expect(await local.exists(record)).toBe(true);
    expect(await text((await local.getFileStream(record)).stream)).toBe('content');
    await local.copy(record, { path: 'c', filename: 'copy.txt' });
    expect(readFileSync(own('crm', subfolder, 'c/copy.txt'), 'utf8')).toBe('content');
    expect(await local.delete([record])).toEqual([1, []]);
    expect(existsSync(file)).toBe(false);
  });

  it('upload to no path that leaves it', () => {
    for (const way of ['../../hr/uploads', 'a/../../..', '..\\x']) {
      expect(() => storagesOf('crm')('local', { options: {}, path: way })).toThrow('cannot contain ".."');
    }
  });

  it('invariant 12: read, delete and copy no file of another app or of main, whatever a record says', async () => {
    write(own('hr', 'secret.txt'));
    write(shared('main.txt'));
    const local = storagesOf('crm')('local', { options: { documentRoot: 'storage' } });
    for (const record of [
      { path: 'uploads', filename: 'main.txt' },
      { path: '', filename: 'main.txt' },
      { path: '../../hr/uploads', filename: 'secret.txt' },
      { path: 'apps/hr/uploads', filename: 'secret.txt' },
    ]) {
      await expect(local.getFileStream(record)).rejects.toThrow();
      expect(await local.exists(record).catch(() => false)).toBe(false);
      await expect(local.copy(record, { path: '', filename: 'copy' })).rejects.toThrow();
      await local.delete([record]);
    }
    expect([existsSync(own('hr', 'secret.txt')), existsSync(shared('main.txt'))]).toEqual([true, true]);
  });

  it('follow no link out of it', async () => {
    write(own('crm', 'mine.txt'));
    symlinkSync('/proc/self/environ', own('crm', 'link.txt'));
    const local = storagesOf('crm')('local', { options: {} });
    await expect(local.getFileStream({ filename: 'link.txt' })).rejects.toMatchObject({ code: 'FILE_NOT_OF_APP' });
    expect(await text((await local.getFileStream({ filename: 'mine.txt' })).stream)).toBe('mine.txt');
  });

  it('give addresses that the image’s nginx does not serve', async () => {
    const local = storagesOf('crm')('local', { options: { documentRoot: 'storage/uploads/scans' }, path: 'x' });
    const record = { path: 'x', filename: '报告 100%.md' };
    const address = '/files/crm/~storage/scans/x/%E6%8A%A5%E5%91%8A%20100%25.md';
    expect(await local.getFileURL(record)).toBe(address);
    expect(await local.getFileURL(record, false, { download: true })).toBe(`${address}?download=1`);
    const elsewhere = storagesOf('crm')('local', { options: {}, baseUrl: 'https://cdn.example.test/crm' });
    expect(await elsewhere.getFileURL({ filename: 'a.txt' })).toBe('https://cdn.example.test/crm/a.txt');
  });
});

describe('other storages of an app', () => {
  const keys = { accessKeyId: 'id', secretAccessKey: 'secret' };
  const s3 = (options: object) => storagesOf('crm')('s3', { options: { region: 'x', bucket: 'b', ...options } });

  it('use S3 with keys of their own, and never with those of the host', () => {
    for (const options of [{}, { ...keys, secretAccessKey: '' }, { accessKeyId: 'id' }, { ...keys, accessKeyId: {} }]) {
      expect(() => s3(options)).toThrow('no access key of its own');
    }
    expect(s3(keys)).toMatchObject({ storage: { options: keys } });
  });

  it('are read at their own address, not at a socket of the host', () => {
    const requestOptions = { socketPath: '/run/docker.sock', proxy: {}, headers: { a: 'b' }, timeout: 1 };
    for (const type of ['s3', 'ali-oss', 'tx-cos']) {
      const options = { ...keys, SecretId: 'x', SecretKey: 'x', Bucket: 'x', accessKeySecret: 'x', region: 'x' };
      const { storage: row } = storagesOf('crm')(type, { options, settings: { requestOptions, other: 1 } }) as never;
      expect((row as { settings: object }).settings).toEqual({
        requestOptions: { headers: { a: 'b' }, timeout: 1 },
        other: 1,
      });
    }
  });
});

describe('backups of an app', () => {
  it('pack and restore its own folder, those of the main app the shared one', async () => {
    storagesOf('crm');
    const { BackupManager } = pluginServer('backups', 'managers/backup');
    const { RestoreManager } = pluginServer('backups', 'managers/restore');
    const told: Record<string, string> = {};
    const broken = path.join(storage, 'broken.nbdata');
    write(broken);
    for (const { prototype } of [BackupManager, RestoreManager]) {
      const guarded = Object.getOwnPropertyDescriptor(prototype, 'uploadDir')!;
      onTestFinished(() => void Object.defineProperty(prototype, 'uploadDir', guarded));
      Object.defineProperty(prototype, 'uploadDir', {
        configurable: true,
        set(this: object, folder: string) {
          told[this.constructor.name] = folder;
          guarded.set!.call(this, folder);
        },
      });
    }
    const appOf = (name: string) => ({ name, db: { options: { dialect: 'postgres' }, collections: new Map() } });
    const restore = new RestoreManager(
      { app: { ...appOf('crm'), db: { options: { dialect: 'mysql' } } } },
      { dialect: 'postgres' },
    );
    await expect(restore.restore(broken, 'task')).rejects.toMatchObject({ code: 'RESTORE_BY_OPERATOR' });
    // A table of this engine may have any name, and NocoBase would run `mysql -e "SHOW CREATE TABLE <name>"` in a shell.
    for (const [support, code] of [
      ['YES', 'BACKUP_BY_OPERATOR'],
      ['NO', undefined],
      [null, undefined],
    ]) {
      const query = async () => [support ? [{ support }] : []];
      const app = { ...appOf('crm'), db: { options: { dialect: 'mariadb' }, sequelize: { query } } };
      const error = await new BackupManager(app, null, {}).backup('name').catch((thrown: { code?: string }) => thrown);
      expect([support, error?.code === 'BACKUP_BY_OPERATOR']).toEqual([support, code !== undefined]);
    }
    for (const [name, folder] of [
      ['crm', own('crm')],
      ['main', undefined],
    ] as const) {
      for (const told_ of Object.keys(told)) delete told[told_];
      const app = appOf(name);
      await new BackupManager(app, null, {}).createBackupName().catch(() => undefined);
      await new RestoreManager({ app, logger: console }).restore(broken, 'task').catch(() => undefined);
      expect([name, told.BackupManager, told.RestoreManager]).toEqual([name, folder, folder]);
    }
  });
});

describe('files of before apps had folders', () => {
  const claim = (app: string, files: FormerFile[], ofMain: string[] = []) =>
    moveFormerUploads(app, Readable.from(files), {
      storagePath: storage,
      storageRoots: ['/nowhere', path.join(place, 'extra')],
      isOfMain: async (file) => ofMain.includes(file),
    });
  const row = (filename: unknown, more: object = {}) => ({
    documentRoot: 'storage/uploads',
    path: '',
    filename,
    ...more,
  });

  it('are moved to the app whose rows name them, and only once', async () => {
    for (const file of ['a.txt', 'x/b.txt', 'scans/c.txt', 'of-hr.txt']) write(shared(file));
    const rows = [row('a.txt'), row('b.txt', { path: 'x' }), row('c.txt', { documentRoot: 'storage/uploads/scans' })];
    expect(await isMoved(storage, 'crm')).toBe(false);
    expect(await claim('crm', [...rows, row('absent.txt')])).toBe(3);
    for (const file of ['a.txt', 'x/b.txt', 'scans/c.txt']) {
      expect([existsSync(own('crm', file)), existsSync(shared(file))]).toEqual([true, false]);
    }
    expect(existsSync(shared('of-hr.txt'))).toBe(true);
    expect(await isMoved(storage, 'crm')).toBe(true);
  });

  it('are in both apps if one was copied from the other', async () => {
    write(shared('a.txt'));
    for (const app of ['crm', 'copy']) expect(await claim(app, [row('a.txt')])).toBe(1);
    expect([readFileSync(own('crm', 'a.txt'), 'utf8'), readFileSync(own('copy', 'a.txt'), 'utf8')]).toEqual([
      'a.txt',
      'a.txt',
    ]);
  });

  it('of the main app stay where they are', async () => {
    write(shared('logo.png'));
    await claim('crm', [row('logo.png')], ['logo.png']);
    expect(existsSync(shared('logo.png'))).toBe(true);
  });

  it('are taken from nowhere else: rows are written by SQL, too', async () => {
    write(path.join(storage, 'apps/main/jwt_secret.dat'));
    write(own('hr', 'secret.txt'));
    write(path.join(place, 'extra/allowed.txt'));
    mkdirSync(shared(), { recursive: true });
    symlinkSync('/etc/passwd', shared('link'));
    const rows = [
      row('passwd', { documentRoot: '/etc' }),
      row('jwt_secret.dat', { documentRoot: 'storage', path: 'apps/main' }),
      row('../apps/main/jwt_secret.dat'),
      row('secret.txt', { path: '../apps/hr/uploads' }),
      row('link'),
      row(null),
      row('a', { path: {} }),
      row('.'),
      row('x', { documentRoot: {} }),
    ];
    expect(await claim('crm', rows)).toBe(0);
    expect(await claim('crm', [row('allowed.txt', { documentRoot: path.join(place, 'extra') })])).toBe(1);
    expect(readFileSync(own('crm', 'allowed.txt'), 'utf8')).toBe('allowed.txt');
  });

  it('that the app has overwritten stay as they are', async () => {
    write(shared('a.txt'), 'old');
    write(own('crm', 'a.txt'), 'new');
    await claim('crm', [row('a.txt')]);
    expect(readFileSync(own('crm', 'a.txt'), 'utf8')).toBe('new');
  });
});

describe('a request for a file', () => {
  /** Answers as Koa would, after NocoBase has decided whether the user may read files. */
  async function requested(url: string, { method = 'GET', range = '', query = {}, mayRead = true } = {}) {
    const headers: Record<string, string> = {};
    const ctx = {
      method,
      path: url,
      query,
      status: 200,
      body: undefined as unknown,
      type: '',
      length: 0,
      get: (name: string) => (name === 'Range' ? range : ''),
      set: (name: string, value: string) => {
        headers[name] = value;
      },
    };
    let checked: string | null = null;
    const next = async () => {
      checked = ctx.path;
      if (!mayRead) throw Object.assign(new Error('401'), { status: 401 });
    };
    await serveFiles('crm', host)(ctx, next);
    const { body, status, type, length } = ctx;
    return { checked, status, type, length, headers, body: body instanceof Readable ? await text(body) : body };
  }

  beforeEach(() => {
    write(own('crm', 'a b.txt'), '0123456789');
    write(own('crm', 'page.html'));
    write(own('crm', 'empty.txt'), '');
    write(own('hr', 'secret.txt'));
    write(shared('main.txt'));
    symlinkSync('/etc/passwd', own('crm', 'link.txt'));
  });

  it.each(['/files/crm/~storage/a%20b.txt', '/storage/uploads/a%20b.txt'])('%s is answered', async (url) => {
    expect(await requested(url)).toMatchObject({
      checked: '/api/auth:checkLegacyFileAccess',
      status: 200,
      type: '.txt',
      length: 10,
      body: '0123456789',
      headers: { 'Content-Disposition': 'inline', 'Cache-Control': 'private, no-store' },
    });
    await expect(requested(url, { mayRead: false })).rejects.toMatchObject({ status: 401 });
    expect(await requested(url, { method: 'POST' })).toMatchObject({ checked: null, status: 405 });
  });

  it.each([
    '/storage/uploads/main.txt',
    '/files/crm/~storage/absent.txt',
    '/files/crm/~storage/',
    '/files/crm/~storage/..%2f..%2fhr%2fuploads%2fsecret.txt',
    '/files/crm/~storage/../../hr/uploads/secret.txt',
    '/files/crm/~storage/%2fetc%2fpasswd',
    '/files/crm/~storage/link.txt',
    '/files/crm/~storage/%',
    '/files/crm/~storage/a%00',
    '/files/crm/~storage/.',
  ])('%s finds nothing', async (url) => {
    expect(await requested(url)).toMatchObject({ status: 404, body: 'Not Found' });
  });

  it.each(['/files/hr/~storage/secret.txt', '/files/crm/main/attachments/1', '/api/users:list', '/storage/x'])(
    '%s is for somebody else to answer',
    async (url) => {
      expect(await requested(url)).toMatchObject({ checked: url, body: undefined });
    },
  );

  it('is answered in part, as of a video', async () => {
    const url = '/files/crm/~storage/a%20b.txt';
    const part = async (range: string) => {
      const { status, body, headers } = await requested(url, { range });
      return [status, body, headers['Content-Range']];
    };
    expect(await part('bytes=2-4')).toEqual([206, '234', 'bytes 2-4/10']);
    expect(await part('bytes=8-')).toEqual([206, '89', 'bytes 8-9/10']);
    expect(await part('bytes=-3')).toEqual([206, '789', 'bytes 7-9/10']);
    expect(await part('bytes=2-99')).toEqual([206, '23456789', 'bytes 2-9/10']);
    expect(await part('bytes=10-')).toEqual([416, 'Range Not Satisfiable', 'bytes */10']);
    for (const whole of ['bytes=4-2', 'bytes=0-1,3-4', 'bytes=-', 'lines=1-2', 'bytes=x-']) {
      expect(await part(whole)).toEqual([200, '0123456789', undefined]);
    }
    expect(await requested('/files/crm/~storage/empty.txt')).toMatchObject({ status: 200, length: 0 });
    expect(rangeOf('bytes=-0', 10)).toBe('outside');
  });

  it('never opens a page on the app’s address', async () => {
    const { headers } = await requested('/files/crm/~storage/page.html');
    expect(headers).toMatchObject({ 'Content-Disposition': 'attachment', 'Content-Security-Policy': 'sandbox' });
    const { headers: asked } = await requested('/files/crm/~storage/a%20b.txt', { query: { download: '1' } });
    expect(asked['Content-Disposition']).toBe('attachment');
  });

  it('is told apart below a sub-path', () => {
    expect(fileOf('/portal/', 'crm', '/portal/files/crm/~storage/a')).toBe('a');
    expect(fileOf('/portal/', 'crm', '/files/crm/~storage/a')).toBe('a');
    expect(fileOf('/portal/', 'crm', '/portal/storage/uploads/a')).toBe('a');
    expect(fileOf('/portal/', 'crm', '/storage/uploads/a')).toBeNull();
    expect(subfolderOf('./storage/uploads/a', '/data')).toBe('a');
  });
});

describe('NocoBase’s logo', () => {
  const content = 'the logo';
  const packaged = path.join(place, 'packages');
  const logo = { title: 'nocobase-logo', filename: 'logo-1.png', path: '', size: content.length };
  const appWith = (row: object | null) => {
    const settings = row && { logo: { ...logo, storage: { type: 'local', options: {} }, ...row } };
    const findOne = async () => settings && { toJSON: () => settings };
    return { name: 'crm', db: { hasCollection: () => true, getRepository: () => ({ findOne }) } } as never;
  };
  const bring = (row: object | null) => bringLogo(appWith(row), { storagePath: storage, nodeModulesPath: packaged });
  beforeEach(() => write(path.join(packaged, '@nocobase/plugin-system-settings/dist/server/logo.png'), content));

  it('is written where an app was not installed, and shares no storage with where it was', async () => {
    const file = own('crm', 'scans/a', 'logo-1.png');
    const storage = { type: 'local', options: { documentRoot: 'storage/uploads/scans' } };
    expect(await bring({ path: 'a', storage })).toBe(file);
    expect(readFileSync(file, 'utf8')).toBe(content);
    expect(await bring({ path: 'a', storage })).toBeNull();
  });

  it('replaces no file, and is written nowhere else, whatever the app has in its database', async () => {
    write(own('crm', 'logo-1.png'), 'another one');
    expect(await bring({})).toBeNull();
    expect(readFileSync(own('crm', 'logo-1.png'), 'utf8')).toBe('another one');
    for (const row of [
      null,
      { title: 'Our logo' },
      { size: 1 },
      { filename: '../logo.png' },
      { filename: '../../hr/uploads/x.png' },
      { path: '../../hr/uploads' },
      { filename: 'x.png', storage: { type: 's3', options: {} } },
    ])
      expect(await bring(row), JSON.stringify(row)).toBeNull();
    expect(existsSync(path.join(storage, 'apps/hr'))).toBe(false);
  });
});
