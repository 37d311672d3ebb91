import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { DatabaseLock } from '../../src/server/databases';
import { AppSupervisorError } from '../../src/server/errors';
import { BootQueue } from '../../src/server/worker/apps/boot-queue';
import { AppController } from '../../src/server/worker/apps/controller';
import type { Applied } from '../../src/server/worker/apps/decide';
import { HostingTaken } from '../../src/server/worker/hosting/claim';
import { failed, say, verbatim } from '../../src/shared/message';
import type { AppRecord, StatusEntry } from '../../src/shared/messages';
import { FakeClock } from '../support/clock';
import { recordOf } from '../support/fixtures';
import { recordedLog } from '../support/log';
import { SimulatedDatabases, SimulatedHost, SimulatedSnapshot } from '../support/simulated-host';
import { authorityOf, bootQueueOf } from '../support/worker-boots';

let clock: FakeClock;
let databases: SimulatedDatabases;
let snapshot: SimulatedSnapshot;
let host: SimulatedHost;
let bootQueue: BootQueue;
let controller: AppController;
let mayAct: boolean;
let mayHost: boolean;
let mayBoot: boolean;
let reports: StatusEntry[];

/** A process of the worker: a new one finds the snapshot of the last and nothing else. */
function start(): void {
  host = new SimulatedHost('env_a', databases, clock);
  bootQueue = bootQueueOf(clock);
  controller = new AppController({
    environment: 'env_a',
    snapshot: snapshot.asStore,
    host: host.asHost,
    bootQueue,
    coreApps: host.coreApps,
    clock,
    log: recordedLog(),
    mayHost: () => mayHost,
    authority: { ...authorityOf(), confirm: async () => mayAct },
    mayBoot: () => mayBoot,
    leaving: 20,
  });
  controller.apps.reports.listen((names) => {
    for (const name of names) {
      const entry = controller.apps.entry(name);
      if (entry) reports.push(entry);
    }
  });
}

/** Keeps all apps from booting until the returned function is called. */
async function crowd(): Promise<() => void> {
  bootQueue.isOneByOne = true;
  const nothing = () => undefined;
  const { signal } = new AbortController();
  const other = await bootQueue.turn({ onPlace: nothing, onLate: nothing, isNext: true, signal });
  return () => other?.end();
}

async function restart(): Promise<void> {
  start();
  await controller.begin();
  await readAgain();
}

/** The store has what is known. */
async function readAgain(): Promise<void> {
  await controller.accept(controller.apps.all().map(([, { record }]) => record));
  await quiet();
}

/** Until nothing is under way but what waits for time. */
const quiet = () => clock.run(0);

async function accept(values: Partial<AppRecord>): Promise<StatusEntry> {
  await controller.accept([recordOf({ environments: ['env_a'], ...values })]);
  await quiet();
  return controller.apps.entry('crm')!;
}

const crm = () => controller.apps.entry('crm')!;
const create = (values: Partial<AppRecord> = {}) => accept({ provision: 'create', ...values });

beforeEach(() => {
  clock = new FakeClock();
  databases = new SimulatedDatabases();
  snapshot = new SimulatedSnapshot();
  mayAct = true;
  mayHost = true;
  mayBoot = true;
  reports = [];
  start();
});

describe('work on the data of an app', () => {
  const work = { generation: 12, kind: 'password' as const };
  const database = { dbConnType: 'new_database' as const, database: 'crm', username: 'app_crm', password: 'first' };
  const asked = { generation: 12, work, database: { ...database, nextPassword: 'second' } };
  const starts = () => databases.story('boots').length;

  it('is done once, under a claim, and the app runs on', async () => {
    await create({ database });
    expect(crm().work).toBeUndefined();
    await accept(asked);
    expect([host.claimed, host.passwords]).toEqual([['crm 12'], ['crm second']]);
    expect(crm()).toMatchObject({ status: 'running', generation: 12, work: { generation: 12, error: null } });
    await accept({ ...asked, generation: 13 });
    await restart();
    expect([starts(), host.passwords, crm().work]).toEqual([2, [], { generation: 12, error: null }]);
  });

  it.each(['stopped', 'onDemand'] as const)('is done where the app is to be %s', async (desired) => {
    await accept({ ...asked, desired, boot: { generation: 0, how: 'start' } });
    expect([starts(), host.passwords]).toEqual([0, ['crm second']]);
    expect(crm()).toMatchObject({ generation: 12, work: { generation: 12, error: null } });
  });

  it('is done again by the successor of a process that died in it', async () => {
    await create({ database });
    host.setPassword = () => new Promise(() => undefined);
    await accept(asked);
    expect(crm().work).toBeUndefined();
    await restart();
    expect([host.passwords, crm().work]).toEqual([['crm second'], { generation: 12, error: null }]);
  });

  it.each([
    new AppSupervisorError('DATABASE_FAILED', { server: 'here', cause: 'no' }),
    // Another environment may be permitted to do it.
    new AppSupervisorError('DATABASE_ROLE_DENIED', { user: 'worker', server: 'here', sql: 'GRANT' }),
  ])('that fails is reported with its error, holds nothing up, and is tried again', async (error) => {
    await create({ database });
    const { setPassword } = host;
    host.setPassword = () => Promise.reject(error);
    await accept(asked);
    expect(crm()).toMatchObject({ status: 'running', generation: 12 });
    expect(crm().work).toMatchObject({ generation: 12, error: { code: error.code } });
    host.setPassword = setPassword;
    controller.convergeAll();
    await quiet();
    expect(host.passwords).toEqual([]);
    await clock.run(30_000);
    controller.convergeAll();
    await quiet();
    expect([host.passwords, crm().work]).toEqual([['crm second'], { generation: 12, error: null }]);
  });

  it('waits until the next process of the Worker knows both passwords', async () => {
    await create({ database });
    snapshot.away = true;
    await accept(asked);
    expect([crm().status, host.passwords, crm().work?.error]).toEqual(['running', [], expect.anything()]);
    snapshot.away = false;
    await clock.run(30_000);
    controller.convergeAll();
    await quiet();
    expect([host.passwords, crm().work]).toEqual([['crm second'], { generation: 12, error: null }]);
  });

  it('goes by no cache', async () => {
    await create({ database });
    host.setPassword = () => Promise.reject(new AppSupervisorError('DATABASE_FAILED', { server: 'here', cause: 'no' }));
    await accept(asked);
    start();
    await controller.begin();
    controller.goByCache();
    await quiet();
    expect([crm().status, host.passwords]).toEqual(['running', []]);
    await readAgain();
    expect(host.passwords).toEqual(['crm second']);
  });

  it('is not begun by a process that holds its environment no more, nor by one whose claim is refused', async () => {
    await create({ database });
    mayAct = false;
    await accept(asked);
    expect([host.passwords, crm().work]).toEqual([[], undefined]);
    mayAct = true;
    host.hosted.claim = () => Promise.reject(new HostingTaken('crm', 'env_a', 40));
    controller.convergeAll();
    await quiet();
    expect(host.passwords).toEqual([]);
    expect(crm()).toMatchObject({ newest: 40, work: { error: { code: 'HOSTING_TAKEN' } } });
  });
});

describe('an app that has stopped the loop of the process before', () => {
  it('is still named where it was removed meanwhile: it may run elsewhere', async () => {
    const failure = { code: 'APP_STOPS_LOOP' as const, params: { app: 'crm' } };
    const record = recordOf({ environments: ['env_a'] });
    const applied = {
      uid: record.uid,
      generation: 10,
      bootGeneration: 10,
      unfinished: null,
      version: '2.2.15',
      failure,
    };
    await snapshot.asStore.save('crm', record, applied);
    start();
    await controller.begin();
    await accept({ generation: 11, desired: 'removed' });
    expect(crm()).toMatchObject({ status: 'not_found', generation: 11, error: failure });
    expect(reports.at(-1)).toEqual(crm());
  });
});

describe('a tenure', () => {
  it('begins with what the last one wrote, and nothing else that its process knew', async () => {
    await create();
    await controller.accept([recordOf({ environments: ['env_a'], name: 'gone' })]);
    await quiet();
    mayHost = false;
    await controller.standDown();
    await snapshot.asStore.remove('gone');
    const record = recordOf({ environments: ['env_a'], generation: 12, desired: 'stopped' });
    await snapshot.asStore.save('crm', record, null);
    mayHost = true;
    await controller.begin();
    expect([controller.apps.names(), controller.apps.record('crm')]).toEqual([['crm'], record]);
    expect([controller.apps.awaited(), controller.isRead]).toEqual([['crm'], false]);
  });

  it('takes nothing from a read that ends after it', async () => {
    await snapshot.asStore.save('crm', recordOf({ environments: ['env_a'] }), null);
    await controller.begin(() => false);
    expect(controller.apps.names()).toEqual([]);
  });

  it('goes by the snapshot where there are no records, but creates, adopts and drops nothing', async () => {
    const names = ['starts', 'creates', 'adopts', 'drops'];
    const values: Partial<AppRecord>[] = [
      {},
      { provision: 'create' },
      { provision: 'adopt' },
      { desired: 'removed', data: 'drop' },
    ];
    const records = names.map((name, i) => recordOf({ environments: ['env_a'], name, uid: name, ...values[i] }));
    for (const { name, uid } of records) databases.owners.set(name, name === 'adopts' ? '' : uid);
    databases.owners.delete('creates');
    for (const record of records) await snapshot.asStore.save(record.name, record, null);
    await controller.begin();
    controller.convergeAll();
    await quiet();
    expect([databases.journal, controller.isRead]).toEqual([[], false]);
    controller.goByCache();
    await quiet();
    expect(databases.journal).toEqual(['env_a boots starts start', 'env_a runs starts']);
    expect(controller.isRead).toBe(true);
    await readAgain();
    for (const name of names.slice(1)) expect(databases.story(name)).not.toEqual([]);
  });
});

describe('an app that is refused its database', () => {
  const refuse = async () => {
    host.hosted.refusals.emit('crm');
    await quiet();
    return crm();
  };
  const boots = () => databases.story('boots').length;

  it('is started again, in case only its row was lost', async () => {
    await create();
    expect(await refuse()).toMatchObject({ status: 'error', error: { code: 'HOSTING_LOST' } });
    await clock.run(10_000);
    expect([crm().status, boots()]).toEqual(['running', 2]);
  });

  it('while it is removed is shown as removed', async () => {
    await create();
    const removal = accept({ generation: 12, desired: 'removed' });
    host.hosted.refusals.emit('crm');
    await removal;
    expect(crm()).toMatchObject({ status: 'not_found', generation: 12 });
  });

  it('is claimed again where other data were restored into it, and goes on', async () => {
    await create();
    host.hosted.losses.emit('crm');
    host.hosted.losses.emit('crm');
    await quiet();
    expect([host.claimed, crm().status, boots()]).toEqual([['crm 10'], 'running', 1]);
    host.hosted.losses.emit('crm');
    await quiet();
    expect(host.claimed).toHaveLength(2);
  });
});

describe('a record', () => {
  it('is converged to, and the result is reported', async () => {
    expect(await create()).toMatchObject({
      uid: 'uid-1',
      status: 'running',
      generation: 10,
      bootGeneration: 10,
      begun: 10,
      doing: null,
      version: '2.2.15',
    });
    expect(databases.journal).toEqual(['env_a boots crm start', 'env_a creates crm', 'env_a runs crm']);
    // It had been said that a create was begun, before anything was done.
    expect(reports[0]).toMatchObject({ status: 'waiting', generation: 0, begun: 10, doing: 'create' });
  });

  it.each<[string, Partial<AppRecord>, string[]]>([
    ['stop', { desired: 'stopped' }, ['env_a ends crm']],
    ['restart', { boot: { generation: 11, how: 'restart' } }, ['env_a boots crm restart', 'env_a runs crm']],
    ['upgrade', { boot: { generation: 11, how: 'upgrade' } }, ['env_a boots crm upgrade', 'env_a runs crm']],
    ['start', { boot: { generation: 11, how: 'start' } }, []],
    ['a new title', { boot: { generation: 10, how: 'start' }, title: 'Sales' }, []],
    ['removed', { desired: 'removed' }, ['env_a ends crm']],
    ['removed with its data', { desired: 'removed', data: 'drop' }, ['env_a ends crm', 'env_a drops crm']],
    ['removed and released', { desired: 'removed', data: 'release' }, ['env_a ends crm', 'env_a releases crm']],
  ])('of a running app: %s', async (_, values, expected) => {
    await create();
    databases.journal.length = 0;
    const entry = await accept({ boot: { generation: 10, how: 'start' }, ...values, generation: 11 });
    expect(databases.journal).toEqual(expected);
    expect(entry).toMatchObject({ generation: 11, doing: null });
  });

  it('invariant 3: of an app that was removed is ignored if it is older than the removal, and the removal is reported', async () => {
    await create();
    await accept({ generation: 12, desired: 'removed' });
    await controller.acceptAll([]);
    expect(controller.apps.entry('crm')).toBeNull();
    databases.journal.length = 0;
    expect(await accept({ generation: 11 })).toMatchObject({ status: 'not_found', generation: 12 });
    expect(databases.journal).toEqual([]);
    expect(reports.at(-1)).toMatchObject({ status: 'not_found', generation: 12 });
    await controller.acceptAll([]);
    expect(await accept({ generation: 13, boot: { generation: 13, how: 'start' } })).toMatchObject({
      status: 'running',
    });
  });

  it('invariant 3: of an older generation is ignored, a duplicate does nothing, a late one changes nothing', async () => {
    await create();
    const one = (values: Partial<AppRecord>) => recordOf({ environments: ['env_a'], ...values });
    const stop = one({ generation: 12, desired: 'stopped', boot: { generation: 10, how: 'start' } });
    await controller.accept([stop]);
    await controller.accept([stop, stop]);
    await controller.accept([one({ generation: 11, boot: { generation: 11, how: 'restart' } })]);
    await controller.acceptAll([one({ generation: 10, provision: 'create' })]);
    await quiet();
    expect(databases.journal.filter((line) => line.includes('ends'))).toHaveLength(1);
    expect(crm()).toMatchObject({ status: 'stopped', generation: 12 });
  });

  it('invariant 3: an app without a record stays as it is', async () => {
    await create();
    await controller.acceptAll([]);
    await quiet();
    expect(crm().status).toBe('running');
    await restart();
    await controller.acceptAll([]);
    await quiet();
    expect(crm().status).toBe('running');
  });

  it('of another incarnation of the name replaces the app', async () => {
    await create();
    databases.owners.clear();
    const entry = await accept({ uid: 'uid-2', generation: 20, provision: 'create' });
    expect(databases.journal.slice(3)).toEqual([
      'env_a ends crm',
      'env_a boots crm start',
      'env_a creates crm',
      'env_a runs crm',
    ]);
    expect(entry).toMatchObject({ uid: 'uid-2', status: 'running', generation: 20 });
  });

  it('that arrives during other work is processed after it, and intermediate ones are skipped', async () => {
    let end!: () => void;
    host.bootScripts.set('crm', { takes: new Promise((resolve) => (end = resolve)) });
    await create();
    expect(crm()).toMatchObject({ status: 'initializing', doing: 'create', generation: 0 });
    await accept({ generation: 11, boot: { generation: 11, how: 'restart' } });
    await accept({ generation: 12, desired: 'stopped' });
    expect(databases.journal).toHaveLength(2);
    end();
    await quiet();
    expect(databases.journal.slice(2)).toEqual(['env_a runs crm', 'env_a ends crm']);
    expect(crm()).toMatchObject({ status: 'stopped', generation: 12 });
  });

  it('that comes while a boot waits for its turn is what is done: nothing boots by the one before', async () => {
    await create();
    let turn = await crowd();
    databases.journal.length = 0;
    await accept({ generation: 11, boot: { generation: 11, how: 'restart' } });
    await accept({ generation: 12, boot: { generation: 11, how: 'restart' }, desired: 'stopped' });
    turn();
    await quiet();
    expect([databases.journal, crm()]).toMatchObject([['env_a ends crm'], { status: 'stopped', generation: 12 }]);
    turn = await crowd();
    await accept({ generation: 13, boot: { generation: 13, how: 'start' } });
    await accept({ generation: 14, boot: { generation: 14, how: 'upgrade' }, title: 'Sales' });
    turn();
    await quiet();
    expect(databases.journal.slice(1)).toEqual(['env_a boots crm upgrade', 'env_a runs crm']);
    expect(host.running.get('crm')?.title).toBe('Sales');
    turn = await crowd();
    await accept({ generation: 15, boot: { generation: 15, how: 'restart' } });
    mayHost = false;
    databases.journal.length = 0;
    turn();
    await quiet();
    expect(databases.journal).toEqual([]);
  });

  it('that names another database waits for no lock on the one before', async () => {
    vi.spyOn(host.asHost, 'lock').mockImplementation(async ({ database }, _, timeoutMs, signal) => {
      if (database.database === 'crm') return { release: async () => undefined } as DatabaseLock;
      if (timeoutMs) await new Promise((resolve) => signal.addEventListener('abort', resolve));
      return null;
    });
    const database = { dbConnType: 'new_database' as const, database: 'locked' };
    expect(await create({ database })).toMatchObject({ message: say('WAITS_FOR_LOCK') });
    expect(await create({ generation: 11 })).toMatchObject({ status: 'running', generation: 11 });
  });

  it('that stops an app waits for nobody’s boot, also while its visitors leave for another one of it', async () => {
    const values = { environments: ['env_a', 'env_b'] };
    await create(values);
    await crowd();
    await accept({ ...values, generation: 11, boot: { generation: 11, how: 'restart' } });
    await accept({ ...values, generation: 12, boot: { generation: 11, how: 'restart' }, desired: 'stopped' });
    await clock.run(40);
    expect(crm()).toMatchObject({ status: 'stopped', generation: 12 });
  });

  it('of one app does not wait for other apps', async () => {
    host.bootScripts.set('crm', { takes: new Promise(() => undefined) });
    await create();
    await controller.accept([recordOf({ name: 'shop', uid: 'uid-9', provision: 'create' })]);
    await quiet();
    expect(controller.apps.entry('shop')?.status).toBe('running');
  });
});

describe('a removed app', () => {
  /** As the Supervisor publishes it. */
  const removed = (generation: number) =>
    recordOf({
      generation,
      desired: 'removed',
      environments: [],
      title: 'crm',
      database: { dbConnType: 'new_database' },
    });
  const place = { dbConnType: 'new_database' as const, database: 'place', username: 'role', password: 'of the role' };

  let found: unknown[];
  const watch = () => {
    host.hosted.leave = async ({ uid, database, generation }) => void found.push([uid, database, generation]);
  };
  const goOn = async () => {
    mayAct = mayHost = true;
    await readAgain();
  };
  const read = async () => {
    watch();
    await controller.accept([removed(11)]);
    await quiet();
  };

  it.each<[string, () => Promise<void>]>([
    ['the process that hosts it', read],
    [
      'its successor',
      async () => {
        mayAct = false;
        await read();
        start();
        watch();
        await controller.begin();
      },
    ],
  ])('is taken from its environment in its database by %s, although its record names none', async (_, happens) => {
    found = [];
    await create({ database: place });
    await happens();
    await goOn();
    // What is read again is what is known.
    await read();
    expect(found).toEqual([['uid-1', place, 11]]);
  });

  it('is taken from its environment although its only boot failed, which may have claimed it before', async () => {
    found = [];
    host.bootScripts.set('crm', { fails: new Error('The disk is full.') });
    await create({ database: place });
    expect(crm().status).toBe('error');
    await read();
    expect(found).toEqual([['uid-1', place, 11]]);
  });

  it('is reported as removed until its record is deleted, then forgotten', async () => {
    await create();
    const removed = recordOf({ generation: 11, desired: 'removed', data: 'drop' });
    await controller.acceptAll([removed]);
    await quiet();
    expect(crm()).toMatchObject({ status: 'not_found', generation: 11, message: say('DATA_DROPPED') });
    expect(controller.apps.records()).toEqual([]);
    await controller.acceptAll([removed]);
    await quiet();
    expect(databases.story('drops')).toHaveLength(1);
    await controller.acceptAll([]);
    expect(controller.apps.names()).toEqual([]);
    expect(snapshot.rows.size).toBe(0);
  });

  it.each(['drop', 'release'] as const)(
    'which nothing is known of here is not ended (%s) by a process that may not act',
    async (data) => {
      databases.owners.set('crm', 'uid-1');
      mayAct = false;
      await accept({ generation: 11, desired: 'removed', data });
      expect([databases.journal, crm().status, crm().generation]).toEqual([[], 'waiting', 0]);
      mayAct = true;
      controller.convergeAll();
      await quiet();
      expect([databases.journal, crm().status]).toEqual([[`env_a ${data}s crm`], 'not_found']);
    },
  );

  it('may come back as another incarnation', async () => {
    await create();
    await accept({ generation: 11, desired: 'removed', data: 'drop' });
    expect(await accept({ uid: 'uid-2', generation: 20, provision: 'create' })).toMatchObject({
      uid: 'uid-2',
      status: 'running',
      generation: 20,
    });
  });

  it('does not come back by a record from before, also after a restart: it says in which generation it was removed', async () => {
    await create();
    await accept({ generation: 11, desired: 'removed', data: 'drop' });
    await restart();
    expect(controller.apps.names()).toEqual([]);
    // Of an older copy of the store, or of a database that was restored.
    expect(await accept({ generation: 10, provision: 'create' })).toMatchObject({
      status: 'not_found',
      generation: 11,
    });
    expect(await accept({ generation: 12, provision: 'create' })).toMatchObject({ status: 'running', generation: 12 });
  });

  it('keeps data that cannot be dropped, and reports it', async () => {
    await create();
    databases.owners.set('crm', 'somebody else');
    const entry = await accept({ generation: 11, desired: 'removed', data: 'drop' });
    expect(entry).toMatchObject({ status: 'error', error: { code: 'DATABASE_FOREIGN' }, generation: 11 });
    expect(databases.owners.has('crm')).toBe(true);
  });

  it('has its data dropped by a database server that answers a little later', async () => {
    await create();
    host.silences = 3;
    await accept({ generation: 11, desired: 'removed', data: 'drop' });
    await clock.run(16_000);
    expect(crm()).toMatchObject({ status: 'not_found', generation: 11, message: say('DATA_DROPPED') });
  });

  it('keeps its data if the server does not answer in a while, and reports it', async () => {
    await create();
    host.silences = 4;
    await accept({ generation: 11, desired: 'removed', data: 'drop' });
    await clock.run(16_000);
    expect(crm()).toMatchObject({ status: 'error', generation: 11, error: { code: 'DATABASE_UNREACHABLE' } });
  });

  it('keeps its data if its process has lost the environment while the server did not answer', async () => {
    await create();
    host.silences = 1;
    await accept({ generation: 11, desired: 'removed', data: 'drop' });
    mayAct = false;
    await clock.run(6_000);
    expect(databases.owners.has('crm')).toBe(true);
  });

  it.each<[string, () => void]>([
    ['before it ends', () => (mayAct = false)],
    ['while it ends', () => (host.onRest = () => (mayAct = false))],
  ])(
    'is not reported as removed by a process that may not act for a moment, %s, and is removed afterwards',
    async (_, lose) => {
      await create();
      lose();
      await accept({ generation: 11, desired: 'removed', environments: ['env_b', 'env_c'] });
      expect([crm().generation, host.left, snapshot.rows.size]).toEqual([10, [], 1]);
      host.onRest = () => undefined;
      mayAct = true;
      controller.convergeAll();
      await quiet();
      expect([crm(), host.left]).toMatchObject([{ status: 'not_found', generation: 11 }, ['crm 11']]);
    },
  );

  it('says no more that it waits for the main database once that has confirmed', async () => {
    await create();
    host.onRest = () => (mayAct = false);
    await accept({ generation: 11, desired: 'removed' });
    expect(crm().message).toEqual(say('WAITS_FOR_MAIN_DATABASE'));
    host.onRest = () => undefined;
    mayAct = true;
    host.hosted.leave = () => new Promise(() => undefined);
    controller.convergeAll();
    await quiet();
    expect([crm().doing, crm().message]).toEqual(['remove', undefined]);
  });

  it('starts again if it is wanted again before its removal could be confirmed', async () => {
    await create();
    host.onRest = () => (mayAct = false);
    await accept({ generation: 11, desired: 'removed', environments: ['env_b', 'env_c'] });
    // It does not run any more, and is not shown so.
    expect([crm().message, host.running.has('crm')]).toEqual([say('WAITS_FOR_MAIN_DATABASE'), false]);
    expect(crm().status).toBe('waiting');
    host.onRest = () => undefined;
    mayAct = true;
    await accept({ generation: 12, boot: { generation: 12, how: 'start' } });
    expect([crm().status, crm().generation, host.running.size]).toEqual(['running', 12, 1]);
  });

  it('is removed even if its marker stays', async () => {
    await create();
    databases.owners.set('crm', 'somebody else');
    const entry = await accept({ generation: 11, desired: 'removed', data: 'release' });
    const cause = { code: 'DATABASE_FOREIGN' };
    expect(entry).toMatchObject({ status: 'not_found', message: { code: 'DATA_KEEPS_MARKER', params: { cause } } });
  });
});

describe('a restart of the worker', () => {
  it('invariant 6: starts from the snapshot if nothing else is reachable', async () => {
    await create();
    await restart();
    expect(databases.journal.slice(3)).toEqual(['env_a boots crm start', 'env_a runs crm']);
    expect(crm()).toMatchObject({ status: 'running', generation: 10, bootGeneration: 10 });
  });

  it.each<[string, Partial<AppRecord>, string]>([
    ['a stopped app is stopped, before anybody asks', { desired: 'stopped' }, 'stopped'],
    ['an app of `onVisit` waits for its visit', { desired: 'onDemand', startMode: 'onVisit' }, 'dormant'],
  ])('%s', async (_, values, status) => {
    await create();
    await accept({ generation: 11, boot: { generation: 10, how: 'start' }, ...values });
    databases.journal.length = 0;
    await restart();
    expect(databases.journal).toEqual([]);
    expect(crm()).toMatchObject({ status, generation: 11 });
  });

  it('does nothing by its snapshot before the store has confirmed it, app by app', async () => {
    await create();
    await controller.accept([recordOf({ name: 'shop', uid: 'uid-9', provision: 'create' })]);
    await quiet();
    start();
    databases.journal.length = 0;
    await controller.begin();
    controller.convergeAll();
    expect([controller.visit('crm'), controller.visit('shop')]).toEqual([true, true]);
    await quiet();
    expect([databases.journal, controller.apps.awaited()]).toEqual([[], ['crm', 'shop']]);
    // A store that is an old copy says nothing.
    await accept({ generation: 9, desired: 'stopped' });
    expect(crm().status).toBe('waiting');
    await accept({ generation: 12, desired: 'removed' });
    expect([crm().status, controller.apps.awaited(), databases.story('boots')]).toEqual(['not_found', ['shop'], []]);
    await readAgain();
    expect(databases.story('boots')).toEqual(['env_a boots shop start']);
  });

  it('confirms what it knows by an equal record', async () => {
    await create();
    start();
    await controller.begin();
    await accept({ generation: 10, provision: 'create' });
    expect([crm().status, controller.apps.awaited()]).toEqual(['running', []]);
  });

  it('does not repeat a restart that was already applied', async () => {
    await create();
    await accept({ generation: 11, boot: { generation: 11, how: 'restart' } });
    await restart();
    expect(databases.journal.at(-2)).toBe('env_a boots crm start');
  });

  it('finds the newest written state: no write overtakes another', async () => {
    const { save } = snapshot;
    let waits = 300;
    // A database whose answers take longer the earlier they are asked for.
    snapshot.save = async (...args) => {
      waits -= 100;
      await clock.sleep(waits);
      await save.apply(snapshot, args);
    };
    await Promise.all([
      controller.accept([recordOf({ provision: 'create' })]),
      controller.accept([recordOf({ generation: 11, title: 'Sales', provision: 'create' })]),
      clock.run(1_000),
    ]);
    const [row] = await snapshot.load();
    expect(row).toMatchObject({ record: { generation: 11, title: 'Sales' }, applied: { generation: 11 } });
  });

  it('that lets fewer environments host a running app cuts the others off before it is reported', async () => {
    const environments = ['env_a', 'env_b'];
    await create({ environments, hosts: environments });
    await accept({ generation: 11, environments, hosts: environments });
    expect(host.claimed).toEqual([]);
    const { claim } = host.hosted;
    host.hosted.claim = async () => {
      throw new Error('The database does not answer.');
    };
    const cut = { generation: 12, environments: ['env_a'], hosts: ['env_a'], left: ['env_b'] };
    expect((await accept(cut)).generation).toBe(11);
    host.hosted.claim = claim;
    controller.convergeAll();
    await quiet();
    expect([host.claimed, crm().generation, crm().status]).toEqual([['crm 12'], 12, 'running']);
    controller.convergeAll();
    await quiet();
    expect(host.claimed).toHaveLength(1);
  });

  it('that is older than what the database says ends a running app, and says which is newer', async () => {
    await create();
    host.hosted.claim = async () => {
      throw new HostingTaken('crm', 'env_a', 40);
    };
    await accept({ generation: 12, hosts: ['env_a'], left: ['env_b'] });
    expect(crm()).toMatchObject({ status: 'error', error: { code: 'HOSTING_LOST' }, newest: 40 });
  });

  it('takes an app from its own environment when it is removed, in case a former process there is frozen', async () => {
    await accept({ desired: 'removed' });
    expect(host.left).toEqual([]);
    await create({ generation: 11 });
    await restart();
    await accept({ generation: 12, desired: 'removed' });
    await accept({ generation: 13, desired: 'removed', data: 'drop' });
    expect(host.left).toEqual(['crm 12']);
  });

  it('works although the snapshot cannot be written', async () => {
    snapshot.away = true;
    expect((await create()).status).toBe('running');
  });
});

describe('the last visit', () => {
  const visit = () => {
    const at = Math.floor(clock.now().wall / 1000);
    host.coreApps.lastSeenAt.set('crm', at);
    return at * 1000;
  };

  it('is remembered when the process ends, and is another app’s no more', async () => {
    await create();
    const at = visit();
    await controller.writes.saveVisits(0);
    await restart();
    expect(crm().lastVisitAt).toBe(at);
    expect((await accept({ uid: 'uid-2', generation: 20, provision: 'create' })).lastVisitAt).toBeNull();
  });

  it('is remembered without an end, at the cost of one write a minute', async () => {
    await create();
    const write = vi.spyOn(snapshot, 'save');
    let at = 0;
    for (let round = 0; round < 20; round++) {
      await clock.run(30_000);
      at = visit();
      await controller.writes.saveVisits();
    }
    expect(write).toHaveBeenCalledTimes(10);
    await clock.run(60_000);
    await controller.writes.saveVisits();
    await restart();
    expect(crm().lastVisitAt).toBe(at);
    write.mockClear();
    await clock.run(600_000);
    await controller.writes.saveVisits();
    expect(write).not.toHaveBeenCalled();
  });

  it('is written once the main database is there again', async () => {
    await create();
    const at = visit();
    snapshot.away = true;
    await controller.writes.saveVisits(0);
    snapshot.away = false;
    await clock.run(60_000);
    await controller.writes.saveVisits();
    await restart();
    expect(crm().lastVisitAt).toBe(at);
  });
});

describe('a visit', () => {
  beforeEach(async () => {
    await create({ desired: 'onDemand', startMode: 'onVisit' });
    await restart();
    databases.journal.length = 0;
  });

  it('starts a dormant app, once', async () => {
    expect([controller.visit('crm'), controller.visit('crm')]).toEqual([true, true]);
    await quiet();
    expect(controller.visit('crm')).toBe(true);
    await quiet();
    expect(databases.journal).toEqual(['env_a boots crm start', 'env_a runs crm']);
    expect(crm().status).toBe('running');
  });

  it('starts no stopped app, and finds no removed or unknown app', async () => {
    await accept({ generation: 11, desired: 'stopped', boot: { generation: 10, how: 'start' } });
    expect(controller.visit('crm')).toBe(true);
    await accept({ generation: 12, desired: 'removed', boot: { generation: 10, how: 'start' } });
    expect([controller.visit('crm'), controller.visit('shop')]).toEqual([false, false]);
    await quiet();
    expect(databases.story('boots')).toEqual([]);
  });
});

describe('an app that another plugin unloads', () => {
  it.each<[Partial<AppRecord>, string, string[]]>([
    [{ desired: 'onDemand', startMode: 'onVisit' }, 'dormant', ['env_a ends crm']],
    [{ desired: 'onDemand', environments: ['env_a', 'env_b'] }, 'dormant', ['env_a ends crm']],
    [{ desired: 'running' }, 'running', []],
    [{ desired: 'stopped' }, 'stopped', []],
  ])('stays as its record %o requires: %s', async (values, status, ended) => {
    await create({ boot: { generation: 10, how: 'start' } });
    await accept({ generation: 11, boot: { generation: 10, how: 'start' }, ...values });
    databases.journal.length = 0;
    const unloaded = controller.unload('crm');
    await clock.run(20);
    await unloaded;
    expect(databases.journal).toEqual(ended);
    expect(crm()).toMatchObject({ status, generation: 11, doing: null });
    controller.convergeAll();
    await quiet();
    expect([databases.journal, crm().status]).toEqual([ended, status]);
  });

  it('is booted again by a visit', async () => {
    await create({ desired: 'onDemand', startMode: 'onVisit' });
    await controller.unload('crm');
    databases.journal.length = 0;
    expect(controller.visit('crm')).toBe(true);
    await quiet();
    expect(databases.journal).toEqual(['env_a boots crm start', 'env_a runs crm']);
  });

  it('stays while work on it is in progress, and the caller does not wait', async () => {
    await create({ desired: 'onDemand', startMode: 'onVisit' });
    host.commanding.add('crm');
    await controller.unload('crm');
    host.commanding.clear();
    host.bootScripts.set('crm', { takes: 1_000 });
    await accept({ generation: 11, boot: { generation: 11, how: 'restart' }, desired: 'onDemand' });
    await controller.unload('crm');
    await clock.run(1_000);
    expect([databases.story('ends'), crm().status]).toEqual([[], 'running']);
  });

  it('does nothing if it is not here', async () => {
    await controller.unload('shop');
    expect([databases.journal, reports]).toEqual([[], []]);
  });
});

describe('a failed boot', () => {
  const fails = new Error('The disk is full.');

  it('reports its cause, is retried with growing delays, and then no more', async () => {
    host.bootScripts.set('crm', { fails });
    expect(await create()).toMatchObject({ status: 'error', generation: 10, error: failed('The disk is full.') });
    for (const [wait, boots] of [
      [5_000, 2],
      [15_000, 3],
      [45_000, 4],
      [135_000, 5],
      [10_000_000, 5],
    ]) {
      await clock.run(wait - 1_000);
      await clock.run(1_100);
      expect(databases.story('boots')).toHaveLength(boots);
    }
    host.bootScripts.clear();
    controller.convergeAll();
    await quiet();
    expect(crm().status).toBe('error');
  });

  it('is cleared when a later attempt succeeds', async () => {
    host.bootScripts.set('crm', { fails });
    await create();
    host.bootScripts.clear();
    await clock.run(5_100);
    expect(crm()).toMatchObject({ status: 'running' });
    expect(crm().error).toBeUndefined();
  });

  it('is retried immediately after a new start', async () => {
    host.bootScripts.set('crm', { fails });
    await create();
    host.bootScripts.clear();
    expect(await accept({ generation: 11 })).toMatchObject({ status: 'running', generation: 11 });
  });

  it('by a record that the app’s database calls old says which is newer, until it starts', async () => {
    host.bootScripts.set('crm', { fails: new HostingTaken('crm', 'env_a', 12) });
    expect(await create()).toMatchObject({ status: 'error', error: { code: 'HOSTING_TAKEN' }, newest: 12 });
    host.bootScripts.set('crm', { fails });
    await clock.run(5_100);
    expect(crm().newest).toBeUndefined();
    host.bootScripts.set('crm', { fails: new HostingTaken('crm', 'env_a', 12) });
    await clock.run(15_100);
    expect(crm().newest).toBe(12);
    host.bootScripts.clear();
    expect(await accept({ generation: 13 })).toMatchObject({ status: 'running' });
    expect(crm().newest).toBeUndefined();
  });

  it('by a record that the app’s database calls old is tried by a newer one, however often it has failed', async () => {
    host.bootScripts.set('crm', { fails: new HostingTaken('crm', 'env_a', 12) });
    await create();
    await clock.run(600_000);
    host.bootScripts.clear();
    const { boot } = controller.apps.record('crm')!;
    expect(await accept({ generation: 11, boot })).toMatchObject({ status: 'error', generation: 11 });
    expect(await accept({ generation: 12, boot })).toMatchObject({ status: 'running', generation: 12 });
  });

  it('of an app that starts when visited is retried without a visit', async () => {
    host.bootScripts.set('crm', { fails });
    await create({ desired: 'onDemand', startMode: 'onVisit' });
    host.bootScripts.clear();
    await clock.run(6_000);
    expect(crm().status).toBe('running');
    // Whom it was for has come in: it starts for nobody once it rests.
    await controller.unload('crm');
    controller.convergeAll();
    await quiet();
    expect(crm().status).toBe('dormant');
  });

  it('of an app that starts when visited is dormant in its worker’s next process, with the cause, until it is retried', async () => {
    await create({ desired: 'onDemand', startMode: 'onVisit' });
    host.bootScripts.set('crm', { fails });
    const boot = { generation: 11, how: 'restart' } as const;
    await accept({ generation: 11, boot, desired: 'onDemand', startMode: 'onVisit' });
    await restart();
    const error = failed(fails.message);
    expect(crm()).toMatchObject({ status: 'dormant', generation: 11, bootGeneration: 11, error, version: '2.2.15' });
    controller.visit('crm');
    await quiet();
    expect(crm()).toMatchObject({ status: 'running' });
    expect(crm().error).toBeUndefined();
    await restart();
    expect(crm()).toMatchObject({ status: 'dormant', version: '2.2.15' });
    expect(crm().error).toBeUndefined();
  });
});

describe('an app that crashes its worker', () => {
  /** The process ends in the middle of the boot. */
  async function die(): Promise<void> {
    start();
    host.bootScripts.set('crm', { takes: new Promise(() => undefined) });
    await controller.begin();
    await readAgain();
  }

  it('is not booted after three crashes, with the cause recorded, while the others run', async () => {
    await controller.accept([recordOf({ name: 'shop', uid: 'uid-9', provision: 'create' })]);
    host.bootScripts.set('crm', { takes: new Promise(() => undefined) });
    await create();
    const oneByOne = vi.spyOn(BootQueue.prototype, 'isOneByOne', 'set');
    await die();
    expect(oneByOne).toHaveBeenCalledWith(true);
    oneByOne.mockRestore();
    await die();
    await restart();
    const params = { app: 'crm', times: 3, cause: say('WORKER_ENDED') };
    expect(crm()).toMatchObject({ status: 'error', error: { code: 'APP_CRASH_LOOP', params } });
    expect(controller.apps.entry('shop')?.status).toBe('running');
    expect(databases.story('crm').filter((line) => line.includes('boots'))).toHaveLength(3);
    controller.visit('crm');
    controller.convergeAll();
    await quiet();
    expect(databases.story('crm').filter((line) => line.includes('boots'))).toHaveLength(3);
    // Somebody mended it, and says so.
    expect(await accept({ generation: 11, provision: 'create' })).toMatchObject({ status: 'running' });
  });

  it('boots alone, and the others at the same time again once it has booted, or is not to', async () => {
    host.bootScripts.set('crm', { takes: new Promise(() => undefined) });
    await create();
    await die();
    const oneByOne = vi.spyOn(BootQueue.prototype, 'isOneByOne', 'set');
    for (let crash = 0; crash < 2; crash++) {
      await die();
      expect(oneByOne).toHaveBeenLastCalledWith(true);
    }
    await restart();
    expect(crm().error?.code).toBe('APP_CRASH_LOOP');
    await controller.accept([recordOf({ name: 'shop', uid: 'uid-9', provision: 'create' })]);
    await quiet();
    expect(oneByOne).toHaveBeenLastCalledWith(false);
    oneByOne.mockRestore();
  });

  it('is not blamed for a regular shutdown', async () => {
    host.bootScripts.set('crm', { takes: new Promise(() => undefined) });
    await create();
    await controller.clearCrashMarkers();
    for (let i = 0; i < 4; i++) {
      await die();
      await controller.clearCrashMarkers();
    }
    await restart();
    expect(crm().status).toBe('running');
  });

  it('is not taken for one because its boot was given up under way, however often', async () => {
    const save = snapshot.save.bind(snapshot);
    // The process loses its lock for a moment while the database answers.
    snapshot.save = async (...args) => {
      await save(...args);
      if ((args[2] as Applied | null)?.unfinished) mayBoot = false;
    };
    await create();
    for (let time = 1; time <= 3; time++) {
      mayBoot = true;
      controller.convergeAll();
      await quiet();
    }
    expect([crm().status, JSON.parse(snapshot.rows.get('crm') ?? '').applied]).toEqual(['waiting', null]);
    snapshot.save = save;
    mayBoot = true;
    await die();
    await die();
    await restart();
    expect(crm().status).toBe('running');
  });

  it('loses its crash marker once it runs', async () => {
    await create();
    await die();
    await die();
    await restart();
    expect(crm().status).toBe('running');
    await die();
    await die();
    await restart();
    expect(crm().status).toBe('running');
  });
});

describe('an app that waits for its turn to boot', () => {
  it('is shown as waiting also when what runs of it ends by itself meanwhile', async () => {
    await create();
    const go = await crowd();
    await accept({ generation: 12, boot: { generation: 12, how: 'restart' } });
    controller.apps.show('crm', controller.apps.get('crm')!, 'waiting');
    host.coreApps.setStatus('crm', 'error');
    await quiet();
    expect(crm().status).toBe('waiting');
    go();
    await quiet();
    expect(crm()).toMatchObject({ status: 'running', generation: 12 });
  });
});

describe('a process that may not host', () => {
  it('does nothing, and everything once it may', async () => {
    mayHost = false;
    await create();
    expect(databases.journal).toEqual([]);
    expect(crm().status).toBe('waiting');
    mayHost = true;
    controller.convergeAll();
    await quiet();
    expect(crm().status).toBe('running');
  });

  it('any more stops its apps after the work in progress, and no longer reports them as running', async () => {
    await controller.accept([recordOf({ name: 'shop', uid: 'uid-9', provision: 'create' })]);
    let end!: () => void;
    host.bootScripts.set('crm', { takes: new Promise((resolve) => (end = resolve)) });
    await create();
    mayHost = false;
    const down = controller.standDown();
    await quiet();
    expect(databases.story('shop').at(-1)).toBe('env_a ends shop');
    end();
    await down;
    expect(host.running.size).toBe(0);
    expect([crm().status, controller.apps.entry('shop')?.status]).toEqual(['waiting', 'waiting']);
    mayHost = true;
    host.bootScripts.clear();
    controller.convergeAll();
    await quiet();
    expect([crm().status, controller.apps.entry('shop')?.status]).toEqual(['running', 'running']);
  });

  it('boot one app yet hosts the others, and stops that one', async () => {
    mayBoot = false;
    await create();
    expect(databases.journal).toEqual([]);
    expect(await accept({ generation: 11, desired: 'stopped' })).toMatchObject({ status: 'stopped', generation: 11 });
  });

  it('because it is closed begins nothing more', async () => {
    controller.close();
    await create();
    expect(databases.journal).toEqual([]);
  });
});

describe('an app in several environments', () => {
  it.each<[string, Partial<AppRecord>]>([
    ['stopped', { desired: 'stopped' }],
    ['restarted', { boot: { generation: 11, how: 'restart' } }],
  ])('that is %s announces it, and serves until visitors are routed elsewhere', async (_, values) => {
    const environments = ['env_a', 'env_b'];
    await create({ environments });
    databases.journal.length = 0;
    await accept({ environments, boot: { generation: 10, how: 'start' }, ...values, generation: 11 });
    expect([crm().status, databases.journal]).toEqual(['preparing', []]);
    await clock.run(1_500);
    expect(databases.journal).not.toEqual([]);
  });
});

describe('what the core does by itself', () => {
  it('is reported', async () => {
    await create();
    const since = crm().since;
    clock.pass(1_000);
    host.coreApps.setStatus('crm', 'commanding');
    expect(crm()).toMatchObject({ status: 'commanding', since: since + 1_000 });
    host.coreApps.setError('crm', new Error('A plugin failed.'));
    host.coreApps.setStatus('crm', 'error');
    expect(crm()).toMatchObject({ status: 'error', error: failed('A plugin failed.') });
    host.coreApps.setStatus('crm', 'running');
    expect(crm().error).toBeUndefined();
  });

  it.each(['error', 'stopped'] as const)('is ended by a start when it is %s, and by nothing else', async (status) => {
    await create();
    host.coreApps.setStatus('crm', status);
    await accept({ generation: 11, boot: { generation: 10, how: 'start' }, title: 'Sales' });
    expect(databases.story('boots')).toHaveLength(1);
    expect(await accept({ generation: 12, boot: { generation: 12, how: 'start' } })).toMatchObject({
      status: 'running',
      generation: 12,
    });
    expect(databases.story('boots')).toHaveLength(2);
  });

  it('does no harm where its plugins cannot be read', async () => {
    host.pluginSet = async () => {
      throw new Error('The folder of plugins is gone.');
    };
    expect((await create({ environments: ['env_a', 'env_b'] })).status).toBe('running');
    await expect(controller.apps.findStalePlugins()).resolves.toBeUndefined();
  });

  it('ends when its command does, though it says "running" before', async () => {
    let end!: () => void;
    host.bootScripts.set('crm', { lingers: new Promise((resolve) => (end = resolve)) });
    await create();
    expect([host.coreApps.appStatus.crm, crm().status]).toEqual(['running', 'initializing']);
    end();
    await quiet();
    expect(crm().status).toBe('running');

    host.commanding.add('crm');
    host.coreApps.setStatus('crm', 'commanding');
    host.coreApps.setStatus('crm', 'running');
    expect(crm().status).toBe('commanding');
    host.commanding.delete('crm');
    host.coreApps.onStatus('crm');
    expect(crm().status).toBe('running');
  });

  it('is reported as progress, but not for a running app', async () => {
    let end!: () => void;
    host.bootScripts.set('crm', { takes: new Promise((resolve) => (end = resolve)) });
    await create();
    controller.apps.reportProgress('crm', verbatim('Loading plugins.'));
    controller.apps.reportProgress('nobody', verbatim('Loading plugins.'));
    expect(crm().message).toEqual(verbatim('Loading plugins.'));
    end();
    await quiet();
    controller.apps.reportProgress('crm', verbatim('Something.'));
    expect(crm().message).toBeUndefined();
  });
});

describe('a well-known password of the administrator', () => {
  const both = { environments: ['env_a', 'env_b'], desired: 'onDemand' as const };

  it('is reported at the start, and for a dormant app also in the next process', async () => {
    host.adminPasswords.set('crm', 'default');
    await create(both);
    expect(crm()).toMatchObject({ status: 'running', adminPassword: 'default' });
    await restart();
    expect(crm()).toMatchObject({ status: 'dormant', adminPassword: 'default' });
    host.adminPasswords.clear();
    controller.visit('crm');
    await quiet();
    expect(crm()).toMatchObject({ status: 'running', adminPassword: null });
  });

  it('is no longer reported once it was changed in another environment', async () => {
    host.adminPasswords.set('crm', 'default');
    await create(both);
    await controller.apps.findChangedAdminPasswords();
    expect(crm().adminPassword).toBe('default');
    vi.spyOn(host, 'adminPassword').mockRejectedValueOnce(new Error('The database is away.'));
    await controller.apps.findChangedAdminPasswords();
    expect(crm().adminPassword).toBe('default');
    host.adminPasswords.clear();
    await controller.apps.findChangedAdminPasswords();
    expect(crm().adminPassword).toBe(null);
  });

  it('is not attributed to another app of the same name', async () => {
    host.adminPasswords.set('crm', 'default');
    await create(both);
    host.adminPasswords.clear();
    // Whose database it is not, so that it does not come up.
    await accept({ uid: 'uid-2', generation: 20, boot: { generation: 20, how: 'start' } });
    expect(crm()).toMatchObject({ uid: 'uid-2', status: 'error', adminPassword: null });
  });
});

describe('plugins changed by another environment', () => {
  it('are a pending change of the running app until it was loaded again', async () => {
    host.plugins.set('crm', 'kanban@1');
    await create({ environments: ['env_a', 'env_b'] });
    await controller.apps.findStalePlugins();
    expect(crm().pendingChanges).toEqual([]);
    host.plugins.set('crm', 'kanban@2');
    await controller.apps.findStalePlugins();
    expect(crm().pendingChanges).toEqual(['plugins']);
    await accept({ environments: ['env_a', 'env_b'], generation: 11, boot: { generation: 11, how: 'restart' } });
    await clock.run(1_500);
    expect(crm()).toMatchObject({ status: 'running', pendingChanges: [], generation: 11 });
  });

  it('cause no second restart before the loaded plugins are known', async () => {
    host.plugins.set('crm', 'kanban@1');
    await create({ environments: ['env_a', 'env_b'] });
    host.plugins.set('crm', 'kanban@2');
    await controller.apps.findStalePlugins();
    let tell!: (set: { text: string; own: [] }) => void;
    vi.spyOn(host, 'pluginSet').mockReturnValueOnce(new Promise((resolve) => (tell = resolve)));
    await accept({ environments: ['env_a', 'env_b'], generation: 11, boot: { generation: 11, how: 'restart' } });
    await clock.run(1_500);
    expect(crm()).toMatchObject({ status: 'running', generation: 11 });
    await controller.apps.findStalePlugins();
    expect(reports.filter(({ generation }) => generation === 11).flatMap((entry) => entry.pendingChanges)).toEqual([]);
    tell({ text: 'kanban@2', own: [] });
    await controller.apps.findStalePlugins();
    expect(crm().pendingChanges).toEqual([]);
  });

  it('are ignored if they come with a release that is not installed here', async () => {
    host.plugins.set('crm', 'kanban@1');
    await create({ environments: ['env_a', 'env_b'] });
    host.plugins.set('crm', 'kanban@2');
    host.behind.add('crm');
    await controller.apps.findStalePlugins();
    expect(crm().pendingChanges).toEqual([]);
    host.behind.delete('crm');
    await controller.apps.findStalePlugins();
    expect(crm().pendingChanges).toEqual(['plugins']);
  });

  it('are ignored for an app in one environment', async () => {
    host.plugins.set('crm', 'kanban@1');
    await create({ environments: ['env_a'] });
    host.plugins.set('crm', 'kanban@2');
    await controller.apps.findStalePlugins();
    expect(crm().pendingChanges).toEqual([]);
  });
});

describe('work that does not end', () => {
  const stuck = { status: 'error', error: { code: 'APP_STUCK' } };
  let end!: () => void;
  const slow = () => new Promise<void>((resolve) => (end = resolve));

  it.each(['succeeds', 'fails'])(
    'of a boot is shown with where it stands, begins no second one, and %s at last',
    async (how) => {
      const fails = how === 'fails' ? new Error('The disk is full.') : undefined;
      host.bootScripts.set('crm', { takes: slow(), fails });
      await create();
      await clock.run(899_000);
      expect(crm().status).toBe('initializing');
      controller.apps.reportProgress('crm', verbatim('Loading plugins.'));
      await clock.run(2_000);
      const params = { app: 'crm', seconds: 900, at: verbatim('Loading plugins.') };
      expect(crm()).toMatchObject({ status: 'error', generation: 10, error: { code: 'APP_STUCK', params } });
      expect(controller.apps.stuck()).toEqual(['crm']);
      // Whatever is asked for is answered with it, and nothing is begun.
      const entry = await accept({ generation: 11, boot: { generation: 11, how: 'restart' } });
      expect(entry).toMatchObject({ ...stuck, generation: 11 });
      host.coreApps.setStatus('crm', 'initialized');
      controller.convergeAll();
      await clock.run(60_000);
      expect(crm()).toMatchObject(stuck);
      expect(databases.story('boots')).toHaveLength(1);
      host.bootScripts.clear();
      end();
      await quiet();
      expect(controller.apps.stuck()).toEqual([]);
      expect(databases.story('boots')).toEqual(['env_a boots crm start', 'env_a boots crm restart']);
      expect(crm()).toMatchObject({ status: 'running', generation: 11 });
    },
  );

  describe('of a command in the app', () => {
    /** As the core reports it. */
    const command = (status: 'commanding' | 'running') => {
      if (status === 'commanding') host.commanding.add('crm');
      else host.commanding.delete('crm');
      host.coreApps.setStatus('crm', status);
    };
    const hang = async () => {
      await create();
      command('commanding');
      controller.apps.reportProgress('crm', verbatim('Enabling plugin x.'));
      await clock.run(899_000);
      expect(crm().status).toBe('commanding');
      await clock.run(2_000);
    };

    it('is shown with where it stands, until it has ended', async () => {
      await hang();
      const params = { app: 'crm', seconds: 900, at: verbatim('Enabling plugin x.') };
      expect(crm()).toMatchObject({ status: 'error', generation: 10, error: { code: 'APP_STUCK', params } });
      expect(controller.apps.stuck()).toEqual(['crm']);
      controller.convergeAll();
      host.coreApps.setStatus('crm', 'initializing');
      await quiet();
      expect(crm()).toMatchObject(stuck);
      command('running');
      expect(crm()).toMatchObject({ status: 'running', generation: 10 });
      expect(crm().error).toBeUndefined();
      expect(controller.apps.stuck()).toEqual([]);
    });

    it('takes no place from others, and a restart of the app ends it', async () => {
      await hang();
      host.commanding.clear();
      reports = [];
      expect(await accept({ generation: 11, boot: { generation: 11, how: 'restart' } })).toMatchObject({
        status: 'running',
        generation: 11,
      });
      expect(controller.apps.stuck()).toEqual([]);
      expect(reports.find(({ begun, status }) => begun === 11 && status !== 'error')?.status).toBe('preparing');
      await clock.run(2_000_000);
      expect(crm().status).toBe('running');
    });

    it('is counted for each command by itself', async () => {
      await create();
      for (let i = 0; i < 3; i++) {
        command('commanding');
        await clock.run(500_000);
        command('running');
      }
      command('commanding');
      await clock.run(500_000);
      expect(crm().status).toBe('commanding');
    });

    it('ends with what an environment that was forgotten had', async () => {
      await create();
      command('commanding');
      mayAct = false;
      await controller.acceptAll([], 100);
      await controller.acceptAll([recordOf({ environments: ['env_a'], generation: 40 })], 100);
      await clock.run(1_000_000);
      expect([controller.apps.names(), controller.apps.stuck()]).toEqual([['crm'], []]);
    });

    it('is none while this Worker boots the app: that has its own limit', async () => {
      host.bootScripts.set('crm', { takes: slow() });
      await create();
      host.commanding.add('crm');
      host.coreApps.setStatus('crm', 'commanding');
      await clock.run(1_000_000);
      expect(controller.apps.get('crm')).toMatchObject({ late: 'work' });
    });
  });

  it('of a stop is shown, and done once it has ended', async () => {
    await create();
    const { stop } = host;
    host.stop = async (name) => {
      await slow();
      await stop.call(host, name);
    };
    await accept({ generation: 11, desired: 'stopped' });
    await clock.run(59_000);
    expect(crm().status).toBe('running');
    await clock.run(2_000);
    expect(crm()).toMatchObject({ ...stuck, generation: 11 });
    await accept({ generation: 12, desired: 'removed' });
    expect(crm()).toMatchObject({ ...stuck, generation: 12 });
    end();
    await quiet();
    expect(crm()).toMatchObject({ status: 'not_found', generation: 12 });
  });

  it('keeps a displaced process for its limit, which is spent then', async () => {
    host.bootScripts.set('crm', { takes: slow() });
    await create();
    mayHost = false;
    let hasEnded: boolean | undefined;
    void controller.standDown().then((answer) => (hasEnded = answer));
    await clock.run(899_000);
    expect(hasEnded).toBe(undefined);
    await clock.run(3_000);
    expect(hasEnded).toBe(false);
    end();
    await quiet();
    expect([...host.running.keys()]).toEqual([]);
  });
});

describe('an environment that was forgotten', () => {
  const shop = () =>
    recordOf({ name: 'shop', uid: 'uid-2', provision: 'create', environments: ['env_a'], generation: 30 });

  it('starts empty, and keeps that over restarts', async () => {
    await create();
    await controller.acceptAll([], 100);
    await quiet();
    expect([crm().status, crm().generation]).toEqual(['not_found', 10]);
    await controller.acceptAll([], 100);
    expect(controller.apps.names()).toEqual([]);
    expect(host.running.size).toBe(0);
    expect(snapshot.rows.size).toBe(0);
    await restart();
    await controller.acceptAll([], 100);
    await quiet();
    expect([controller.apps.names(), controller.floor.current, host.running.size]).toEqual([[], 100, 0]);
  });

  it('takes what it had from its former processes, as soon as it may act', async () => {
    await create();
    mayAct = false;
    await controller.acceptAll([], 100);
    await quiet();
    expect([host.running.size, host.left]).toEqual([0, []]);
    mayAct = true;
    controller.convergeAll();
    await quiet();
    expect(host.left).toEqual(['crm 10']);
  });

  it('takes it also if it has not read its snapshot for a moment, in which it takes over', async () => {
    await create();
    mayAct = false;
    await controller.acceptAll([], 100);
    mayHost = false;
    await clock.run(5_000);
    mayHost = mayAct = true;
    controller.convergeAll();
    await quiet();
    expect(host.left).toEqual(['crm 10']);
  });

  it.each<[string, () => void | Promise<void>]>([
    ['another process hosts', () => controller.standDown()],
    ['its process has closed', () => controller.close()],
  ])('does not go on with what it had once %s', async (_, end) => {
    await create();
    mayAct = false;
    await controller.acceptAll([shop()], 100);
    mayHost = false;
    await end();
    await clock.run(5_000);
    mayAct = true;
    await clock.run(60_000);
    expect(host.left).toEqual([]);
  });

  it('starts what was assigned to it again while it still started it for the last time', async () => {
    let end = () => {};
    host.bootScripts.set('crm', { takes: new Promise((resolve) => (end = resolve)) });
    await create();
    await controller.acceptAll([shop()], 100);
    await accept({ generation: 40, boot: { generation: 40, how: 'start' } });
    const shown = [crm().status];
    controller.apps.reports.listen(() => shown.at(-1) === crm().status || shown.push(crm().status));
    end();
    await clock.run(10_000);
    expect([crm().status, crm().generation, host.running.has('crm')]).toEqual(['running', 40, true]);
    expect(shown.filter((status) => status === 'running')).toHaveLength(1);
  });

  describe('of which the end of an app takes too long', () => {
    let end: () => void;
    beforeEach(async () => {
      await create();
      const { rest } = host;
      host.rest = async (name) => {
        await new Promise<void>((resolve) => (end = resolve));
        host.rest = rest;
        await rest.call(host, name);
      };
      await controller.acceptAll([], 100);
    });
    const assign = (values: Partial<AppRecord> = {}) =>
      controller.acceptAll([recordOf({ environments: ['env_a'], generation: 40, ...values })], 100);

    it.each<[string, () => Promise<void>, Partial<AppRecord>, string]>([
      ['starts it after that if it was assigned again before', () => clock.run(0), {}, 'running'],
      ['starts it after that if it was assigned again meanwhile', () => clock.run(61_000), {}, 'running'],
      ['removes it after that', () => clock.run(0), { desired: 'removed' }, 'not_found'],
    ])('says so, and %s', async (_, wait, values, status) => {
      await wait();
      await assign(values);
      await clock.run(61_000);
      expect([crm().status, crm().begun, controller.apps.stuck()]).toEqual(['error', 40, ['crm']]);
      end();
      await clock.run(1_000);
      expect([crm().status, crm().generation, controller.apps.stuck()]).toEqual([status, 40, []]);
    });

    it('says so also where nothing was assigned again', async () => {
      await clock.run(61_000);
      expect([crm().status, controller.apps.stuck()]).toEqual(['error', ['crm']]);
      end();
      await clock.run(1_000);
      expect(controller.apps.stuck()).toEqual([]);
    });

    it.each([30_000, 61_000])('does not keep a displaced process from becoming a standby', async (ms) => {
      await clock.run(ms);
      await assign();
      mayHost = false;
      let isOver = false;
      void controller.standDown().then(() => (isOver = true));
      await clock.run(62_000);
      expect(isOver).toBe(true);
    });
  });

  it('ends no data any more that it was still to end', async () => {
    await create();
    host.onRest = () => (mayAct = false);
    await accept({ generation: 11, desired: 'removed', data: 'drop' });
    await controller.acceptAll([], 100);
    host.onRest = () => undefined;
    mayAct = true;
    controller.convergeAll();
    await quiet();
    expect([crm().status, host.left]).toEqual(['not_found', ['crm 11']]);
    expect(databases.story('drops')).toEqual([]);
  });

  it('remembers what was assigned to it again while it was still removed', async () => {
    await create();
    let end = () => {};
    host.hosted.leave = () => new Promise<void>((resolve) => (end = resolve));
    await accept({ generation: 11, desired: 'removed' });
    await controller.acceptAll([], 100);
    await controller.acceptAll([recordOf({ environments: ['env_a'], generation: 40 })], 100);
    await crowd();
    end();
    await quiet();
    expect(await snapshot.load()).toMatchObject([{ record: { generation: 40 } }]);
  });

  it('does not keep a displaced process from becoming a standby', async () => {
    await create();
    let end = () => {};
    host.bootScripts.set('crm', { takes: new Promise((resolve) => (end = resolve)) });
    await accept({ generation: 11, boot: { generation: 11, how: 'restart' } });
    await controller.acceptAll([shop()], 100);
    await accept({ generation: 40, boot: { generation: 40, how: 'start' } });
    mayAct = mayHost = false;
    let isOver = false;
    void controller.standDown().then(() => (isOver = true));
    end();
    await clock.run(10_000);
    expect([isOver, host.running.has('crm')]).toEqual([true, false]);
  });

  it('boots nothing of it while it finds that out', async () => {
    await create();
    start();
    await controller.begin();
    databases.journal.length = 0;
    await controller.acceptAll([shop()], 100);
    await quiet();
    expect(databases.journal.filter((line) => line.includes('crm'))).toEqual([]);
    expect([...host.running.keys()]).toEqual(['shop']);
  });

  it('runs again what is assigned to it again', async () => {
    await create();
    await controller.acceptAll([], 100);
    await quiet();
    await controller.acceptAll([recordOf({ environments: ['env_a'], generation: 40 })], 100);
    await quiet();
    expect(crm().status).toBe('running');
    await restart();
    expect(crm().status).toBe('running');
  });

  it('ends what it had also if its database cannot be written, and boots none of it after a restart', async () => {
    await create();
    snapshot.away = true;
    await expect(controller.acceptAll([], 100)).rejects.toThrow('away');
    await quiet();
    expect(host.running.size).toBe(0);
    snapshot.away = false;
    await controller.acceptAll([], 100);
    expect([snapshot.rows.size, snapshot.header?.floor]).toEqual([0, 100]);
  });

  it.each<[string, number | null]>([
    ['does not say so', null],
    ['is the same', 0],
  ])('is not taken for one that was not: the store %s', async (_, floor) => {
    await create();
    await controller.acceptAll([], floor);
    await quiet();
    expect(crm().status).toBe('running');
  });

  it('is not taken for one by an older copy of the store', async () => {
    await controller.acceptAll([], 100);
    await create();
    await controller.acceptAll([], 50);
    await controller.acceptAll([], 100);
    await quiet();
    expect(crm().status).toBe('running');
  });

  it('ends a boot that it finds under way, or waiting', async () => {
    mayHost = true;
    void controller.accept([recordOf({ environments: ['env_a'], provision: 'create' })]);
    await controller.acceptAll([], 100);
    await quiet();
    expect([host.running.size, crm().status]).toEqual([0, 'not_found']);
  });
});
