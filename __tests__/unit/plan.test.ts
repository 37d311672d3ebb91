import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../../scripts/lib/root.mjs';
import { recordFor } from '../../src/server/supervisor/rollout/record';
import {
  arriving,
  booted,
  cancelled,
  forgotten,
  placed,
  restartedWith,
  rested,
} from '../../src/server/supervisor/rollout/spec';
import { say } from '../../src/shared/message';
import { randomFor } from '../simulation/scheduler';
import { publishedOf } from '../support/fixtures';
import { stepsOf } from '../support/pictures';
import { PlannedApp } from '../support/planned';

const failure = { status: 'error' as const, error: say('NO_CAUSE') };
const moved = (to: string[]) => (app: PlannedApp['app'], generation: number) =>
  placed(app, { environments: to, targetEnvironment: to[0] ?? null, home: null }, generation);

/** An app that runs where it is placed. */
function running(environments: string[], values = {}): PlannedApp {
  const fleet = new PlannedApp({ environments, targetEnvironment: environments[0], ...values });
  fleet.converge();
  fleet.published.length = 0;
  return fleet;
}

it('has its rules drawn in docs/architecture.md, in their order', () => {
  const source = readFileSync(path.join(ROOT, 'src/server/supervisor/rollout/plan.ts'), 'utf8');
  const [, list = ''] = /const RULES: readonly Rule\[\] = \[\n(.*?)^\];/ms.exec(source) ?? [];
  expect(stepsOf('rules')).toEqual([...list.matchAll(/^ {2}(\w+),$/gm)].map(([, rule]) => rule));
  expect(stepsOf('rules').length).toBeGreaterThan(5);
});

describe('invariant 3: above and stray: what a Worker knows, and the database does not', () => {
  it('publishes the same again, above what a Worker has done by a newer record', () => {
    const fleet = running(['env_a']);
    fleet.report('env_a', { generation: 5_000 });
    fleet.settle();
    expect(fleet.steps).toEqual(['env_a running']);
    expect(fleet.wish('env_a').generation).toBe(5_001);
    expect(fleet.wish('env_a').boot.generation).toBe(10);
  });

  it('does the same where the app was refused by its own database at an equal generation', () => {
    const fleet = running(['env_a']);
    const { generation } = fleet.wish('env_a');
    fleet.report('env_a', { ...failure, newest: generation });
    fleet.settle();
    expect(fleet.wish('env_a').generation).toBeGreaterThan(generation);
  });

  it('believes none that is more than a day ahead', () => {
    const fleet = running(['env_a']);
    fleet.report('env_a', { generation: fleet.now + 2 * 86_400_000 });
    fleet.settle();
    expect(fleet.steps).toEqual([]);
  });

  it('removes an app with one place where a newer one has it, that is another', () => {
    const fleet = running(['env_b']);
    fleet.app.published.env_a = publishedOf({ generation: 11 });
    fleet.report('env_a', { status: 'running', generation: 5_000 });
    fleet.settle();
    expect(fleet.wish('env_a')).toMatchObject({ desired: 'removed' });
    expect(fleet.wish('env_a').generation).toBeGreaterThan(5_000);
  });

  it('removes an app where nobody wants it, and gives nobody its secrets for that', () => {
    const fleet = running(['env_a']);
    fleet.report('env_c', { status: 'running', generation: 3 });
    fleet.settle();
    expect(fleet.wish('env_c')).toMatchObject({ desired: 'removed', stray: true });
    fleet.report('env_c');
    fleet.settle();
    expect(fleet.wish('env_c')).toBeUndefined();
  });

  it('goes above what a former app of its name has ended with, of which nothing else is known any more', () => {
    const fleet = running(['env_a']);
    fleet.report('env_a', { status: 'not_found', uid: 'former', generation: 5_000 });
    fleet.settle();
    expect(fleet.steps).toEqual(['env_a running']);
    expect(fleet.wish('env_a').generation).toBe(5_001);
  });

  it('asks nobody to start it for that where it leaves', () => {
    const fleet = running(['env_b', 'env_c']);
    fleet.app.published.env_a = publishedOf({ generation: 11 });
    fleet.report('env_a', { status: 'not_found', uid: 'former', generation: 5_000 });
    fleet.settle();
    expect(fleet.steps.filter((step) => step === 'env_a running')).toEqual([]);
  });

  it('leaves another app of its name alone', () => {
    const fleet = running(['env_a']);
    fleet.report('env_c', { status: 'running', uid: 'another' });
    fleet.report('env_a', { status: 'running', uid: 'another', generation: 5_000 });
    fleet.settle();
    expect(fleet.steps).toEqual([]);
  });
});

describe('first run', () => {
  it('ends the provision when the app runs: from now on a missing database is an error', () => {
    const initialAdmin = { username: 'ada', email: null, password: 'hash' };
    const fleet = new PlannedApp({ environments: ['env_a', 'env_b'], provision: 'create', initialAdmin });
    fleet.settle();
    expect(fleet.wish('env_a').provision).toBe('create');
    expect(fleet.wish('env_b')).toBeUndefined();
    fleet.report('env_a');
    fleet.settle();
    expect(fleet.app).toMatchObject({ provision: 'none', initialAdmin: null });
    expect([fleet.wish('env_a').provision, fleet.wish('env_b')?.provision ?? 'none']).toEqual(['none', 'none']);
  });

  it('keeps it as long as nothing runs', () => {
    const fleet = new PlannedApp({ environments: ['env_a'], provision: 'create' });
    fleet.settle();
    fleet.report('env_a', failure);
    fleet.settle();
    expect(fleet.app.provision).toBe('create');
  });
});

describe('invariant 4: a boot', () => {
  it('is in one environment after the other, in their order', () => {
    const fleet = new PlannedApp({ environments: ['env_b', 'env_a'] });
    expect(fleet.settle()).toEqual(say('WAITS_FOR_BEGIN', { environment: 'env_b' }));
    expect(fleet.steps).toEqual(['env_b running']);
    fleet.report('env_b', { status: 'preparing', generation: 0, bootGeneration: 0 });
    fleet.settle();
    expect(fleet.steps).toEqual(['env_b running']);
    fleet.report('env_b');
    fleet.settle();
    expect(fleet.steps).toContain('env_a running');
  });

  it('does not wait for one that is down, which boots when it returns', () => {
    const fleet = new PlannedApp();
    fleet.health.set('env_a', 'down');
    fleet.settle();
    expect(fleet.steps).toEqual(expect.arrayContaining(['env_a running', 'env_b running']));
    expect(fleet.wish('env_a').sentTo).toBe('away');
  });

  it.each(['restart', 'upgrade'] as const)('waits for one that went down in a %s', (how) => {
    const fleet = running(['env_a', 'env_b']);
    fleet.ask((app, generation) => booted(app, generation, how));
    fleet.settle();
    fleet.health.set('env_a', 'down');
    expect(fleet.settle()).toEqual(say('WAITS_FOR_RETURN', { environment: 'env_a' }));
    expect(fleet.wish('env_b').boot.how).toBe('start');
    fleet.stopsOnFailure = false;
    fleet.settle();
    expect(fleet.wish('env_b').boot.how).toBe(how);
  });

  it('that failed keeps the next environment from it, until it is done', () => {
    const fleet = running(['env_a', 'env_b']);
    fleet.ask((app, generation) => booted(app, generation, 'restart'));
    fleet.settle();
    fleet.report('env_a', failure);
    fleet.settle();
    expect(fleet.app.paused).toMatchObject({ environment: 'env_a' });
    expect(fleet.wish('env_b').boot.how).toBe('start');
    fleet.report('env_a');
    fleet.settle();
    expect(fleet.app.paused).toBeNull();
    expect(fleet.wish('env_b').boot.how).toBe('restart');
  });

  it('that failed does not, if it was asked for all the same', () => {
    const fleet = running(['env_a', 'env_b']);
    fleet.stopsOnFailure = false;
    fleet.ask((app, generation) => booted(app, generation, 'restart'));
    fleet.settle();
    fleet.report('env_a', failure);
    fleet.settle();
    expect([fleet.app.paused, fleet.wish('env_b').boot.how]).toEqual([null, 'restart']);
  });

  it('is held up by no boot that failed before it was asked for', () => {
    const fleet = running(['env_a']);
    fleet.report('env_a', failure);
    fleet.ask(moved(['env_a', 'env_c']));
    fleet.settle();
    fleet.report('env_a', failure);
    fleet.settle();
    expect(fleet.steps).toContain('env_c running');
  });

  it('is nowhere after the app has stopped the loop of a process, until somebody asks for one', () => {
    const fleet = running(['env_a', 'env_b']);
    const error = { code: 'APP_STOPS_LOOP' as const, params: { app: 'crm' } } as never;
    fleet.report('env_a', { status: 'error', error });
    fleet.settle();
    expect(fleet.app.paused).toMatchObject({ environment: 'env_a', cause: error });
    expect(fleet.steps).toEqual(['env_a running', 'env_b running']);
    fleet.report('env_a');
    fleet.settle();
    expect(fleet.app.paused).not.toBeNull();
    fleet.ask((app, generation) => booted(app, generation, 'start'));
    fleet.converge();
    expect([fleet.app.paused, fleet.wish('env_b').boot.generation]).toEqual([null, fleet.asked]);
  });

  const stopsLoop = { status: 'error' as const, error: { code: 'APP_STOPS_LOOP', params: { app: 'crm' } } as never };

  it('is nowhere after that, also if another environment has booted it since', () => {
    const fleet = running(['env_a', 'env_b']);
    fleet.ask((app, generation) => booted(app, generation, 'restart', ['env_a']));
    fleet.converge();
    fleet.report('env_b', stopsLoop);
    fleet.settle();
    expect(fleet.app.paused).toMatchObject({ environment: 'env_b', boot: fleet.asked });
    // A retry may name one environment. The report of the other one is of a boot that is over.
    fleet.ask((app, generation) => booted(app, generation, 'start', ['env_a']));
    fleet.settle();
    expect([fleet.app.paused, fleet.app.placements.env_b.boot.generation]).toEqual([null, fleet.asked]);
  });

  /** A failover has brought it to env_b, before the Worker of env_a was back and could say what the app had done. */
  const failedOver = () => {
    const fleet = running(['env_a']);
    fleet.health.set('env_a', 'down');
    fleet.ask(moved(['env_b']));
    fleet.converge('env_b');
    return fleet;
  };
  const comesBack = (fleet: PlannedApp) => {
    fleet.health.delete('env_a');
    fleet.report('env_a', { error: stopsLoop.error });
    fleet.settle();
  };

  it('is nowhere after that, also if a failover came first', () => {
    const fleet = failedOver();
    comesBack(fleet);
    expect(fleet.app.paused).toMatchObject({ environment: 'env_a', cause: stopsLoop.error });
    expect(recordFor(fleet.app, fleet.wish('env_b')).paused).toEqual(fleet.app.paused);
    expect(fleet.wish('env_a')).toBeUndefined();
    fleet.ask((app, generation) => booted(app, generation, 'start'));
    fleet.converge();
    expect([fleet.app.paused, fleet.wish('env_b').boot.generation]).toEqual([null, fleet.asked]);
  });

  it('is nowhere after that, also if several failovers came first', () => {
    const fleet = failedOver();
    for (const to of ['env_c', 'env_d']) {
      fleet.health.set(fleet.app.environments[0], 'down');
      fleet.ask(moved([to]));
      fleet.converge(to);
    }
    comesBack(fleet);
    expect(fleet.app.paused).toMatchObject({ environment: 'env_a', boot: fleet.asked });
  });

  it('is nowhere after that, also if it does not start where a failover has brought it', () => {
    const fleet = running(['env_a']);
    fleet.health.set('env_a', 'down');
    fleet.ask(moved(['env_b']));
    fleet.settle();
    fleet.report('env_b', failure);
    fleet.settle();
    // Its Worker is back, and has not read yet that the app has left.
    fleet.health.delete('env_a');
    fleet.report('env_a', { status: 'waiting', generation: 0, begun: 0, bootGeneration: 0 });
    fleet.settle();
    comesBack(fleet);
    expect([fleet.app.environments, fleet.heals]).toEqual([['env_b'], []]);
    expect(fleet.app.paused).toMatchObject({ environment: 'env_a', cause: stopsLoop.error });
  });

  it('goes on if somebody has asked for one since the failover', () => {
    const fleet = failedOver();
    fleet.ask((app, generation) => booted(app, generation, 'restart'));
    comesBack(fleet);
    expect(fleet.app.paused).toBeNull();
  });

  it('goes on if somebody has asked for one since the failover, and for new settings since', () => {
    const fleet = failedOver();
    fleet.ask((app, generation) => booted(app, generation, 'restart'));
    fleet.converge();
    fleet.ask(moved(['env_b']));
    fleet.converge();
    comesBack(fleet);
    expect(fleet.app.paused).toBeNull();
  });

  it('goes on whatever is said by a Worker where nobody has placed it', () => {
    const fleet = running(['env_a']);
    fleet.report('env_evil', { ...stopsLoop, generation: 1, bootGeneration: fleet.now + 1_000_000 });
    fleet.settle();
    expect(fleet.wish('env_evil')).toMatchObject({ desired: 'removed', stray: true });
    expect(fleet.app.paused).toBeNull();
  });

  it.each([[['env_b']], [['env_a', 'env_b']]])(
    'is not begun by a move or an update of one that is kept out: %j',
    (to) => {
      const fleet = running(['env_a']);
      const error = { code: 'APP_STOPS_LOOP' as const, params: { app: 'crm' } } as never;
      fleet.report('env_a', { status: 'error', error });
      fleet.settle();
      const paused = fleet.app.paused;
      fleet.ask(moved(to));
      fleet.settle();
      fleet.report('env_a', to.length === 1 ? {} : { status: 'error', error });
      fleet.settle();
      // Its Worker learns that it is kept out, and says so.
      expect(recordFor(fleet.app, fleet.wish('env_b'))).toMatchObject({ desired: 'running', paused });
      fleet.report('env_b', { status: 'error', error });
      fleet.settle();
      expect([fleet.app.paused, fleet.heals]).toEqual([paused, []]);
      for (const name of to) expect(fleet.wish(name).boot.generation).toBeLessThanOrEqual(paused?.boot ?? 0);
      fleet.ask((app, generation) => booted(app, generation, 'start'));
      fleet.converge();
      expect([fleet.app.paused, fleet.wish('env_b').boot.generation]).toEqual([null, fleet.asked]);
    },
  );

  it('goes on elsewhere when the app rests where it has failed', () => {
    const fleet = running(['env_a', 'env_b']);
    fleet.ask((app, generation) => booted(app, generation, 'restart'));
    fleet.settle();
    fleet.report('env_a', failure);
    expect([fleet.settle(), fleet.app.paused?.environment]).toEqual([null, 'env_a']);
    fleet.ask((app, generation) => rested(app, generation, ['env_a']));
    fleet.converge();
    expect([fleet.app.paused, fleet.wish('env_b').boot.generation]).toEqual([
      null,
      fleet.app.placements.env_b.boot.generation,
    ]);
  });
});

describe('a move of an app with one place', () => {
  it('starts it when it has left', () => {
    const fleet = running(['env_a']);
    fleet.ask(moved(['env_b']));
    expect(fleet.settle()).toEqual(say('WAITS_FOR_LEAVING', { environment: 'env_a' }));
    expect(fleet.steps).toEqual(['env_a removed']);
    fleet.report('env_a');
    fleet.settle();
    expect(fleet.steps).toEqual(['env_a removed', 'env_b running']);
    expect(fleet.wish('env_b').uploads).toMatchObject({ from: 'env_a', wait: true });
    fleet.report('env_b');
    expect(fleet.settle()).toBeNull();
    expect([Object.keys(fleet.app.published), fleet.app.previous]).toEqual([['env_b'], null]);
  });

  it('does not wait for one that is down, if it can be cut off', () => {
    const fleet = running(['env_a']);
    fleet.health.set('env_a', 'down');
    fleet.outdated.add('env_a');
    fleet.ask(moved(['env_b']));
    fleet.settle();
    expect(fleet.steps).toEqual(['env_a removed']);
    fleet.outdated.clear();
    fleet.settle();
    expect(fleet.steps).toEqual(['env_a removed', 'env_b running']);
    expect(fleet.wish('env_b')).toMatchObject({ hosts: ['env_b'], left: ['env_a'], uploads: { wait: false } });
  });

  it('waits for one that nobody can see', () => {
    const fleet = running(['env_a']);
    fleet.health.set('env_a', 'unknown');
    fleet.ask(moved(['env_b']));
    fleet.settle();
    expect(fleet.steps).toEqual(['env_a removed']);
  });

  it('is undone once if the app does not start, when its place is there', () => {
    const fleet = running(['env_a']);
    fleet.ask(moved(['env_b']));
    fleet.converge('env_a');
    fleet.health.set('env_a', 'down');
    fleet.report('env_b', failure);
    fleet.settle();
    expect(fleet.app.environments).toEqual(['env_b']);
    fleet.health.delete('env_a');
    fleet.settle();
    expect([fleet.app.environments, fleet.app.previous, fleet.heals]).toEqual([
      ['env_a'],
      null,
      [{ action: 'move', environments: ['env_a', 'env_b'] }],
    ]);
    fleet.converge('env_b');
    expect(fleet.wish('env_a').desired).toBe('running');
    fleet.report('env_a', failure);
    fleet.settle();
    expect(fleet.app.environments).toEqual(['env_a']);
  });

  it('is not undone after it was cancelled, nor when the app was stopped', () => {
    for (const change of [cancelled, (app: PlannedApp['app'], generation: number) => rested(app, generation)]) {
      const fleet = running(['env_a']);
      fleet.ask(moved(['env_b']));
      fleet.settle();
      fleet.report('env_a');
      fleet.settle();
      fleet.ask(change);
      fleet.settle();
      fleet.report('env_b', failure);
      fleet.settle();
      expect([fleet.app.environments, fleet.heals]).toEqual([['env_b'], []]);
    }
  });

  it('arrives without a place in which its first start was cancelled', () => {
    const fleet = new PlannedApp({ environments: ['env_b', 'env_c'], targetEnvironment: 'env_b' });
    fleet.settle();
    fleet.ask(cancelled);
    fleet.converge();
    expect([fleet.app.environments, Object.keys(fleet.app.placements)]).toEqual([['env_b', 'env_c'], ['env_b']]);
    fleet.ask(moved(['env_a', 'env_c']));
    fleet.converge();
    expect([Object.keys(fleet.app.placements), Object.keys(fleet.app.published)]).toEqual([['env_a'], ['env_a']]);
    expect(fleet.app.previous).toBeNull();
  });

  it('arrives where it is wanted, also if it was cancelled before and gets one more place', () => {
    const fleet = running(['env_a']);
    fleet.ask(moved(['env_b']));
    fleet.settle();
    fleet.ask(cancelled);
    expect([fleet.app.environments, fleet.app.placements]).toEqual([['env_b'], {}]);
    fleet.converge();
    expect(fleet.app.previous?.environments).toEqual(['env_a']);
    fleet.ask(moved(['env_b', 'env_c']));
    fleet.converge();
    expect([Object.keys(fleet.app.placements), fleet.app.previous]).toEqual([['env_c'], null]);
  });

  it('is not undone if it is more than a move: the app runs on where it was, and its boot is tried again', () => {
    const fleet = running(['env_a']);
    fleet.ask(moved(['env_b', 'env_c']));
    fleet.settle();
    fleet.report('env_b', failure);
    fleet.settle();
    expect([fleet.app.environments, fleet.wish('env_a').desired, fleet.heals]).toEqual([
      ['env_b', 'env_c'],
      'running',
      [],
    ]);
    fleet.converge();
    expect(Object.keys(fleet.app.published).sort()).toEqual(['env_b', 'env_c']);
  });

  it('of which none has arrived yet, has its uploads where it ran', () => {
    const fleet = running(['env_a']);
    fleet.health.set('env_a', 'unknown');
    fleet.ask(moved(['env_b']));
    fleet.settle();
    fleet.ask(moved(['env_c']));
    fleet.health.delete('env_a');
    fleet.report('env_a');
    fleet.settle();
    expect(fleet.wish('env_c').uploads).toMatchObject({ from: 'env_a' });
  });

  it('rests at its new place if it rests, at once', () => {
    const fleet = running(['env_a']);
    fleet.ask((app, generation) => rested(app, generation));
    fleet.converge();
    fleet.ask(moved(['env_b']));
    fleet.settle();
    expect([...new Set(fleet.steps)].sort()).toEqual(['env_a removed', 'env_b stopped']);
    expect(fleet.wish('env_b')).toMatchObject({ hosts: ['env_b'], uploads: { from: 'env_a' } });
  });
});

describe('a move that copies ahead', () => {
  const ahead = () => {
    const fleet = running(['env_a']);
    fleet.ask((app, generation) => arriving(app, 'env_b', generation));
    fleet.settle();
    return fleet;
  };

  it('leaves the app where it runs until the copy is over', () => {
    const fleet = ahead();
    expect([fleet.steps, fleet.app.environments]).toEqual([['env_b copy'], ['env_a']]);
    fleet.report('env_b', { status: 'waiting' });
    fleet.settle();
    expect([fleet.steps, fleet.app.environments]).toEqual([['env_b copy', 'env_a removed'], ['env_b']]);
    fleet.report('env_a');
    fleet.settle();
    expect(fleet.steps.at(-1)).toBe('env_b running');
  });

  it('waits for the rest of the uploads, though its new place lacked none when it had the app before', () => {
    const fleet = ahead();
    fleet.report('env_b', { status: 'waiting', uploads: null });
    fleet.settle();
    fleet.report('env_a');
    fleet.settle();
    expect(fleet.steps).toEqual(['env_b copy', 'env_a removed', 'env_b running']);
    expect(fleet.wish('env_b').uploads).toMatchObject({ from: 'env_a', wait: true });
  });

  it('goes on at once if the place where it runs goes down', () => {
    const fleet = ahead();
    fleet.health.set('env_a', 'down');
    fleet.settle();
    expect(fleet.steps).toEqual(['env_b copy', 'env_a removed', 'env_b running']);
  });

  it('waits if the new place goes down, and the app runs on', () => {
    const fleet = ahead();
    fleet.health.set('env_b', 'down');
    expect(fleet.settle()).toEqual(say('WAITS_FOR_RETURN', { environment: 'env_b' }));
    expect(fleet.app.environments).toEqual(['env_a']);
  });

  it('that is cancelled deletes what was copied, and the old place gives nothing more', () => {
    const fleet = ahead();
    const before = fleet.wish('env_a').generation;
    fleet.ask(cancelled);
    fleet.settle();
    expect(fleet.steps.sort()).toEqual(['env_a running', 'env_b removed']);
    expect(fleet.wish('env_a').generation).toBeGreaterThan(before);
    expect(fleet.wish('env_b').uploads).toMatchObject({ ahead: true });
  });

  it('goes on as it is if an environment is forgotten that the app has left', () => {
    const fleet = running(['env_a']);
    fleet.app.published.env_c = publishedOf({ generation: 3, desired: 'removed' });
    fleet.health.set('env_c', 'down');
    fleet.ask((app, generation) => arriving(app, 'env_b', generation));
    fleet.settle();
    fleet.ask((app) => forgotten(app, 'env_c') ?? {});
    expect([fleet.app.environments, fleet.app.placements.env_b?.want]).toEqual([['env_a'], 'running']);
  });

  it('ends if its new place is forgotten, and goes on if the old one is', () => {
    const one = ahead();
    one.ask((app) => forgotten(app, 'env_b') ?? {});
    expect([one.app.environments, Object.keys(one.app.placements)]).toEqual([['env_a'], ['env_a']]);
    const other = ahead();
    other.ask((app) => forgotten(app, 'env_a') ?? {});
    expect([other.app.environments, Object.keys(other.app.placements)]).toEqual([['env_b'], ['env_b']]);
  });
});

describe('a change of several places', () => {
  it('leaves one when the app runs where it is new', () => {
    const fleet = running(['env_a', 'env_b']);
    fleet.ask(moved(['env_a', 'env_c']));
    fleet.settle();
    expect(fleet.steps).not.toContain('env_b removed');
    fleet.converge('env_a', 'env_c');
    expect(fleet.steps).toContain('env_b removed');
  });

  it('lets one that leaves host it until it has, or is down; who is out stays out', () => {
    const fleet = running(['env_a', 'env_b', 'env_c']);
    fleet.ask(moved(['env_a', 'env_b']));
    fleet.settle();
    expect(fleet.wish('env_a')).toMatchObject({ hosts: ['env_a', 'env_b', 'env_c'], left: [] });
    fleet.health.set('env_c', 'down');
    fleet.settle();
    expect(fleet.wish('env_a')).toMatchObject({ hosts: ['env_a', 'env_b'], left: ['env_c'] });
    fleet.health.delete('env_c');
    fleet.settle();
    expect(fleet.wish('env_a')).toMatchObject({ hosts: ['env_a', 'env_b'], left: ['env_c'] });
  });

  it('publishes settings at once, also where a boot has failed', () => {
    const fleet = running(['env_a', 'env_b']);
    fleet.ask((app, generation) => booted(app, generation, 'restart'));
    fleet.settle();
    fleet.report('env_a', failure);
    fleet.settle();
    const { boot } = fleet.wish('env_b');
    fleet.ask((app, generation) => placed(app, { ...app }, generation));
    fleet.settle();
    expect(fleet.steps).toEqual(expect.arrayContaining(['env_a running', 'env_b running']));
    expect(fleet.wish('env_b').boot).toEqual(boot);
  });
});

describe('invariant 9: the end of an app', () => {
  const deleted = (data: 'keep' | 'drop' | 'release') => {
    const fleet = running(['env_a', 'env_b']);
    fleet.ask(() => ({ environments: [], placements: {}, targetEnvironment: 'env_b' }));
    fleet.ending = { environments: ['env_a', 'env_b'], data };
    fleet.settle();
    return fleet;
  };

  it('is everywhere at once, and of its data when it is gone', () => {
    const fleet = deleted('drop');
    expect(fleet.steps).toEqual(['env_a removed', 'env_b removed']);
    fleet.report('env_a');
    fleet.settle();
    expect([fleet.steps.length, fleet.ending?.environments]).toEqual([2, ['env_b']]);
    fleet.report('env_b');
    fleet.settle();
    expect(fleet.steps.at(-1)).toBe('env_b drop');
    expect(fleet.next().ends).toBeUndefined();
    fleet.report('env_b');
    expect(fleet.next().ends).toBe(true);
  });

  it('drops data where the app was placed, and nowhere else', () => {
    const fleet = deleted('drop');
    fleet.app.published.env_b = { ...fleet.wish('env_b'), stray: true };
    fleet.report('env_a');
    fleet.report('env_b');
    fleet.settle();
    expect(fleet.steps.at(-1)).toBe('env_a drop');
  });

  it('waits with the data for an environment that is there', () => {
    const fleet = deleted('release');
    fleet.report('env_a');
    fleet.report('env_b');
    fleet.settle();
    fleet.ending = { environments: [], data: 'release' };
    fleet.app.published = { env_a: { ...fleet.wish('env_a'), data: 'keep' } };
    fleet.health.set('env_a', 'down');
    expect(fleet.next()).not.toHaveProperty('publish');
    fleet.health.delete('env_a');
    fleet.settle();
    expect(fleet.steps.at(-1)).toBe('env_a release');
  });

  it('is asked for again where it has failed, by whoever asks again', () => {
    const fleet = deleted('keep');
    fleet.report('env_a', { ...failure });
    fleet.settle();
    expect(fleet.steps.length).toBe(2);
    fleet.ask(() => ({}));
    fleet.settle();
    expect(fleet.steps).toEqual(['env_a removed']);
  });

  it('waits for one that nobody knew it to be in', () => {
    const fleet = deleted('keep');
    for (const name of ['env_a', 'env_b']) fleet.report(name);
    fleet.report('env_c', { status: 'running', generation: 3 });
    fleet.settle();
    expect([fleet.steps.at(-1), fleet.ending?.environments]).toEqual(['env_c removed', ['env_c']]);
    fleet.report('env_c');
    expect(fleet.next().ends).toBe(true);
  });

  it('does not wait for what was forgotten, nor where a newer app of the name is', () => {
    const fleet = deleted('keep');
    fleet.forgotten.add('env_a');
    fleet.taken = ['env_b'];
    expect(fleet.next().ends).toBe(true);
  });
});

describe('an app in several environments', () => {
  const lacking = (fleet: PlannedApp) => fleet.report('env_b', { pendingChanges: ['plugins'] });

  it('restarts where it runs without the plugins that it has elsewhere', () => {
    const fleet = running(['env_a', 'env_b']);
    lacking(fleet);
    fleet.settle();
    expect(fleet.heals).toEqual([{ action: 'restart', environments: ['env_b'] }]);
    expect([fleet.wish('env_a').boot.how, fleet.wish('env_b').boot.how]).toEqual(['start', 'restart']);
  });

  it('does not while something else is begun', () => {
    const fleet = running(['env_a', 'env_b']);
    fleet.ask((app, generation) => booted(app, generation, 'restart', ['env_a']));
    lacking(fleet);
    fleet.settle();
    expect(fleet.heals).toEqual([]);
  });
});

describe('whatever is asked for and whatever happens', () => {
  const PLACES = ['env_a', 'env_b', 'env_c'];
  const pick = <T>(from: readonly T[], fraction: number): T => from[Math.floor(fraction * from.length)];

  it.each(Array.from({ length: 200 }, (_, i) => i))('an app is in the end as it should be: %i', (seed) => {
    const random = randomFor(seed, 'plan');
    const fleet = new PlannedApp({ environments: ['env_a'], targetEnvironment: 'env_a' });
    let newest = 0;
    const check = () => {
      // One sequence for each app: no two publications share a generation.
      const generations = fleet.published.map((line) => Number(line.split(' ')[2]));
      expect(new Set(generations).size).toBe(generations.length);
      for (const generation of generations) expect(generation).toBeGreaterThan(newest);
      newest = Math.max(newest, ...generations);
      fleet.published.length = 0;
    };
    for (let i = 0; i < 25; i++) {
      const chance = random.fraction();
      const environment = pick(PLACES, random.fraction());
      const count = 1 + Math.floor(random.fraction() * 2);
      const to = [...PLACES, ...PLACES].slice(PLACES.indexOf(environment)).slice(0, count);
      if (chance < 0.1) fleet.ask(moved(to));
      else if (chance < 0.15)
        fleet.ask((app, g) => booted(app, g, pick(['start', 'restart', 'upgrade'] as const, random.fraction())));
      else if (chance < 0.2) fleet.ask((app, g) => rested(app, g));
      else if (chance < 0.25) fleet.ask(cancelled);
      else if (chance < 0.35) fleet.health.set(environment, pick(['down', 'unknown', 'online'], random.fraction()));
      else if (chance < 0.45 && fleet.wish(environment)) fleet.report(environment, failure);
      else if (fleet.wish(environment)) fleet.report(environment);
      const before = { ...fleet.app.published };
      fleet.settle();
      assertAlone(fleet, before);
      check();
    }
    fleet.health.clear();
    fleet.ask((app, g) => booted(app, g, 'start'));
    fleet.converge();
    for (const name of fleet.app.environments) expect(fleet.wish(name)?.desired).toBe('running');
    expect(Object.keys(fleet.app.published).sort()).toEqual([...fleet.app.environments].sort());
    expect([fleet.app.previous, fleet.app.paused]).toEqual([null, null]);
  });

  /** An app with one place is asked to start there only when it has left all others, or they are down. */
  function assertAlone(fleet: PlannedApp, before: PlannedApp['app']['published']): void {
    const [only, ...others] = fleet.app.environments;
    if (others.length || only === undefined) return;
    const isWanted = (published: typeof before) => ['running', 'onDemand'].includes(published[only]?.desired ?? '');
    if (!isWanted(fleet.app.published) || isWanted(before)) return;
    for (const [name, { desired }] of Object.entries(fleet.app.published)) {
      if (name === only) continue;
      expect(desired).toBe('removed');
      expect(fleet.observe(name).health).toBe('down');
    }
  }
});

describe('work: a new password for the role of the database', () => {
  const database = { dbConnType: 'new_database' as const, database: 'crm', username: 'app_crm', password: 'first' };
  const sent = (fleet: PlannedApp, environment: string) => recordFor(fleet.app, fleet.wish(environment)).database;
  /** Of an app in these environments, one has left. */
  function left(environments: string[], values = {}): PlannedApp {
    const fleet = running([...environments, 'env_x'], { database, ...values });
    fleet.ask(moved(environments));
    fleet.settle();
    fleet.report('env_x');
    fleet.settle();
    for (const name of environments) fleet.report(name);
    return fleet;
  }

  it('tells one place both passwords with its work, and then the new one', () => {
    const fleet = left(['env_a']);
    fleet.settle();
    const { work } = fleet.wish('env_a');
    expect(work).toEqual({ generation: expect.any(Number), kind: 'password' });
    expect(sent(fleet, 'env_a')).toEqual({ ...database, nextPassword: 'password 1' });
    fleet.report('env_a', { work: undefined });
    fleet.settle();
    expect(sent(fleet, 'env_a')).toMatchObject({ password: 'first', nextPassword: 'password 1' });
    fleet.report('env_a');
    fleet.settle();
    expect(sent(fleet, 'env_a')).toEqual({ ...database, password: 'password 1' });
    fleet.converge();
    expect(fleet.passwords).toBe(1);
    expect(fleet.settle()).toBeNull();
  });

  it('tells several places before the first one sets it, one after the other', () => {
    const fleet = left(['env_a', 'env_b']);
    fleet.settle();
    for (const name of ['env_a', 'env_b'])
      expect(sent(fleet, name)).toMatchObject({ password: 'first', nextPassword: 'password 1' });
    fleet.report('env_a');
    fleet.settle();
    expect([fleet.wish('env_a').work, fleet.wish('env_b').work]).toEqual([undefined, undefined]);
    fleet.report('env_b');
    fleet.settle();
    expect([fleet.wish('env_a').work, fleet.wish('env_b').work]).toEqual([expect.anything(), undefined]);
    fleet.report('env_a');
    fleet.settle();
    expect(fleet.wish('env_b').work).toEqual(fleet.wish('env_a').work);
    expect(sent(fleet, 'env_b').password).toBe('first');
    fleet.report('env_b');
    fleet.settle();
    for (const name of ['env_a', 'env_b']) expect(sent(fleet, name)).toEqual({ ...database, password: 'password 1' });
  });

  it('waits for a place that is down: it would lose the database', () => {
    const fleet = left(['env_a', 'env_b']);
    fleet.health.set('env_b', 'down');
    fleet.converge('env_a');
    expect(fleet.app.database).toEqual({ ...database, renewsPassword: true });
    fleet.health.delete('env_b');
    fleet.converge();
    expect(fleet.app.database).toEqual({ ...database, password: 'password 1' });
  });

  it('also waits for one that goes down when it is told', () => {
    const fleet = left(['env_a', 'env_b']);
    fleet.settle();
    fleet.health.set('env_b', 'down');
    fleet.converge('env_a');
    expect(fleet.wish('env_a').work).toBeUndefined();
  });

  it('comes after a move, and before the next one', () => {
    const fleet = running(['env_a'], { database });
    fleet.ask(moved(['env_b']));
    fleet.converge();
    expect(fleet.app.database.password).toBe('password 1');
    fleet.ask(moved(['env_a']));
    fleet.settle();
    fleet.report('env_b');
    fleet.settle();
    expect(sent(fleet, 'env_a')).toEqual({ ...database, password: 'password 1' });
    fleet.converge();
    expect(fleet.app.database).toEqual({ ...database, password: 'password 2' });
  });

  it('follows where an environment leaves that knows the password that is being set', () => {
    const fleet = left(['env_a', 'env_b']);
    fleet.settle();
    fleet.ask(moved(['env_a']));
    fleet.converge();
    expect(fleet.app.database).toEqual({ ...database, password: 'password 2' });
  });

  it('is asked of the new place, if the app moves while it is being set', () => {
    const fleet = left(['env_a']);
    fleet.settle();
    fleet.ask(moved(['env_b']));
    fleet.converge();
    expect(fleet.app.database).toEqual({ ...database, password: 'password 2' });
    expect(fleet.wish('env_b').work).toBeDefined();
  });

  it('is wanted of an app that rests, and when an environment is forgotten', () => {
    const fleet = running(['env_a'], { database, desired: 'stopped' });
    fleet.ask((app) => forgotten({ ...app, published: { ...app.published, env_x: publishedOf() } }, 'env_x') ?? {});
    fleet.converge();
    expect(fleet.app.database.password).toBe('password 1');
  });

  it('is wanted when the app has a place again, if it had none', () => {
    const fleet = running(['env_a'], { database });
    fleet.ask((app) => forgotten(app, 'env_a') ?? {});
    fleet.settle();
    fleet.ask(moved(['env_b']));
    fleet.converge();
    expect(fleet.app.database).toEqual({ ...database, password: 'password 1' });
  });

  it('stays after a stop, a restart and a cancelled request', () => {
    for (const ask of [
      (app: PlannedApp['app'], generation: number) => rested(app, generation),
      (app: PlannedApp['app'], generation: number) => booted(app, generation, 'restart'),
      (app: PlannedApp['app']) => cancelled(app),
    ]) {
      const fleet = left(['env_a', 'env_b']);
      fleet.settle();
      fleet.report('env_a');
      fleet.report('env_b');
      fleet.settle();
      fleet.ask(ask);
      fleet.converge();
      expect(fleet.app.database).toEqual({ ...database, password: 'password 1' });
    }
  });

  it('is not taken for set after a cancelled request', () => {
    const fleet = running(['env_a'], { database });
    fleet.ask((app) => ({ database: { ...app.database, renewsPassword: true } }));
    fleet.settle();
    fleet.report('env_a');
    fleet.settle();
    fleet.ask((app) => ({ database: { ...app.database, renewsPassword: true } }));
    fleet.report('env_a');
    const begun = fleet.next();
    fleet.app = { ...fleet.app, ...begun.change };
    fleet.ask((app) => cancelled(app));
    fleet.report('env_a');
    fleet.settle();
    expect(fleet.app.database).toMatchObject({ password: 'password 1', nextPassword: 'password 2' });
    fleet.converge();
    expect(fleet.app.database).toEqual({ ...database, password: 'password 2' });
  });

  it('is asked of the next place where one has failed, and ends when all have it', () => {
    const fleet = left(['env_a', 'env_b']);
    fleet.settle();
    fleet.report('env_a');
    fleet.report('env_b');
    fleet.settle();
    const { generation } = fleet.wish('env_a').work!;
    const failed = { work: { generation, error: say('NO_CAUSE') } };
    fleet.report('env_a', failed);
    fleet.settle();
    expect(fleet.wish('env_b').work).toEqual({ generation, kind: 'password' });
    fleet.report('env_a', failed);
    fleet.report('env_b');
    fleet.settle();
    expect(sent(fleet, 'env_a')).toMatchObject({ password: 'first', nextPassword: 'password 1' });
    expect(fleet.wish('env_a').work).toEqual({ generation, kind: 'password' });
    fleet.converge();
    expect(fleet.app.database).toEqual({ ...database, password: 'password 1' });
  });

  it('is asked again of a place where it has failed, once the app has booted there', () => {
    const fleet = left(['env_a']);
    fleet.settle();
    const { work } = fleet.wish('env_a');
    const failed = { work: { generation: work!.generation, error: say('NO_CAUSE') } };
    fleet.ask((app, generation) => booted(app, generation, 'restart'));
    fleet.settle();
    fleet.report('env_a', failed);
    fleet.settle();
    expect(fleet.wish('env_a')).toMatchObject({ work, boot: { generation: fleet.asked } });
    fleet.report('env_a', failed);
    expect(fleet.next()).toEqual({ waits: null });
    fleet.converge();
    expect(fleet.app.database).toEqual({ ...database, password: 'password 1' });
  });

  it('is set anew where a Worker has set one that a restored database does not know', () => {
    const fleet = running(['env_a'], { database });
    fleet.report('env_a', { work: { generation: fleet.now + 50, error: null } });
    fleet.converge();
    expect(fleet.app.database.password).toBe('password 1');
    expect(fleet.wish('env_a').work?.generation).toBeGreaterThan(fleet.now + 50);
    fleet.report('env_a', { work: { generation: fleet.now + 2 * 86_400_000, error: null } });
    fleet.settle();
    expect(fleet.passwords).toBe(1);
  });

  it.each([
    ['a role that somebody has entered', { ...database, dbConnType: 'new_connection' as const }],
    ['no role of its own', { dbConnType: 'new_database' as const, database: 'crm' }],
  ])('is not wanted with %s', (_, given) => {
    const fleet = left(['env_a'], { database: given });
    fleet.converge();
    expect(fleet.app.database).toEqual(given);
  });

  it('follows new secrets, and a place that rests goes on to rest', () => {
    const fleet = running(['env_a', 'env_b'], { database });
    fleet.ask((app, generation) => rested(app, generation, ['env_b']));
    fleet.converge();
    fleet.ask((app, generation) => ({
      ...restartedWith(app, generation),
      database: { ...app.database, renewsPassword: true },
    }));
    const { asked } = fleet;
    fleet.converge();
    expect(fleet.wish('env_a')).toMatchObject({ desired: 'running', boot: { generation: asked, how: 'restart' } });
    expect(fleet.wish('env_b')).toMatchObject({ desired: 'stopped', boot: { how: 'start' } });
    expect(fleet.wish('env_b').generation).toBeGreaterThan(asked);
    expect(fleet.app.database).toEqual({ ...database, password: 'password 1' });
  });

  it('is not wanted after a stray', () => {
    const fleet = running(['env_a'], { database });
    fleet.report('env_c', { status: 'running', generation: 3 });
    fleet.converge();
    expect(fleet.wish('env_c')).toBeUndefined();
    expect(fleet.app.database).toEqual(database);
  });
});

it('what an app waits for is the admission of its environment', () => {
  const fleet = new PlannedApp({ environments: ['env_a'], targetEnvironment: 'env_a' });
  fleet.closed.add('env_a');
  fleet.report('env_a', { status: 'running', generation: 5_000 });
  expect(fleet.settle()).toEqual(say('WAITS_FOR_ADMISSION', { environment: 'env_a' }));
  // Its record is written then; until then what it says decides nothing.
  expect(fleet.steps).toEqual(['env_a running']);
  fleet.closed.delete('env_a');
  expect(fleet.converge()).toBeNull();
});
