import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Keyring } from '../../src/server/protocol/keyring';
import { hasSealedSecrets, RecordSealer, Secrets } from '../../src/server/protocol/secrets';
import {
  type Lack,
  type ListedFile,
  openTransfer,
  signTransfer,
  type TransferRequest,
  transferKeyOf,
} from '../../src/server/protocol/transfer';
import { booted, placed } from '../../src/server/supervisor/rollout/spec';
import { uploadsPublished } from '../../src/server/supervisor/rollout/uploads';
import { stateBegun } from '../../src/server/worker/files/uploads-state';
import { lacksAfter, transferPlan } from '../../src/server/worker/uploads/copy-plan';
import { filesIn, openIn, partsOf, placeIn } from '../../src/server/worker/uploads/folder';
import { entryOf, publishedOf, recordOf } from '../support/fixtures';
import { PlannedApp } from '../support/planned';

const HOUR = 3_600_000;
const NOW = 100 * HOUR;
const lack = (environment: string, since = NOW, mirrors = false): Lack => ({
  environment,
  since,
  mirrors,
  isShared: false,
});
const file = (name: string, at: number, size = 1): ListedFile => ({ path: name, size, mtime: at, changed: at });

describe('what is copied from the environment that an app leaves', () => {
  const plan = (
    listed: ListedFile[],
    local: ListedFile[],
    { mine = [lack('env_a')], theirs = [] as Lack[], source = 'env_a' } = {},
  ) => {
    const facts = { me: 'env_b', source, mine, theirs };
    const { fetch, aside } = transferPlan({ ...facts, listed, local: new Map(local.map((one) => [one.path, one])) });
    return { fetch: fetch.map((one) => one.path), aside, lacks: lacksAfter(facts) };
  };
  /** It was here before, and everything was copied from here when it left. */
  const returned = { mine: [lack('env_a', NOW, true)] };

  it('is what is not here, and what was changed there', () => {
    const listed = [file('same', 1 * HOUR), file('new', 2 * HOUR), file('changed', 3 * HOUR), file('cut', HOUR, 9)];
    const local = [file('same', 1 * HOUR + 999), file('changed', HOUR), file('cut', HOUR, 5)];
    expect(plan(listed, local)).toEqual({ fetch: ['new', 'changed', 'cut'], aside: [], lacks: [] });
  });

  it('is never an older file in the place of a newer one', () => {
    expect(plan([file('a', HOUR)], [file('a', 2 * HOUR)]).fetch).toEqual([]);
  });

  it('sets aside what was deleted there since it was copied from here, and nothing else', () => {
    const local = [file('deleted', HOUR), file('made here since', NOW + 1)];
    expect(plan([], local, returned).aside).toEqual(['deleted']);
    // An environment of several has files that it never gave.
    expect(plan([], local).aside).toEqual([]);
    // Where the app started without its files, their absence says nothing.
    expect(plan([], local, { ...returned, theirs: [lack('env_c')] }).aside).toEqual([]);
  });

  it('is, after a failover from here, what was made there since', () => {
    const theirs = [lack('env_b', NOW - HOUR)];
    const listed = [file('of an earlier stay', HOUR), file('made since', NOW - 1)];
    expect(plan(listed, [file('old', HOUR)], { ...returned, theirs })).toEqual({
      fetch: ['made since'],
      aside: [],
      lacks: [],
    });
  });

  it('is everything where both started without the files of the other', () => {
    const mine = [lack('env_a', NOW - 2 * HOUR)];
    const theirs = [lack('env_b', NOW - HOUR)];
    expect(plan([file('old', HOUR)], [], { mine, theirs })).toMatchObject({ fetch: ['old'], lacks: [] });
  });

  it('leaves what the source lacks itself, to be copied from there later', () => {
    const theirs = [lack('env_z', NOW - HOUR, true)];
    expect(plan([], [], { theirs }).lacks).toEqual([lack('env_z', NOW - HOUR)]);
    expect(plan([], [], { theirs, mine: [lack('env_a'), lack('env_y', 5)] }).lacks).toEqual([
      lack('env_y', 5),
      lack('env_z', NOW - HOUR),
    ]);
  });

  it('is noted once for each move, with whether everything here was copied before', () => {
    const empty = { began: 0, environment: 'env_b', seen: 0, given: true, lacks: [] };
    const uploads = { from: 'env_a', generation: 7 };
    const begun = stateBegun(empty, { generation: 8, uploads }, 'env_b', NOW);
    expect(begun).toEqual({ began: 8, environment: 'env_b', seen: 7, given: false, lacks: [lack('env_a', NOW, true)] });
    expect(stateBegun(begun, { generation: 8, uploads }, 'env_b', NOW + 5)).toEqual(begun);
    // Where both use one folder, the other one was the last to write this.
    const shared = stateBegun({ ...empty, environment: 'env_a' }, { generation: 8, uploads }, 'env_b', NOW);
    expect(shared.lacks).toEqual([{ ...lack('env_a', NOW, true), isShared: true }]);
    const copied = { ...begun, lacks: [] };
    expect(stateBegun(copied, { generation: 9, uploads }, 'env_b', NOW).lacks).toEqual([]);
  });
});

describe('a path of an uploaded file', () => {
  let storage: string;
  let folder: string;
  beforeEach(() => {
    storage = mkdtempSync(path.join(tmpdir(), 'uploads-'));
    folder = path.join(storage, 'uploads');
    mkdirSync(path.join(folder, 'a'), { recursive: true });
    mkdirSync(path.join(storage, 'secret'));
    writeFileSync(path.join(folder, 'a/one.txt'), 'one');
    writeFileSync(path.join(storage, 'secret/key'), 'key');
    symlinkSync('../secret', path.join(folder, 'folder'));
    symlinkSync('../secret/key', path.join(folder, 'link'));
  });
  afterEach(() => rmSync(storage, { recursive: true }));

  it('names something below the folder, or nothing', () => {
    expect(partsOf('a/b.txt')).toEqual(['a', 'b.txt']);
    for (const bad of [
      '',
      '/a',
      'a/',
      'a//b',
      '.',
      '..',
      '../a',
      'a/../../b',
      'a/./b',
      'a\\..\\b',
      'a\0',
      'x'.repeat(2_000),
    ])
      expect(partsOf(bad), bad).toBeNull();
  });

  it('is listed without links, and is not read or written over one', async () => {
    const found: string[] = [];
    for await (const { path: name } of filesIn(folder)) found.push(name);
    expect(found).toEqual(['a/one.txt']);
    for (const name of ['link', 'folder/key', '../secret/key', 'a', 'a/none'])
      expect(await openIn(folder, name), name).toBeNull();
    const one = await openIn(folder, 'a/one.txt');
    expect(one?.size).toBe(3);
    await one?.handle.close();
    await expect(placeIn(folder, 'folder/new')).rejects.toThrow('below a link');
    await expect(placeIn(folder, '../new')).rejects.toThrow('no path below');
    expect(await placeIn(folder, 'b/c/new')).toBe(path.join(folder, 'b/c/new'));
  });
});

describe('a request for uploads', () => {
  const keyring = new Keyring({ fleetKey: Buffer.alloc(32, 1), environment: null, atRest: null });
  const about = { app: 'crm', uid: 'uid-1', to: 'env_b', generation: 7 };
  const request: TransferRequest = { ...about, id: 'a'.repeat(32), at: NOW, want: { kind: 'list' } };
  const keyOf = (environment: string, move = about) => transferKeyOf(keyring.of(environment)!, move);
  const open = (header: unknown) => openTransfer(header, (move) => transferKeyOf(keyring.of('env_a')!, move));

  it('is believed with the key of this move alone', () => {
    expect(open(signTransfer(keyOf('env_a'), request))).toEqual(request);
    const others = [
      keyOf('env_b'),
      keyOf('env_a', { ...about, uid: 'uid-2' }),
      keyOf('env_a', { ...about, generation: 8 }),
    ];
    for (const key of [...others, keyOf('env_a', { ...about, to: 'env_c' })])
      expect(open(signTransfer(key, request))).toBeNull();
    const [text] = signTransfer(keyOf('env_a'), { ...request, app: 'crm2' }).split('.');
    for (const bad of [undefined, '', 'x', `${text}.${'A'.repeat(43)}`, ['a']]) expect(open(bad)).toBeNull();
  });

  it('can be made by the environment that its record brings the key, sealed, and by no other', () => {
    const record = recordOf({ uploads: { from: 'env_a', generation: 7, wait: true, address: null } });
    const sealed = new RecordSealer(keyring).seal('env_b', record);
    expect(hasSealedSecrets(sealed)).toBe(true);
    // Equal records stay equal, so that they can be compared.
    expect(new RecordSealer(keyring).seal('env_b', record)).toEqual(sealed);
    const opened = new Secrets(keyring, 'env_b').open(sealed.uploads!.key!, record, 'uploads');
    expect(Buffer.from(opened, 'base64url')).toEqual(keyOf('env_a'));
    expect(() => new Secrets(keyring, 'env_c').open(sealed.uploads!.key!, record, 'uploads')).toThrow();
  });
});

describe('an app that begins in an environment', () => {
  const moving = (values = {}) => {
    const fleet = new PlannedApp({ environments: ['env_a'], ...values });
    fleet.converge();
    const place = { environments: ['env_b'], targetEnvironment: 'env_b', home: null };
    fleet.ask((app, generation) => placed(app, place, generation));
    return fleet;
  };

  it('needs none before its first start', () => {
    const fleet = moving({ provision: 'create' });
    fleet.app.provision = 'create';
    fleet.settle();
    fleet.report('env_a');
    fleet.settle();
    expect(fleet.wish('env_b')).toMatchObject({ desired: 'running', provision: 'create' });
    expect(fleet.wish('env_b').uploads).toBeUndefined();
  });

  it('is told from where with its first record there, which stays so until it has them', () => {
    const fleet = moving();
    fleet.settle();
    fleet.report('env_a');
    fleet.settle();
    const { generation, uploads } = fleet.wish('env_b');
    expect(uploads).toEqual({ from: 'env_a', generation, wait: true, address: 'http://env_a' });
    fleet.ask((app, next) => booted(app, next, 'restart'));
    fleet.settle();
    expect(fleet.wish('env_b').uploads).toEqual(uploads);
    fleet.report('env_b', { uploads: null });
    fleet.settle();
    expect(fleet.wish('env_b').uploads).toBeUndefined();
  });

  const publishedFor = (uploads: ReturnType<typeof entryOf>['uploads'], wish = publishedOf(), isKnown = true) => {
    const entry = entryOf({ generation: Math.min(wish.generation, 98), uploads });
    return uploadsPublished({ uid: 'uid-1', published: { env_b: wish } }, () => ({ entry, isKnown, address: 'new' }));
  };
  const known = { from: 'env_a', generation: 5, wait: true, address: 'old' };

  it('is told nothing more once it has them', () => {
    expect(publishedFor(null, publishedOf({ uploads: known }))).toEqual({ env_b: publishedOf() });
    expect(publishedFor(null)).toBeNull();
    // Of an older release, and of a record that it has not converged to.
    expect(publishedFor(undefined, publishedOf({ uploads: known }))).toBeNull();
    expect(publishedFor(null, publishedOf({ generation: 99, uploads: known }))).toBeNull();
  });

  it('is told the address of now, also of an environment that it lacks files of since before', () => {
    const lacks = { from: 'env_a', cause: null };
    const ofNow = { ...known, wait: false, address: 'new' };
    expect(publishedFor(lacks, publishedOf({ uploads: known }))?.env_b.uploads).toEqual(ofNow);
    const { generation } = publishedOf();
    expect(publishedFor(lacks)?.env_b.uploads).toEqual({ from: 'env_a', generation, wait: false, address: 'new' });
    expect(publishedFor(lacks, publishedOf({ uploads: ofNow }))).toBeNull();
    // It was forgotten.
    expect(publishedFor(lacks, publishedOf({ uploads: known }), false)).toEqual({ env_b: publishedOf() });
  });
});
