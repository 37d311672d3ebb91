import { describe, expect, it } from 'vitest';
import type { AppRow, EnvironmentRow, OperationRow, ShownStatus, Status } from '../../src/shared/types';
import {
  answeringEnvironment,
  environmentForVisitors,
  progressOf,
  refusal,
  refusalOfAll,
  servingEnvironments,
  unexpectedEnvironments,
  visitableEnvironments,
} from '../../src/ui/apps/actions';
import { moveLabel } from '../../src/ui/apps/labels';

const status = (value: Status): ShownStatus => ({ status: value, since: 0, observedAt: 0 });

function appOf(change: Partial<AppRow> & { at?: Record<string, Status> } = {}): AppRow {
  const { at = { env_a: 'running' }, ...rest } = change;
  return {
    environments: Object.keys(at),
    targetEnvironment: Object.keys(at)[0],
    desiredState: 'running',
    statuses: Object.fromEntries(Object.entries(at).map(([name, value]) => [name, status(value)])),
    version: '2.2.15',
    operation: null,
    ...rest,
  } as AppRow;
}

const operation = (action: OperationRow['action'], state: OperationRow['state'] = 'running') =>
  ({ action, state, steps: [] }) as unknown as OperationRow;

const environment = (name: string, change: Partial<EnvironmentRow> = {}) =>
  ({ name, serves: true, health: 'online', available: true, appVersion: '2.2.15', ...change }) as EnvironmentRow;

const reason = (...args: Parameters<typeof refusal>) => refusal(...args)?.text ?? null;

describe('actions offered for an app', () => {
  it('a running one can be stopped, restarted and visited, and not started', () => {
    const app = appOf();
    expect(reason('start', app, null)).toBe('It is already running.');
    for (const action of ['stop', 'restart', 'visit', 'edit', 'destroy'] as const) {
      expect(reason(action, app, null)).toBeNull();
    }
  });

  it('a stopped one can be started, and neither stopped, restarted nor visited', () => {
    const app = appOf({ desiredState: 'stopped', at: { env_a: 'stopped' } });
    expect(reason('start', app, null)).toBeNull();
    expect(reason('stop', app, null)).toBe('It is already stopped.');
    expect(reason('restart', app, null)).toBe('It is stopped. Start it instead.');
    expect(reason('visit', app, null)).toBe('It is stopped. Start it first.');
  });

  it('one without an environment can only be assigned to one', () => {
    const app = appOf({ at: {} });
    for (const action of ['start', 'restart', 'upgrade', 'visit'] as const)
      expect(reason(action, app, null)).toBe('It has no environment. Assign it to one first.');
    for (const action of ['move', 'edit', 'destroy'] as const) expect(reason(action, app, null)).toBeNull();
    expect([moveLabel(app), moveLabel(appOf())]).toEqual(['Assign', 'Move']);
  });

  it.each([
    ['failed somewhere', appOf({ at: { env_a: 'running', env_b: 'error' } })],
    ['waits to be visited', appOf({ desiredState: 'onDemand', at: { env_a: 'dormant' } })],
    ['cannot be seen', appOf({ at: { env_a: 'unknown' } })],
  ])('one that %s can be started', (_, app) => expect(reason('start', app, null)).toBeNull());

  it.each(['create', 'start', 'restart', 'upgrade'] as const)(
    'during %s it cannot be started but stopped',
    (action) => {
      const app = appOf({ at: { env_a: 'commanding' }, operation: operation(action) });
      expect(reason('start', app, null)).toBe('It is being started.');
      expect(reason('stop', app, null)).toBeNull();
    },
  );

  it('while it stops it can be started but not stopped', () => {
    const app = appOf({ desiredState: 'stopped', operation: operation('stop', 'queued') });
    expect(reason('stop', app, null)).toBe('It is being stopped.');
    expect(reason('start', app, null)).toBeNull();
  });

  it('while it is deleted nothing is offered', () => {
    const app = appOf({ operation: operation('destroy') });
    for (const action of ['start', 'stop', 'restart', 'upgrade', 'visit', 'edit', 'destroy'] as const) {
      expect(reason(action, app, null)).toBe('It is being deleted.');
    }
  });

  it('upgrade only if an environment runs another version than the data, or the version is unknown', () => {
    expect(refusal('upgrade', appOf(), [environment('env_a')])?.values).toEqual({ version: '2.2.15' });
    expect(reason('upgrade', appOf(), [environment('env_a', { appVersion: '2.2.16' })])).toBeNull();
    expect(reason('upgrade', appOf(), null)).toBeNull();
    expect(reason('upgrade', appOf({ version: null }), [environment('env_a')])).toBeNull();
  });

  it('visit never where it has failed', () => {
    const both = { environments: ['env_a', 'env_b'], targetEnvironment: 'env_a' };
    const failed = appOf({ ...both, at: { env_a: 'error', env_b: 'error' } });
    expect(reason('visit', failed, null)).toBe('It failed. Open it to see the cause.');
    const half = appOf({ ...both, at: { env_a: 'error', env_b: 'dormant' } });
    expect(reason('visit', half, null)).toBeNull();
    expect(visitableEnvironments(half, null)).toEqual(['env_b']);
  });

  it('the environment that answers is the last selected one, then a running one, then the target', () => {
    const app = appOf({
      environments: ['env_a', 'env_b', 'env_c'],
      targetEnvironment: 'env_a',
      at: { env_a: 'dormant', env_b: 'running', env_c: 'running' },
    });
    const places = visitableEnvironments(app, null);
    expect(answeringEnvironment(app, places, 'env_c')).toBe('env_c');
    expect(answeringEnvironment(app, places, 'env_gone')).toBe('env_b');
    expect(answeringEnvironment(app, ['env_a'], null)).toBe('env_a');
  });

  it('visit only where an environment serves and is not down; one with unknown health may answer', () => {
    const app = appOf();
    expect(reason('visit', app, [environment('env_a', { serves: false })])).toBe(
      'None of its environments serves visitors.',
    );
    expect(reason('visit', app, [environment('env_a', { health: 'down' })])).toBe('All of its environments are down.');
    expect(reason('visit', app, [environment('env_a', { health: 'unknown' })])).toBeNull();
  });

  it('for several apps if possible for one of them, otherwise with the first reason', () => {
    const running = appOf();
    const stopped = appOf({ desiredState: 'stopped', at: { env_a: 'stopped' } });
    expect(refusalOfAll('start', [running, stopped], null)).toBeNull();
    expect(refusalOfAll('start', [running], null)?.text).toBe('It is already running.');
  });
});

describe('where visitors can go', () => {
  it('the target first, then the others in the order of the app, those that serve', () => {
    const app = appOf({ at: { env_c: 'running', env_a: 'running', env_b: 'running' }, targetEnvironment: 'env_b' });
    expect(servingEnvironments(app, null)).toEqual(['env_b', 'env_c', 'env_a']);
    expect(servingEnvironments(app, [environment('env_c', { serves: false })])).toEqual(['env_b', 'env_a']);
  });
});

describe('where an app is not in its expected state', () => {
  it.each<[AppRow['desiredState'], Status, boolean]>([
    ['running', 'running', false],
    ['running', 'dormant', true],
    ['running', 'stopped', true],
    ['onDemand', 'dormant', false],
    ['onDemand', 'running', false],
    ['onDemand', 'stopped', true],
    ['stopped', 'stopped', false],
    ['stopped', 'running', true],
    ['running', 'unknown', false],
    ['running', 'commanding', false],
    ['running', 'error', false],
  ])('expected %s, is %s: %s', (desiredState, is, isStray) => {
    expect(unexpectedEnvironments(appOf({ desiredState, at: { env_a: is } }))).toEqual(isStray ? ['env_a'] : []);
  });

  it('is not shown while an operation is in progress', () => {
    expect(unexpectedEnvironments(appOf({ at: { env_a: 'stopped' }, operation: operation('start') }))).toEqual([]);
  });
});

describe('new visitors are sent', () => {
  const goTo = (at: Record<string, Status>, ...environments: EnvironmentRow[]) =>
    environmentForVisitors(appOf({ at }), [environment('env_a'), environment('env_b'), ...environments]);
  it('to the target environment while it serves the app, and elsewhere while it does not', () => {
    expect(goTo({ env_a: 'running', env_b: 'running' })).toBe('env_a');
    expect(goTo({ env_a: 'error', env_b: 'running' })).toBe('env_b');
    expect(goTo({ env_a: 'running', env_b: 'dormant' }, environment('env_a', { health: 'down' }))).toBe('env_b');
    expect(goTo({ env_a: 'running', env_b: 'running' }, environment('env_a', { serves: false }))).toBe('env_b');
  });
  it('nowhere while it is stopped', () => {
    const app = appOf({ desiredState: 'stopped', at: { env_a: 'stopped', env_b: 'running' } });
    expect(environmentForVisitors(app, [environment('env_a'), environment('env_b')])).toBeNull();
  });
});

it('progress counts what is done', () => {
  const progress = ['succeeded', 'running', 'queued'].map((state) => ({ environment: 'x', state }));
  expect(progressOf({ progress } as OperationRow)).toEqual({ done: 1, total: 3 });
});
