import { describe, expect, it } from 'vitest';
import { perform } from '../../src/server/supervisor/api/action';
import { APPS } from '../../src/server/supervisor/api/apps';
import { BATCHES } from '../../src/server/supervisor/api/batches';
import { OPERATIONS } from '../../src/server/supervisor/api/operations';
import { KEEP_OPERATIONS } from '../../src/server/supervisor/definitions/operation-store';
import { batchRow } from '../../src/server/supervisor/requests/batches';
import type { Batch, BatchRow } from '../../src/shared/batch';
import { say } from '../../src/shared/message';
import type { Operation } from '../../src/shared/operation';
import { drain } from '../support/drain';
import { MemoryFleet } from '../support/memory-fleet';

describe('a batch as it is shown', () => {
  const names = ['crm', 'shop', 'wiki', 'docs', 'hr', 'blog'];
  const batch: Batch = {
    id: 'b1',
    action: 'restart',
    environment: null,
    input: {},
    apps: names.map((name) => ({ name, title: name.toUpperCase(), uid: `uid-${name}` })),
    asked: 6,
    refused: {},
    createdById: '1',
    createdAt: 1_000,
    askedAt: 2_000,
  };
  const silent = (app: string) => ({
    code: 'APP_START_FAILED',
    params: { app, cause: { code: 'DATABASE_UNREACHABLE', params: { server: '10.0.4.17:5432', cause: 'ETIMEDOUT' } } },
  });
  const operation = (name: string, state: Operation['state'], error?: object) =>
    ({
      appUid: `uid-${name}`,
      state,
      progress: [{ environment: 'env_a', state, of: 'boot', ...(error && { error }) }],
    }) as Operation;

  it('counts each app once, and groups what has failed by the innermost cause', () => {
    const row = batchRow(
      {
        ...batch,
        refused: { docs: { code: 'OPERATION_BEGUN', params: { app: 'docs', action: 'x', environment: 'y' } } },
      },
      [
        operation('crm', 'succeeded'),
        operation('shop', 'failed', silent('shop')),
        operation('wiki', 'failed', silent('wiki')),
        operation('hr', 'running'),
        operation('blog', 'cancelled'),
      ],
      3_000,
    );
    expect(row).toMatchObject({ total: 6, done: 1, failed: 3, underWay: 1, cancelled: 1, isOver: false });
    expect(row.failures.map(({ cause, apps }) => [cause.code, apps.map(({ title }) => title)])).toEqual([
      ['DATABASE_UNREACHABLE', ['SHOP', 'WIKI']],
      ['OPERATION_BEGUN', ['DOCS']],
    ]);
  });

  it('says of apps that were never asked for that they wait, and after a minute that this has ended', () => {
    const half = { ...batch, asked: 2 };
    const done = [operation('crm', 'succeeded'), operation('shop', 'succeeded')];
    expect(batchRow(half, done, 50_000)).toMatchObject({ done: 2, underWay: 4, failed: 0, isOver: false });
    const late = batchRow(half, done, 70_000);
    expect(late).toMatchObject({ done: 2, underWay: 0, failed: 4, isOver: true });
    expect(late.failures).toMatchObject([{ cause: { code: 'BATCH_INTERRUPTED' } }]);
    // What has become an operation was asked for, whatever is noted.
    expect(batchRow(half, [...done, operation('wiki', 'succeeded')], 70_000)).toMatchObject({ done: 3, failed: 3 });
  });

  it('shows the newest operation of an app, in whatever order they were read', () => {
    const newer = { ...operation('crm', 'succeeded'), generation: 9 };
    const older = { ...operation('crm', 'failed', silent('crm')), generation: 8 };
    for (const read of [
      [newer, older],
      [older, newer],
    ])
      expect(batchRow(batch, read, 3_000)).toMatchObject({ done: 6 });
  });

  it('what needs no operation is done when it was asked for', () => {
    expect(batchRow({ ...batch, action: 'label' }, [], 3_000)).toMatchObject({ done: 6, isOver: true });
  });
});

describe('a request about several apps', () => {
  const fleetOf = async (places = ['env_a']) => {
    const fleet = new MemoryFleet();
    const supervisor = await fleet.supervisor();
    for (const name of ['env_a', 'env_b']) await fleet.environment(name);
    for (const name of ['crm', 'shop', 'wiki']) await fleet.runningApp(supervisor, name, places);
    await fleet.run(1_000, 'env_a', 'env_b');
    const act = (what: typeof APPS.stop, params: object, values = {}, rest = {}) =>
      perform(what, {
        supervisor: supervisor.part,
        params,
        values,
        userId: '7',
        caller: {},
        may: {},
        ...rest,
      } as never) as unknown as Promise<{
        data: any;
        meta: { batch: string | null; refused: { app: string; code: string }[] };
      }>;
    const row = async (id: string): Promise<BatchRow> => (await act(BATCHES.get, { filterByTk: id })).data;
    return { fleet, supervisor, act, row };
  };
  const ALL = { filterByTk: ['crm', 'shop', 'wiki'] };

  it('is one thing, with what was refused; about one app it is none', async () => {
    const { fleet, supervisor, act, row } = await fleetOf();
    const { service } = supervisor.part.parts;
    expect((await act(APPS.stop, { filterByTk: 'crm' })).meta.batch).toBeNull();
    const { inBatch } = service;
    // One that is deleted by somebody else in between.
    service.inBatch = (id) => {
      const ours = inBatch.call(service, id);
      const command = ours.command.bind(ours);
      return Object.assign(ours, {
        command: ((name, ...rest) => command(name === 'shop' ? 'gone' : name, ...rest)) as typeof command,
      });
    };
    const { meta, data } = await act(APPS.restart, ALL, { onFailure: 'continue' });
    service.inBatch = inBatch;
    expect(data).toHaveLength(2);
    expect(data.every(({ batch }: { batch: string }) => batch === meta.batch)).toBe(true);
    expect(await row(meta.batch!)).toMatchObject({
      action: 'restart',
      total: 3,
      underWay: 2,
      failed: 1,
      createdBy: '7',
      failures: [{ cause: { code: 'UNKNOWN_APP' }, apps: [{ name: 'shop', title: 'shop' }] }],
    });
    // What was refused is asked for again, as it was asked for, and nothing else.
    const again = (await act(BATCHES.retry, { filterByTk: meta.batch })).data;
    expect(again).toMatchObject({ total: 3, underWay: 3, failed: 0, failures: [] });
    const operations = fleet.open.filter(({ batch }) => batch === meta.batch);
    expect(operations.map(({ appName, onFailure }) => [appName, onFailure]).sort()).toEqual(
      ['crm', 'shop', 'wiki'].map((name) => [name, 'continue']),
    );
    const listed = await act(BATCHES.list, {});
    expect(listed.data.map(({ id }: BatchRow) => id)).toEqual([meta.batch]);
  });

  it('of what has failed, the operation is asked for again; the one before is part of it no more', async () => {
    const { fleet, act, row } = await fleetOf();
    const { meta } = await act(APPS.restart, ALL);
    for (const name of ['crm', 'wiki']) await fleet.says('env_a', name);
    const error = { code: 'APP_START_FAILED', params: { app: 'shop', cause: 'no' } };
    await fleet.says('env_a', 'shop', { status: 'error', error });
    await fleet.run(2_000, 'env_a', 'env_b');
    expect(await row(meta.batch!)).toMatchObject({ done: 2, failed: 1, underWay: 0, isOver: true });
    await act(BATCHES.retry, { filterByTk: meta.batch });
    expect(fleet.open.map(({ appName, batch }) => [appName, batch])).toEqual([['shop', meta.batch]]);
    expect(await row(meta.batch!)).toMatchObject({ done: 2, failed: 0, underWay: 1, total: 3 });
    // Nothing is left to be asked for again.
    await act(BATCHES.retry, { filterByTk: meta.batch });
    expect(fleet.open).toHaveLength(1);
  });

  it('never asks for another app that has the name by now, and new secrets only for whoever may ask for them', async () => {
    const { fleet, act, supervisor } = await fleetOf();
    await act(APPS.label, ALL, { add: ['x'] });
    const [{ id }] = fleet.database.visible('appBatches') as unknown as Batch[];
    const change = (values: Partial<Batch>) =>
      supervisor.part.parts.appRepository &&
      fleet.database.connect().getModel('appBatches').update(values, { where: { id } });
    const refused = { crm: { code: 'NAME_TAKEN', params: { app: 'crm' } } };
    const apps = [{ name: 'crm', title: 'CRM', uid: 'another' }];
    await change({ refused, apps, asked: 1 } as Partial<Batch>);
    const again = (await act(BATCHES.retry, { filterByTk: id })).data;
    expect(again.failures).toMatchObject([{ cause: { code: 'UNKNOWN_APP' } }]);
    await change({ action: 'renewSecrets' });
    await expect(act(BATCHES.retry, { filterByTk: id })).rejects.toMatchObject({ code: 'NEEDS_SECURITY' });
    await expect(act(BATCHES.retry, { filterByTk: 'none' })).rejects.toMatchObject({ code: 'UNKNOWN_BATCH' });
  });

  it('is not asked for twice at once', async () => {
    const { fleet, act } = await fleetOf();
    await act(APPS.label, ALL, { add: ['x'] });
    const [{ id }] = fleet.database.visible('appBatches') as unknown as Batch[];
    await fleet.database.connect().getModel('appBatches').update({ asked: 1 }, { where: { id } });
    await expect(act(BATCHES.retry, { filterByTk: id })).rejects.toMatchObject({ code: 'BATCH_UNDER_WAY' });
    await fleet.run(61_000, 'env_a', 'env_b');
    expect((await act(BATCHES.retry, { filterByTk: id })).data).toMatchObject({ done: 3, failed: 0 });
  });

  const failing = (app: string, code = 'APP_STOP_FAILED') => ({
    status: 'error' as const,
    error: { code, params: { app, cause: 'no' } },
  });

  it('never asks for what a newer request was made for since', async () => {
    const { fleet, act, row } = await fleetOf();
    const { meta } = await act(APPS.stop, ALL);
    for (const name of ['crm', 'wiki']) await fleet.says('env_a', name, { status: 'stopped' });
    await fleet.says('env_a', 'shop', failing('shop'));
    await fleet.run(2_000, 'env_a', 'env_b');
    expect(await row(meta.batch!)).toMatchObject({ done: 2, failed: 1, isOver: true });
    await act(APPS.start, { filterByTk: 'shop' });
    await fleet.says('env_a', 'shop');
    await fleet.run(2_000, 'env_a', 'env_b');
    for (let times = 0; times < 3; times++) {
      const { data } = await act(BATCHES.retry, { filterByTk: meta.batch });
      expect(data).toMatchObject({ done: 2, failed: 0, cancelled: 1, underWay: 0, failures: [] });
      expect(fleet.app('shop').desired).toBe('running');
    }
    expect(fleet.open).toEqual([]);
  });

  it('of a drain, what has failed is asked for again there alone, by whoever may drain, and while it goes on', async () => {
    const { fleet, supervisor, act, row } = await fleetOf(['env_a', 'env_b']);
    const { batch } = await drain(supervisor.part, 'env_a', { mode: 'stop' });
    for (const name of ['crm', 'wiki']) await fleet.says('env_a', name, { status: 'stopped' });
    await fleet.says('env_a', 'shop', failing('shop'));
    await fleet.run(2_000, 'env_a', 'env_b');
    expect(await row(batch!)).toMatchObject({
      action: 'drain',
      environment: 'env_a',
      done: 2,
      failed: 1,
      isOver: true,
    });
    const retry = async (mayDrain: boolean) => {
      const can = ({ resource, action }: Record<string, string>) =>
        mayDrain && `${resource}:${action}` === 'appEnvironments:drain';
      const refuse = (status: number) => {
        throw new Error(String(status));
      };
      return act(BATCHES.retry, { filterByTk: batch }, {}, { ctx: { can, throw: refuse } });
    };
    await expect(retry(false)).rejects.toThrow('403');
    expect(fleet.open).toEqual([]);
    expect((await retry(true)).data).toMatchObject({ total: 3, done: 2, failed: 0, underWay: 1 });
    const [asked] = fleet.open;
    expect(fleet.open).toHaveLength(1);
    expect(asked).toMatchObject({ appName: 'shop', action: 'stop', batch });
    expect(asked.progress.map(({ environment }) => environment)).toEqual(['env_a']);
    await fleet.says('env_a', 'shop', failing('shop'));
    await fleet.run(2_000, 'env_a', 'env_b');
    expect(await row(batch!)).toMatchObject({ failed: 1, isOver: true });
    // The drain is over: what it has not done is not wanted any more.
    await supervisor.part.parts.drains.uncordon('env_a', false, '7');
    await expect(retry(true)).rejects.toMatchObject({ code: 'NOT_CORDONED' });
    expect(fleet.open).toEqual([]);
  });

  it('an operation that is retried on the page of its app is part of the batch as before', async () => {
    const { fleet, act, row } = await fleetOf();
    const { meta } = await act(APPS.restart, ALL);
    for (const name of ['crm', 'wiki']) await fleet.says('env_a', name);
    await fleet.says('env_a', 'shop', failing('shop', 'APP_START_FAILED'));
    await fleet.run(2_000, 'env_a', 'env_b');
    const [{ id }] = (fleet.database.visible('appOperations') as unknown as Operation[]).filter(
      ({ batch, state }) => batch === meta.batch && state === 'failed',
    );
    await act(OPERATIONS.retry, { filterByTk: id });
    expect(fleet.operation(id).batch).toBeNull();
    expect(await row(meta.batch!)).toMatchObject({ done: 2, failed: 0, underWay: 1, total: 3 });
    await fleet.says('env_a', 'shop');
    await fleet.run(2_000, 'env_a', 'env_b');
    expect(await row(meta.batch!)).toMatchObject({ done: 3, failed: 0, underWay: 0, isOver: true });
  });

  /** A move whose preview waits for Workers. @returns what lets them answer */
  const slowMove = ({ fleet, act }: Awaited<ReturnType<typeof fleetOf>>) => {
    let go!: () => void;
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    fleet.answer = async (_environment, what, body: any) => {
      if (what !== 'checkDatabase') return { files: 0, bytes: 0 } as never;
      await gate;
      const message = say('CHECK_OTHER_APP', { object: body.name, app: body.name, uid: fleet.app(body.name).uid });
      return { checks: [{ name: 'content', ok: false, message }], verdict: 'taken' } as never;
    };
    return { go, asked: act(APPS.move, ALL, { to: 'env_b' }) };
  };

  it('is under way as long as somebody asks for it, however long that takes', async () => {
    const given = await fleetOf();
    const { fleet, act, row } = given;
    const { go, asked } = slowMove(given);
    await fleet.run(90_000, 'env_a', 'env_b');
    const [{ id }] = fleet.database.visible('appBatches') as unknown as Batch[];
    expect(await row(id)).toMatchObject({ underWay: 3, failed: 0, isOver: false });
    await expect(act(BATCHES.retry, { filterByTk: id })).rejects.toMatchObject({ code: 'BATCH_UNDER_WAY' });
    go();
    expect((await asked).data.refused).toEqual([]);
    expect(await row(id)).toMatchObject({ underWay: 3, failed: 0 });
    // Nothing is renewed any more.
    const { askedAt } = fleet.database.visible('appBatches')[0];
    await fleet.run(30_000, 'env_a', 'env_b');
    expect(fleet.database.visible('appBatches')[0].askedAt).toBe(askedAt);
  });

  it('is asked for no further by who was taken for ended', async () => {
    const given = await fleetOf();
    const { fleet } = given;
    const { go, asked } = slowMove(given);
    await fleet.run(1_000, 'env_a', 'env_b');
    const [{ id, askedAt }] = fleet.database.visible('appBatches') as unknown as Batch[];
    // Another process asks for it.
    await fleet.database
      .connect()
      .getModel('appBatches')
      .update({ askedAt: askedAt + 1 }, { where: { id } });
    go();
    await asked;
    expect(fleet.open).toEqual([]);
    expect(fleet.database.visible('appBatches')[0]).toMatchObject({ asked: 0, askedAt: askedAt + 1 });
  });

  it('is gone with its operations after 30 days', async () => {
    const { fleet, act } = await fleetOf();
    const { meta } = await act(APPS.label, ALL, { add: ['x'] });
    const change = (createdAt: number) =>
      fleet.database
        .connect()
        .getModel('appBatches')
        .update({ createdAt }, { where: { id: meta.batch } });
    await change(fleet.clock.wall - KEEP_OPERATIONS);
    expect((await act(BATCHES.list, {})).data).toHaveLength(1);
    await change(fleet.clock.wall - KEEP_OPERATIONS - 1);
    expect((await act(BATCHES.list, {})).data).toEqual([]);
    await expect(act(BATCHES.get, { filterByTk: meta.batch })).rejects.toMatchObject({ code: 'UNKNOWN_BATCH' });
  });

  it('is removed after 30 days by who leads', async () => {
    const fleet = new MemoryFleet();
    const batch = { action: 'stop', apps: [], asked: 0, refused: {}, createdById: '1', askedAt: 0 };
    const oldest = fleet.clock.wall - KEEP_OPERATIONS;
    for (const [id, createdAt] of Object.entries({ old: oldest - 1, kept: oldest + 60_000 }))
      await fleet.database
        .connect()
        .getModel('appBatches')
        .create({ ...batch, id, createdAt });
    await fleet.supervisor();
    await fleet.run(2_000);
    expect(fleet.database.visible('appBatches').map(({ id }) => id)).toEqual(['kept']);
  });

  it('changes settings of several apps', async () => {
    const { fleet, act } = await fleetOf();
    await act(APPS.configure, ALL, { failover: 'automatic', failoverDelay: 90, startMode: 'withMain' });
    for (const name of ALL.filterByTk)
      expect(fleet.app(name)).toMatchObject({ failover: 'automatic', failoverDelay: 90, startMode: 'withMain' });
    await expect(async () => act(APPS.configure, ALL, { title: 'x' })).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  });
});
