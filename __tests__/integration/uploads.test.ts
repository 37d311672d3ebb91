import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/server/clock';
import { environmentKeyOf, Keyring } from '../../src/server/protocol/keyring';
import { signTransfer, TRANSFER_HEADER, type TransferRequest, transferKeyOf } from '../../src/server/protocol/transfer';
import { COMPARE } from '../../src/server/timing';
import { AppController } from '../../src/server/worker/apps/controller';
import { PATIENCE } from '../../src/server/worker/apps/uploads';
import { takeFolders } from '../../src/server/worker/files/app-folders';
import { readState, stateBegun, writeState } from '../../src/server/worker/files/uploads-state';
import { type FetchOptions, fetchUploads } from '../../src/server/worker/uploads/fetch';
import { TransferFailure } from '../../src/server/worker/uploads/peer-requests';
import { createUploadsFront } from '../../src/server/worker/uploads/serve';
import { say } from '../../src/shared/message';
import type { AppRecord, StatusEntry } from '../../src/shared/messages';
import { FakeClock } from '../support/clock';
import { recordOf } from '../support/fixtures';
import { recordedLog } from '../support/log';
import { SimulatedDatabases, SimulatedHost, SimulatedSnapshot } from '../support/simulated-host';
import { until } from '../support/wait';
import { authorityOf, bootQueueOf } from '../support/worker-boots';

/** Uploads of an app that moves, between two folders and over real connections. */

const fleetKey = Buffer.alloc(32, 7);
const servers: Server[] = [];
let top: string;

beforeEach(() => {
  top = mkdtempSync(path.join(os.tmpdir(), 'uploads-'));
});
afterEach(() => {
  for (const server of servers.splice(0)) {
    (server as http.Server).closeAllConnections?.();
    server.close();
  }
  rmSync(top, { recursive: true });
});

async function listen(server: Server): Promise<string> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A Worker, as far as uploads go. */
class Place {
  readonly storagePath: string;
  address = '';
  /** Apps that it hosts; null: it does not know. */
  hosted: Set<string> | null = new Set();
  /** Generation of its newest record of the app. */
  newest = 0;
  /** Requests that it got. */
  requests = 0;

  constructor(readonly name: string) {
    this.storagePath = path.join(top, name);
    mkdirSync(this.storagePath);
  }

  async open(): Promise<this> {
    // It has the key of its own environment alone.
    const key = environmentKeyOf(fleetKey, this.name);
    const keyring = new Keyring({ fleetKey: null, environment: { name: this.name, key }, atRest: null });
    const front = createUploadsFront({
      environment: this.name,
      storagePath: this.storagePath,
      apiBase: '/api',
      keyring,
      clock: systemClock,
      log: recordedLog(),
      hosts: (app) => this.hosted?.has(app) ?? null,
      generationOf: () => this.newest,
    });
    const other = (req: IncomingMessage, res: ServerResponse) => {
      this.requests++;
      return front(req, res) || res.writeHead(404).end();
    };
    this.address = await listen(http.createServer(other));
    return this;
  }

  file = (name: string) => path.join(this.storagePath, 'apps/crm/uploads', name);
  has = (name: string) => existsSync(this.file(name));
  read = (name: string) => readFileSync(this.file(name), 'utf8');

  write(name: string, text: string | Buffer, at?: Date): void {
    mkdirSync(path.dirname(this.file(name)), { recursive: true });
    writeFileSync(this.file(name), text);
    if (at) utimesSync(this.file(name), at, at);
  }

  /** The app begins here, as of a record. */
  async begin(generation: number, from?: Place, uid = 'uid-1'): Promise<void> {
    await takeFolders(this.storagePath, { app: 'crm', uid, database: 'crm', begins: 'none' });
    const state = await readState(this.storagePath, 'crm');
    const uploads = from && { from: from.name, generation };
    await writeState(this.storagePath, 'crm', stateBegun(state, { generation, uploads }, this.name, Date.now()));
  }

  /** The app has moved here. */
  async take(generation: number, from: Place, options: Partial<FetchOptions> = {}) {
    await this.begin(generation, from);
    return this.fetch(generation, from, options);
  }

  fetch(generation: number, from: Place, options: Partial<FetchOptions> = {}) {
    const transfer = { app: 'crm', uid: 'uid-1', to: this.name, generation };
    return fetchUploads({
      transfer,
      key: keyOf(from.name, { ...transfer, ahead: options.ahead }),
      source: from.name,
      address: from.address,
      storagePath: this.storagePath,
      apiBase: '/api',
      clock: systemClock,
      signal: new AbortController().signal,
      ahead: false,
      onProgress: () => undefined,
      ...options,
    });
  }
}

const keyOf = (giver: string, transfer: Pick<TransferRequest, 'uid' | 'to' | 'generation' | 'ahead'>) =>
  transferKeyOf(new Keyring({ fleetKey, environment: null, atRest: null }).of(giver)!, transfer);
const yesterday = new Date(Date.now() - 24 * 3_600_000);
const failureOf = (work: Promise<unknown>) =>
  work.then(
    () => null,
    (error) => (error instanceof TransferFailure ? { code: error.reason.code, isFinal: error.isFinal } : error),
  );

let a: Place;
let b: Place;
beforeEach(async () => {
  a = await new Place('env_a').open();
  b = await new Place('env_b').open();
  await a.begin(1);
});

describe('the uploads of an app that moves', () => {
  it('arrive whole, with their times, and only once', async () => {
    a.write('one.txt', 'one', yesterday);
    a.write('photos/ä ü.bin', Buffer.alloc(300_000, 5));
    a.write('empty', '');
    expect(await b.take(2, a)).toEqual({ files: 3, ofFiles: 3, bytes: 300_003, ofBytes: 300_003 });
    expect([b.read('one.txt'), b.read('empty')]).toEqual(['one', '']);
    expect(readFileSync(b.file('photos/ä ü.bin')).equals(readFileSync(a.file('photos/ä ü.bin')))).toBe(true);
    expect(await b.fetch(2, a)).toMatchObject({ ofFiles: 0 });
    expect((await readState(b.storagePath, 'crm')).lacks).toEqual([]);
    expect((await readState(a.storagePath, 'crm')).given).toBe(true);
    // Those that it left stay.
    expect(a.has('one.txt')).toBe(true);
    expect(readdirSync(path.join(b.storagePath, 'apps/crm'))).not.toContain('.uploads.parts');
  });

  it('come home changed, and what was deleted meanwhile stays deleted', async () => {
    for (const name of ['kept', 'changed', 'deleted']) a.write(name, name, yesterday);
    await b.take(2, a);
    rmSync(b.file('deleted'));
    b.write('changed', 'changed there');
    b.write('new', 'new');
    expect(await a.take(3, b)).toMatchObject({ files: 2 });
    expect([a.read('kept'), a.read('changed'), a.read('new'), a.has('deleted')]).toEqual([
      'kept',
      'changed there',
      'new',
      false,
    ]);
    expect(readFileSync(path.join(a.storagePath, 'apps/crm/uploads.deleted/3/deleted'), 'utf8')).toBe('deleted');
  });

  it('that were made during a failover come home, and nothing there is overwritten or set aside', async () => {
    a.write('old', 'old', yesterday);
    // It starts there without them.
    await b.begin(2, a);
    b.write('made', 'made');
    await a.take(3, b);
    expect([a.read('old'), a.read('made')]).toEqual(['old', 'made']);
    expect((await readState(a.storagePath, 'crm')).lacks).toEqual([]);
  });

  it('are copied when their environment is back, while the app runs on', async () => {
    a.write('old', 'old', yesterday);
    a.write('both', 'of before', yesterday);
    a.hosted = null;
    await b.begin(2, a);
    b.write('made', 'made');
    b.write('both', 'of now');
    expect(await failureOf(b.fetch(2, a))).toEqual({ code: 'UPLOADS_REFUSED', isFinal: false });
    a.hosted = new Set(['crm']);
    expect(await failureOf(b.fetch(2, a))).toEqual({ code: 'UPLOADS_STILL_THERE', isFinal: true });
    a.hosted = new Set();
    await b.fetch(2, a);
    expect([b.read('old'), b.read('made'), b.read('both')]).toEqual(['old', 'made', 'of now']);
  });

  it('go on where a connection was cut', async () => {
    const content = Buffer.from(
      Array.from({ length: 200_000 }, (_, i) => createHash('md5').update(`${i}`).digest('hex')[0]).join(''),
    );
    a.write('large', content, yesterday);
    const cut = await proxyTo(a.address, 120_000);
    expect(await failureOf(b.take(2, a, { address: cut.address }))).toMatchObject({ isFinal: false });
    expect(b.has('large')).toBe(false);
    const [part] = readdirSync(path.join(b.storagePath, 'apps/crm/.uploads.parts'));
    const before = readFileSync(path.join(b.storagePath, 'apps/crm/.uploads.parts', part)).length;
    expect(before).toBeGreaterThan(0);
    const rest = await proxyTo(a.address, Number.POSITIVE_INFINITY);
    await b.fetch(2, a, { address: rest.address });
    expect(readFileSync(b.file('large')).equals(content)).toBe(true);
    expect(rest.passed()).toBeLessThan(content.length - before + 3_000);
  });

  it('are not taken from a file that was half here and is another one', async () => {
    a.write('large', Buffer.alloc(200_000, 1), yesterday);
    const cut = await proxyTo(a.address, 120_000);
    await failureOf(b.take(2, a, { address: cut.address }));
    const parts = path.join(b.storagePath, 'apps/crm/.uploads.parts');
    const [part] = readdirSync(parts);
    writeFileSync(path.join(parts, part), Buffer.alloc(50_000, 2));
    expect(await failureOf(b.fetch(2, a))).toEqual({ code: 'UPLOADS_CUT', isFinal: false });
    await b.fetch(2, a);
    expect(readFileSync(b.file('large')).equals(Buffer.alloc(200_000, 1))).toBe(true);
  });

  it('are not taken from what answers in the place of their Worker', async () => {
    a.write('one', 'one', yesterday);
    await b.take(2, a);
    const emptyList = `${JSON.stringify({ lacks: [], isMoved: true })}\n${JSON.stringify('A'.repeat(43))}\n`;
    const impostor = await listen(http.createServer((_req, res) => res.end(emptyList)));
    await a.begin(3, b);
    expect(await failureOf(a.fetch(3, b, { address: impostor }))).toEqual({ code: 'UPLOADS_CUT', isFinal: false });
    const older = await listen(http.createServer((_req, res) => res.writeHead(404).end('Not Found')));
    expect(await failureOf(a.fetch(3, b, { address: older }))).toEqual({ code: 'UPLOADS_REFUSED', isFinal: true });
    const nobody = await failureOf(a.fetch(3, b, { address: 'http://127.0.0.1:1' }));
    expect(nobody).toEqual({ code: 'UPLOADS_NO_ANSWER', isFinal: false });
    expect(a.read('one')).toBe('one');
  });

  it('are written over no link, and to no place outside of the folder', async () => {
    a.write('folder/one', 'one', yesterday);
    const outside = path.join(top, 'outside');
    mkdirSync(outside);
    await b.begin(2, a);
    mkdirSync(path.dirname(b.file('folder')), { recursive: true });
    symlinkSync(outside, b.file('folder'));
    expect(String(await failureOf(b.fetch(2, a)))).toContain('below a link');
    expect(readdirSync(outside)).toEqual([]);
  });
});

describe('the uploads of an app that is about to move', () => {
  const parts = () => path.join(b.storagePath, 'apps/crm/.uploads.parts');
  const ahead = (options: Partial<FetchOptions> = {}) => b.fetch(2, a, { ahead: true, ...options });

  beforeEach(() => {
    for (let i = 0; i < 20; i++) a.write(`folder/${i}`, `content ${i}`, yesterday);
    a.hosted = new Set(['crm']);
    a.newest = 1;
  });

  it('are made ready while it runs, and are only put in place when it has ended there', async () => {
    expect(await ahead()).toMatchObject({ files: 20, ofFiles: 20 });
    expect(a.requests).toBe(21);
    expect([b.has('folder/1'), readdirSync(parts()).length]).toEqual([false, 20]);
    expect(existsSync(path.join(b.storagePath, 'apps/crm/.uploads.json'))).toBe(false);
    expect((await readState(a.storagePath, 'crm')).given).toBe(false);
    // It goes on meanwhile.
    a.write('folder/1', 'changed');
    a.write('new', 'new');
    rmSync(a.file('folder/2'));
    a.hosted = new Set();
    a.requests = 0;
    expect(await b.take(3, a)).toMatchObject({ files: 20 });
    // The list, what is new, and the end.
    expect(a.requests).toBe(4);
    expect([b.read('folder/0'), b.read('folder/1'), b.read('new'), b.has('folder/2')]).toEqual([
      'content 0',
      'changed',
      'new',
      false,
    ]);
    expect(existsSync(parts())).toBe(false);
    expect((await readState(a.storagePath, 'crm')).given).toBe(true);
  });

  it('are copied once, and what has changed is not kept twice', async () => {
    await ahead();
    a.requests = 0;
    a.write('folder/1', 'changed');
    expect(await ahead()).toMatchObject({ files: 20, ofFiles: 20 });
    expect([a.requests, readdirSync(parts()).length]).toEqual([2, 20]);
  });

  it('do not end because one of them changes or goes meanwhile', async () => {
    let calls = 0;
    const onProgress = () => {
      // The list has come.
      if (++calls !== 21) return;
      a.write('folder/18', 'changed');
      rmSync(a.file('folder/19'));
    };
    await ahead({ onProgress });
    expect(readdirSync(parts()).length).toBe(18);
  });

  it('leave what is at their new place as it is, and are not set aside there', async () => {
    await b.begin(1);
    b.write('own', 'own', yesterday);
    const before = await readState(b.storagePath, 'crm');
    await ahead();
    expect([b.read('own'), await readState(b.storagePath, 'crm')]).toEqual(['own', before]);
  });

  it('are refused to whoever has no key of its newest move, and to a Worker that does not say that it asks ahead', async () => {
    expect(await failureOf(b.fetch(2, a))).toEqual({ code: 'UPLOADS_STILL_THERE', isFinal: true });
    // It was moved elsewhere since, or changed where it is.
    a.newest = 3;
    expect(await failureOf(ahead())).toEqual({ code: 'UPLOADS_REFUSED', isFinal: true });
    a.newest = 1;
    await a.begin(3);
    expect(await failureOf(ahead())).toEqual({ code: 'UPLOADS_REFUSED', isFinal: true });
    expect(existsSync(parts())).toBe(false);
  });
});

describe('a Worker that is asked for uploads', () => {
  const transfer = { app: 'crm', uid: 'uid-1', to: 'env_b', generation: 2 };
  let count = 0;
  const requestOf = (values: Partial<TransferRequest> = {}): TransferRequest => ({
    ...transfer,
    id: (++count).toString(16).padStart(32, '0'),
    at: Date.now(),
    want: { kind: 'list' },
    ...values,
  });
  const ask = async (request: TransferRequest | string | null, key = keyOf('env_a', transfer), method = 'POST') => {
    const header = typeof request === 'string' ? request : request && signTransfer(key, request);
    const headers: Record<string, string> = header === null ? {} : { [TRANSFER_HEADER]: header };
    const response = await fetch(`${a.address}/api/__uploads`, { method, headers });
    return { status: response.status, text: await response.text() };
  };
  const wanting = (name: string, size: number, mtime: number) =>
    requestOf({ want: { kind: 'file', path: name, size, mtime, from: 0 } });

  beforeEach(() => a.write('one', 'one', yesterday));

  it('gives nothing to whoever has not the key of this move', async () => {
    const signed = signTransfer(keyOf('env_a', transfer), requestOf());
    const [text, signature] = signed.split('.');
    const wrong: Array<[what: string, answer: Promise<{ status: number; text: string }>]> = [
      ['unsigned', ask(null)],
      ['rubbish', ask('x.y')],
      ['with a signature of something else', ask(`${text}.${'A'.repeat(43)}`)],
      ['of another app', ask(requestOf({ app: 'shop', uid: 'uid-2' }))],
      ['for another environment', ask(requestOf({ to: 'env_c' }))],
      ['of another move', ask(requestOf({ generation: 3 }))],
      ['with the key of a copy ahead', ask(requestOf(), keyOf('env_a', { ...transfer, ahead: true }))],
      ['with the key of the one that asks', ask(requestOf(), keyOf('env_b', transfer))],
      ['by GET', ask(signed, undefined, 'GET')],
      ['with more after it', ask(`${text}.${signature}A`)],
      ['with a path that leaves', ask(wanting('x'.repeat(2_000), 1, 1))],
    ];
    for (const [what, answer] of wrong)
      expect(await answer, what).toEqual({ status: 401, text: '{"refused":"unsigned"}' });
  });

  it('answers a request once, and none of long ago', async () => {
    const signed = signTransfer(keyOf('env_a', transfer), requestOf());
    expect(await ask(signed)).toMatchObject({ status: 200 });
    expect(await ask(signed)).toEqual({ status: 403, text: '{"refused":"replayed"}' });
    expect(await ask(requestOf({ at: Date.now() - 301_000 }))).toEqual({ status: 403, text: '{"refused":"clocks"}' });
  });

  it('gives nothing of an app that is here, came back since, or is another one of this name', async () => {
    a.hosted = new Set(['crm']);
    expect((await ask(requestOf())).status).toBe(409);
    // Nothing has been given for good while it runs.
    const early = keyOf('env_a', { ...transfer, ahead: true });
    expect((await ask(requestOf({ ahead: true, want: { kind: 'end' } }), early)).status).toBe(409);
    a.hosted = null;
    expect((await ask(requestOf())).status).toBe(503);
    expect((await ask(requestOf({ ahead: true }), early)).status).toBe(503);
    a.hosted = new Set();
    // It has left, also if another move took it.
    expect((await ask(requestOf({ ahead: true }), early)).status).toBe(404);
    await a.begin(3);
    expect((await ask(requestOf())).status).toBe(404);
    await a.begin(1, undefined, 'uid-2');
    expect((await ask(requestOf())).status).toBe(404);
  });

  it('gives no file outside of the folder of the app', async () => {
    const { size, mtimeMs } = (await import('node:fs')).statSync(a.file('one'));
    const mtime = Math.floor(mtimeMs);
    expect((await ask(wanting('one', size, mtime))).text.slice(0, 3)).toBe('one');
    a.write('../aes_key.dat', 'one', yesterday);
    symlinkSync('../aes_key.dat', a.file('link'));
    symlinkSync('..', a.file('up'));
    for (const name of [
      '../aes_key.dat',
      'link',
      'up/aes_key.dat',
      '/etc/passwd',
      'none',
      '.',
      'a/../one',
      '../uploads/one',
    ])
      expect(await ask(wanting(name, size, mtime)), name).toEqual({ status: 404, text: '{"refused":"none"}' });
    expect((await ask(requestOf())).text).not.toContain('aes_key');
    expect(await ask(wanting('one', size, mtime + 1))).toEqual({ status: 410, text: '{"refused":"changed"}' });
  });
});

describe('an app that has moved to a Worker', () => {
  let clock: FakeClock;
  let controller: AppController;
  /** Whether the file was there when the app booted. */
  let boots: boolean[];

  beforeEach(() => {
    a.write('one', 'one', yesterday);
    clock = new FakeClock();
    clock.wall = Date.now();
    boots = [];
    const databases = new SimulatedDatabases();
    databases.owners.set('crm', 'uid-1');
    const host = new SimulatedHost('env_b', databases, clock);
    const start = host.start.bind(host);
    Object.assign(host, {
      folders: {
        storagePath: b.storagePath,
        take: (record: AppRecord) => (record.uploads?.ahead ? Promise.resolve() : b.begin(record.generation, a)),
        transferKey: ({ uploads }: AppRecord) =>
          keyOf('env_a', { uid: 'uid-1', to: 'env_b', generation: 2, ahead: uploads?.ahead }),
      },
      start: (...args: Parameters<typeof start>) => {
        boots.push(b.has('one'));
        return start(...args);
      },
    });
    controller = new AppController({
      environment: 'env_b',
      snapshot: new SimulatedSnapshot().asStore,
      host: host.asHost,
      bootQueue: bootQueueOf(clock),
      coreApps: host.coreApps,
      clock,
      log: recordedLog(),
      mayHost: () => true,
      authority: authorityOf(),
      mayBoot: () => true,
      apiBase: '/api',
    });
    clock.interval(COMPARE, () => controller.convergeAll());
  });
  afterEach(() => controller.close());

  const accept = (address: string, wait: boolean, values: Partial<AppRecord> = {}) => {
    const uploads = { from: 'env_a', generation: 2, wait, address };
    return controller.accept([recordOf({ generation: 2, environments: ['env_b'], uploads, ...values })]);
  };
  /** Time passes until it is so. */
  const passes = (what: string, isSo: (entry: StatusEntry) => boolean) =>
    until(what, async () => {
      await clock.run(500);
      const entry = controller.apps.entry('crm');
      return entry && isSo(entry) ? entry : null;
    });

  it('starts when its uploads are there', async () => {
    await accept(a.address, true);
    expect(await passes('running', ({ status }) => status === 'running')).toMatchObject({ uploads: null });
    expect(boots).toEqual([true]);
  });

  it('starts without them when nothing comes for 20 s, and gets them when it can', async () => {
    const begin = clock.now().mono;
    await accept('http://127.0.0.1:1', true);
    const { uploads } = await passes('running', ({ status }) => status === 'running');
    expect(uploads).toMatchObject({ from: 'env_a', cause: { code: 'UPLOADS_NO_ANSWER' } });
    expect(boots).toEqual([false]);
    expect(clock.now().mono - begin).toBeLessThan(PATIENCE + 5_000);
    // The Supervisor publishes the address of now.
    await accept(a.address, true);
    await passes('copied', (entry) => entry.uploads === null);
    expect([b.read('one'), boots.length]).toEqual(['one', 1]);
  });

  it('with several environments runs, and gets them when the other one has ended it', async () => {
    a.hosted = new Set(['crm']);
    await accept(a.address, false);
    const isRefused = ({ uploads }: StatusEntry) => uploads?.cause?.code === 'UPLOADS_STILL_THERE';
    expect(await passes('refused', isRefused)).toMatchObject({ status: 'running' });
    a.hosted = new Set();
    await passes('copied', (entry) => entry.uploads === null);
    expect(b.read('one')).toBe('one');
  });

  it('gets them also where it is stopped', async () => {
    await accept(a.address, true, { desired: 'stopped' });
    expect(await passes('copied', (entry) => entry.uploads === null)).toMatchObject({ status: 'stopped' });
    expect([b.read('one'), boots]).toEqual(['one', []]);
  });

  describe('and is still to come', () => {
    const ahead = (address: string) =>
      accept(address, false, {
        desired: 'stopped',
        environments: ['env_a'],
        uploads: { from: 'env_a', generation: 2, wait: false, address, ahead: true },
      });
    const parts = () => path.join(b.storagePath, 'apps/crm/.uploads.parts');
    const comes = (values: Partial<AppRecord>) => accept(a.address, true, { generation: 3, ...values });
    /** Takes connections and says nothing. */
    const silent = () => listen(createServer((socket) => socket.on('error', () => undefined)));
    const begins = ({ begun }: StatusEntry) => begun === 2;

    beforeEach(() => {
      a.hosted = new Set(['crm']);
    });

    it('is reported when its uploads are ready, and starts with them', async () => {
      await ahead(a.address);
      const entry = await passes('copied', ({ generation }) => generation === 2);
      expect(entry).toMatchObject({ status: 'waiting', doing: null });
      expect([entry.message, entry.uploads, readdirSync(parts()).length, b.has('one')]).toEqual([
        say('UPLOADS_AHEAD', { files: 1 }),
        undefined,
        1,
        false,
      ]);
      a.hosted = new Set();
      await comes({});
      expect(await passes('running', ({ status }) => status === 'running')).toMatchObject({ uploads: null });
      expect([boots, existsSync(parts())]).toEqual([[true], false]);
    });

    it('says why nothing was copied, at once if nothing would change that', async () => {
      a.newest = 3;
      await ahead(a.address);
      const { message } = await passes('over', ({ generation }) => generation === 2);
      expect(message).toMatchObject({ code: 'UPLOADS_NOT_AHEAD', params: { cause: { code: 'UPLOADS_REFUSED' } } });
    });

    it('does not try for longer than 20 s', async () => {
      const begin = clock.now().mono;
      await ahead('http://127.0.0.1:1');
      const { message } = await passes('over', ({ generation }) => generation === 2);
      expect(message).toMatchObject({ params: { cause: { code: 'UPLOADS_NO_ANSWER' } } });
      expect(clock.now().mono - begin).toBeLessThan(PATIENCE + 5_000);
    });

    it('starts at once when it comes while it is copied', async () => {
      await ahead(await silent());
      await passes('begun', begins);
      a.hosted = new Set();
      await comes({});
      await passes('running', ({ status }) => status === 'running');
      expect(boots).toEqual([true]);
    });

    it('is stopped, and gets its uploads, when it comes stopped', async () => {
      await ahead(await silent());
      await passes('begun', begins);
      a.hosted = new Set();
      await comes({ desired: 'stopped' });
      expect(await passes('copied', ({ uploads }) => uploads === null)).toMatchObject({
        status: 'stopped',
        generation: 3,
      });
    });

    it('leaves nothing when it does not come', async () => {
      await ahead(a.address);
      await passes('copied', ({ generation }) => generation === 2);
      await comes({ desired: 'removed' });
      await passes('removed', ({ status }) => status === 'not_found');
      expect([existsSync(parts()), boots]).toEqual([false, []]);
    });
  });

  it('is not waited for any more when it is to leave again', async () => {
    await accept('http://127.0.0.1:1', true);
    await passes('waiting', ({ uploads }) => uploads?.cause != null);
    await accept('http://127.0.0.1:1', true, { generation: 3, desired: 'removed' });
    await passes('removed', ({ status }) => status === 'not_found');
    expect(boots).toEqual([]);
  });
});

/** Passes so many bytes of answers on, and cuts the connection then. */
async function proxyTo(address: string, most: number): Promise<{ address: string; passed(): number }> {
  let passed = 0;
  const { hostname, port } = new URL(address);
  const server = createServer((client: Socket) => {
    const upstream = connect(Number(port), hostname);
    for (const socket of [client, upstream]) socket.on('error', () => undefined);
    client.pipe(upstream);
    upstream.on('data', (data) => {
      const left = most - passed;
      passed += data.length;
      if (data.length <= left) client.write(data);
      else client.write(data.subarray(0, Math.max(0, left)), () => client.destroy());
    });
    upstream.on('close', () => client.destroy());
    client.on('close', () => upstream.destroy());
  });
  return { address: await listen(server), passed: () => passed };
}
