import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AppDefinition, Published } from '../../src/server/supervisor/apps/repository';
import {
  type Advance,
  advance,
  cancelled,
  deadlineOf,
  inTheWay,
  isWorkedOn,
  type Operation,
  progressOf,
  type Step,
  type StepKind,
  type StepObservation,
  takeOver,
} from '../../src/server/supervisor/control/rollout';
import { StepTimer } from '../../src/server/supervisor/control/step-timer';
import { leftUndone, resumable } from '../../src/server/supervisor/control/unfinished';
import { type Message, say, verbatim } from '../../src/shared/message';
import type { StatusEntry } from '../../src/shared/messages';
import { ACTIONS, type Action, HEALTHS, type Health, type OperationState, STATUSES } from '../../src/shared/words';
import { appOf, entryOf, operationOf, publishedOf } from '../support/fixtures';

const SECOND = 1_000;

const howOf = (action: Action) => (action === 'restart' || action === 'upgrade' ? action : 'start');

/** An operation on its way, with what is published and what the environments say. */
class Rollout {
  now = 1_000_000;
  published: Record<string, Published>;
  readonly publications: Array<[environment: string, wish: Published]> = [];
  private readonly sights = new Map<string, StepObservation>();
  private readonly timer = new StepTimer();

  constructor(
    public operation: Operation,
    public app: AppDefinition = appOf({
      generation: operation.generation,
      boot: { generation: operation.generation, how: howOf(operation.action) },
    }),
    published: Record<string, Published> = {},
  ) {
    this.published = published;
  }

  /** What an environment says from now on. */
  says(environment: string, entry: Partial<StatusEntry> | null, health: Health = 'online'): this {
    this.sights.set(environment, {
      health,
      entry: entry && entryOf({ generation: this.operation.generation, ...entry }),
    });
    return this;
  }

  tick(ms = SECOND): this {
    // The control loop looks every 5 s without an event.
    for (let left = ms; left > 0; left -= 5 * SECOND) {
      this.now += Math.min(left, 5 * SECOND);
      for (const step of this.operation.steps) this.timeWorked(step);
    }
    const { operation, publish, claimed } = advance(
      this.operation,
      this.app,
      this.published,
      (environment) => this.sightOf(environment),
      this.now,
      (step) => this.timeWorked(step),
    );
    this.operation = operation;
    this.published = { ...this.published, ...publish };
    if (claimed) this.app.claim = 'none';
    this.publications.push(...Object.entries(publish));
    return this;
  }

  private sightOf(environment: string): StepObservation {
    return this.sights.get(environment) ?? { health: 'online', entry: null };
  }

  private timeWorked(step: Step): number {
    const isWorking = isWorkedOn(this.operation, step, this.sightOf(step.environment));
    return this.timer.observe(this.operation, step, isWorking, this.now);
  }

  /** `state` of each step, in order. */
  get steps(): string {
    return this.operation.steps.map(({ state }) => state).join(' ');
  }
}

const begun = { generation: 9, begun: 10, status: 'preparing' } as const;

describe('starting in several environments', () => {
  it('lets the next one create the database if the first was forgotten before', () => {
    const create = operationOf(['env_a boot', 'env_b boot'], { action: 'create' });
    create.steps[0].state = 'cancelled';
    expect(new Rollout(create, appOf({ claim: 'create' })).tick().published.env_b).toMatchObject({ claim: 'create' });
  });

  it('invariant 4: happens one after the other', () => {
    const rollout = new Rollout(operationOf(['env_a boot', 'env_b boot', 'env_c boot']));
    rollout.tick();
    expect(rollout.steps).toBe('running queued queued');
    expect(rollout.publications.map(([environment]) => environment)).toEqual(['env_a']);
    // Whatever the others say: their turn has not come.
    rollout.says('env_b', { status: 'running' }).tick();
    expect(rollout.steps).toBe('running queued queued');
    rollout.says('env_a', { status: 'running' }).tick();
    expect(rollout.steps).toBe('succeeded running queued');
    expect(rollout.operation).toMatchObject({ state: 'running', finishedAt: null });
    rollout
      .says('env_b', null)
      .tick()
      .says('env_b', { status: 'running' })
      .says('env_c', { status: 'running' })
      .tick()
      .tick();
    expect(rollout.steps).toBe('succeeded succeeded succeeded');
    expect(rollout.operation).toMatchObject({ state: 'succeeded', waitingFor: null, finishedAt: rollout.now });
    expect(rollout.publications).toHaveLength(3);
  });

  it('does not wait for one that is down, which starts it when it returns', () => {
    const create = operationOf(['env_a boot', 'env_b boot', 'env_c boot'], { action: 'create' });
    const rollout = new Rollout(create, appOf({ claim: 'create' })).says('env_a', null, 'down').tick();
    expect(rollout.steps).toBe('running running queued');
    expect(rollout.operation.waitingFor).toEqual(say('WAITS_FOR_RETURN', { environment: 'env_a' }));
    expect(rollout.published).toMatchObject({ env_a: { claim: 'create' }, env_b: { claim: 'create' } });
    rollout.says('env_b', { status: 'running' }).tick();
    // The database is there: whoever misses it later does not make it anew.
    expect(rollout.published).toMatchObject({ env_a: { claim: 'none' }, env_b: { claim: 'none' } });
    expect(rollout.tick().steps).toBe('running succeeded running');
    rollout.says('env_c', { status: 'running' }).says('env_a', { status: 'running' }).tick();
    expect(rollout.operation.state).toBe('succeeded');
  });

  it('waits for one of which nobody knows whether it starts it', () => {
    for (const health of ['unknown', 'suspect', 'stopping'] as const) {
      const rollout = new Rollout(operationOf(['env_a boot', 'env_b boot'])).says('env_a', null, health).tick().tick();
      expect(rollout.steps).toBe('running queued');
    }
  });

  it.each([
    ['restart', 'stop', 'running queued'],
    ['upgrade', 'stop', 'running queued'],
    ['restart', 'continue', 'running running'],
    ['start', 'stop', 'running running'],
  ] as const)('that goes down in a %s with %s on a failure leaves them %s', (action, onFailure, steps) => {
    const rollout = new Rollout(operationOf(['env_a boot', 'env_b boot'], { action, onFailure })).tick();
    rollout
      .says('env_a', begun)
      .tick()
      .says('env_a', null, 'down')
      .tick()
      .tick(3_600 * SECOND);
    expect(rollout.steps).toBe(steps);
    expect(rollout.operation.waitingFor).toEqual(say('WAITS_FOR_RETURN', { environment: 'env_a' }));
    // It comes back, and the app crashes it until its Worker gives up.
    rollout.says('env_a', { ...begun, generation: 10, status: 'error', error: { code: 'APP_CRASH_LOOP' } }).tick();
    expect(rollout.steps).toBe(
      onFailure === 'stop' ? steps.replace('running', 'failed').replace('queued', 'cancelled') : 'failed running',
    );
  });

  it('goes on where one that went down in a restart was forgotten', () => {
    const rollout = new Rollout(operationOf(['env_a boot', 'env_b boot'], { action: 'restart' })).tick();
    rollout.says('env_a', begun).tick().says('env_a', null, 'down').tick();
    rollout.operation.steps[0].state = 'cancelled';
    expect(rollout.tick().steps).toBe('cancelled running');
  });

  it('is done in an environment when the app runs there, whatever the start mode', () => {
    const onVisit = appOf({ startMode: 'onVisit' });
    const rollout = new Rollout(operationOf(['env_a boot']), onVisit).tick();
    expect(rollout.published.env_a).toEqual(publishedOf({ desired: 'onDemand' }));
    for (const status of ['waiting', 'preparing', 'initializing', 'dormant', 'stopped'] as const)
      expect(rollout.says('env_a', { status, bootGeneration: 9 }).tick().steps).toBe('running');
    expect(rollout.says('env_a', { status: 'running' }).tick().steps).toBe('succeeded');
  });

  it.each([
    ['start', 'start', 'none'],
    ['restart', 'restart', 'none'],
    ['upgrade', 'upgrade', 'none'],
    ['create', 'start', 'create'],
    ['adopt', 'start', 'adopt'],
  ] as const)(
    '%s requests a fresh boot, and only the first step of a create may create a database',
    (action, how, claim) => {
      const rollout = new Rollout(
        operationOf(['env_a boot', 'env_b boot'], { action }),
        appOf({ claim, boot: { generation: 10, how } }),
      ).tick();
      expect(rollout.published.env_a).toEqual(publishedOf({ boot: { generation: 10, how }, claim }));
      rollout.says('env_a', { status: 'running' }).tick();
      expect(rollout.published.env_b).toEqual(publishedOf({ boot: { generation: 10, how }, claim: 'none' }));
      // It is there now: one that is missing later is an error, and is not made anew.
      expect(rollout.published.env_a).toEqual(publishedOf({ boot: { generation: 10, how }, claim: 'none' }));
      expect(rollout.app.claim).toBe('none');
    },
  );

  it('may create the database if the create operation never began, or failed', () => {
    const create = operationOf(['env_a boot', 'env_b boot'], { action: 'create' });
    const rollout = new Rollout(create, appOf({ claim: 'create' })).tick();
    // Superseded by a change of the title, a stop, and a start.
    for (const [generation, action, kind] of [
      [11, 'update', 'apply'],
      [12, 'stop', 'stop'],
      [13, 'start', 'boot'],
    ] as const) {
      rollout.operation = operationOf([`env_a ${kind}`, `env_b ${kind}`], { action, generation });
      if (kind === 'boot') rollout.app = appOf({ generation, claim: rollout.app.claim });
      rollout.tick();
      expect(rollout.published.env_a).toMatchObject({ generation, claim: 'create' });
      expect(rollout.published.env_b?.claim ?? 'none').toBe('none');
    }
    rollout.says('env_a', { status: 'running' }).tick();
    expect(rollout.published.env_a).toMatchObject({ generation: 13, claim: 'none' });
  });
});

describe('a create that was superseded before anything was published', () => {
  it('leaves the permission to create the database to the later start, wherever that is', () => {
    const start = operationOf(['env_b boot', 'env_a boot'], { action: 'start', generation: 12 });
    const rollout = new Rollout(start, appOf({ claim: 'create' })).tick();
    expect(rollout.published.env_b).toMatchObject({ generation: 12, claim: 'create' });
    rollout.says('env_b', { status: 'running' }).tick();
    expect(rollout.published).toMatchObject({ env_a: { claim: 'none' }, env_b: { claim: 'none' } });
    expect(rollout.app.claim).toBe('none');
  });
});

describe('a worker that restarted between the end of a boot and its observation', () => {
  const dormant = { status: 'dormant' } as const;

  it('reports dormant for an app on demand, which is done: the requested boot had succeeded', () => {
    const rollout = new Rollout(operationOf(['env_a boot']), appOf({ startMode: 'onVisit' })).tick();
    expect(rollout.says('env_a', { ...dormant, bootGeneration: 9 }).tick().steps).toBe('running');
    expect(rollout.says('env_a', { ...dormant, bootGeneration: 10 }).tick().steps).toBe('succeeded');
  });

  it('reports the error of a failed boot, which becomes the step’s error', () => {
    const error = { code: 'FAILED', message: 'The disk is full.' };
    const rollout = new Rollout(operationOf(['env_a boot']), appOf({ startMode: 'onVisit' })).tick();
    rollout.says('env_a', { ...dormant, bootGeneration: 10, error }).tick();
    expect(rollout.operation.steps[0]).toMatchObject({ state: 'failed', error });
  });
});

describe('stopping in several environments', () => {
  it('happens immediately', () => {
    const rollout = new Rollout(operationOf(['env_a stop', 'env_b stop'], { action: 'stop' })).tick();
    expect(rollout.steps).toBe('running running');
    expect(rollout.published).toEqual({
      env_a: publishedOf({ desired: 'stopped' }),
      env_b: publishedOf({ desired: 'stopped' }),
    });
    rollout.says('env_b', { status: 'stopped' }).tick();
    expect(rollout.steps).toBe('running succeeded');
    expect(rollout.says('env_a', { status: 'stopped' }).tick().operation.state).toBe('succeeded');
  });

  it('requests no fresh boot: earlier requests stand', () => {
    const before = { env_a: publishedOf({ generation: 5, boot: { generation: 4, how: 'restart' } }) };
    const rollout = new Rollout(operationOf(['env_a stop'], { action: 'stop' }), undefined, before).tick();
    expect(rollout.published.env_a.boot).toEqual({ generation: 4, how: 'restart' });
  });
});

describe('changing an app', () => {
  it('applies everywhere immediately, boots in new environments, and removes the app from others only once it runs there', () => {
    const before = { env_a: publishedOf({ generation: 5 }), env_c: publishedOf({ generation: 5 }) };
    const steps = ['env_a apply', 'env_b boot', 'env_c remove'];
    const rollout = new Rollout(operationOf(steps, { action: 'update' }), undefined, before).tick();
    expect(rollout.steps).toBe('running running queued');
    expect(rollout.published.env_a).toEqual(publishedOf({ boot: { generation: 5, how: 'start' } }));
    rollout
      .says('env_a', { status: 'running' })
      .says('env_b', { ...begun })
      .tick();
    expect(rollout.steps).toBe('succeeded running queued');
    rollout.says('env_b', { status: 'running' }).tick();
    expect(rollout.steps).toBe('succeeded succeeded running');
    expect(rollout.published.env_c).toMatchObject({ desired: 'removed', data: 'keep' });
    rollout.says('env_c', { status: 'not_found' }).tick();
    expect(rollout.operation.state).toBe('succeeded');
  });

  it('is known to a worker whatever the app is doing there', () => {
    for (const status of ['stopped', 'error', 'dormant', 'running'] as const) {
      const rollout = new Rollout(operationOf(['env_a apply'], { action: 'update' })).tick();
      expect(rollout.says('env_a', { status }).tick().operation.state).toBe('succeeded');
    }
  });

  it('starts nothing in a drained environment', () => {
    const before = { env_a: publishedOf({ generation: 5, desired: 'stopped' }) };
    const rollout = new Rollout(operationOf(['env_a apply'], { action: 'update' }), undefined, before).tick();
    expect(rollout.published.env_a.desired).toBe('stopped');
  });
});

describe('deleting an app', () => {
  const destroy = (steps: string[]) => new Rollout(operationOf(steps, { action: 'destroy' }));

  it('invariant 9: keeps its data unless a drop is one of the steps', () => {
    const rollout = destroy(['env_a remove', 'env_b remove', 'env_a release']).tick();
    rollout.says('env_a', { status: 'not_found' }).says('env_b', { status: 'not_found' }).tick();
    rollout.says('env_a', { status: 'not_found', generation: 11 }).tick().tick();
    expect(rollout.operation.state).toBe('succeeded');
    expect(rollout.publications.map(([, { data }]) => data)).toEqual(['keep', 'keep', 'release']);
  });

  it('drops after every environment has removed the app, with another generation than the removal', () => {
    const rollout = destroy(['env_a remove', 'env_b remove', 'env_a drop']).tick();
    expect(rollout.steps).toBe('running running queued');
    rollout.says('env_a', { status: 'not_found' }).tick();
    expect(rollout.steps).toBe('succeeded running queued');
    rollout.says('env_b', { status: 'not_found' }).tick();
    expect(rollout.steps).toBe('succeeded succeeded running');
    expect(rollout.published.env_a).toMatchObject({ generation: 11, desired: 'removed', data: 'drop' });
    // That it is gone was said of the removal.
    expect(rollout.tick().steps).toBe('succeeded succeeded running');
    rollout.says('env_a', { status: 'not_found', generation: 11, message: say('DATA_DROPPED') }).tick();
    expect(rollout.operation).toMatchObject({ state: 'succeeded' });
    expect(rollout.operation.steps[2].message).toEqual(say('DATA_DROPPED'));
  });

  it('does not wait for environments that are down, because a tombstone does', () => {
    const rollout = destroy(['env_a remove', 'env_b remove', 'env_a release']);
    rollout.says('env_a', { status: 'not_found' }).says('env_b', null, 'down').tick().tick();
    expect(rollout.steps).toBe('succeeded succeeded succeeded');
    expect(rollout.operation.steps[1].message).toEqual(say('STEP_AWAY'));
    // Another environment still has the app: its mark stays.
    expect(rollout.operation.steps[2].message).toEqual(say('STEP_KEEPS_MARKER'));
    expect(rollout.published.env_b.desired).toBe('removed');
  });

  it('but does not drop while an environment may still use the data', () => {
    const rollout = destroy(['env_a remove', 'env_b remove', 'env_a drop']);
    rollout.says('env_a', { status: 'not_found' }).says('env_b', null, 'down').tick().tick(3_600_000);
    expect(rollout.steps).toBe('succeeded running queued');
    expect(rollout.operation.waitingFor).toEqual(say('WAITS_FOR_RETURN', { environment: 'env_b' }));
    expect(rollout.publications.some(([, { data }]) => data === 'drop')).toBe(false);
  });

  it('does not wait for an environment that was forgotten meanwhile', () => {
    const rollout = destroy(['env_a remove', 'env_b remove', 'env_a drop']);
    rollout.says('env_a', { status: 'not_found' }).says('env_b', null, 'down').tick().tick();
    rollout.operation.steps[1] = {
      ...rollout.operation.steps[1],
      state: 'cancelled',
      message: say('STEP_FORGOTTEN'),
      finishedAt: 1,
    };
    rollout.tick().says('env_a', { status: 'not_found', generation: 11 }).tick();
    expect(rollout.operation.steps[2].state).toBe('succeeded');
    expect(rollout.operation.finishedAt).not.toBeNull();
  });

  it('does not drop after a failed removal', () => {
    const rollout = destroy(['env_a remove', 'env_b remove', 'env_a drop']).tick();
    rollout.says('env_a', { status: 'not_found' }).says('env_b', { status: 'error' }).tick().tick();
    expect(rollout.steps).toBe('succeeded failed cancelled');
    expect(rollout.operation.state).toBe('failed');
  });
});

describe('a worker’s report', () => {
  it.each<[string, Partial<StatusEntry> | null, Health]>([
    ['no word', null, 'online'],
    ['of an older generation', { status: 'running', generation: 9 }, 'online'],
    ['of another incarnation', { status: 'running', uid: 'uid-0' }, 'online'],
    ['of an older generation, of an error', { status: 'error', generation: 9 }, 'online'],
  ])('invariant 3: %s is ignored', (_, entry, health) => {
    const rollout = new Rollout(operationOf(['env_a boot'])).tick().says('env_a', entry, health).tick(3_600_000);
    expect(rollout.steps).toBe('running');
  });

  it('of a later generation also counts: it completed more than this', () => {
    const rollout = new Rollout(operationOf(['env_a boot']))
      .tick()
      .says('env_a', { status: 'running', generation: 12 });
    expect(rollout.tick().steps).toBe('succeeded');
  });

  it('of what it is doing is progress, which is shown and not stored', () => {
    const rollout = new Rollout(operationOf(['env_a boot'])).tick();
    const entry = entryOf({ ...begun, message: verbatim('Installing.') });
    rollout.says('env_a', entry).tick();
    const [step] = rollout.operation.steps;
    expect([step.message, step.startedAt]).toEqual([undefined, rollout.now]);
    expect(rollout.operation.waitingFor).toBeNull();
    expect(progressOf(rollout.operation, step, entry)).toEqual(verbatim('Installing.'));
    expect(progressOf(rollout.operation, step, { ...entry, uid: 'another' })).toBeUndefined();
    expect(progressOf(rollout.operation, step, { ...entry, begun: 9 })).toBeUndefined();
    expect(progressOf(rollout.operation, { ...step, state: 'succeeded' }, entry)).toBeUndefined();
  });

  it('of a failure ends the step, with the cause', () => {
    const error = { code: 'DATABASE_UNREACHABLE', params: { server: 'db:5432', cause: 'No answer.' } };
    const rollout = new Rollout(operationOf(['env_a boot'])).tick().says('env_a', { status: 'error', error }).tick();
    expect(rollout.operation.steps[0]).toMatchObject({ state: 'failed', error, finishedAt: rollout.now });
    expect(rollout.operation.state).toBe('failed');
    const silent = new Rollout(operationOf(['env_a boot'])).tick().says('env_a', { status: 'error' }).tick();
    expect(silent.operation.steps[0].error).toEqual(say('NO_CAUSE'));
  });
});

describe('after a failure', () => {
  const failing = (onFailure: Operation['onFailure']) =>
    new Rollout(operationOf(['env_a boot', 'env_b boot'], { onFailure }))
      .tick()
      .says('env_a', { status: 'error' })
      .tick();

  it('earlier steps that have not had their turn are dropped immediately, too', () => {
    const rollout = new Rollout(operationOf(['env_a boot', 'env_b boot', 'env_c apply'], { action: 'update' }))
      .tick()
      .says('env_c', { status: 'preparing', generation: 0, begun: 1_000_000 })
      .tick()
      .tick(61 * SECOND);
    expect(rollout.steps).toBe('running cancelled failed');
    expect(rollout.publications.map(([environment]) => environment)).toEqual(['env_a', 'env_c']);
  });

  it('steps that have not begun are dropped', () => {
    const rollout = failing('stop');
    expect(rollout.steps).toBe('failed cancelled');
    expect(rollout.operation.steps[1].message).toEqual(say('STEP_NOT_BEGUN'));
    expect(rollout.operation.state).toBe('failed');
    expect(rollout.publications).toHaveLength(1);
  });

  it('the others continue if requested', () => {
    const rollout = failing('continue');
    expect(rollout.steps).toBe('failed running');
    expect(rollout.says('env_b', { status: 'running' }).tick().operation.state).toBe('failed');
  });

  it('steps that had begun continue to their end', () => {
    const rollout = new Rollout(operationOf(['env_a stop', 'env_b stop'], { action: 'stop' })).tick();
    rollout.says('env_a', { status: 'error' }).tick();
    expect(rollout.steps).toBe('failed running');
    expect(rollout.says('env_b', { status: 'stopped' }).tick().steps).toBe('failed succeeded');
  });
});

describe('deadlines', () => {
  it.each<[Operation['action'], StepKind, number]>([
    ['create', 'boot', 900],
    ['adopt', 'boot', 900],
    ['upgrade', 'boot', 900],
    ['start', 'boot', 300],
    ['restart', 'boot', 300],
    ['update', 'boot', 300],
    ['stop', 'stop', 60],
    ['update', 'apply', 60],
    ['destroy', 'remove', 60],
    ['destroy', 'release', 60],
    ['destroy', 'drop', 120],
  ])('%s: a %s has %d s from when the worker began', (action, kind, seconds) => {
    const operation = operationOf([`env_a ${kind}`], { action });
    expect(deadlineOf(operation, operation.steps[0])).toBe(seconds * SECOND);
    const rollout = new Rollout(operation).tick();
    // Waiting costs nothing: an environment may be away for a day.
    rollout
      .tick(24 * 3_600 * SECOND)
      .says('env_a', { ...begun, begun: 11 })
      .tick();
    expect(rollout.steps).toBe('running');
    expect(rollout.tick(seconds * SECOND).steps).toBe('running');
    rollout.tick(1);
    const error = { code: 'DEADLINE', params: { environment: 'env_a', seconds } };
    expect(rollout.operation.steps[0]).toMatchObject({ state: 'failed', error });
  });

  it('do not count a place in the queue of the Worker, nor time in which this process did not run', () => {
    const rollout = new Rollout(operationOf(['env_a boot'])).tick().says('env_a', { ...begun, status: 'waiting' });
    rollout
      .tick(3_600 * SECOND)
      .says('env_a', begun)
      .tick();
    rollout.now += 3_600 * SECOND;
    expect(rollout.tick().steps).toBe('running');
    expect(rollout.tick(300 * SECOND).steps).toBe('failed');
  });

  it('stand still while nothing is heard of the worker, also before it is taken for down', () => {
    const rollout = new Rollout(operationOf(['env_a boot'])).tick().says('env_a', begun).tick();
    rollout.says('env_a', begun, 'suspect').tick(3_600 * SECOND);
    expect(rollout.steps).toBe('running');
    rollout.says('env_a', begun).tick();
    expect(rollout.tick(301 * SECOND).steps).toBe('failed');
  });

  it('stand still while the worker cannot be heard', () => {
    const rollout = new Rollout(operationOf(['env_a boot'])).tick().says('env_a', begun).tick();
    rollout.says('env_a', null, 'down').tick(3_600 * SECOND);
    expect(rollout.steps).toBe('running');
    expect(rollout.operation.waitingFor).toEqual(say('WAITS_FOR_RETURN', { environment: 'env_a' }));
  });
});

describe('waiting', () => {
  it.each<[Health, Message]>([
    ['online', say('WAITS_FOR_BEGIN', { environment: 'env_a' })],
    ['suspect', say('WAITS_FOR_BEGIN', { environment: 'env_a' })],
    ['down', say('WAITS_FOR_RETURN', { environment: 'env_a' })],
    ['stopping', say('WAITS_FOR_RETURN', { environment: 'env_a' })],
    ['unknown', say('WAITS_FOR_CONNECTION')],
  ])('says for what: %s', (health, waitingFor) => {
    const rollout = new Rollout(operationOf(['env_a boot', 'env_b boot'])).says('env_a', null, health).tick();
    expect(rollout.operation).toMatchObject({ state: 'running', waitingFor });
  });

  it('names the first cause', () => {
    const rollout = new Rollout(operationOf(['env_a stop', 'env_b stop'])).says('env_a', begun);
    rollout.says('env_b', null, 'down').tick().tick();
    expect(rollout.operation.waitingFor).toEqual(say('WAITS_FOR_RETURN', { environment: 'env_b' }));
  });
});

describe('a second operation on the same app', () => {
  const running = (doing: StatusEntry['doing'], entry: Partial<StatusEntry> = {}, health: Health = 'online') => {
    const operation = operationOf(['env_a boot']);
    operation.steps[0].state = 'running';
    const sight = { health, entry: entryOf({ ...begun, doing, ...entry }) };
    return inTheWay(operation, () => sight);
  };

  it.each([
    ['create', say('ACTION_CREATE')],
    ['upgrade', say('ACTION_UPGRADE')],
    ['drop', say('ACTION_DROP')],
  ] as const)('while a worker is in the middle of %s: refused', (doing, action) => {
    expect(running(doing)).toEqual({ environment: 'env_a', action });
  });

  it.each(['start', 'restart', 'stop', 'remove', null] as const)(
    'while a worker is in the middle of %s: accepted',
    (doing) => {
      expect(running(doing)).toBeNull();
    },
  );

  it('is not refused because of steps that have not begun, are over, or belong to another app', () => {
    expect(running('create', { begun: 9 })).toBeNull();
    expect(running('create', { generation: 10 })).toBeNull();
    expect(running('create', { uid: 'uid-0' })).toBeNull();
    expect(
      inTheWay(operationOf(['env_a boot']), () => ({
        health: 'online',
        entry: entryOf({ ...begun, doing: 'create' }),
      })),
    ).toBeNull();
  });

  it('is refused only under a live lease: a dead worker’s report does not count', () => {
    const operation = operationOf(['env_a boot']);
    operation.steps[0].state = 'running';
    expect(inTheWay(operation, () => ({ health: 'down', entry: null }))).toBeNull();
  });
});

describe('what an operation takes over from one that it supersedes', () => {
  const NOWHERE = appOf({ environments: [], published: {} });
  const over = (made: Operation, ...superseded: Operation[]) =>
    takeOver(made, superseded, NOWHERE).steps.map(({ environment, kind }) => `${environment} ${kind}`);
  const states = (operation: Operation, ...given: OperationState[]): Operation => ({
    ...operation,
    steps: operation.steps.map((step, index) => ({ ...step, state: given[index] })),
  });

  it('are the boots and stops that a mere change would lose', () => {
    const change = operationOf(['env_a apply', 'env_b apply', 'env_c apply'], { action: 'update' });
    const start = states(operationOf(['env_a boot', 'env_b boot', 'env_c boot']), 'succeeded', 'running', 'queued');
    expect(over(change, start)).toEqual(['env_a apply', 'env_b boot', 'env_c boot']);
    const stop = states(operationOf(['env_a stop', 'env_b stop']), 'succeeded', 'running');
    expect(over(change, stop)).toEqual(['env_a apply', 'env_b stop', 'env_c apply']);
  });

  it('is the removal from an environment that it does not cover', () => {
    const move = states(operationOf(['env_b boot', 'env_a remove'], { action: 'update' }), 'running', 'queued');
    expect(over(operationOf(['env_b stop'], { action: 'stop' }), move)).toEqual(['env_b stop', 'env_a remove']);
    // Wanted there again.
    const back = operationOf(['env_b apply', 'env_a boot'], { action: 'update' });
    expect(over(back, move)).toEqual(['env_b boot', 'env_a boot']);
  });

  it('are the other environments, if it is about one of them', () => {
    const restart = states(operationOf(['env_a boot', 'env_b boot'], { action: 'restart' }), 'running', 'queued');
    expect(over(operationOf(['env_b stop'], { action: 'stop' }), restart)).toEqual(['env_b stop', 'env_a boot']);
  });

  it('is no finished step, and nothing for a deleted app', () => {
    const start = operationOf(['env_a boot', 'env_b boot']);
    const change = operationOf(['env_a apply'], { action: 'update' });
    expect(over(change, states(start, 'succeeded', 'failed'))).toEqual(['env_a apply']);
    expect(over(operationOf(['env_a remove'], { action: 'destroy' }), start)).toEqual(['env_a remove']);
  });

  it('is the removal that a failed operation never reached', () => {
    const published = { env_a: publishedOf(), env_b: publishedOf(), env_c: publishedOf({ desired: 'removed' }) };
    const moved = appOf({ environments: ['env_b'], published });
    const taken = (made: Operation) =>
      takeOver(made, [], moved).steps.map(({ environment, kind }) => `${environment} ${kind}`);
    expect(taken(operationOf(['env_b boot']))).toEqual(['env_b boot', 'env_a remove']);
    expect(taken(operationOf(['env_b apply', 'env_a boot'], { action: 'update' }))).toEqual([
      'env_b apply',
      'env_a boot',
    ]);
  });

  it('is requested once: what the other one has published already stands', () => {
    const restart = operationOf(['env_a boot', 'env_b boot'], { action: 'restart' });
    const rollout = new Rollout(restart).tick();
    const asked = rollout.published.env_a.boot;
    const change = operationOf(['env_a apply', 'env_b apply'], { action: 'update', generation: 11 });
    rollout.operation = takeOver(change, [rollout.operation], NOWHERE);
    rollout.tick();
    expect(rollout.published.env_a).toMatchObject({ generation: 11, boot: asked });
    rollout.says('env_a', { status: 'running', generation: 11 }).tick();
    expect(rollout.published.env_b).toMatchObject({ generation: 11, boot: { generation: 11, how: 'restart' } });
  });
});

describe('what a failed operation has left undone', () => {
  const undone = (app: Partial<AppDefinition>, entries: Record<string, Partial<StatusEntry>>) =>
    leftUndone(appOf({ desired: 'running', ...app }), (environment) =>
      entries[environment] ? entryOf(entries[environment]) : null,
    );
  const grown = { environments: ['env_a', 'env_b'], published: { env_a: publishedOf() } };
  const moved = { environments: ['env_b'], published: { env_a: publishedOf(), env_b: publishedOf() } };

  it('are missing environments, and removals, once the app runs where it was published', () => {
    expect(undone(grown, { env_a: {} })).toEqual(['env_b']);
    expect(undone(moved, { env_a: {}, env_b: {} })).toEqual([]);
    expect(undone({ ...grown, desired: 'stopped' }, { env_a: { status: 'stopped' } })).toEqual(['env_b']);
    expect(undone(grown, { env_a: { status: 'dormant' } })).toEqual(['env_b']);
  });

  it('is what an older operation has skipped, and nothing that a person has cancelled since', () => {
    const stopped = publishedOf({ desired: 'stopped' });
    const app = appOf({
      environments: ['env_a', 'env_b', 'env_c', 'env_d'],
      published: { env_a: publishedOf(), env_b: stopped, env_c: publishedOf() },
    });
    const ended = (states: Record<string, Step['state']>, values: Partial<Operation>) => {
      const steps = Object.entries(states).map(([environment, state]) => ({
        environment,
        kind: 'boot' as const,
        state,
      }));
      return { ...operationOf([], values), steps };
    };
    const failed = ended({ env_a: 'failed', env_b: 'cancelled' }, { id: 'start', state: 'failed' });
    const dropped = ended({ env_c: 'cancelled', env_d: 'cancelled' }, { id: 'change', state: 'cancelled' });
    const resumed = (operations: Operation[]) => resumable(app, operations, () => entryOf());
    expect(resumed([dropped, failed])).toMatchObject({ failed: { id: 'start' }, missing: ['env_b'] });
    expect(resumed([failed])).toMatchObject({ missing: ['env_b', 'env_d'] });
    expect(resumed([dropped])).toBeNull();
  });

  it('is all of it where it failed in an environment that was forgotten since', () => {
    const steps = [
      { environment: 'env_a', kind: 'boot' as const, state: 'failed' as const },
      { environment: 'env_b', kind: 'boot' as const, state: 'cancelled' as const },
      { environment: 'env_c', kind: 'remove' as const, state: 'cancelled' as const },
    ];
    const failed = { ...operationOf([], { action: 'update', state: 'failed' }), steps };
    const moved = { environments: ['env_b'], published: { env_c: publishedOf() } };
    const resumed = (values: Partial<AppDefinition>, operations: Operation[] = [failed]) =>
      resumable(appOf({ ...moved, ...values }), operations, () => entryOf())?.missing;
    expect(resumed({})).toEqual(['env_b']);
    expect(resumed({ environments: ['env_a', 'env_b'] })).toBeUndefined();
    expect(resumed({ published: { env_a: publishedOf({ desired: 'removed' }) } })).toBeUndefined();
    expect(resumed({}, [operationOf([], { action: 'restart', state: 'cancelled' }), failed])).toBeUndefined();
  });

  it('does not wait for an environment in which the app rests on purpose, as long as it runs in another one', () => {
    const resting = { env_a: publishedOf(), env_b: publishedOf({ desired: 'stopped' }), env_c: publishedOf() };
    const entries: Record<string, Partial<StatusEntry>> = { env_b: { status: 'stopped' }, env_c: {} };
    expect(undone({ environments: ['env_b', 'env_c'], published: resting }, entries)).toEqual([]);
    expect(undone({ environments: ['env_b'], published: resting }, entries)).toBeNull();
  });

  it.each<[string, Partial<AppDefinition>, Record<string, Partial<StatusEntry>>]>([
    ['it failed where it was told', grown, { env_a: { status: 'error' } }],
    ['it sleeps since it failed there', grown, { env_a: { status: 'dormant', error: { code: 'X' } } }],
    ['it has not taken it over yet', grown, { env_a: { generation: 9 } }],
    ['nobody answers there', grown, {}],
    ['another app of that name is there', grown, { env_a: { uid: 'uid-2' } }],
    ['it should be stopped and runs', { ...grown, desired: 'stopped' }, { env_a: {} }],
    ['nothing was told anywhere', { ...grown, published: {} }, { env_a: {} }],
    ['it does not run where it moved to', moved, { env_a: {}, env_b: { status: 'preparing' } }],
    ['it is where it is to be', { environments: ['env_a'], published: { env_a: publishedOf() } }, { env_a: {} }],
    [
      'it was told to leave',
      { environments: ['env_a'], published: { env_a: publishedOf(), env_b: publishedOf({ desired: 'removed' }) } },
      { env_a: {}, env_b: {} },
    ],
  ])('is nothing while %s', (_, app, entries) => {
    expect(undone(app, entries)).toBeNull();
  });
});

describe('a cancelled operation', () => {
  it('keeps completed steps, and begins no others', () => {
    const rollout = new Rollout(operationOf(['env_a boot', 'env_b boot', 'env_c boot'])).tick();
    rollout.says('env_a', { status: 'running' }).tick();
    const ended = cancelled(rollout.operation, say('CANCELLED'), 5);
    expect(ended.steps.map(({ state }) => state)).toEqual(['succeeded', 'cancelled', 'cancelled']);
    expect(ended).toMatchObject({ state: 'cancelled', waitingFor: null, finishedAt: 5 });
    expect(ended.steps[1]).toMatchObject({ message: say('CANCELLED'), finishedAt: 5 });
  });
});

describe('for any observations in any order', () => {
  const environments = ['env_a', 'env_b', 'env_c'];
  const some = fc.shuffledSubarray(environments, { minLength: 1 });
  /** As the service makes them. */
  const operation = fc
    .oneof(
      fc.tuple(
        fc.constantFrom(...ACTIONS),
        some.map((names) => names.map((name) => `${name} boot`)),
      ),
      fc.tuple(
        fc.constant<Action>('stop'),
        some.map((names) => names.map((name) => `${name} stop`)),
      ),
      fc.tuple(
        fc.constant<Action>('update'),
        fc
          .tuple(some, fc.array(fc.constantFrom('apply', 'boot', 'stop', 'remove'), { minLength: 3, maxLength: 3 }))
          .map(([names, kinds]) => [
            ...names.flatMap((name, i) => (kinds[i] === 'remove' ? [] : [`${name} ${kinds[i]}`])),
            ...names.flatMap((name, i) => (kinds[i] === 'remove' ? [`${name} remove`] : [])),
          ]),
      ),
      fc.tuple(
        fc.constant<Action>('destroy'),
        fc
          .tuple(some, fc.constantFrom(...environments), fc.constantFrom('drop', 'release'))
          .map(([names, target, data]) => [...names.map((name) => `${name} remove`), `${target} ${data}`]),
      ),
    )
    .chain(([action, steps]) =>
      fc
        .constantFrom('stop' as const, 'continue' as const)
        .map((onFailure) => operationOf(steps, { action, onFailure })),
    );
  const entry = fc
    .record({
      uid: fc.constantFrom('uid-1', 'uid-1', 'uid-1', 'uid-0'),
      status: fc.constantFrom(...STATUSES),
      generation: fc.integer({ min: 8, max: 12 }),
      begun: fc.integer({ min: 8, max: 12 }),
    })
    .map(entryOf);
  const sight = fc.record({ health: fc.constantFrom(...HEALTHS), entry: fc.option(entry) });
  const moment = fc.record({
    pass: fc.constantFrom(0, 1_000, 61_000, 1_000_000),
    sights: fc.tuple(sight, sight, sight),
  });

  it('invariant 4: two boots never run at the same time, each environment gets a generation once, and nothing goes back', () => {
    fc.assert(
      fc.property(operation, fc.array(moment, { maxLength: 15 }), (start, moments) => {
        let current = start;
        let published: Record<string, Published> = {};
        let now = 1_000;
        let wasPassed = false;
        for (const { pass, sights } of moments) {
          now += pass;
          const poll = (environment: string) => sights[environments.indexOf(environment)];
          const first = advance(current, appOf(), published, poll, now, () => 0);
          const isNewer = ({ publish }: Advance) => {
            for (const [environment, wish] of Object.entries(publish)) {
              const before = published[environment];
              if (before?.generation === wish.generation) expect(wish).toEqual({ ...before, claim: 'none' });
              else expect(wish.generation).toBeGreaterThan(before?.generation ?? 0);
            }
          };
          isNewer(first);
          published = { ...published, ...first.publish };
          // Killed after it was published and before it was saved: a successor publishes nothing twice.
          isNewer(advance(current, appOf(), published, poll, now, () => 0));
          const second = advance(first.operation, appOf(), published, poll, now, () => 0);
          isNewer(second);
          if (!Object.keys(first.publish).length) {
            expect(second.publish).toEqual({});
            expect(second.operation).toEqual(first.operation);
          }
          const boots = first.operation.steps.filter((step) => step.kind === 'boot' && step.state === 'running');
          const isUp = (step: Step) => poll(step.environment).health !== 'down';
          // One that was passed over because it was down may be back.
          if (boots.some((step) => current.steps[first.operation.steps.indexOf(step)].state === 'queued'))
            expect(boots.filter(isUp).length).toBeLessThanOrEqual(1);
          if (boots.every(isUp) && !wasPassed) expect(boots.length).toBeLessThanOrEqual(1);
          wasPassed ||= !boots.every(isUp);
          // What is over stays over.
          current.steps.forEach((step, i) => {
            if (step.finishedAt !== undefined) expect(first.operation.steps[i]).toEqual(step);
          });
          expect(first.operation.finishedAt === null).toBe(
            first.operation.state === 'queued' || first.operation.state === 'running',
          );
          current = first.operation;
        }
      }),
      { numRuns: 300 },
    );
  });

  it('invariant 9: only a drop step ever requests dropping data', () => {
    fc.assert(
      fc.property(operation, fc.tuple(sight, sight, sight), (start, sights) => {
        const { publish } = advance(
          start,
          appOf(),
          {},
          (name) => sights[environments.indexOf(name)],
          1_000,
          () => 0,
        );
        for (const [environment, { data }] of Object.entries(publish)) {
          if (data !== 'drop') continue;
          expect(start.steps.some((step) => step.kind === 'drop' && step.environment === environment)).toBe(true);
        }
      }),
    );
  });

  it('it ends if every environment executes what was published', () => {
    fc.assert(
      fc.property(operation, (start) => {
        let current = start;
        let published: Record<string, Published> = {};
        const statusOf = { running: 'running', onDemand: 'running', stopped: 'stopped', removed: 'not_found' } as const;
        for (let tick = 0; tick < 30 && current.finishedAt === null; tick++) {
          const poll = (environment: string): StepObservation => {
            const wish = published[environment];
            if (!wish) return { health: 'online', entry: null };
            const { generation, desired } = wish;
            return { health: 'online', entry: entryOf({ generation, status: statusOf[desired] }) };
          };
          const { operation: next, publish } = advance(current, appOf(), published, poll, 1_000 + tick, () => 0);
          published = { ...published, ...publish };
          current = next;
        }
        expect(current.finishedAt).not.toBeNull();
      }),
    );
  });
});
