import { beforeEach, describe, expect, it, vi } from 'vitest';
import { createInput, parseInput, updateInput } from '../../src/server/supervisor/definitions/input';
import type { AppDefinition } from '../../src/server/supervisor/definitions/repository';
import { databaseRefusal } from '../../src/server/supervisor/placement/move-refusals';
import {
  causeOf,
  FAILBACK_AFTER,
  FAILBACK_EVERY,
  failoverPlaces,
  failsOver,
  homeAfter,
  leaving,
  returnsIn,
  returnsTo,
} from '../../src/server/supervisor/rollout/failover-candidates';
import { APP } from '../../src/shared/app';
import type { Event } from '../../src/shared/event';
import { completeIn } from '../../src/shared/fields';
import { say } from '../../src/shared/message';
import { appOf, placementOf, publishedOf } from '../support/fixtures';
import { MemoryFleet, type MemorySupervisor } from '../support/memory-fleet';

const automatic = (values: Partial<AppDefinition> = {}) =>
  appOf({
    environments: ['env_a'],
    published: { env_a: publishedOf() },
    failover: 'automatic',
    failoverDelay: 60,
    home: null,
    ...values,
  });

/** Of an app that has stopped its process, as of its boot 5. */
const stopped = { paused: { environment: 'env_a', boot: 5, cause: { code: 'APP_STOPS_LOOP' } } };
const bootOf = (generation: number) => ({
  placements: { env_a: placementOf({ boot: { generation, how: 'start' } }) },
});

describe('what leaves an environment that is down', () => {
  it('is an app that should run there, and nowhere else, and that has run', () => {
    expect(failsOver(automatic(), 'env_a')).toBe(true);
    const others: Array<Partial<AppDefinition>> = [
      { failover: 'manual' },
      { environments: ['env_a', 'env_b'] },
      { environments: ['env_b'] },
      { environments: [] },
      { desired: 'stopped' },
      { published: { env_a: publishedOf({ desired: 'stopped' }) } },
      { published: {} },
      { provision: 'create' },
      { ...stopped, ...bootOf(5) },
    ];
    expect(failsOver(automatic({ ...stopped, ...bootOf(6) }), 'env_a')).toBe(true);
    expect(others.map((values) => failsOver(automatic(values), 'env_a'))).toEqual(others.map(() => false));
  });

  it('leaves when it has been down for as long as the app says', () => {
    const apps = [automatic(), automatic({ name: 'wiki', failoverDelay: 20 }), automatic({ failover: 'manual' })];
    expect(leaving(apps, 'env_a', 5_000)).toEqual({ due: [], next: 15_000 });
    expect(leaving(apps, 'env_a', 20_000)).toEqual({ due: [apps[1]], next: 40_000 });
    expect(leaving(apps, 'env_a', 90_000)).toEqual({ due: apps.slice(0, 2), next: null });
  });

  it('has a delay between ten seconds and a day', () => {
    const delayOf = (failoverDelay: number) => parseInput(updateInput, { failoverDelay }).failoverDelay;
    expect([delayOf(10), delayOf(86_400)]).toEqual([10, 86_400]);
    for (const delay of [9, 86_401, 1.5]) expect(() => delayOf(delay)).toThrow();
    const defaults = completeIn(APP, 'create', { name: 'crm', ...parseInput(createInput, { title: 'CRM' }) });
    expect(defaults).toMatchObject({ failover: 'manual', failoverDelay: 60, failback: 'manual' });
  });

  it('is no file, from which nobody can be cut off', () => {
    const object = say('FILE', { name: '/data/crm.sqlite' });
    const message = say('CHECK_OTHER_APP', { object, app: 'crm', uid: 'uid-1' });
    const check = { checks: [{ name: 'content' as const, ok: false, message }], verdict: 'taken' as const };
    const app = appOf();
    expect(databaseRefusal(check, app, 'env_b', true)?.code).toBe('MOVE_DATABASE_FILE');
    expect(databaseRefusal(check, app, 'env_b')).toBeNull();
  });
});

describe('what a failover may be about', () => {
  it('is an environment that an app may leave, and the home of one', () => {
    const places = (values: Partial<AppDefinition>) => [...failoverPlaces([automatic(values)])];
    expect(places({ failover: 'manual' })).toEqual([]);
    expect(places({ environments: ['env_a', 'env_b'] })).toEqual(['env_a', 'env_b']);
    expect(places({ failover: 'manual', home: 'env_b' })).toEqual(['env_b']);
  });
});

describe('what returns', () => {
  it('is an app whose home is the environment, and whose settings say so', () => {
    const away = automatic({ environments: ['env_b'], home: 'env_a', failback: 'automatic' });
    expect(returnsTo(away, 'env_a')).toBe(true);
    const others = [
      { failback: 'manual' },
      { home: null },
      { home: 'env_c' },
      { environments: ['env_b', 'env_c'] },
      { ...stopped, ...bootOf(5) },
    ];
    for (const values of others) expect(returnsTo({ ...away, ...(values as object) }, 'env_a')).toBe(false);
  });

  it('waits until its home has been well for a while, and returns once an hour at most', () => {
    expect(returnsIn(FAILBACK_AFTER - 1, null)).toBe(1);
    expect(returnsIn(FAILBACK_AFTER, null)).toBe(0);
    expect(returnsIn(FAILBACK_AFTER, FAILBACK_EVERY)).toBe(0);
    expect(returnsIn(FAILBACK_AFTER, FAILBACK_EVERY - 5)).toBe(5);
    // A clock that was set back.
    expect(returnsIn(FAILBACK_AFTER, -5)).toBe(FAILBACK_EVERY);
  });

  it('knows its first home, until it is placed elsewhere', () => {
    expect(homeAfter({ home: null }, 'env_a', 'env_b', 'failover')).toBe('env_a');
    expect(homeAfter({ home: 'env_a' }, 'env_b', 'env_c', 'failover')).toBe('env_a');
    expect(homeAfter({ home: 'env_a' }, 'env_b', 'env_a', 'failover')).toBeNull();
    expect(homeAfter({ home: 'env_a' }, 'env_b', 'env_a', 'failback')).toBeNull();
    expect(homeAfter({ home: 'env_a' }, 'env_b', 'env_c', null)).toBeNull();
  });

  it('is the cause of a move to its home, and a failover that of one from an environment that is down', () => {
    const app = { environments: ['env_b'], home: 'env_a' };
    expect(causeOf(app, 'env_b', 'env_a', false)).toBe('failback');
    expect(causeOf(app, 'env_b', 'env_c', true)).toBe('failover');
    expect(causeOf(app, 'env_b', 'env_c', false)).toBeNull();
    expect(causeOf({ environments: ['env_b', 'env_c'], home: null }, 'env_b', 'env_a', true)).toBeNull();
  });
});

describe('a fleet with an app that fails over', () => {
  let fleet: MemoryFleet;
  let supervisor: MemorySupervisor;
  /** Environments that find the database of the app. */
  let found: string[];
  const all = ['env_a', 'env_b', 'env_c'];
  const living = ['env_b', 'env_c'];

  beforeEach(async () => {
    fleet = new MemoryFleet();
    found = [...all];
    fleet.answer = async (environment) => {
      const isThere = found.includes(environment);
      const message = isThere
        ? say('CHECK_OTHER_APP', { object: 'crm', app: 'crm', uid: fleet.app('crm').uid })
        : say('CHECK_FREE');
      return { checks: [{ name: 'content', ok: !isThere, message }], verdict: isThere ? 'taken' : 'free' };
    };
    supervisor = await fleet.supervisor();
    for (const name of all) await fleet.environment(name);
    await fleet.runningApp(supervisor, 'crm', ['env_a']);
    await set({ failover: 'automatic', failoverDelay: 30, failback: 'automatic' });
    await fleet.says('env_a', 'crm');
    await fleet.run(1_000, ...all);
    expect(fleet.open).toEqual([]);
  });

  const set = (values: object) => supervisor.part.parts.service.update('crm', parseInput(updateInput, values), '1');
  const placeOf = () => fleet.app('crm').environments;
  const moves = () =>
    (fleet.database.visible('appOperations') as unknown as Array<ReturnType<MemoryFleet['operation']>>).filter(
      ({ action }) => action === 'move',
    );
  const events = (...kinds: string[]) =>
    (fleet.database.visible('appEvents') as unknown as Event[])
      .filter(({ kind }) => kinds.includes(kind))
      .map((event) => ({ ...event, message: parsed(event.message), cause: parsed(event.cause) }));
  const parsed = (value: unknown) => (typeof value === 'string' ? JSON.parse(value) : value);
  /** Down after three intervals of 5 s. */
  const DOWN = 16_000;
  const failedOver = async () => {
    await fleet.run(DOWN + 34_000, ...living);
    const [to] = placeOf();
    await fleet.says(to, 'crm');
    await fleet.run(1_000, ...living);
    return to;
  };

  it('moves it when its environment has been down for the delay, and not before', async () => {
    await fleet.run(DOWN + 24_000, ...living);
    expect(supervisor.part.environmentRows().find(({ name }) => name === 'env_a')?.health).toBe('down');
    expect([placeOf(), moves()]).toEqual([['env_a'], []]);
    const to = await failedOver();
    expect(living).toContain(to);
    expect(moves()).toMatchObject([{ cause: 'failover', createdById: null, state: 'succeeded' }]);
    expect(fleet.app('crm')).toMatchObject({ home: 'env_a', targetEnvironment: to });
    const app = 'crm';
    const begun = { code: 'FAILOVER_BEGUN', params: { app, from: 'env_a', to } };
    expect(events('failover')).toMatchObject([{ environment: 'env_a', appName: 'crm', message: begun }]);
    expect(supervisor.part.parts.view.appRow(fleet.app('crm'))).toMatchObject({ home: 'env_a' });
  });

  it('brings it home when that has been online for two minutes, and the next time after an hour', async () => {
    const to = await failedOver();
    await fleet.run(FAILBACK_AFTER - 10_000, ...all);
    expect(placeOf()).toEqual([to]);
    await fleet.run(30_000, ...all);
    expect([placeOf(), fleet.app('crm').home]).toEqual([['env_a'], null]);
    await fleet.says(to, 'crm', { status: 'not_found' });
    await fleet.says('env_a', 'crm');
    await fleet.run(1_000, ...all);
    expect(moves().map(({ cause, state }) => `${cause} ${state}`)).toEqual([
      'failover succeeded',
      'failback succeeded',
    ]);
    expect(events('failback')).toMatchObject([{ environment: 'env_a', message: { code: 'FAILBACK_BEGUN' } }]);
    // Once more.
    const again = await failedOver();
    await fleet.run(FAILBACK_AFTER + 60_000, ...all);
    expect([placeOf(), fleet.app('crm').home]).toEqual([[again], 'env_a']);
    await fleet.run(FAILBACK_EVERY, ...all);
    expect(placeOf()).toEqual(['env_a']);
  });

  it('leaves it there while its Worker says that it hosts, which has lost Redis alone', async () => {
    fleet.hosting.add('env_a');
    await fleet.run(DOWN + 80_000, ...living);
    expect(placeOf()).toEqual(['env_a']);
    expect(events('failover')).toMatchObject([{ environment: 'env_a', message: { code: 'FAILOVER_HELD' } }]);
    fleet.hosting.clear();
    await fleet.run(31_000, ...living);
    expect(living).toContain(placeOf()[0]);
  });

  it.each([
    ['before places are looked for', 25_000, () => undefined],
    [
      'while places are looked for',
      0,
      (takeOver: () => Promise<void>) => {
        const { answer } = fleet;
        fleet.answer = async (...args) => {
          if (!moves().length) await takeOver();
          return answer(...args);
        };
      },
    ],
  ])('leaves it there while a process lives that took its environment over %s', async (_, ms, when) => {
    const takeOver = async () => {
      fleet.answer = answer;
      fleet.hosting.add('env_a');
      await fleet.announcing.beat('env_a', { instance: 'two' });
      await supervisor.part.parts.observer.poll();
    };
    const { answer } = fleet;
    when(takeOver);
    await fleet.run(DOWN + ms, ...living);
    if (ms) await takeOver();
    await fleet.run(ms ? 10_000 : 35_000, ...living);
    expect([placeOf(), moves(), events('failover')]).toEqual([['env_a'], [], []]);
    fleet.hosting.clear();
    await fleet.run(DOWN + 120_000, ...living);
    expect(living).toContain(placeOf()[0]);
  });

  it('says once why it cannot be moved, and moves it when it can', async () => {
    found = ['env_a'];
    await fleet.run(DOWN + 120_000, ...living);
    expect(placeOf()).toEqual(['env_a']);
    const refused = { code: 'FAILOVER_REFUSED', params: { app: 'crm', environment: 'env_a' } };
    expect(events('failover')).toMatchObject([{ message: refused, cause: { code: 'MOVE_DATABASE_ABSENT' } }]);
    found = ['env_c'];
    await fleet.run(31_000, ...living);
    expect(placeOf()).toEqual(['env_c']);
  });

  it('moves the first of many apps while places for others are still looked for', async () => {
    const names = Array.from({ length: 12 }, (_, i) => `app-${10 + i}`);
    for (const name of names) {
      await fleet.runningApp(supervisor, name, ['env_a']);
      const values = { failover: 'automatic', failoverDelay: 30 };
      await supervisor.part.parts.service.update(name, parseInput(updateInput, values), '1');
      await fleet.says('env_a', name);
    }
    await fleet.run(1_000, ...all);
    const slow = new Set(names.slice(10));
    fleet.answer = async (_, __, data) => {
      const { name } = data as { name: string };
      if (slow.has(name)) return new Promise(() => undefined);
      const message = say('CHECK_OTHER_APP', { object: name, app: name, uid: fleet.app(name).uid });
      return { checks: [{ name: 'content', ok: false, message }], verdict: 'taken' };
    };
    await fleet.run(DOWN + 34_000, ...living);
    const gone = ['crm', ...names].filter((name) => fleet.app(name).environments[0] !== 'env_a');
    expect([gone.length >= 8, gone.filter((name) => slow.has(name))]).toEqual([true, []]);
  });

  it('moves it to no environment with another release', async () => {
    await fleet.environment('env_d', { appVersion: '2.2.16' });
    found.push('env_d');
    for (const name of living) await supervisor.part.parts.environmentCache.change(name, { cordoned: true });
    await fleet.run(DOWN + 60_000, ...living, 'env_d');
    expect(placeOf()).toEqual(['env_a']);
    expect(events('failover')).toMatchObject([{ cause: { code: 'ENVIRONMENTS_DIFFER' } }]);
  });

  it('takes over what waits for the environment that is down', async () => {
    await fleet.run(DOWN, ...living);
    const { id } = await supervisor.part.parts.service.command('crm', 'restart', '1');
    await failedOver();
    expect(fleet.operation(id).state).toBe('cancelled');
    expect(moves()).toMatchObject([{ cause: 'failover', state: 'succeeded' }]);
  });

  it('moves none that was stopped meanwhile', async () => {
    await fleet.run(DOWN, ...living);
    await supervisor.part.parts.service.command('crm', 'stop', '1');
    await fleet.run(60_000, ...living);
    expect(placeOf()).toEqual(['env_a']);
  });

  it('counts a move that a person asks for as one, and brings it home when asked', async () => {
    await set({ failover: 'manual', failback: 'manual' });
    await fleet.says('env_a', 'crm');
    await fleet.run(DOWN + 60_000, ...living);
    expect(placeOf()).toEqual(['env_a']);
    const { moves: bulk, service } = supervisor.part.parts;
    const { operations } = await bulk.move([fleet.app('crm')], { from: 'env_a', to: 'env_b' }, '1');
    expect(operations).toMatchObject([{ cause: 'failover', createdById: '1' }]);
    await fleet.says('env_b', 'crm');
    await fleet.run(FAILBACK_AFTER + 60_000, ...all);
    expect([placeOf(), fleet.app('crm').home]).toEqual([['env_b'], 'env_a']);
    expect(await service.move('crm', { to: 'env_a' }, '1')).toMatchObject({ cause: 'failback' });
    expect(fleet.app('crm').home).toBeNull();
    expect(events('failover', 'failback').map(({ createdById }) => createdById)).toEqual(['1', '1']);
  });

  it('has no home in an environment that was forgotten', async () => {
    await failedOver();
    await supervisor.part.forget('env_a');
    await fleet.run(1_000, ...living);
    expect(fleet.app('crm').home).toBeNull();
  });

  it('leaves everything where it is while Redis does not answer', async () => {
    const poll = vi.spyOn(fleet.stores.fleet, 'poll').mockRejectedValue(new Error('Redis is away.'));
    await fleet.clock.run(120_000);
    poll.mockRestore();
    await fleet.run(10_000, ...all);
    expect([placeOf(), moves()]).toEqual([['env_a'], []]);
  });
});
