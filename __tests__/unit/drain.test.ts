import { beforeEach, describe, expect, it } from 'vitest';
import { perform } from '../../src/server/supervisor/api/action';
import { APPS } from '../../src/server/supervisor/api/apps';
import { BATCHES } from '../../src/server/supervisor/api/batches';
import { forgetInput } from '../../src/server/supervisor/definitions/input';
import { drainPlan, mergeAway } from '../../src/server/supervisor/placement/drain-plan';
import { stillAway } from '../../src/server/supervisor/rollout/drained';
import type { BatchRow } from '../../src/shared/batch';
import { say } from '../../src/shared/message';
import type { MovePreview } from '../../src/shared/move';
import { drain as drainOf } from '../support/drain';
import { appOf, placementOf, publishedOf } from '../support/fixtures';
import { MemoryFleet } from '../support/memory-fleet';

const preview = (app: string, refused: MovePreview['refused'] = null, servedIn: string[] = []): MovePreview => ({
  app,
  title: app,
  from: 'env_a',
  to: 'env_b',
  refused,
  overlaps: false,
  servedIn,
  waits: null,
  notes: [],
});

describe('the plan of a drain', () => {
  const app = (name: string, values = {}) =>
    appOf({ name, uid: `uid-${name}`, environments: ['env_a'], published: { env_a: publishedOf() }, ...values });
  const apps = [app('crm'), app('wiki'), app('old', { desired: 'stopped' })];
  const refused = say('MOVE_DATABASE_ABSENT', { app: 'wiki', environment: 'env_b' });
  const previews = [preview('crm'), preview('wiki', refused), preview('old', say('MOVE_NO_PLACE'))];
  const planned = (mode: Parameters<typeof drainPlan>[1]) => {
    const { moved, stopped, left } = drainPlan('env_a', mode, apps, previews);
    return [moved.map(({ app }) => app), stopped.map(({ name }) => name), left.map(({ app }) => app)];
  };

  it('moves what can be moved, and stops what cannot only if that was asked for', () => {
    expect(planned('move')).toEqual([['crm'], [], ['wiki', 'old']]);
    expect(planned('moveOrStop')).toEqual([['crm'], ['wiki'], ['old']]);
    expect(planned('stop')).toEqual([[], ['crm', 'wiki'], []]);
    expect(drainPlan('env_a', 'move', apps, previews).left[0]).toEqual({ app: 'wiki', ...refused });
  });

  it('stops there what another of its environments serves: visitors do not notice it', () => {
    const both = [app('crm'), app('wiki', { environments: ['env_a', 'env_b'] })];
    const found = [preview('crm', refused), preview('wiki', say('MOVE_NO_PLACE'), ['env_b'])];
    const { moved, stopped, left } = drainPlan('env_a', 'move', both, found);
    expect([moved, stopped.map(({ name }) => name), left.map(({ app }) => app)]).toEqual([[], ['wiki'], ['crm']]);
  });

  it('stops no app that rests there', () => {
    const resting = app('rest', { placements: { env_a: placementOf({ want: 'stopped' }) } });
    expect(drainPlan('env_a', 'stop', [resting], []).stopped).toEqual([]);
  });
});

describe('what a drain has taken away', () => {
  const away = { app: 'crm', uid: 'uid-1', to: 'env_b' };
  const crm = (values: object) => new Map([['crm', appOf({ name: 'crm', ...values })]]);
  const stays = (one: typeof away | { app: string; uid: string; to: null }, values: object) =>
    stillAway('env_a', [one], crm(values)).length === 1;

  it('is away while it is as the drain left it', () => {
    expect(stays(away, { environments: ['env_b'] })).toBe(true);
    expect(stays(away, { environments: ['env_c'] })).toBe(false);
    expect(stays(away, { environments: ['env_a', 'env_b'] })).toBe(false);
    expect(stays(away, { environments: ['env_b'], uid: 'uid-2' })).toBe(false);
    const rests = { environments: ['env_a'], placements: { env_a: placementOf({ want: 'stopped' }) } };
    expect(stays({ ...away, to: null }, rests)).toBe(true);
    expect(stays({ ...away, to: null }, { ...rests, desired: 'stopped' })).toBe(false);
    expect(stays({ ...away, to: null }, { ...rests, placements: { env_a: placementOf() } })).toBe(false);
    expect(stays(away, { environments: ['env_a'], placements: { env_b: placementOf() } })).toBe(true);
    expect(stays(away, { environments: ['env_a'], placements: { env_c: placementOf() } })).toBe(false);
  });

  it('is where the last drain of it put it', () => {
    const other = { app: 'wiki', uid: 'uid-2', to: null };
    expect(mergeAway([{ ...away, to: null }, other], [away])).toEqual([other, away]);
  });
});

describe('a drain', () => {
  let fleet: MemoryFleet;
  let part: Awaited<ReturnType<MemoryFleet['supervisor']>>['part'];
  /** Apps whose database each environment finds; the others are not there. */
  let found: Record<string, string[]>;

  beforeEach(async () => {
    fleet = new MemoryFleet();
    fleet.answer = async (environment, _what, body) => {
      const { name } = body as { name: string };
      const isThere = found[environment]?.includes(name);
      const message = isThere
        ? say('CHECK_OTHER_APP', { object: name, app: name, uid: fleet.app(name).uid })
        : say('CHECK_FREE');
      return { checks: [{ name: 'content', ok: !isThere, message }], verdict: isThere ? 'taken' : 'free' };
    };
    found = { env_b: ['crm'], env_c: ['crm', 'wiki'] };
    const supervisor = await fleet.supervisor();
    part = supervisor.part;
    for (const name of ['env_a', 'env_b', 'env_c']) await fleet.environment(name);
    await fleet.runningApp(supervisor, 'crm', ['env_a']);
    await fleet.runningApp(supervisor, 'wiki', ['env_a']);
  });
  const all = ['env_a', 'env_b', 'env_c'];
  const gone = { status: 'not_found' as const };
  const row = (name: string) => part.environmentRows().find((row) => row.name === name);
  const drain = async (mode: 'move' | 'moveOrStop' | 'stop', to?: string) => {
    await fleet.run(100, ...all);
    const { operations, left } = await drainOf(part, 'env_a', { mode, to });
    return { begun: operations.map(({ appName, action }) => `${action} ${appName}`), left };
  };
  const ask = async <T>(what: typeof BATCHES.retry, params: object, values = {}) => {
    const given = { ctx: { can: () => true }, userId: '1', caller: {}, may: {} };
    const answer = await perform(what, { supervisor: part, params, values, ...given } as never);
    return (answer as { data: T }).data;
  };
  const moved = async (name: string, from: string, to: string) => {
    await fleet.run(1_000, ...all);
    await fleet.says(from, name, gone);
    await fleet.says(to, name);
    await fleet.run(1_000, ...all);
    expect(fleet.app(name).environments).toEqual([to]);
  };

  it('lets an app rest for now, also when that is cancelled and asked for again', async () => {
    await drain('stop');
    await fleet.run(1_000, ...all);
    const { active, drains, service } = part.parts;
    const [{ id }] = active.of(fleet.app('crm').uid);
    await service.cancel(id, '1');
    expect(fleet.app('crm').desired).toBe('running');
    await service.retry(id, '1');
    expect(fleet.app('crm').desired).toBe('running');
    const { operations } = await drains.uncordon('env_a', true, '1');
    expect(operations.map(({ appName }) => appName)).toEqual(['crm', 'wiki']);
  });

  it('moves each app to an environment that finds its database, and all come home', async () => {
    // The first one would rather go to env_b, which does not find its database.
    found.env_b = ['wiki'];
    expect(await drain('move')).toEqual({ begun: ['move crm', 'move wiki'], left: [] });
    await moved('crm', 'env_a', 'env_c');
    await moved('wiki', 'env_a', 'env_c');
    expect(row('env_a')).toMatchObject({
      cordoned: true,
      away: [
        { app: 'crm', to: 'env_c' },
        { app: 'wiki', to: 'env_c' },
      ],
    });
    found.env_a = ['crm', 'wiki'];
    const { operations, refused } = await part.parts.drains.uncordon('env_a', true, '1');
    expect([operations.map(({ appName }) => appName), refused]).toEqual([['crm', 'wiki'], []]);
    await moved('crm', 'env_c', 'env_a');
    await moved('wiki', 'env_c', 'env_a');
    expect(row('env_a')).toMatchObject({ cordoned: false, away: [] });
  });

  it('lists what cannot be moved with the reason, and leaves it as it is', async () => {
    const absent = say('MOVE_DATABASE_ABSENT', { app: 'wiki', environment: 'env_b' });
    expect(await drain('move', 'env_b')).toMatchObject({ begun: ['move crm'], left: [{ app: 'wiki', ...absent }] });
    expect(fleet.app('wiki').environments).toEqual(['env_a']);
    expect(fleet.app('wiki').published.env_a.desired).toBe('onDemand');
  });

  it('is a batch, of which what was refused is asked for again as it was asked for', async () => {
    found.env_b = ['crm'];
    await fleet.run(100, ...all);
    const { batch } = await drainOf(part, 'env_a', { mode: 'move', to: 'env_b' });
    const act = (what: typeof BATCHES.retry) => ask<BatchRow>(what, { filterByTk: batch });
    expect(await act(BATCHES.get)).toMatchObject({
      action: 'drain',
      environment: 'env_a',
      total: 2,
      underWay: 1,
      failures: [{ cause: { code: 'MOVE_DATABASE_ABSENT' }, apps: [{ name: 'wiki', title: 'wiki' }] }],
    });
    found.env_b = ['crm', 'wiki'];
    expect(await act(BATCHES.retry)).toMatchObject({ total: 2, underWay: 2, failed: 0 });
    await moved('wiki', 'env_a', 'env_b');
    expect(row('env_a')?.away).toMatchObject([{ app: 'crm' }, { app: 'wiki', to: 'env_b' }]);
  });

  it('is asked for again only while the environment is cordoned', async () => {
    found.env_b = ['crm'];
    await fleet.run(100, ...all);
    const { batch } = await drainOf(part, 'env_a', { mode: 'move', to: 'env_b' });
    await part.parts.drains.uncordon('env_a', false, '1');
    const retry = () => ask<BatchRow>(BATCHES.retry, { filterByTk: batch });
    await expect(retry()).rejects.toMatchObject({ code: 'NOT_CORDONED', params: { environment: 'env_a' } });
    expect(row('env_a')?.away).toEqual([]);
    expect(await ask(BATCHES.get, { filterByTk: batch })).toMatchObject({ failed: 1, isOver: false });
    await part.parts.environmentCache.change('env_a', { cordoned: true });
    found.env_b = ['crm', 'wiki'];
    expect(await retry()).toMatchObject({ failed: 0, underWay: 2 });
  });

  it('asks for no app any more once the environment is uncordoned', async () => {
    await fleet.run(100, ...all);
    const answer = fleet.answer;
    fleet.answer = async (...asked) => {
      // While it looks for places.
      if (row('env_a')?.cordoned) await part.parts.drains.uncordon('env_a', false, '1');
      return answer?.(...asked);
    };
    const { operations, left } = await drainOf(part, 'env_a', { mode: 'moveOrStop' });
    expect(operations).toEqual([]);
    expect(left.map(({ app, code }) => [app, code])).toEqual([
      ['crm', 'NOT_CORDONED'],
      ['wiki', 'NOT_CORDONED'],
    ]);
    expect(row('env_a')).toMatchObject({ cordoned: false, away: [] });
  });

  it('is listed as one of its environment, which a move of chosen apps from there is not', async () => {
    await fleet.run(100, ...all);
    await ask(APPS.move, { filterByTk: ['crm', 'wiki'] }, { from: 'env_a', to: 'env_c' });
    await fleet.run(100, ...all);
    const { batch } = await drainOf(part, 'env_a', { mode: 'stop' });
    const listed = async (filter?: object) => {
      const rows = await ask<BatchRow[]>(BATCHES.list, { filter });
      return rows.map(({ action, environment, id }) => [action, environment, id === batch]);
    };
    const drained = ['drain', 'env_a', true];
    expect(await listed()).toEqual([drained, ['move', null, false]]);
    expect(await listed({ environment: { $ne: null } })).toEqual([drained]);
    expect(await listed({ environment: 'env_a' })).toEqual([drained]);
    expect(await listed({ environment: 'env_b' })).toEqual([]);
    await expect(listed({ input: 'x' })).rejects.toMatchObject({ code: 'INVALID_INPUT', field: 'filter' });
  });

  it('of an environment without apps is none', async () => {
    expect(await drainOf(part, 'env_b', { mode: 'move' })).toEqual({ batch: null, operations: [], left: [] });
    expect(row('env_b')?.cordoned).toBe(true);
  });

  it('stops what cannot be moved if that is asked for, and it starts again when it is brought home', async () => {
    expect(await drain('moveOrStop', 'env_b')).toEqual({ begun: ['move crm', 'stop wiki'], left: [] });
    await moved('crm', 'env_a', 'env_b');
    await fleet.says('env_a', 'wiki', { status: 'stopped' });
    await fleet.run(1_000, ...all);
    expect(row('env_a')?.away).toMatchObject([
      { app: 'crm', to: 'env_b' },
      { app: 'wiki', to: null },
    ]);
    // It does not find the database of the first one any more.
    const { operations, refused } = await part.parts.drains.uncordon('env_a', true, '1');
    expect(operations).toMatchObject([{ appName: 'wiki', action: 'start' }]);
    expect(refused).toMatchObject([{ app: 'crm', code: 'MOVE_DATABASE_ABSENT' }]);
    expect(row('env_a')?.away).toMatchObject([{ app: 'crm' }]);
  });

  describe('of an app that has another environment', () => {
    /** Nowhere else is its database found. */
    const both = async (values?: Parameters<MemoryFleet['environment']>[1]) => {
      found = {};
      if (values) await fleet.environment('env_b', values);
      const services = fleet.supervisors[0];
      await fleet.runningApp(services, 'shop', ['env_a', 'env_b']);
      await fleet.run(100, ...all);
    };
    const leftOf = async (mode: 'move' | 'moveOrStop' = 'move') => {
      const { begun, left } = await drain(mode);
      return begun.includes('stop shop') ? 'stopped' : left.find(({ app }) => app === 'shop')?.code;
    };

    it('stops it where the other one serves it', async () => {
      await both();
      expect(await leftOf()).toBe('stopped');
    });

    it('leaves it where it has failed in the other one', async () => {
      await both();
      const error = { code: 'APP_START_FAILED', params: { app: 'shop', cause: 'x' } } as never;
      await fleet.says('env_b', 'shop', { status: 'error', error });
      expect(await leftOf()).toBe('MOVE_DATABASE_ABSENT');
      expect(await leftOf('moveOrStop')).toBe('stopped');
    });

    it('leaves it where the other one serves no visitors', async () => {
      await both({ serves: false });
      expect(await leftOf()).toBe('MOVE_DATABASE_ABSENT');
    });

    it('leaves it where the other one is cordoned', async () => {
      await both();
      await part.parts.environmentCache.change('env_b', { cordoned: true });
      expect(await leftOf()).toBe('MOVE_DATABASE_ABSENT');
    });

    it('leaves it in one of two that are drained at once', async () => {
      await both();
      await Promise.all(['env_a', 'env_b'].map((name) => drainOf(part, name, { mode: 'move' })));
      const wanted = Object.values(fleet.app('shop').placements).map(({ want }) => want);
      expect(wanted).not.toEqual(['stopped', 'stopped']);
    });

    it('leaves it if it was stopped in the other one meanwhile', async () => {
      await both();
      const { moves, service } = part.parts;
      const preview = moves.preview.bind(moves);
      moves.preview = async (...request) => {
        const plan = await preview(...request);
        await service.command('shop', 'stop', '2', { environments: ['env_b'] });
        return plan;
      };
      expect(await leftOf()).toBe('SERVED_NOWHERE_ELSE');
      expect(fleet.app('shop').placements.env_a.want).not.toBe('stopped');
    });
  });

  it('does not start what is kept out, when it is over', async () => {
    const error = { code: 'APP_STOPS_LOOP', params: { app: 'crm' } } as never;
    await fleet.says('env_a', 'crm', { status: 'error', error });
    await fleet.run(1_000, ...all);
    const { paused } = fleet.app('crm');
    expect(paused).toMatchObject({ environment: 'env_a' });
    await drain('stop');
    await fleet.run(1_000, ...all);
    const { operations, refused } = await part.parts.drains.uncordon('env_a', true, '1');
    expect(operations.map(({ appName }) => appName)).toEqual(['wiki']);
    expect(refused).toMatchObject([{ app: 'crm', code: 'APP_STOPS_LOOP' }]);
    // As a plugin of its Worker asks for it.
    const again = part.parts.service.command('crm', 'restart', null, { environments: ['env_a'] });
    await expect(again).rejects.toMatchObject({ code: 'APP_STOPS_LOOP' });
    expect(fleet.app('crm').paused).toEqual(paused);
    await part.parts.service.command('crm', 'start', '1');
    expect(fleet.app('crm').paused).toBeNull();
  });

  it('stops all, also after an app that is refused', async () => {
    const { service } = part.parts;
    const inBatch = service.inBatch.bind(service);
    service.inBatch = (id) => {
      const ours = inBatch(id);
      const command = ours.command.bind(ours);
      return Object.assign(ours, {
        command: ((name, ...rest) => command(name === 'crm' ? 'gone' : name, ...rest)) as typeof command,
      });
    };
    const { begun, left } = await drain('stop');
    expect([begun, left]).toMatchObject([['stop wiki'], [{ app: 'crm', code: 'UNKNOWN_APP' }]]);
  });

  it('brings home apps whose stop is not published yet', async () => {
    // As between two leaders: nobody makes a pass.
    part.parts.loop.stop();
    expect((await drain('stop')).begun).toEqual(['stop crm', 'stop wiki']);
    expect(fleet.app('crm').published.env_a.desired).toBe('onDemand');
    expect(row('env_a')?.away).toMatchObject([{ app: 'crm' }, { app: 'wiki' }]);
    const { operations } = await part.parts.drains.uncordon('env_a', true, '1');
    expect(operations.map(({ appName, action }) => `${action} ${appName}`)).toEqual(['start crm', 'start wiki']);
  });

  it('is over although a move back ends meanwhile', async () => {
    part.parts.loop.stop();
    expect((await drain('move', 'env_c')).begun).toEqual(['move crm', 'move wiki']);
    const { drains, service, active } = part.parts;
    const cancel = service.cancel.bind(service);
    service.cancel = async (...first) => {
      service.cancel = cancel;
      const cancelled = await cancel(...first);
      // Somebody else cancels the other one.
      for (const { id } of active.of(fleet.app('wiki').uid)) await cancel(id, '2', true);
      expect(active.of(fleet.app('wiki').uid)).toEqual([]);
      return cancelled;
    };
    expect(await drains.uncordon('env_a', true, '1')).toEqual({ operations: [], refused: [] });
    expect(row('env_a')).toMatchObject({ cordoned: false, away: [] });
  });

  it('is over when the environment is uncordoned without its apps', async () => {
    await drain('move');
    await moved('crm', 'env_a', 'env_b');
    expect(await part.parts.drains.uncordon('env_a', false, '1')).toEqual({ operations: [], refused: [] });
    expect(row('env_a')?.away).toEqual([]);
  });

  it('of an environment that is forgotten is a move of the apps that have no other', async () => {
    await part.parts.service.update('wiki', { environments: ['env_a', 'env_b'] } as never, '1');
    await fleet.run(1_000, ...all);
    await fleet.run(20_000, 'env_b', 'env_c');
    expect(row('env_a')?.health).toBe('down');
    await part.parts.environmentCache.assertForgettable('env_a');
    const { operations } = await part.parts.drains.moveStranded('env_a', 'env_c', '1');
    expect(operations).toMatchObject([{ appName: 'crm', action: 'move' }]);
    await part.forget('env_a');
    await fleet.run(1_000, 'env_b', 'env_c');
    await fleet.says('env_c', 'crm');
    await fleet.run(1_000, 'env_b', 'env_c');
    expect(fleet.operation(operations[0].id).state).toBe('succeeded');
    expect(fleet.app('crm')).toMatchObject({ environments: ['env_c'], targetEnvironment: 'env_c' });
    expect(fleet.app('wiki').environments).toEqual(['env_b']);
  });

  it('of an environment that is down is refused as soon as Redis takes no changes', async () => {
    await fleet.run(20_000, 'env_b', 'env_c');
    fleet.stores.fails = 'fleet.poll';
    const { environmentCache } = part.parts;
    await expect(environmentCache.assertForgettable('env_a')).rejects.toMatchObject({ code: 'REDIS_UNREACHABLE' });
    fleet.stores.fails = null;
    await environmentCache.assertForgettable('env_a');
  });

  it('of an environment that lives is refused before anything is moved', async () => {
    expect(forgetInput.parse({})).toEqual({ move: false });
    await expect(part.parts.environmentCache.assertForgettable('env_b')).rejects.toMatchObject({
      code: 'ENVIRONMENT_ALIVE',
    });
  });
});
