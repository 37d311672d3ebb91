import { describe, expect, it } from 'vitest';
import type { FleetSummary } from '../../src/shared/summary';
import type { EventRow, OperationRow } from '../../src/shared/types';
import { highestOf, lastOf, linesOf } from '../../src/ui/common/plot';
import { appsQueryOf, withAppsQuery } from '../../src/ui/common/query';
import { nextCell } from '../../src/ui/overview/grid';
import { movingOf, remedyPath } from '../../src/ui/overview/remedies';
import { firstSteps } from '../../src/ui/overview/steps';
import { barsOf, spanOf } from '../../src/ui/overview/timeline';

const HOUR = 3_600_000;

it('a plot is one line for each stretch of known values', () => {
  expect(linesOf([0, 10, null, 5, null], 10, 100, 50)).toEqual(['0,50 25,0', '75,25 75,25']);
  expect(linesOf([null, null], 0, 100, 50)).toEqual([]);
  expect(linesOf([0, 0], 0, 100, 50)).toEqual(['0,50 100,50']);
  expect([highestOf([1, null, 3]), lastOf([1, 2, null]), highestOf([null])]).toEqual([3, 2, null]);
});

it('arrow keys go from cell to cell', () => {
  const from = (key: string, index = 5) => nextCell(key, index, 20, 8);
  expect(['ArrowRight', 'ArrowLeft', 'ArrowDown', 'ArrowUp', 'Home', 'End', 'Tab'].map((key) => from(key))).toEqual([
    6,
    4,
    13,
    0,
    0,
    19,
    null,
  ]);
  expect([from('ArrowDown', 15), from('ArrowLeft', 0)]).toEqual([19, 0]);
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
  const query = { text: 'crm', environment: 'env_a', status: 'error', label, sort: '-title', page: 2, pageSize: 50 };
  const address = withAppsQuery(new URLSearchParams({ app: 'crm', tab: 'log' }), query);
  expect(appsQueryOf(address)).toEqual(query);
  expect(address.get('tab')).toBe('log');
  const first = withAppsQuery(address, { text: '', label: [], page: 1, pageSize: 20 });
  expect([...first.keys()]).toEqual(['app', 'tab', 'environment', 'status', 'sort']);
  expect(appsQueryOf(new URLSearchParams('page=x'))).toMatchObject({ text: '', page: 1, pageSize: 20 });
});
