import { beforeEach, describe, expect, it } from 'vitest';
import type { AppDefinition, Published } from '../../src/server/supervisor/definitions/repository';
import { databaseRefusal } from '../../src/server/supervisor/placement/move-refusals';
import { type Place, placesFor, spread } from '../../src/server/supervisor/placement/places';
import { lastBoots, moveNotes } from '../../src/server/supervisor/placement/preview';
import { say } from '../../src/shared/message';
import type { StatusEntry } from '../../src/shared/messages';
import type { Health } from '../../src/shared/types';
import { appOf, entryOf, operationOf, placementOf, publishedOf } from '../support/fixtures';
import { MemoryFleet } from '../support/memory-fleet';
import { PlannedApp } from '../support/planned';

const place = (name: string, values: Partial<Place> = {}): Place => ({
  name,
  refusal: null,
  apps: 0,
  delay: 10,
  server: 'db:5432',
  ...values,
});

describe('a place for an app', () => {
  it('is one that takes apps and does not have it, with the fewest apps', () => {
    const places = [place('env_a'), place('env_b', { apps: 3 }), place('env_c', { apps: 2 }), place('env_d')];
    places[3].refusal = say('MOVE_PLACE_AWAY', { environment: 'env_d' });
    expect(placesFor(places, ['env_a'], 'db:5432')).toEqual(['env_c', 'env_b']);
  });

  it('is where its database server is, and rather not busy', () => {
    const places = [place('env_a', { server: 'other:1' }), place('env_b', { delay: 900 }), place('env_c', { apps: 9 })];
    expect(placesFor(places, [], 'db:5432')).toEqual(['env_c', 'env_b', 'env_a']);
    expect(placesFor(places, [], null)).toEqual(['env_a', 'env_c', 'env_b']);
  });

  it('is another one for each of several apps', () => {
    const need = (app: string) => ({ app, taken: ['env_a'], server: null });
    const found = spread([place('env_a'), place('env_b'), place('env_c')], ['x', 'y', 'z'].map(need));
    expect([...found]).toEqual([
      ['x', ['env_b', 'env_c']],
      ['y', ['env_c', 'env_b']],
      ['z', ['env_b', 'env_c']],
    ]);
    expect(spread([place('env_a')], [need('x')]).get('x')).toEqual([]);
  });
});

describe('the preview of a move', () => {
  const notesOf = (facts: Partial<Parameters<typeof moveNotes>[0]>) =>
    moveNotes({ from: 'env_a', sourceHealth: 'online', isStopped: false, uploads: null, ...facts });

  it('says what stays, and what is not waited for', () => {
    const codes = (facts: Parameters<typeof notesOf>[0]) => notesOf(facts).map(({ code }) => code);
    expect(codes({})).toEqual([]);
    expect(codes({ sourceHealth: 'down', isStopped: true })).toEqual([
      'MOVE_STAYS_STOPPED',
      'MOVE_UPLOADS_LATER',
      'MOVE_SOURCE_DOWN',
    ]);
    expect(codes({ sourceHealth: 'unknown' })).toContain('MOVE_WAITS_FOR_SOURCE');
    expect(codes({ from: null, sourceHealth: null })).toEqual([]);
  });

  it('says how many uploads come along, or why they stay', () => {
    const come = (files: string, size: string) => [say('MOVE_UPLOADS_COME', { environment: 'env_a', files, size })];
    expect(notesOf({ uploads: { files: 3, bytes: 1_500, isAll: true } })).toEqual(come('3', '2 KB'));
    expect(notesOf({ uploads: { files: 20_000, bytes: 5e9, isAll: false } })).toEqual(come('20000+', '4769 MB+'));
    expect(notesOf({ uploads: { files: 0, bytes: 0, isAll: true } })).toEqual([]);
    const cause = say('UPLOADS_NO_ADDRESS');
    expect(notesOf({ uploads: { cause } })).toEqual([say('MOVE_UPLOADS_STAY', { environment: 'env_a', cause })]);
  });

  it('takes the newest start for the time that visitors wait, and no installation', () => {
    const item = { environment: 'env_a', of: 'boot', state: 'succeeded' } as const;
    const boot = (ms: number) => [{ ...item, startedAt: 100, finishedAt: 100 + ms }];
    const found = lastBoots([
      operationOf(boot(60_000), { action: 'create' }),
      operationOf(boot(2_000)),
      operationOf(boot(9_000)),
    ]);
    expect(found.get('uid-1')).toBe(2_000);
  });

  it('asks the new place for the app’s own database', () => {
    const app = appOf();
    const check = (ok: boolean, message: ReturnType<typeof say>) =>
      databaseRefusal({ checks: [{ name: 'content', ok, message }], verdict: 'taken' }, app, 'env_b');
    const owned = (uid: string) => say('CHECK_OTHER_APP', { object: 'crm', app: 'crm', uid });
    expect(check(false, owned('uid-1'))).toBeNull();
    expect(check(false, owned('uid-2'))).toEqual(owned('uid-2'));
    expect(check(true, say('CHECK_FREE'))).toEqual(say('MOVE_DATABASE_ABSENT', { app: 'crm', environment: 'env_b' }));
  });

  it('asks it without the password of a separate connection, so that it has to reach the server alone', () => {
    const separate = appOf({ database: { dbConnType: 'new_connection', host: 'db' } });
    const failed = (name: 'reachable' | 'signIn', app = separate) =>
      databaseRefusal({ checks: [{ name, ok: false, message: say('NO_CAUSE') }], verdict: 'unusable' }, app, 'env_b');
    expect([failed('signIn'), failed('reachable'), failed('signIn', appOf())]).toEqual([
      null,
      say('NO_CAUSE'),
      say('NO_CAUSE'),
    ]);
  });
});

describe('an app with one environment', () => {
  const removed = publishedOf({ desired: 'removed' });
  /** What is published next for it where it is placed, and what it waits for. */
  const next = (published: Record<string, Published>, entry: Partial<StatusEntry> | null = null, health = 'online') => {
    const app = new PlannedApp({ environments: ['env_b'], published });
    app.health.set('env_a', health as Health);
    if (entry) app.entries.set('env_a', entryOf(entry));
    const { publish, waits } = app.next();
    return publish ? [Object.keys(publish), publish.env_b?.desired] : waits;
  };
  const waits = say('WAITS_FOR_LEAVING', { environment: 'env_a' });
  const starts = [['env_b'], 'running'];

  it('does not start while it may still run elsewhere', () => {
    expect(next({ env_a: publishedOf() }, { status: 'not_found' })).toEqual([['env_a'], undefined]);
    expect(next({ env_a: removed })).toEqual(waits);
    expect(next({ env_a: removed }, { status: 'not_found', generation: 9 })).toEqual(waits);
    expect(next({ env_a: removed }, { status: 'running' }, 'unknown')).toEqual(waits);
  });

  it('starts when that is confirmed, or the other one is down', () => {
    expect(next({}, { status: 'not_found' })).toEqual(starts);
    expect(next({ env_a: removed }, null, 'down')).toEqual(starts);
    expect(next({ env_a: publishedOf() }, null, 'down')).toEqual([['env_a'], undefined]);
  });
});

describe('a move that fails', () => {
  const isIn = (generation: number) => placementOf({ generation, boot: { generation, how: 'start' } });
  const before = { targetEnvironment: 'env_a', home: null, placements: { env_a: isIn(10), env_b: isIn(10) } };
  const next = (values: Partial<AppDefinition>, failsIn = 'env_b', down?: string) => {
    const app = new PlannedApp(values);
    app.entries.set(failsIn, entryOf({ generation: 20, status: 'error', error: say('NO_CAUSE') }));
    if (down) app.health.set(down, 'down');
    return app.next();
  };
  const moved = {
    generation: 20,
    environments: ['env_b'],
    placements: { env_b: isIn(20) },
    previous: { ...before, environments: ['env_a'], placements: { env_a: isIn(10) } },
    published: { env_b: publishedOf({ generation: 20, hosts: ['env_b'], left: ['env_a'] }) },
  };

  it('is undone once, if the app did not start at its new place', () => {
    const back = next(moved);
    expect(back.heals).toEqual({ action: 'move', environments: ['env_a', 'env_b'] });
    expect(back.change).toMatchObject({ environments: ['env_a'], targetEnvironment: 'env_a', previous: null });
    expect(back.change?.placements?.env_a.boot.generation).toBeGreaterThan(20);
    expect(next({ ...moved, previous: null }).heals).toBeUndefined();
  });

  it('is not undone while its old place is down or has still to leave it, nor if somebody has moved it away since', () => {
    expect(next(moved, 'env_b', 'env_a').heals).toBeUndefined();
    const leaving = { ...moved.published, env_a: publishedOf({ generation: 20, desired: 'removed' }) };
    expect(next({ ...moved, published: leaving }).heals).toBeUndefined();
    const away = { ...moved, environments: ['env_c'], placements: { env_c: isIn(30) } };
    expect(next(away).heals).toBeUndefined();
  });

  it('is not undone if the app did not start elsewhere, where it was before', () => {
    const two = {
      ...moved,
      environments: ['env_b', 'env_c'],
      placements: { env_b: isIn(20), env_c: isIn(20) },
      previous: { ...before, environments: ['env_a', 'env_b'] },
      published: {
        env_a: publishedOf({ hosts: ['env_a', 'env_b', 'env_c'], left: [] }),
        env_b: publishedOf({ generation: 20, hosts: ['env_a', 'env_b', 'env_c'], left: [] }),
        env_c: publishedOf({ generation: 20, hosts: ['env_a', 'env_b', 'env_c'], left: [] }),
      },
    };
    expect(next(two).heals).toBeUndefined();
    expect(next(two, 'env_c').heals).toEqual({ action: 'move', environments: ['env_a', 'env_c'] });
  });
});

describe('a move', () => {
  let fleet: MemoryFleet;
  let part: Awaited<ReturnType<MemoryFleet['supervisor']>>['part'];

  beforeEach(async () => {
    fleet = new MemoryFleet();
    const supervisor = await fleet.supervisor();
    part = supervisor.part;
    for (const name of ['env_a', 'env_b', 'env_c']) await fleet.environment(name);
    await fleet.runningApp(supervisor, 'crm', ['env_a']);
  });
  const desired = (environment: string) => fleet.app('crm').published[environment]?.desired;
  const gone = { status: 'not_found' as const };
  /** Since its uploads were copied ahead. */
  const copied = () => fleet.says('env_b', 'crm', { status: 'waiting' });
  const move = async () => {
    const { id } = await part.parts.service.move('crm', { to: 'env_b' }, '1');
    await fleet.run(1_000, 'env_a', 'env_b');
    return id;
  };
  const isAtHome = () => {
    expect(fleet.app('crm')).toMatchObject({ environments: ['env_a'], targetEnvironment: 'env_a' });
    expect(desired('env_a')).toBe('onDemand');
  };

  it('runs where it is while its uploads are copied, and ends there before it starts at its new place', async () => {
    const id = await move();
    isAtHome();
    expect(fleet.app('crm').published.env_b).toMatchObject({
      desired: 'stopped',
      uploads: { from: 'env_a', address: 'http://env_a:15000', ahead: true },
    });
    expect(part.parts.view.appRow(part.app('crm')!).statuses).toMatchObject({ env_a: { status: 'running' } });
    await copied();
    expect(fleet.app('crm')).toMatchObject({ environments: ['env_b'], targetEnvironment: 'env_b' });
    expect([desired('env_a'), desired('env_b')]).toEqual(['removed', 'stopped']);
    await fleet.says('env_a', 'crm', gone);
    expect(desired('env_b')).toBe('onDemand');
    await fleet.says('env_b', 'crm');
    await fleet.run(2_000, 'env_a', 'env_b');
    expect(fleet.operation(id)).toMatchObject({ action: 'move', state: 'succeeded' });
    expect(fleet.app('crm')).toMatchObject({ environments: ['env_b'], targetEnvironment: 'env_b' });
    expect(Object.keys(fleet.app('crm').published)).toEqual(['env_b']);
  });

  it.each(['start', 'restart'] as const)('stays that way when a %s supersedes it', async (action) => {
    await part.parts.service.move('crm', { to: 'env_b' }, '1');
    await part.parts.service.command('crm', action, '1');
    await fleet.run(2_000, 'env_a', 'env_b');
    expect([desired('env_a'), desired('env_b')]).toEqual(['removed', 'stopped']);
    await fleet.says('env_a', 'crm', gone);
    expect(desired('env_b')).toBe('onDemand');
  });

  it.each(['restart', 'change'] as const)('ends with a %s while its new place is down: the app stays', async (what) => {
    await move();
    await fleet.run(20_000, 'env_a');
    if (what === 'restart') await part.parts.service.command('crm', 'restart', '1');
    else await part.parts.service.update('crm', { options: { sso: { enabled: true } } } as never, '1');
    await fleet.run(2_000, 'env_a');
    isAtHome();
    expect(desired('env_b')).toBe('removed');
  });

  it('goes on when somebody stops the app only where it leaves', async () => {
    const id = await move();
    await copied();
    const stop = part.parts.service.command('crm', 'stop', '1', { environments: ['env_a'] });
    await expect(stop).rejects.toMatchObject({ code: 'NOT_IN_ENVIRONMENT' });
    await fleet.run(2_000, 'env_a', 'env_b');
    await fleet.says('env_a', 'crm', gone);
    await fleet.says('env_b', 'crm');
    await fleet.run(2_000, 'env_a', 'env_b');
    expect(fleet.operation(id).state).toBe('succeeded');
  });

  it('that was cancelled before the app was to start starts it when somebody asks for it', async () => {
    const id = await move();
    await copied();
    await part.parts.service.cancel(id);
    await part.parts.service.update('crm', { title: 'Sales' } as never, '1');
    await fleet.run(2_000, 'env_a', 'env_b');
    expect(desired('env_b')).toBe('stopped');
    await fleet.says('env_a', 'crm', gone);
    await fleet.run(2_000, 'env_a', 'env_b');
    // It was cancelled before the app was to start there, and new settings do not start it.
    expect(desired('env_b')).toBe('stopped');
    await part.parts.service.command('crm', 'start', '1');
    await fleet.run(2_000, 'env_a', 'env_b');
    expect(desired('env_b')).toBe('onDemand');
  });

  it('is undone when the app does not start there', async () => {
    const id = await move();
    await copied();
    await fleet.says('env_a', 'crm', gone);
    await fleet.says('env_b', 'crm', { status: 'error', error: say('NO_CAUSE') });
    await fleet.run(2_000, 'env_a', 'env_b');
    expect(fleet.operation(id).state).toBe('failed');
    expect(fleet.app('crm').environments).toEqual(['env_a']);
    expect([desired('env_a'), desired('env_b')]).toEqual([undefined, 'removed']);
    await fleet.says('env_b', 'crm', gone);
    expect(desired('env_a')).toBe('onDemand');
    await fleet.says('env_a', 'crm');
    expect(fleet.open).toEqual([]);
  });

  it('of an app with several environments starts it at its new place first', async () => {
    await part.parts.service.update('crm', { environments: ['env_a', 'env_b'] } as never, '1');
    await fleet.run(1_000, 'env_a', 'env_b');
    await fleet.says('env_a', 'crm');
    await fleet.says('env_b', 'crm');
    await part.parts.service.move('crm', { from: 'env_a', to: 'env_c' }, '1');
    await fleet.run(1_000, 'env_a', 'env_b', 'env_c');
    expect([desired('env_a'), desired('env_c')]).toEqual(['onDemand', 'onDemand']);
    await fleet.says('env_b', 'crm');
    await fleet.says('env_c', 'crm');
    expect(desired('env_a')).toBe('removed');
  });

  it('keeps an environment in which an app with several does not start, if it starts at its new place', async () => {
    await part.parts.service.update('crm', { environments: ['env_a', 'env_b'] } as never, '1');
    await part.parts.service.move('crm', { from: 'env_a', to: 'env_c' }, '1');
    await fleet.run(1_000, 'env_a', 'env_b', 'env_c');
    await fleet.says('env_b', 'crm', { status: 'error', error: say('NO_CAUSE') });
    await fleet.says('env_c', 'crm');
    await fleet.run(2_000, 'env_a', 'env_b', 'env_c');
    expect(fleet.app('crm').environments).toEqual(['env_c', 'env_b']);
    // Once it is well there, the move goes on.
    expect(desired('env_a')).toBe('onDemand');
    await fleet.says('env_b', 'crm');
    await fleet.run(2_000, 'env_a', 'env_b', 'env_c');
    expect(desired('env_a')).toBe('removed');
  });
});
