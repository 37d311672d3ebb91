import { describe, expect, it } from 'vitest';
import {
  appOf as appFrom,
  dataOf,
  type FormerApp,
  type FormerOperation,
  type FormerStep,
  givenSecret,
  namedOf,
  progressOf,
  tombstoneOf,
} from '../../src/server/supervisor/definitions/former-rows';
import { say } from '../../src/shared/message';
import type { OperationState } from '../../src/shared/types';
import { appOf, placementOf, publishedOf } from '../support/fixtures';
import { PlannedApp } from '../support/planned';

type Steps = Array<
  [environment: string, kind: FormerStep['kind'], state: OperationState, values?: Partial<FormerStep>]
>;

const boot = (generation: number, how: 'start' | 'restart' = 'start') => ({ generation, how });
/** As it was published. */
function wish(generation: number, desired: 'running' | 'onDemand' | 'stopped' | 'removed' = 'running', booted = 10) {
  const { provision: claim, ...others } = publishedOf({ generation, desired, boot: boot(booted) });
  return { ...others, claim };
}

function formerOf(values: Partial<FormerApp>): FormerApp {
  const {
    placements: _,
    previous: __,
    paused: ___,
    provision: claim,
    createdAt: ____,
    updatedAt: _____,
    ...app
  } = appOf();
  return { ...app, published: {}, claim, boot: boot(10), ...values };
}

function operationOf(state: OperationState, steps: Steps, values: Partial<FormerOperation> = {}): FormerOperation {
  const isOver = state !== 'queued' && state !== 'running';
  return {
    id: 'op-1',
    appUid: 'uid-1',
    action: 'update',
    state,
    finishedAt: isOver ? 1 : null,
    onFailure: 'stop',
    steps: steps.map(([environment, kind, of, more]) => ({ environment, kind, state: of, ...more })),
    ...values,
  };
}

/** The app as it is written, with the reports of Workers that have done what was published. */
function upgraded(former: FormerApp, operation?: FormerOperation, reported = Object.keys(former.published)) {
  const { boot: _, claim: __, ...others } = former;
  const app = new PlannedApp({ ...others, ...appFrom(former, operation) });
  for (const environment of reported) app.report(environment);
  return app;
}

const bootsOf = (app: PlannedApp) =>
  Object.fromEntries(Object.entries(app.app.published).map(([name, { boot }]) => [name, boot.generation]));

describe('an app of a former release', () => {
  const skipped = { message: say('STEP_NOT_BEGUN') };

  it('goes on as it was, without another boot', () => {
    const running = formerOf({ published: { env_a: wish(10), env_b: wish(12) }, generation: 12 });
    expect(upgraded(running).app).toMatchObject({
      placements: {
        env_a: { generation: 10, want: 'running', boot: boot(10) },
        env_b: { generation: 12, want: 'running', boot: boot(10) },
      },
      provision: 'none',
      previous: null,
      paused: null,
    });
    const app = upgraded(running);
    app.converge();
    expect(bootsOf(app)).toEqual({ env_a: 10, env_b: 10 });
    expect(app.heals).toEqual([]);
  });

  it.each<[string, Partial<FormerApp>, 'running' | 'onDemand' | 'stopped']>([
    ['that starts when visited', { startMode: 'onVisit', published: { env_a: wish(10, 'onDemand') } }, 'onDemand'],
    ['that is stopped', { desired: 'stopped', published: { env_a: wish(10, 'stopped') } }, 'stopped'],
    ['that rests in a drained environment', { published: { env_a: wish(10, 'stopped') } }, 'stopped'],
  ])('%s is that', (_, values, want) => {
    const app = upgraded(formerOf({ environments: ['env_a'], ...values }));
    expect(app.app.placements).toEqual({ env_a: { generation: 10, want, boot: boot(10) } });
    app.converge();
    expect([app.app.published.env_a.desired, bootsOf(app)]).toEqual([want, { env_a: 10 }]);
  });

  it('is not begun where that was cancelled', () => {
    const former = formerOf({ published: { env_a: wish(10) } });
    const cancelled = operationOf('cancelled', [
      ['env_a', 'boot', 'succeeded'],
      ['env_b', 'boot', 'cancelled', { message: say('CANCELLED') }],
    ]);
    expect(Object.keys(upgraded(former, cancelled).app.placements)).toEqual(['env_a']);
  });

  it('is restarted in the environments whose turn has not come', () => {
    const former = formerOf({
      generation: 20,
      boot: boot(20, 'restart'),
      published: { env_a: { ...wish(20), boot: boot(20, 'restart') }, env_b: wish(10) },
    });
    const restart = operationOf('running', [
      ['env_a', 'boot', 'running'],
      ['env_b', 'boot', 'queued'],
    ]);
    const app = upgraded(former, restart);
    expect(bootsOf(app)).toEqual({ env_a: 20, env_b: 10 });
    app.converge();
    expect(bootsOf(app)).toEqual({ env_a: 20, env_b: 20 });
    expect(app.app.published.env_b.boot.how).toBe('restart');
  });

  it('that failed goes on when it is well there, and not before', () => {
    const former = formerOf({ claim: 'create', published: { env_a: { ...wish(10), claim: 'create' } } });
    const failed = operationOf('failed', [
      ['env_a', 'boot', 'failed', { error: say('NO_CAUSE') }],
      ['env_b', 'boot', 'cancelled', skipped],
    ]);
    const app = upgraded(former, failed, []);
    expect(app.app.paused).toEqual({ environment: 'env_a', boot: 10, cause: say('NO_CAUSE') });
    expect(app.app.provision).toBe('create');
    app.report('env_a', { status: 'error', error: say('NO_CAUSE') });
    app.settle();
    expect(Object.keys(bootsOf(app))).toEqual(['env_a']);
    app.converge();
    expect(Object.keys(bootsOf(app))).toEqual(['env_a', 'env_b']);
  });

  const moving = formerOf({
    generation: 20,
    environments: ['env_b'],
    targetEnvironment: 'env_b',
    boot: boot(20),
    published: { env_a: wish(20, 'removed') },
  });
  const move = operationOf('running', [
    ['env_b', 'boot', 'queued'],
    ['env_a', 'remove', 'running'],
  ]);

  it('that moves gets there, after it has left', () => {
    const app = upgraded(moving, move, []);
    app.settle();
    expect(app.app.published.env_b).toBeUndefined();
    app.report('env_a');
    app.settle();
    expect(app.app.published.env_b).toMatchObject({ desired: 'running', boot: { generation: 20 } });
    app.converge();
    expect([Object.keys(app.app.published), app.app.previous]).toEqual([['env_b'], null]);
  });

  it('that moves returns if it does not start there', () => {
    const app = upgraded(moving, move);
    expect(app.app.previous).toMatchObject({ environments: ['env_a'], targetEnvironment: 'env_a' });
    app.settle();
    app.report('env_b', { status: 'error', error: say('NO_CAUSE') });
    app.settle();
    expect([app.app.environments, app.heals.length]).toEqual([['env_a'], 1]);
  });

  it('with several environments leaves one when it runs where it is new', () => {
    const former = formerOf({
      generation: 20,
      environments: ['env_c', 'env_b'],
      boot: boot(20),
      published: { env_a: wish(10), env_b: wish(20) },
    });
    const operation = operationOf('running', [
      ['env_c', 'boot', 'queued'],
      ['env_b', 'apply', 'succeeded'],
      ['env_a', 'remove', 'queued'],
    ]);
    const app = upgraded(former, operation);
    app.settle();
    expect([app.app.published.env_a.desired, app.app.published.env_c.desired]).toEqual(['running', 'running']);
    app.converge();
    expect([Object.keys(app.app.published).sort(), bootsOf(app).env_b]).toEqual([['env_b', 'env_c'], 10]);
  });

  it('is stopped where it was asked to be', () => {
    const former = formerOf({ generation: 20, desired: 'stopped', published: { env_a: wish(10), env_b: wish(10) } });
    const stop = operationOf('queued', [
      ['env_a', 'stop', 'queued'],
      ['env_b', 'stop', 'queued'],
    ]);
    const app = upgraded(former, stop);
    app.settle();
    expect(app.steps).toEqual(['env_a stopped', 'env_b stopped']);
  });

  it('is written the same by a second run, after one that was cut off', () => {
    const published = { env_a: { ...wish(10), claim: 'create' as const } };
    const once = appFrom(formerOf({ published, claim: 'create' }), undefined);
    const again = appFrom(formerOf({ published: once.published, claim: 'create' }), undefined);
    expect(again).toEqual(once);
    expect(once.published.env_a.provision).toBe('create');
  });

  it('gets a JWT secret if it has none, of which its environments hear without a boot', () => {
    const app = appOf({
      generation: 30,
      published: { env_a: publishedOf({ generation: 30 }), env_b: publishedOf({ generation: 31, boot: boot(30) }) },
    });
    expect(givenSecret(app, 'sealed:x', 5)).toMatchObject({
      jwtSecret: 'sealed:x',
      generation: 32,
      placements: { env_a: placementOf({ generation: 32, boot: boot(30) }) },
    });
    const planned = new PlannedApp({ ...app, ...givenSecret(app, 'sealed:x', 5) });
    for (const environment of ['env_a', 'env_b']) planned.report(environment);
    planned.converge();
    expect(bootsOf(planned)).toEqual({ env_a: 30, env_b: 30 });
    expect(
      Math.min(...Object.values(planned.app.published).map(({ generation }) => generation)),
    ).toBeGreaterThanOrEqual(32);
  });
});

describe('an app that a former release was deleting', () => {
  const steps: Steps = [
    ['env_a', 'remove', 'succeeded'],
    ['env_b', 'remove', 'running'],
    ['env_a', 'drop', 'queued'],
  ];
  const buried = {
    uid: 'uid-1',
    name: 'crm',
    environments: ['env_a', 'env_b'],
    definition: formerOf({ generation: 20, published: { env_a: wish(20, 'removed'), env_b: wish(20, 'removed') } }),
  };
  const ended = (operation?: FormerOperation) => {
    const tombstone = tombstoneOf(buried, operation);
    const app = new PlannedApp(tombstone.definition);
    app.ending = tombstone;
    app.asked = operation?.finishedAt === null ? tombstone.definition.generation : 0;
    return { tombstone, app };
  };

  it('leaves, and then its data are deleted where they were to be', () => {
    const { tombstone, app } = ended(operationOf('running', steps, { action: 'destroy' }));
    expect(tombstone).toMatchObject({ data: 'drop', environments: ['env_a', 'env_b'] });
    expect(tombstone.definition).toMatchObject({ environments: [], placements: {}, targetEnvironment: 'env_a' });
    app.report('env_a');
    app.settle();
    expect(app.app.published.env_a.data).toBe('keep');
    app.report('env_b');
    app.settle();
    expect(app.app.published.env_a.data).toBe('drop');
  });

  it('keeps its data if that is over', () => {
    const cancelled = operationOf('cancelled', steps, { action: 'destroy' });
    expect([ended(cancelled).tombstone.data, ended().tombstone.data]).toEqual(['keep', 'keep']);
  });
});

it('an operation of a former release shows the same, and knows what became of the data', () => {
  const steps: Steps = [
    ['env_a', 'stop', 'succeeded', { startedAt: 1, finishedAt: 2 }],
    ['env_a', 'remove', 'failed', { error: say('NO_CAUSE') }],
    ['env_b', 'release', 'queued'],
  ];
  const operation = operationOf('running', steps, { action: 'destroy' });
  expect(progressOf(operation.steps)).toEqual([
    { environment: 'env_a', of: 'place', state: 'succeeded', startedAt: 1, finishedAt: 2 },
    { environment: 'env_a', of: 'leave', state: 'failed', error: say('NO_CAUSE') },
    { environment: 'env_b', of: 'data', state: 'queued' },
  ]);
  expect(dataOf(operation)).toBe('release');
  expect(dataOf({ ...operation, steps: operation.steps.slice(0, 2) })).toBe('keep');
  expect(dataOf({ ...operation, action: 'update' })).toBeNull();
  const stop = operationOf('cancelled', [['env_a', 'stop', 'cancelled']], { action: 'stop' });
  const inBoth = { environments: ['env_a', 'env_b'], desired: 'running' as const };
  const inOne = { ...inBoth, environments: ['env_a'] };
  expect([namedOf(stop, inBoth), namedOf(stop, inOne)]).toEqual([['env_a'], null]);
});

it('a stop of a former release by a drain is about its environment alone, even if the app is in no other', () => {
  const stop = operationOf('failed', [['env_a', 'stop', 'failed']], { action: 'stop' });
  const app = { environments: ['env_a'], desired: 'running' as const };
  expect([namedOf(stop, app), namedOf(stop, { ...app, desired: 'stopped' })]).toEqual([['env_a'], null]);
});
