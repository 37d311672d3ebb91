import { describe, expect, it } from 'vitest';
import { type ActionRequest, type Answer, perform } from '../../src/server/supervisor/api/action';
import { VIEWS } from '../../src/server/supervisor/api/views';
import { MOST_VIEWS, type ViewRow } from '../../src/shared/view';
import { columnsOfParam, isExpanded, viewAddress, withColumns, withView } from '../../src/ui/apps/view-address';
import { MemoryFleet } from '../support/memory-fleet';

describe('saved views on the server', () => {
  const serverOf = async () => {
    const { part } = await new MemoryFleet().supervisor();
    const act = async (what: typeof VIEWS.list, userId: string, values = {}, filterByTk?: string) => {
      const context = { supervisor: part, userId, values, params: { filterByTk } };
      return ((await perform(what, context as unknown as ActionRequest)) as Answer).data;
    };
    const names = async (userId: string) => ((await act(VIEWS.list, userId)) as ViewRow[]).map(({ name }) => name);
    const create = async (userId: string, name: string, address = 'status=error&columns=-') =>
      (await act(VIEWS.create, userId, { name, address })) as ViewRow;
    return { act, names, create };
  };

  it('are named, changed and deleted by whose they are', async () => {
    const { act, names, create } = await serverOf();
    const broken = await create('1', ' Broken ');
    await create('1', 'Acme', 'label=customer%3Aacme&columns=version%2Clabels');
    expect(await act(VIEWS.list, '1')).toEqual([
      { id: expect.any(String), name: 'Acme', address: 'label=customer%3Aacme&columns=version%2Clabels' },
      { id: broken.id, name: 'Broken', address: 'status=error&columns=-' },
    ]);
    await act(VIEWS.update, '1', { name: 'Failed' }, broken.id);
    await act(VIEWS.update, '1', { address: 'status=unknown&columns=-' }, broken.id);
    expect(await act(VIEWS.list, '1')).toContainEqual({
      ...broken,
      name: 'Failed',
      address: 'status=unknown&columns=-',
    });
    await act(VIEWS.destroy, '1', {}, broken.id);
    expect(await names('1')).toEqual(['Acme']);
  });

  it('are of nobody else', async () => {
    const { act, names, create } = await serverOf();
    const mine = await create('1', 'Broken');
    await create('2', 'Broken');
    expect(await names('2')).toEqual(['Broken']);
    const unknown = { code: 'UNKNOWN_VIEW', params: { view: mine.id } };
    await expect(act(VIEWS.update, '2', { name: 'Taken' }, mine.id)).rejects.toMatchObject(unknown);
    await expect(act(VIEWS.destroy, '2', {}, mine.id)).rejects.toMatchObject(unknown);
    expect(await act(VIEWS.list, '1')).toEqual([mine]);
  });

  it('have names that differ, and addresses that are nothing else', async () => {
    const { act, create } = await serverOf();
    await create('1', 'Broken');
    const other = await create('1', 'Other');
    for (const attempt of [create('1', 'Broken'), act(VIEWS.update, '1', { name: 'Broken' }, other.id)])
      await expect(attempt).rejects.toMatchObject({
        field: 'name',
        params: { problem: { code: 'INPUT_VIEW_TWICE' } },
      });
    await act(VIEWS.update, '1', { name: 'Other', address: 'sort=title' }, other.id);
    for (const address of ['//evil.example.com', 'a b', 'text=<b>', 'a=b#c'])
      await expect(create('1', 'New', address)).rejects.toMatchObject({ field: 'address' });
    await expect(create('1', ' ')).rejects.toMatchObject({ field: 'name' });
  });

  it('are limited in number', async () => {
    const { create } = await serverOf();
    for (let index = 0; index < MOST_VIEWS; index++) await create('1', `View ${index}`);
    await expect(create('1', 'One more')).rejects.toMatchObject({ params: { problem: { code: 'INPUT_VIEWS' } } });
    await create('2', 'One more');
  });
});

describe('the address of a saved view', () => {
  const params = (text: string) => new URLSearchParams(text);
  const now = params('status=error&label=trial%2Cacme&sort=-title&page=3&app=crm&tab=log&view=old');

  it('has filters, order and columns, in an order of its own, and not what is open', () => {
    const address = viewAddress(now, ['version', 'operation']);
    expect(Object.fromEntries(params(address))).toEqual({
      status: 'error',
      label: 'trial,acme',
      sort: '-title',
      columns: 'operation,version',
    });
    expect(viewAddress(params('sort=-title&label=trial,acme&status=error'), ['operation', 'version'])).toBe(address);
    // As the server accepts it.
    expect(viewAddress(params('text=%C3%A9 "x"'), [])).toMatch(/^[\w%.~*+&=-]*$/);
  });

  it('takes the place of what was shown, and makes place for all apps', () => {
    const view = { id: 'v1', name: 'Broken', address: 'status=unknown&columns=-' };
    expect(withView(now, view).toString()).toBe('app=crm&tab=log&view=v1&status=unknown&columns=-');
    expect(withView(now, null).toString()).toBe('app=crm&tab=log');
  });

  it('is complete once it has more than the id', () => {
    expect(isExpanded(params('view=v1&page=2'))).toBe(false);
    expect(isExpanded(params('view=v1&columns=-'))).toBe(true);
  });

  it('leaves columns to the user unless it names some', () => {
    expect(columnsOfParam(null)).toBeNull();
    expect(columnsOfParam(withColumns(params(''), []).get('columns'))).toEqual([]);
    expect(columnsOfParam('version,gone')).toEqual(['version']);
  });
});
