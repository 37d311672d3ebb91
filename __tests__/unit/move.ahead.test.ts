import { beforeEach, describe, expect, it } from 'vitest';
import { arrivingAt } from '../../src/server/supervisor/rollout/spec';
import { say } from '../../src/shared/message';
import type { StatusEntry } from '../../src/shared/messages';
import { drain } from '../support/drain';
import { MemoryFleet, type MemorySupervisor } from '../support/memory-fleet';

/** An app with one environment is copied before it leaves it. */

const ALL = ['env_a', 'env_b', 'env_c'];
let fleet: MemoryFleet;
let part: MemorySupervisor['part'];

beforeEach(async () => {
  fleet = new MemoryFleet();
  const supervisor = await fleet.supervisor();
  part = supervisor.part;
  for (const name of ALL) await fleet.environment(name);
  await fleet.runningApp(supervisor, 'crm', ['env_a']);
});

const published = (environment: string) => fleet.app('crm').published[environment];
const desired = (environment: string) => published(environment)?.desired;
const passes = (ms = 1_000) => fleet.run(ms, ...ALL);
const gone = { status: 'not_found' as const };
/** What a Worker says when it has copied what it could. */
const copied = (environment = 'env_b', message?: StatusEntry['message']) =>
  fleet.says(environment, 'crm', { status: 'waiting', ...(message ? { message } : {}) });
const begin = async (to = 'env_b') => {
  const operation = await part.parts.service.move('crm', { to }, '1');
  await passes();
  return operation.id;
};
/** What is shown of a move, and whether it copies ahead. */
const shown = (id: string) => [
  ...fleet.operation(id).progress.map(({ environment, of }) => `${environment} ${of}`),
  arrivingAt(fleet.app('crm')) === null ? 'at once' : 'ahead',
];
const isAtHome = () => {
  expect(fleet.app('crm')).toMatchObject({ environments: ['env_a'], targetEnvironment: 'env_a' });
  expect(desired('env_a')).toBe('onDemand');
};

describe('a move that copies ahead', () => {
  it('says why nothing was copied, and goes on', async () => {
    const id = await begin();
    const why = say('UPLOADS_NOT_AHEAD', { cause: say('UPLOADS_CUT') });
    await copied('env_b', why);
    expect(fleet.operation(id).progress[0]).toMatchObject({ message: why });
    expect(desired('env_a')).toBe('removed');
  });

  it('goes on with a Worker that knows nothing of it', async () => {
    await begin();
    await fleet.says('env_b', 'crm', { status: 'stopped' });
    expect(desired('env_a')).toBe('removed');
  });

  it('waits while it is copied, and shows how far that is', async () => {
    const id = await begin();
    const message = say('COPYING_UPLOADS', { environment: 'env_a', files: 1, of: 2, percent: 50 });
    const { generation } = published('env_b')!;
    await fleet.says('env_b', 'crm', { status: 'waiting', generation: 0, begun: generation, message });
    await passes(60_000);
    isAtHome();
    const [shown] = part.parts.view.operationRow(fleet.operation(id)).progress;
    expect(shown).toMatchObject({ environment: 'env_b', state: 'running', message });
    // Whatever its Worker calls that.
    await fleet.says('env_b', 'crm', { status: 'stopped', generation: 0, begun: generation });
    expect(part.parts.view.environmentRows().find(({ name }) => name === 'env_b')?.apps).toEqual({});
    expect(Object.keys(part.parts.view.appRow(part.app('crm')!).statuses)).toEqual(['env_a']);
  });

  it('boots anew with what has changed since, as of a newer generation', async () => {
    const id = await begin();
    const ahead = published('env_b')!;
    await copied();
    await fleet.says('env_a', 'crm', gone);
    const { generation, uploads } = published('env_b')!;
    expect(published('env_b')).toMatchObject({
      desired: 'onDemand',
      boot: { generation: fleet.operation(id).generation },
      uploads: { from: 'env_a', generation, wait: true, address: 'http://env_a:15000' },
    });
    expect([ahead.uploads?.generation, uploads?.ahead]).toEqual([ahead.generation, undefined]);
    expect(ahead.generation).toBeLessThan(generation);
  });

  it('goes on when the place that it leaves is down', async () => {
    const id = await begin();
    await fleet.run(60_000, 'env_b', 'env_c');
    expect(fleet.operation(id).progress[0]).toMatchObject({
      message: { code: 'UPLOADS_NOT_AHEAD', params: { cause: { code: 'STATUS_DOWN' } } },
    });
    expect([desired('env_a'), desired('env_b')]).toEqual(['removed', 'onDemand']);
  });

  it('lets the app run on where it is while its new place is down', async () => {
    const id = await begin();
    await fleet.run(60_000, 'env_a', 'env_c');
    isAtHome();
    expect(part.parts.active.of(fleet.app('crm').uid)[0]).toMatchObject({
      id,
      waitingFor: say('WAITS_FOR_RETURN', { environment: 'env_b' }),
    });
  });

  it('goes on when another Supervisor leads', async () => {
    await begin();
    await part.prepareToLeave();
    part.stop();
    await fleet.supervisor();
    await passes(40_000);
    isAtHome();
    await copied();
    await passes();
    expect([fleet.app('crm').environments, desired('env_a')]).toEqual([['env_b'], 'removed']);
  });

  it('is not for one that has failed where it is', async () => {
    for (const status of ['error', 'dormant'] as const) {
      await fleet.says('env_a', 'crm', { status, error: say('NO_CAUSE') });
      const { id } = await part.parts.service.move('crm', { to: status === 'error' ? 'env_b' : 'env_c' }, '1');
      expect(shown(id).at(-1)).toBe('at once');
      await part.parts.service.cancel(id);
    }
  });

  it('is not for one that is stopped', async () => {
    await part.parts.service.command('crm', 'stop', '1');
    await passes();
    await fleet.says('env_a', 'crm', { status: 'stopped' });
    const { id } = await part.parts.service.move('crm', { to: 'env_b' }, '1');
    expect(shown(id)).toEqual(['env_b place', 'env_a leave', 'at once']);
  });

  it('is one, too, if only its environment is edited', async () => {
    const edit = async (values: object) => shown((await part.parts.service.update('crm', values as never, '1')).id);
    expect(await edit({ environments: ['env_b'] })).toEqual(['env_b boot', 'env_a leave', 'ahead']);
    // Its new title has to be known at once.
    expect(await edit({ environments: ['env_c'], title: 'Sales' })).toEqual([
      'env_c boot',
      'env_a leave',
      'env_b leave',
      'at once',
    ]);
  });
});

describe('while it is copied ahead, a move', () => {
  it('that is cancelled leaves the app where it is, and nothing elsewhere', async () => {
    const id = await begin();
    const { generation } = published('env_b')!;
    await part.parts.service.cancel(id);
    await passes();
    isAtHome();
    expect(desired('env_b')).toBe('removed');
    // By this its Worker deletes what it has, and that of env_a gives no more for this move.
    expect(published('env_b')!.generation).toBeGreaterThan(generation);
    expect(published('env_a')!.generation).toBeGreaterThan(generation);
    expect(published('env_a')!.boot.generation).toBeLessThan(generation);
    await fleet.says('env_b', 'crm', gone);
    expect(Object.keys(fleet.app('crm').published)).toEqual(['env_a']);
    expect(fleet.open).toEqual([]);
  });

  it('that was cancelled can be asked for again', async () => {
    const id = await begin();
    await part.parts.service.cancel(id);
    await passes();
    await fleet.says('env_b', 'crm', gone);
    const again = await part.parts.service.retry(id, '1');
    expect(shown(again.id)).toEqual(['env_b boot', 'env_a leave', 'ahead']);
    await passes();
    isAtHome();
    await copied();
    expect(fleet.app('crm').environments).toEqual(['env_b']);
  });

  it('that has failed since is retried where the app is by now', async () => {
    const id = await begin();
    await copied();
    await fleet.says('env_a', 'crm', gone);
    // It cannot return.
    await fleet.run(60_000, 'env_b', 'env_c');
    await fleet.says('env_b', 'crm', { status: 'error', error: say('NO_CAUSE') });
    await fleet.run(2_000, 'env_b', 'env_c');
    expect(fleet.operation(id).state).toBe('failed');
    const again = await part.parts.service.retry(id, '1');
    expect(shown(again.id)).toEqual(expect.arrayContaining(['env_b boot', 'at once']));
  });

  it('to another place takes its own place', async () => {
    await begin();
    await begin('env_c');
    isAtHome();
    expect([desired('env_b'), desired('env_c')]).toEqual(['removed', 'stopped']);
    // It has never run there: nobody waits for it, and it has no uploads.
    await copied('env_c');
    await fleet.says('env_a', 'crm', gone);
    expect(published('env_c')).toMatchObject({ desired: 'onDemand', uploads: { from: 'env_a' } });
  });

  it('ends when the app is stopped where it is', async () => {
    await begin();
    await part.parts.service.command('crm', 'stop', '1', { environments: ['env_a'] });
    await passes();
    expect(fleet.app('crm').environments).toEqual(['env_a']);
    expect([desired('env_a'), desired('env_b')]).toEqual(['stopped', 'removed']);
  });

  it('goes on at once when something else is asked of the app', async () => {
    await begin();
    await part.parts.service.update('crm', { title: 'Sales' } as never, '1');
    await passes();
    expect(fleet.app('crm')).toMatchObject({ environments: ['env_b'], title: 'Sales' });
    expect(desired('env_a')).toBe('removed');
    await fleet.says('env_a', 'crm', gone);
    expect(desired('env_b')).toBe('onDemand');
    await fleet.says('env_b', 'crm');
    expect([fleet.open, Object.keys(fleet.app('crm').published)]).toEqual([[], ['env_b']]);
  });

  it('ends with the app', async () => {
    await begin();
    await part.parts.service.destroy('crm', 'drop', '1');
    await passes();
    for (const environment of ['env_a', 'env_b']) await fleet.says(environment, 'crm', gone);
    await passes();
    await fleet.says('env_a', 'crm', gone);
    await passes();
    expect(fleet.open).toEqual([]);
    expect(part.parts.appCache.tombstones.size).toBe(0);
  });

  it('is turned back when its new place is drained, or the one that it leaves takes apps again', async () => {
    fleet.answer = async () => ({ checks: [], verdict: 'free' });
    const { drains, environmentCache } = part.parts;
    const one = await begin();
    await drain(part, 'env_b', { mode: 'move' });
    await passes();
    expect(fleet.operation(one).state).toBe('cancelled');
    isAtHome();
    await fleet.says('env_b', 'crm', gone);
    await environmentCache.change('env_a', { away: [{ app: 'crm', uid: fleet.app('crm').uid, to: 'env_c' }] });
    const other = await begin('env_c');
    expect(part.parts.view.environmentRows().find(({ name }) => name === 'env_a')?.away).toHaveLength(1);
    expect(await drains.uncordon('env_a', true, '1')).toEqual({ operations: [], refused: [] });
    await passes();
    expect(fleet.operation(other).state).toBe('cancelled');
    isAtHome();
  });

  it('does not move the app where nobody is any more', async () => {
    const id = await begin();
    await fleet.run(60_000, 'env_a', 'env_c');
    await part.forget('env_b');
    await passes(2_000);
    isAtHome();
    expect(fleet.operation(id)).toMatchObject({ state: 'cancelled' });
    expect(Object.keys(fleet.app('crm').published)).toEqual(['env_a']);
  });
});
