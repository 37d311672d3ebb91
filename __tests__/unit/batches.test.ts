import { describe, expect, it } from 'vitest';
import { perform } from '../../src/server/supervisor/api/action';
import { APPS } from '../../src/server/supervisor/api/apps';
import { BATCHES } from '../../src/server/supervisor/api/batches';
import { batchRow } from '../../src/server/supervisor/requests/batches';
import type { Batch, BatchRow } from '../../src/shared/batch';
import type { Operation } from '../../src/shared/operation';
import { MemoryFleet } from '../support/memory-fleet';

describe('a batch as it is shown', () => {
  const names = ['crm', 'shop', 'wiki', 'docs', 'hr', 'blog'];
  const batch: Batch = {
    id: 'b1',
    action: 'restart',
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

  it('what needs no operation is done when it was asked for', () => {
    expect(batchRow({ ...batch, action: 'label' }, [], 3_000)).toMatchObject({ done: 6, isOver: true });
  });
});

describe('a request about several apps', () => {
  const fleetOf = async () => {
    const fleet = new MemoryFleet();
    const supervisor = await fleet.supervisor();
    for (const name of ['env_a', 'env_b']) await fleet.environment(name);
    for (const name of ['crm', 'shop', 'wiki']) await fleet.runningApp(supervisor, name, ['env_a']);
    await fleet.run(1_000, 'env_a', 'env_b');
    const act = (what: typeof APPS.stop, params: object, values = {}, may = {}) =>
      perform(what, {
        supervisor: supervisor.part,
        params,
        values,
        userId: '7',
        caller: {},
        may,
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

  it('changes settings of several apps', async () => {
    const { fleet, act } = await fleetOf();
    await act(APPS.configure, ALL, { failover: 'automatic', failoverDelay: 90, startMode: 'withMain' });
    for (const name of ALL.filterByTk)
      expect(fleet.app(name)).toMatchObject({ failover: 'automatic', failoverDelay: 90, startMode: 'withMain' });
    await expect(async () => act(APPS.configure, ALL, { title: 'x' })).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  });
});
