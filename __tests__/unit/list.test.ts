import { describe, expect, it } from 'vitest';
import { perform } from '../../src/server/supervisor/api/action';
import { APPS } from '../../src/server/supervisor/api/apps';
import { ORDERS, type Sorted } from '../../src/server/supervisor/api/order';
import type { AppCounts } from '../../src/shared/summary';
import type { AppRow, Status } from '../../src/shared/types';
import { worstOf } from '../../src/shared/words';
import { MemoryFleet } from '../support/memory-fleet';

const app = (title: string, ...statuses: Status[]): Sorted => ({
  app: { name: title, title, labels: [] },
  status: worstOf(statuses),
});
const order = (field: string, ...apps: Sorted[]) => apps.toSorted(ORDERS[field]).map(({ app }) => app.title);

describe('the order of the list', () => {
  it('of titles is natural', () => {
    expect(order('title', app('cluster-10'), app('Beta'), app('cluster-2'), app('alpha'))).toEqual([
      'alpha',
      'Beta',
      'cluster-2',
      'cluster-10',
    ]);
  });

  it('of statuses has the worst first: of several the worst counts', () => {
    const apps = [app('fine', 'running'), app('half', 'running', 'error'), app('off', 'stopped'), app('lost')];
    expect(order('status', ...apps, app('also fine', 'running'))).toEqual(['lost', 'half', 'off', 'also fine', 'fine']);
  });
});

it('by labels is natural, whatever their order, with apps without labels last', () => {
  const labelled = (title: string, ...labels: string[]): Sorted => ({
    ...app(title),
    app: { name: title, title, labels },
  });
  const apps = [
    labelled('none'),
    labelled('both', 'zone:b', 'customer:2'),
    labelled('ten', 'customer:10'),
    labelled('two', 'customer:2'),
    labelled('also none'),
  ];
  expect(order('labels', ...apps)).toEqual(['two', 'both', 'ten', 'also none', 'none']);
});

describe('the actions of the API', () => {
  const fleetOf = async () => {
    const fleet = new MemoryFleet();
    const supervisor = await fleet.supervisor();
    for (const name of ['env_a', 'env_b']) await fleet.environment(name);
    await fleet.runningApp(supervisor, 'crm10', ['env_a']);
    await fleet.runningApp(supervisor, 'crm9', ['env_b']);
    await fleet.run(1_000, 'env_a', 'env_b');
    const act = (what: typeof APPS.list, params: object, values = {}) =>
      perform(what, {
        supervisor: supervisor.part,
        params,
        values,
        userId: '1',
        caller: {},
      } as never) as unknown as Promise<{
        data: AppRow[];
        meta: { count: number; refused: { app: string; code: string }[] };
      }>;
    const names = async (params: object) => (await act(APPS.list, params)).data.map(({ name }) => name);
    return { fleet, part: supervisor.part, act, names };
  };

  it('sort and filter by what only memory knows', async () => {
    const { names, act, part, fleet } = await fleetOf();
    expect(await names({ sort: 'title' })).toEqual(['crm9', 'crm10']);
    expect(await names({ sort: '-title' })).toEqual(['crm10', 'crm9']);
    await fleet.says('env_a', 'crm10', { status: 'error' });
    expect(await names({ sort: 'status' })).toEqual(['crm10', 'crm9']);
    await fleet.run(40_000, 'env_b');
    await part.forget('env_a');
    await fleet.run(2_000, 'env_b');
    expect(await names({ filter: { status: 'no_environment' } })).toEqual(['crm10']);
    expect((await act(APPS.list, { sort: 'title', pageSize: 1 })).meta.count).toBe(2);
  });

  it('find words in any order, wherever they are: also in the error that is shown, in both languages', async () => {
    const { names, act, fleet, part } = await fleetOf();
    await part.parts.service.update('crm9', { title: 'Billing Northwind', labels: ['customer:acme'] }, '1');
    await part.parts.appRepository.update('crm10', { cname: 'crm.example.com' });
    await part.parts.appCache.load();
    await fleet.run(1_000, 'env_a', 'env_b');
    const error = { code: 'DATABASE_UNREACHABLE', params: { server: '10.0.4.17:5432', cause: 'connect ETIMEDOUT' } };
    await fleet.says('env_a', 'crm10', { status: 'error', error });
    const found = (search: string) => names({ filter: { search } });
    expect(await found('NORTHwind bill')).toEqual(['crm9']);
    expect(await found('acme crm9 env_b')).toEqual(['crm9']);
    expect(await found('example.c')).toEqual(['crm10']);
    expect(await found('10.0.4.17 crm etimedout')).toEqual(['crm10']);
    expect(await found('数据库')).toEqual(['crm10']);
    expect(await found('northwind 10.0.4.17')).toEqual([]);
    expect(await found('  ')).toEqual(['crm9', 'crm10']);
    expect((await act(APPS.counts, { filter: { search: 'etimedout' } })).data).toMatchObject({
      environments: { env_a: 1 },
      statuses: { error: 1 },
    });
  });

  it('say when an app was last visited, also where it is no more', async () => {
    const { fleet, act, part } = await fleetOf();
    await fleet.says('env_a', 'crm10', { lastVisitAt: 5_000 });
    await part.parts.service.update('crm10', { environments: ['env_b'] }, '1');
    await fleet.run(1_000, 'env_a', 'env_b');
    await fleet.says('env_a', 'crm10', { status: 'not_found' });
    await fleet.run(2_000, 'env_a', 'env_b');
    await fleet.says('env_b', 'crm10', { lastVisitAt: null });
    const row = async () => (await act(APPS.get, { filterByTk: 'crm10' })).data as unknown as AppRow;
    expect(await row()).toMatchObject({ environments: ['env_b'], lastVisitAt: 5_000 });
    await fleet.says('env_b', 'crm10', { lastVisitAt: 9_000 });
    expect((await row()).lastVisitAt).toBe(9_000);
  });

  it('count each app once, by its worst status, as the filter finds it', async () => {
    const { names, act, fleet, part } = await fleetOf();
    await part.parts.service.update('crm9', { environments: ['env_a', 'env_b'] }, '1');
    await fleet.run(1_000, 'env_a', 'env_b');
    for (const name of ['crm9', 'crm9']) await fleet.says('env_a', name);
    await fleet.says('env_b', 'crm9', { status: 'error', error: { code: 'FAILED', params: { cause: 'x' } } });
    const counts = async (filter: object) => (await act(APPS.counts, { filter })).data as unknown as AppCounts;
    expect(await counts({})).toMatchObject({ statuses: { error: 1, running: 1 } });
    expect(await names({ filter: { status: ['running'] } })).toEqual(['crm10']);
    expect(await names({ filter: { status: ['running', 'error'] } })).toEqual(['crm9', 'crm10']);
    // In one environment it is as it is there.
    expect(await names({ filter: { status: ['running'], environment: 'env_a' } })).toEqual(['crm9', 'crm10']);
    expect(await counts({ environment: 'env_a' })).toMatchObject({ statuses: { running: 2 } });
    expect((await counts({ status: ['error'] })).environments).toEqual({ env_b: 1 });
  });

  describe('labels', () => {
    /** What a change of labels must not touch. */
    const publishedBy = (fleet: MemoryFleet) => ({
      apps: ['crm9', 'crm10'].map((name) => {
        const { generation, placements, published } = fleet.app(name);
        return { generation, placements, published };
      }),
      operations: fleet.database.visible('appOperations').length,
      writes: (['records.write', 'appIndex.write'] as const).map((method) => fleet.stores.timesCalled(method)),
    });
    const newest = (fleet: MemoryFleet) => fleet.database.visible('appEvents').at(-1);

    it('are added to several apps and removed, which is recorded, is no operation, and reaches no environment', async () => {
      const { act, fleet } = await fleetOf();
      const before = publishedBy(fleet);
      const both = { filterByTk: ['crm9', 'crm10'] };
      const { data } = await act(APPS.label, both, { add: ['trial', 'customer:acme'] });
      expect(data.map(({ labels }) => labels)).toEqual(Array(2).fill(['trial', 'customer:acme']));
      await act(APPS.label, both, { add: ['客户：甲', 'trial'], remove: ['customer:acme'] });
      await fleet.run(40_000, 'env_a', 'env_b');
      expect(fleet.app('crm9')).toMatchObject({ labels: ['trial', '客户：甲'] });
      expect(newest(fleet)).toMatchObject({
        kind: 'change',
        appName: 'crm10',
        createdById: '1',
        operationId: null,
        changes: [{ field: 'labels', before: 'trial, customer:acme', after: 'trial, 客户：甲' }],
      });
      expect(publishedBy(fleet)).toEqual(before);
      // What makes no difference is not recorded.
      const events = fleet.database.visible('appEvents').length;
      await act(APPS.label, both, { add: ['trial'], remove: ['unknown'] });
      expect(fleet.database.visible('appEvents')).toHaveLength(events);
    });

    it('are saved without an operation if they are all that a form changes, and with it otherwise', async () => {
      const { act, fleet } = await fleetOf();
      const before = publishedBy(fleet);
      const { title, environments, startMode } = fleet.app('crm9');
      const form = { title, environments, targetEnvironment: 'env_b', startMode, options: {}, labels: ['trial'] };
      expect((await act(APPS.update, { filterByTk: 'crm9' }, form)).data).toMatchObject({ labels: ['trial'] });
      expect(publishedBy(fleet)).toEqual(before);
      expect(newest(fleet)?.changes).toEqual([{ field: 'labels', before: null, after: 'trial' }]);
      await act(APPS.update, { filterByTk: 'crm9' }, { ...form, title: 'CRM 9', labels: [] });
      expect(fleet.open).toMatchObject([{ action: 'update', appName: 'crm9' }]);
      expect(fleet.app('crm9')).toMatchObject({ title: 'CRM 9', labels: [] });
      expect(newest(fleet)?.changes).toEqual([
        { field: 'title', before: 'crm9', after: 'CRM 9' },
        { field: 'labels', before: 'trial', after: null },
      ]);
    });

    it('leave alone what goes on with the app', async () => {
      const { act, fleet, part } = await fleetOf();
      const { id } = await part.parts.service.command('crm9', 'restart', '1');
      await act(APPS.label, { filterByTk: 'crm9' }, { add: ['trial'] });
      expect(fleet.open.map((operation) => operation.id)).toEqual([id]);
    });

    it('find apps that have all of them, and are counted together with the other filters', async () => {
      const { act, names, fleet } = await fleetOf();
      const counts = async (filter: object) => (await act(APPS.counts, { filter })).data;
      await act(APPS.label, { filterByTk: ['crm9', 'crm10'] }, { add: ['trial'] });
      await act(APPS.label, { filterByTk: 'crm10' }, { add: ['acme'] });
      await fleet.clock.run(100);
      expect(await names({ filter: { label: 'trial' } })).toEqual(['crm9', 'crm10']);
      expect(await names({ filter: { $and: [{ label: 'trial' }, { label: 'acme' }] } })).toEqual(['crm10']);
      expect(await names({ filter: { label: { $in: ['acme', 'gone'] } } })).toEqual(['crm10']);
      expect(await names({ filter: { label: 'acme', environment: 'env_b' } })).toEqual([]);
      expect(await names({ sort: 'labels' })).toEqual(['crm10', 'crm9']);
      expect(await counts({})).toMatchObject({ labels: { trial: 2, acme: 1 }, environments: { env_a: 1, env_b: 1 } });
      expect(await counts({ label: 'acme' })).toMatchObject({
        labels: { trial: 1, acme: 1 },
        environments: { env_a: 1 },
      });
      expect(await counts({ environment: 'env_b' })).toMatchObject({ labels: { trial: 1 } });
    });

    it('are refused of the app that would have too many, and as a whole if one is none', async () => {
      const { act } = await fleetOf();
      const twenty = Array.from({ length: 20 }, (_, index) => `l${index}`);
      await act(APPS.label, { filterByTk: 'crm9' }, { add: twenty });
      const { data, meta } = await act(APPS.label, { filterByTk: ['crm9', 'crm10'] }, { add: ['more'] });
      expect(data.map(({ name }) => name)).toEqual(['crm10']);
      expect(meta.refused).toMatchObject([{ app: 'crm9', code: 'INVALID_INPUT' }]);
      for (const wrong of ['', 'a,b', '-a', 'a'.repeat(51)])
        await expect(act(APPS.label, { filterByTk: 'crm10' }, { add: [wrong] })).rejects.toThrow(/label/);
      await expect(act(APPS.label, { filterByTk: 'gone' }, { add: ['a'] })).rejects.toMatchObject({
        code: 'UNKNOWN_APP',
      });
    });
  });

  it('read the log of an app also where it was, but nowhere else', async () => {
    const { act, fleet } = await fleetOf();
    const asked: unknown[] = [];
    fleet.answer = async (environment, kind) => {
      asked.push([environment, kind]);
      return ['a line'];
    };
    const log = (environment: string) => act(APPS.logs, { filterByTk: 'crm9', environment });
    expect((await log('env_a')).data).toEqual(['a line']);
    expect(asked).toEqual([['env_a', 'logs']]);
    await expect(log('env_c')).rejects.toMatchObject({ code: 'UNKNOWN_ENVIRONMENT' });
  });
});
