import { describe, expect, it } from 'vitest';
import { begunIn, ended, followed, inTheWay, progressNow } from '../../src/server/supervisor/rollout/progress';
import { arriving, booted, cancelled, placed, rested, type SpecChange } from '../../src/server/supervisor/rollout/spec';
import { say } from '../../src/shared/message';
import type { Operation } from '../../src/shared/operation';
import { operationOf } from '../support/fixtures';
import { PlannedApp } from '../support/planned';

/** What is shown of a request. */

const failure = { status: 'error' as const, error: say('NO_CAUSE') };
const places = (...environments: string[]) => ({
  environments,
  targetEnvironment: environments[0] ?? null,
  home: null,
});

/** A request for an app that runs. */
function asked(
  environments: string[],
  change: (app: PlannedApp['app'], generation: number) => SpecChange,
  values: Partial<Operation> = {},
): PlannedApp {
  const fleet = new PlannedApp(places(...environments));
  fleet.converge();
  fleet.ask(change);
  const progress = begunIn(fleet.app, values.action === 'update' ? fleet.app.environments : [], []);
  fleet.operation = operationOf(progress, { generation: fleet.asked, ...values });
  fleet.stopsOnFailure = values.onFailure !== 'continue';
  return fleet;
}

const shown = ({ operation }: PlannedApp): string =>
  `${operation?.state}: ${operation?.progress.map(({ environment, of, state }) => `${environment} ${of} ${state}`).join(', ')}`;

describe('what is shown of a request', () => {
  it('is how far it is in each environment, and when it began and ended there', () => {
    const fleet = asked(['env_a', 'env_b'], (app, generation) => booted(app, generation, 'restart'));
    expect(shown(fleet)).toBe('queued: env_a boot queued, env_b boot queued');
    fleet.settle();
    expect(shown(fleet)).toBe('running: env_a boot running, env_b boot queued');
    expect(fleet.operation?.waitingFor).toEqual(say('WAITS_FOR_BEGIN', { environment: 'env_a' }));
    const { generation } = fleet.wish('env_a');
    const message = say('RESTARTING');
    fleet.report('env_a', { status: 'preparing', generation: 0, bootGeneration: 0, begun: generation, message });
    fleet.settle();
    expect(fleet.operation).toMatchObject({ waitingFor: null, progress: [{ startedAt: fleet.now }, {}] });
    const [item] = fleet.operation?.progress ?? [];
    expect(progressNow(fleet.operation!, item, fleet.app, fleet.entries.get('env_a')!)).toEqual(message);
    fleet.now += 5_000;
    fleet.converge();
    expect(shown(fleet)).toBe('succeeded: env_a boot succeeded, env_b boot succeeded');
    expect(fleet.operation).toMatchObject({ finishedAt: fleet.now, waitingFor: null });
  });

  it('ends with a boot that failed, or goes on if that was asked for', () => {
    const stops = asked(['env_a', 'env_b'], (app, generation) => booted(app, generation, 'start'));
    stops.settle();
    stops.report('env_a', failure);
    stops.settle();
    expect(shown(stops)).toBe('failed: env_a boot failed, env_b boot cancelled');
    expect(stops.operation?.progress.map(({ error, message }) => error ?? message)).toEqual([
      say('NO_CAUSE'),
      say('STEP_NOT_BEGUN'),
    ]);
    const goesOn = asked(['env_a', 'env_b'], (app, g) => booted(app, g, 'start'), { onFailure: 'continue' });
    goesOn.settle();
    goesOn.report('env_a', failure);
    goesOn.settle();
    goesOn.report('env_b');
    goesOn.settle();
    expect(shown(goesOn)).toBe('failed: env_a boot failed, env_b boot succeeded');
  });

  it('ends where a place in which the app had started keeps it from the others since', () => {
    const fleet = asked(['env_a', 'env_b', 'env_c'], (app, generation) => booted(app, generation, 'start'));
    fleet.settle();
    fleet.report('env_a');
    fleet.settle();
    expect(shown(fleet)).toBe('running: env_a boot succeeded, env_b boot running, env_c boot queued');
    fleet.report('env_a', failure);
    fleet.settle();
    fleet.report('env_b');
    fleet.settle();
    expect(shown(fleet)).toBe('failed: env_a boot succeeded, env_b boot succeeded, env_c boot failed');
    expect(fleet.operation?.progress[2].error).toEqual(say('NO_CAUSE'));
    expect(fleet.operation?.finishedAt).toBe(fleet.now);
  });

  it('ends where a new place in which the app had started keeps it in the former ones since', () => {
    const change: Parameters<typeof asked>[1] = (app, generation) => placed(app, places('env_a', 'env_b'), generation);
    const fleet = asked(['env_c', 'env_d'], change);
    fleet.settle();
    fleet.report('env_a');
    fleet.settle();
    fleet.report('env_a', failure);
    fleet.settle();
    expect(shown(fleet)).toMatch(/^running: env_a boot succeeded, env_b boot running, env_c leave queued/);
    fleet.report('env_b');
    fleet.settle();
    const done = 'env_a boot succeeded, env_b boot succeeded';
    expect(shown(fleet)).toBe(`failed: ${done}, env_c leave failed, env_d leave failed`);
    expect(fleet.operation).toMatchObject({
      finishedAt: fleet.now,
      progress: [{}, {}, { error: say('NO_CAUSE') }, {}],
    });
    fleet.converge();
    expect(Object.keys(fleet.app.published).sort()).toEqual(['env_a', 'env_b']);
  });

  it('waits for no new place in which the app rests, even if it could not stop there', () => {
    const change: Parameters<typeof asked>[1] = (app, generation) => {
      const there = placed(app, places('env_a', 'env_b'), generation);
      return { ...there, ...rested({ ...app, ...there }, generation, ['env_a']) };
    };
    const fleet = asked(['env_c'], change);
    fleet.settle();
    fleet.report('env_a', failure);
    fleet.settle();
    fleet.report('env_b');
    fleet.converge();
    expect(shown(fleet)).toBe('succeeded: env_b boot succeeded, env_c leave succeeded');
  });

  it('waits for no environment that is down and has only to let go', () => {
    const fleet = asked(['env_a'], (app, generation) => placed(app, places('env_b'), generation), { action: 'move' });
    fleet.health.set('env_a', 'down');
    fleet.settle();
    fleet.report('env_b');
    fleet.settle();
    expect(shown(fleet)).toBe('succeeded: env_b boot succeeded, env_a leave succeeded');
    expect(fleet.operation?.progress[1].message).toEqual(say('STEP_AWAY'));
  });

  it('ends where the app cannot be ended, and may be asked for again', () => {
    const fleet = asked(['env_a'], (app, generation) => placed(app, places('env_b'), generation), { action: 'move' });
    fleet.settle();
    fleet.report('env_a', failure);
    fleet.settle();
    expect(shown(fleet)).toBe('failed: env_b boot cancelled, env_a leave failed');
    fleet.ask((app, generation) => booted(app, generation, 'start', ['env_b']));
    fleet.operation = operationOf(begunIn(fleet.app, ['env_b'], []), { action: 'move', generation: fleet.asked });
    fleet.settle();
    expect(shown(fleet)).toBe('running: env_b boot queued, env_a leave running');
    fleet.converge();
    expect(shown(fleet)).toBe('succeeded: env_b boot succeeded, env_a leave succeeded');
  });

  it('names what could not be copied, before and after the app has moved', () => {
    const fleet = asked(['env_a'], (app, generation) => arriving(app, 'env_b', generation), { action: 'move' });
    fleet.settle();
    expect(shown(fleet)).toBe('running: env_b boot running, env_a leave queued');
    const cause = say('UPLOADS_NOT_AHEAD', { cause: say('UPLOADS_CUT') });
    fleet.report('env_b', { status: 'waiting', message: cause });
    fleet.settle();
    expect(fleet.operation?.progress[0].message).toEqual(cause);
    fleet.report('env_a');
    fleet.settle();
    fleet.report('env_b', { uploads: { from: 'env_a', cause: say('UPLOADS_CUT') } });
    fleet.settle();
    const elsewhere = say('UPLOADS_ELSEWHERE', { environment: 'env_a', cause: say('UPLOADS_CUT') });
    expect(fleet.operation?.progress[0]).toMatchObject({ state: 'succeeded', message: elsewhere });
  });

  it('is over where settings are known, whatever the app is', () => {
    const fleet = asked(['env_a'], (app, generation) => placed(app, places('env_a'), generation), { action: 'update' });
    fleet.settle();
    fleet.report('env_a', failure);
    fleet.settle();
    expect(shown(fleet)).toBe('succeeded: env_a place succeeded');
  });

  it('includes what is left of the request that it takes the place of', () => {
    const fleet = asked(['env_a', 'env_b'], (app, generation) => booted(app, generation, 'restart'));
    fleet.settle();
    const before = fleet.operation!;
    fleet.ask((app, generation) => placed(app, places('env_a', 'env_b'), generation));
    const of = (asked: string[]) => begunIn(fleet.app, asked, [before]).map((item) => `${item.environment} ${item.of}`);
    expect(of(['env_a'])).toEqual(['env_a boot', 'env_b boot']);
  });

  it('is about no boot that was asked for before, where the app is to be stopped by now', () => {
    const fleet = asked(['env_a', 'env_b'], (app, generation) => booted(app, generation, 'restart'));
    fleet.settle();
    const before = fleet.operation!;
    fleet.ask((app, generation) => rested(app, generation));
    const items = begunIn(fleet.app, ['env_a', 'env_b'], [before]).map((item) => `${item.environment} ${item.of}`);
    expect(items).toEqual(['env_a place', 'env_b place']);
  });

  it('waits for no end where the app was cancelled before it began, since it stays placed there', () => {
    const fleet = asked(['env_a'], (app, generation) => arriving(app, 'env_b', generation), { action: 'move' });
    fleet.settle();
    fleet.report('env_b', { status: 'stopped' });
    fleet.settle();
    fleet.ask(cancelled);
    expect([fleet.app.environments, fleet.app.placements]).toEqual([['env_b'], {}]);
    fleet.ask((app, generation) => placed(app, places('env_b', 'env_c'), generation));
    expect(begunIn(fleet.app, [], []).map(({ environment, of }) => `${environment} ${of}`)).not.toContain(
      'env_b leave',
    );
  });

  it('names nothing of what was not asked for', () => {
    const fleet = asked(['env_a', 'env_b'], (app, generation) => rested(app, generation, ['env_a']));
    expect(begunIn(fleet.app, ['env_a'], [])).toEqual([{ environment: 'env_a', of: 'place', state: 'queued' }]);
  });

  describe('about settings, while a boot that failed keeps an app from others', () => {
    const retitled = (fleet: PlannedApp) => {
      fleet.ask((app, generation) => placed(app, { ...app }, generation));
      const open = fleet.operation && fleet.operation.finishedAt === null ? [fleet.operation] : [];
      const progress = begunIn(fleet.app, Object.keys(fleet.app.placements), open);
      fleet.operation = operationOf(progress, { action: 'update', generation: fleet.asked });
      fleet.settle();
      for (const name of Object.keys(fleet.app.published))
        fleet.report(name, fleet.entries.get(name)?.error ? failure : {});
      fleet.settle();
      return shown(fleet);
    };

    it('is about settings alone', () => {
      const fleet = asked(['env_a', 'env_b', 'env_c'], (app, generation) => booted(app, generation, 'restart'));
      fleet.settle();
      fleet.report('env_a', failure);
      fleet.settle();
      expect(retitled(fleet)).toBe('succeeded: env_a place succeeded, env_b place succeeded, env_c place succeeded');
    });

    it('is not about where the app does not go yet, nor where it does not leave', () => {
      const fleet = asked(['env_a'], (app, generation) => placed(app, places('env_b', 'env_c'), generation));
      fleet.settle();
      fleet.report('env_b', failure);
      fleet.settle();
      expect(shown(fleet)).toBe('failed: env_b boot failed, env_c boot cancelled, env_a leave cancelled');
      expect(retitled(fleet)).toBe('succeeded: env_b place succeeded');
    });

    it('does not wait for a place to which a move could not return', () => {
      const fleet = asked(['env_a', 'env_b'], (app, generation) => placed(app, places('env_c', 'env_b'), generation));
      fleet.settle();
      fleet.health.set('env_a', 'down');
      fleet.report('env_b');
      fleet.report('env_c', failure);
      fleet.settle();
      expect(retitled(fleet)).toBe('succeeded: env_c place succeeded, env_b place succeeded');
    });
  });

  it('includes what an app leaves that rests', () => {
    const fleet = asked(['env_a'], (app, generation) => rested(app, generation));
    fleet.converge();
    fleet.ask((app, generation) => placed(app, places('env_b', 'env_c'), generation));
    fleet.operation = operationOf(begunIn(fleet.app, ['env_b', 'env_c'], []), { generation: fleet.asked });
    fleet.converge();
    expect(shown(fleet)).toBe('succeeded: env_b place succeeded, env_c place succeeded, env_a leave succeeded');
  });

  it('ends without what waits for a boot that failed, though the others were booted', () => {
    const fleet = asked(['env_a'], (app, generation) => placed(app, places('env_b', 'env_c'), generation));
    fleet.settle();
    const before = fleet.operation!;
    fleet.ask((app, generation) => booted(app, generation, 'restart'));
    const values = { generation: fleet.asked, onFailure: 'continue' } as const;
    fleet.operation = operationOf(begunIn(fleet.app, [], [before]), values);
    fleet.stopsOnFailure = false;
    fleet.settle();
    fleet.report('env_b', failure);
    fleet.settle();
    fleet.report('env_c');
    fleet.settle();
    expect(shown(fleet)).toBe('failed: env_b boot failed, env_c boot succeeded, env_a leave cancelled');
  });

  it('ends where an app is started no more, since it has stopped the loop of a process', () => {
    const fleet = asked(['env_a', 'env_b'], (app, generation) => booted(app, generation, 'restart'), {
      onFailure: 'continue',
    });
    fleet.settle();
    fleet.report('env_a', { status: 'error', error: { code: 'APP_STOPS_LOOP', params: { app: 'crm' } } as never });
    fleet.settle();
    fleet.report('env_a', { status: 'error', error: { code: 'APP_STOPS_LOOP', params: { app: 'crm' } } as never });
    fleet.settle();
    expect(shown(fleet)).toBe('failed: env_a boot failed, env_b boot cancelled');
  });

  it('is cancelled where nothing has begun, with what is done', () => {
    const fleet = asked(['env_a', 'env_b'], (app, generation) => booted(app, generation, 'restart'));
    fleet.settle();
    fleet.report('env_a');
    fleet.settle();
    const end = ended(fleet.operation!, say('CANCELLED'), 9);
    expect(end).toMatchObject({ state: 'cancelled', finishedAt: 9 });
    expect(end.progress.map(({ state }) => state)).toEqual(['succeeded', 'cancelled']);
  });
});

describe('the end of an app', () => {
  const deleted = (data: 'drop' | 'release') => {
    const fleet = asked(['env_a', 'env_b'], () => ({ environments: [], placements: {} }), { action: 'destroy', data });
    fleet.ending = { environments: ['env_a', 'env_b'], data };
    const leaves = ['env_a leave', 'env_b leave', 'env_a data'];
    fleet.operation = operationOf(leaves, { action: 'destroy', data, generation: fleet.asked });
    return fleet;
  };

  it('waits with data that are to be dropped for all, and with others for nobody', () => {
    const drop = deleted('drop');
    drop.health.set('env_b', 'down');
    drop.settle();
    drop.report('env_a');
    drop.settle();
    expect(shown(drop)).toBe('running: env_a leave succeeded, env_b leave running, env_a data queued');
    const release = deleted('release');
    release.health.set('env_b', 'down');
    release.settle();
    release.report('env_a');
    release.settle();
    expect(shown(release)).toBe('succeeded: env_a leave succeeded, env_b leave succeeded, env_a data succeeded');
    expect(release.operation?.progress[2].message).toEqual(say('STEP_KEEPS_MARKER'));
  });

  it('shows where its data are dropped, and why not', () => {
    const fleet = deleted('drop');
    fleet.settle();
    for (const name of ['env_a', 'env_b']) fleet.report(name);
    fleet.settle();
    const asked = Object.keys(fleet.app.published).find((name) => fleet.wish(name).data === 'drop')!;
    fleet.report(asked, failure);
    fleet.settle();
    expect(fleet.operation).toMatchObject({
      state: 'failed',
      progress: [{}, {}, { environment: asked, error: failure.error }],
    });
  });

  it('drops nothing after an end that failed, until that is asked for again', () => {
    const fleet = deleted('drop');
    fleet.settle();
    fleet.report('env_a');
    fleet.report('env_b', failure);
    fleet.settle();
    expect(shown(fleet)).toBe('failed: env_a leave succeeded, env_b leave failed, env_a data cancelled');
    fleet.report('env_b');
    fleet.settle();
    expect([fleet.ending?.environments, fleet.steps]).toEqual([[], ['env_a removed', 'env_b removed']]);
    fleet.ask(() => ({}));
    fleet.operation = operationOf(['env_a data'], { action: 'destroy', data: 'drop', generation: fleet.asked });
    fleet.converge();
    expect([fleet.steps, shown(fleet)]).toEqual([['env_a drop'], 'succeeded: env_a data succeeded']);
  });

  it('is asked for again where its data could not be dropped', () => {
    const fleet = deleted('drop');
    fleet.settle();
    for (const name of ['env_a', 'env_b']) fleet.report(name);
    fleet.settle();
    fleet.report('env_a', failure);
    fleet.settle();
    fleet.ask(() => ({}));
    const again = ['env_a leave', 'env_a data'];
    fleet.operation = operationOf(again, { action: 'destroy', data: 'drop', generation: fleet.asked });
    fleet.settle();
    expect([fleet.steps, shown(fleet)]).toEqual([['env_a drop'], 'running: env_a leave running, env_a data running']);
  });

  it('waits with its data for an environment that has left, if all are down', () => {
    const fleet = deleted('drop');
    fleet.settle();
    fleet.report('env_a');
    fleet.report('env_b');
    fleet.ending = { environments: [], data: 'drop' };
    for (const name of ['env_a', 'env_b']) fleet.health.set(name, 'down');
    expect(fleet.settle()).toEqual(say('WAITS_FOR_RETURN', { environment: 'env_a' }));
  });

  it('says that nothing was dropped where every environment was forgotten', () => {
    const fleet = deleted('drop');
    const gone = { ...fleet.app, published: {} };
    const end = followed(fleet.operation!, { app: gone, ending: null, observe: fleet.observe, now: 9 }, null);
    expect(end.progress[2]).toMatchObject({ state: 'cancelled', message: say('STEP_FORGOTTEN') });
  });
});

describe('a create, an upgrade or a drop that has begun', () => {
  const blockedIn = ({ app, entries }: PlannedApp) => inTheWay(app, (name) => entries.get(name) ?? null)?.environment;

  it.each([
    ['create', true],
    ['upgrade', true],
    ['drop', true],
    ['restart', false],
  ] as const)('is in the way of other requests: %s', (doing, isInTheWay) => {
    const fleet = asked(['env_a'], (app, generation) => booted(app, generation, 'upgrade'));
    fleet.settle();
    fleet.report('env_a', { generation: 0, begun: fleet.wish('env_a').generation, doing });
    expect(blockedIn(fleet)).toBe(isInTheWay ? 'env_a' : undefined);
    fleet.report('env_a', { doing });
    expect(blockedIn(fleet)).toBeUndefined();
  });

  it('is in the way after its request has ended, too', () => {
    const fleet = asked(['env_a', 'env_b'], (app, generation) => booted(app, generation, 'upgrade'));
    fleet.settle();
    fleet.report('env_a', failure);
    fleet.settle();
    expect(fleet.operation?.state).toBe('failed');
    fleet.report('env_a');
    fleet.settle();
    fleet.report('env_b', { generation: 0, begun: fleet.wish('env_b').generation, doing: 'upgrade' });
    expect(blockedIn(fleet)).toBe('env_b');
  });
});

describe('cancel', () => {
  const whenCancelled = (fleet: PlannedApp) => {
    fleet.ask(cancelled);
    fleet.settle();
    const { environments, placements, desired } = fleet.app;
    return { environments, wanted: Object.entries(placements).map(([name, { want }]) => `${name} ${want}`), desired };
  };

  it('makes what is published what is wanted', () => {
    const fleet = asked(['env_a', 'env_b'], (app, generation) => placed(app, places('env_a', 'env_c'), generation));
    fleet.health.set('env_c', 'unknown');
    expect(whenCancelled(fleet)).toEqual({
      environments: ['env_a', 'env_b'],
      wanted: ['env_a running', 'env_b running'],
      desired: 'running',
    });
    expect(fleet.steps).toEqual([]);
  });

  it('keeps what was begun, and begins nothing more', () => {
    const fleet = asked(['env_a', 'env_b'], (app, generation) => booted(app, generation, 'restart'));
    fleet.settle();
    const { boot } = fleet.wish('env_b');
    whenCancelled(fleet);
    fleet.converge();
    expect([fleet.wish('env_a').boot.how, fleet.wish('env_b').boot]).toEqual(['restart', boot]);
  });

  it('of a move that has begun leaves the app without a wish, until somebody starts it', () => {
    const fleet = asked(['env_a'], (app, generation) => placed(app, places('env_b'), generation));
    fleet.settle();
    expect(whenCancelled(fleet)).toMatchObject({ environments: ['env_b'], wanted: [] });
    fleet.report('env_a');
    fleet.settle();
    expect(fleet.app.published).toEqual({});
    fleet.ask((app, generation) => booted(app, generation, 'start'));
    fleet.settle();
    expect(fleet.wish('env_b')).toMatchObject({ desired: 'running', uploads: { from: 'env_a' } });
  });

  it('leaves an app that rests for now as it is', () => {
    const drained = (change: Parameters<PlannedApp['ask']>[0]) => {
      const fleet = asked(['env_a'], (app, generation) => rested(app, generation, ['env_a']));
      fleet.converge();
      fleet.ask(change);
      return whenCancelled(fleet);
    };
    const rests = { environments: ['env_a'], wanted: ['env_a stopped'], desired: 'running' };
    expect(drained((app, generation) => placed(app, places('env_a'), generation))).toEqual(rests);
    expect(drained((app, generation) => placed(app, places('env_b'), generation))).toEqual(rests);
  });

  it('of a stop that was not published makes it run', () => {
    const fleet = asked(['env_a'], (app, generation) => rested(app, generation));
    expect(whenCancelled(fleet)).toMatchObject({ wanted: ['env_a running'], desired: 'running' });
  });
});
