import { describe, expect, it } from 'vitest';
import * as actions from '../../src/server/supervisor/api/apps';
import { ORDERS, type Sorted } from '../../src/server/supervisor/apps/order';
import type { AppRow } from '../../src/shared/types';
import { MemoryFleet } from '../support/memory-fleet';

const app = (title: string, ...statuses: Sorted['statuses'][number][]): Sorted => ({ name: title, title, statuses });
const order = (field: string, ...apps: Sorted[]) => apps.toSorted(ORDERS[field]).map(({ title }) => title);

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

describe('the actions of the API', () => {
  const fleetOf = async () => {
    const fleet = new MemoryFleet();
    const supervisor = await fleet.supervisor();
    for (const name of ['env_a', 'env_b']) await fleet.environment(name);
    await fleet.runningApp(supervisor, 'crm10', ['env_a']);
    await fleet.runningApp(supervisor, 'crm9', ['env_b']);
    await fleet.run(1_000, 'env_a', 'env_b');
    const act = (work: typeof actions.list, params: object) =>
      work({ supervisor: supervisor.part, params, values: {}, userId: '1', caller: {} } as never) as Promise<{
        data: AppRow[];
        meta: { count: number; refused: { app: string; code: string }[] };
      }>;
    const names = async (params: object) => (await act(actions.list, params)).data.map(({ name }) => name);
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
    expect((await act(actions.list, { sort: 'title', pageSize: 1 })).meta.count).toBe(2);
  });

  it('for several apps go on after one that is refused, and name it', async () => {
    const { act, part } = await fleetOf();
    const { service } = part.parts;
    const command = service.command.bind(service);
    service.command = (name, ...rest) => command(name === 'crm10' ? 'gone' : name, ...rest);
    const { data, meta } = await act(actions.command('stop'), { filterByTk: ['crm10', 'crm9'] });
    expect(data).toMatchObject([{ appName: 'crm9' }]);
    expect(meta.refused).toMatchObject([{ app: 'crm10', code: 'UNKNOWN_APP' }]);
    await expect(act(actions.command('stop'), { filterByTk: ['crm10'] })).rejects.toMatchObject({
      code: 'UNKNOWN_APP',
    });
  });
});
