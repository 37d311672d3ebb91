import { describe, expect, it } from 'vitest';
import type { EnvironmentSummary, FleetSummary } from '../../src/shared/summary';
import type { EventRow, OperationRow } from '../../src/shared/types';
import { appsQueryOf, changedChoices, withAppsQuery } from '../../src/ui/common/query';
import { spanOf } from '../../src/ui/common/spans';
import { barsOf } from '../../src/ui/environments/timeline';
import { CELLS, heatOf } from '../../src/ui/overview/heat';
import { eventsSince } from '../../src/ui/overview/heat-events';
import { isRed, movingOf, remedyPath } from '../../src/ui/overview/remedies';
import { shownAtFirst, worstFirst } from '../../src/ui/overview/rows';
import { firstSteps } from '../../src/ui/overview/steps';

const HOUR = 3_600_000;

describe('the rows of environments', () => {
  const row = (name: string, values: Partial<EnvironmentSummary> = {}) =>
    ({ name, health: 'online', cordoned: false, apps: { running: 3 }, ...values }) as EnvironmentSummary;
  const many = (count: number, values: Partial<EnvironmentSummary> = {}) =>
    Array.from({ length: count }, (_, index) => row(`env_${index}`, values));

  it('come worst first: what is down, then where apps have failed, then what is not known', () => {
    const sorted = worstFirst([
      row('env_10'),
      row('env_9'),
      row('cordoned', { cordoned: true }),
      row('late', { health: 'suspect' }),
      row('unseen', { health: 'unknown' }),
      row('one', { apps: { error: 1 } }),
      row('many', { apps: { running: 1, error: 7 } }),
      row('gone', { health: 'down', apps: {} }),
    ]);
    expect(sorted.map(({ name }) => name)).toEqual([
      'gone',
      'many',
      'one',
      'unseen',
      'late',
      'cordoned',
      'env_9',
      'env_10',
    ]);
  });

  it('are folded only where all is well, and never a single one', () => {
    expect(shownAtFirst(many(50))).toBe(10);
    expect(shownAtFirst(worstFirst([...many(14, { health: 'down' }), ...many(6)]))).toBe(14);
    expect([shownAtFirst(many(11)), shownAtFirst(many(3))]).toEqual([11, 3]);
  });
});

describe('what happened in each part of a time', () => {
  const event = (values: Partial<EventRow>) =>
    ({ kind: 'health', environment: 'env_a', at: 0, endedAt: null, ...values }) as EventRow;
  const statesOf = (events: EventRow[], readFrom: number | null = null) =>
    heatOf(events, CELLS * HOUR, CELLS * HOUR, readFrom)
      .get('env_a')
      ?.map(({ state }) => state.charAt(0))
      .join('');

  it('is an outage as long as it lasted, also one from before, and a failure when it came', () => {
    expect(statesOf([event({ at: -HOUR, endedAt: 2.5 * HOUR })])).toBe(`ooo${'q'.repeat(21)}`);
    expect(statesOf([event({ at: 22.5 * HOUR })])).toBe(`${'q'.repeat(22)}oo`);
    const crash = event({ kind: 'crash', at: HOUR, endedAt: 20 * HOUR });
    expect(statesOf([crash])).toBe(`qf${'q'.repeat(22)}`);
    expect(statesOf([crash, event({ at: HOUR, endedAt: HOUR })])).toBe(`qo${'q'.repeat(22)}`);
  });

  it('is said to be unread where more happened than was read', async () => {
    expect(statesOf([event({ kind: 'crash', at: 23.5 * HOUR })], 3 * HOUR)).toBe(`uuu${'q'.repeat(20)}f`);
    const listEvents = async (_: object, page: number, size: number) => ({
      rows: Array.from({ length: size }, (_, index) => event({ id: `${page}-${index}`, at: 10_000 - page })),
      count: 5_000,
    });
    const { events, readFrom } = await eventsSince({ listEvents }, 0);
    expect([events.length, readFrom]).toEqual([1_000, 9_995]);
    const few = async () => ({ rows: [event({ id: 'e' })], count: 1 });
    expect((await eventsSince({ listEvents: few }, 0)).readFrom).toBeNull();
  });
});

it('red is what failed, and what is unsafe', () => {
  const kinds = ['failed', 'outdated', 'domain', 'idle', 'security'] as const;
  expect(kinds.filter((kind) => isRed({ kind }))).toEqual(['failed', 'security']);
});

describe('the timeline', () => {
  const event = (values: Partial<EventRow>) =>
    ({ id: 'e', kind: 'health', environment: 'env_a', ...values }) as EventRow;
  const operation = (values: Partial<OperationRow>) =>
    ({ id: 'o', progress: [{ environment: 'env_a' }], ...values }) as OperationRow;

  it('shows what of an outage or operation is within the time, and what lasts up to now', () => {
    const bars = barsOf(
      'env_a',
      [
        event({ at: -HOUR, endedAt: null }),
        event({ id: 'old', at: -HOUR, endedAt: -1 }),
        event({ id: 'x', environment: 'env_b' }),
      ],
      [operation({ createdAt: HOUR / 4, finishedAt: HOUR / 2 }), operation({ id: 'other', progress: [] })],
      HOUR,
      HOUR,
    );
    expect(bars).toMatchObject([
      { id: 'o', kind: 'operation', left: 25, width: 25 },
      { id: 'e', kind: 'outage', left: 0, width: 100 },
    ]);
  });

  it('makes what is short wide enough to be seen, within the edges', () => {
    const [bar] = barsOf('env_a', [event({ kind: 'crash', at: HOUR, endedAt: HOUR })], [], HOUR, HOUR);
    expect(bar).toMatchObject({ kind: 'failure', left: 99.6, width: 0.4 });
    expect([spanOf('7d'), spanOf('1y'), spanOf(null)]).toEqual(['7d', '24h', '24h']);
  });
});

it('a remedy leads to a page, or opens the dialog of a move', () => {
  expect(remedyPath({ kind: 'list', filter: 'error' })).toMatch(/apps\?status=error$/);
  expect(remedyPath({ kind: 'why', environment: 'env_a' })).toMatch(/activity\?environment=env_a$/);
  expect(remedyPath({ kind: 'log', apps: ['crm'] })).toMatch(/apps\?app=crm&tab=log$/);
  const t = (text: string) => text;
  const move = { kind: 'move', environment: 'env_a', to: 'env_b' } as const;
  expect([remedyPath(move), movingOf(t, move)]).toMatchObject([
    null,
    { subject: { environment: 'env_a' }, to: 'env_b' },
  ]);
  expect(movingOf(t, { kind: 'assign', apps: ['crm'] })).toMatchObject({ subject: { apps: ['crm'] } });
  expect(movingOf(t, { kind: 'restart', apps: ['crm'] })).toBeNull();
});

describe('the first steps', () => {
  const open = (values: Partial<FleetSummary>, isLocal = false) =>
    firstSteps({ environments: [], total: 0, counts: {}, ...values } as FleetSummary, isLocal)
      .filter(({ isDone }) => !isDone)
      .map(({ key }) => key);

  it('are an environment, an app, and that it runs; then they are gone', () => {
    expect(open({})).toEqual(['environment', 'app', 'runs']);
    expect(open({}, true)).toEqual(['app', 'runs']);
    const environments = [{ health: 'online' }] as FleetSummary['environments'];
    expect(open({ environments })).toEqual(['app', 'runs']);
    expect(open({ environments, total: 1, counts: { preparing: 1 } })).toEqual(['runs']);
    expect(open({ environments, total: 1, counts: { running: 1 } })).toEqual([]);
    expect(open({ total: 9, counts: { unknown: 9 } })).toEqual([]);
  });
});

it('the filters of the list of apps are in the address', () => {
  const label = ['trial', 'customer:acme'];
  const query = {
    text: 'crm',
    environment: 'env_a',
    status: ['error', 'unknown'],
    label,
    sort: '-title',
    page: 2,
    pageSize: 50,
  };
  const address = withAppsQuery(new URLSearchParams({ app: 'crm', tab: 'log' }), query);
  expect(appsQueryOf(address)).toEqual(query);
  expect(address.get('tab')).toBe('log');
  const first = withAppsQuery(address, { text: '', label: [], page: 1, pageSize: 20 });
  expect([...first.keys()]).toEqual(['app', 'tab', 'environment', 'status', 'sort']);
  expect(appsQueryOf(new URLSearchParams('page=x'))).toMatchObject({ text: '', page: 1, pageSize: 20 });
});

it('of two choices at once in a filter none is lost: each changes what the address has at that moment', () => {
  let address = new URLSearchParams({ status: 'stopped', page: '2' });
  // The field shows the first choice, and not yet the second one.
  const choose = (next: string[]) => {
    address = withAppsQuery(address, ({ status = [] }) => ({ status: changedChoices(status, ['stopped'], next) }));
    return address.get('status');
  };
  expect(choose(['stopped', 'error'])).toBe('stopped,error');
  expect(choose(['stopped', 'waiting'])).toBe('stopped,error,waiting');
  expect(choose([])).toBe('error,waiting');
  expect(address.get('page')).toBe('2');
});
