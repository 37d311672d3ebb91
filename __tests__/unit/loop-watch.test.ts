import { describe, expect, it } from 'vitest';
import { blame } from '../../src/server/worker/apps/loop-note';
import { WorkMarks, type WorkNote } from '../../src/server/worker/watchdog/busy-with';
import { look } from '../../src/server/worker/watchdog/thread';
import { entryOf, placementOf, publishedOf } from '../support/fixtures';
import { PlannedApp } from '../support/planned';

/** What is decided about a process whose event loop stops. Real processes are in faults/loop-watch.test.ts. */

describe('the thread', () => {
  const at = (seconds: number, beats: number, before = { at: 0, beats: 0, since: 0 }) =>
    look(before, seconds * 1_000, beats);

  it('counts from the last turn of the loop', () => {
    let seen = at(1, 1);
    for (const second of [2, 3, 4]) seen = at(second, 2, seen);
    expect(seen).toEqual({ at: 4_000, beats: 2, since: 2_000 });
  });

  it('begins anew after it was late itself: then the machine slept, or the process was stopped', () => {
    let seen = at(1, 1);
    seen = at(2, 1, seen);
    expect(seen.since).toBe(1_000);
    seen = at(3_600, 1, seen);
    expect(seen.since).toBe(3_600_000);
    expect(at(3_601, 1, seen).since).toBe(3_600_000);
  });
});

describe('what the loop notes', () => {
  const notes: WorkNote[] = [];
  const cell = new Int32Array(2);
  const marks = new WorkMarks(cell, (note) => notes.push(note));
  const named = () => notes.flatMap((note) => ('id' in note && note.id === cell[0] ? [note.work] : [])).at(-1) ?? null;
  const request = (app: string) => ({ app, kind: 'request' as const });
  const turn = () => new Promise((resolve) => setImmediate(resolve));

  it('is whose work goes on, whatever else has begun meanwhile', async () => {
    const seen: unknown[] = [];
    const work = async () => {
      for (let i = 0; i < 3; i++) {
        await turn();
        seen.push(named());
      }
    };
    await Promise.all([marks.run(request('a'), work), marks.run(request('b'), work), work()]);
    for (const app of ['a', 'b'])
      expect(seen.filter((each) => (each as { app: string } | null)?.app === app)).toHaveLength(3);
    expect(seen.filter((each) => each === null)).toHaveLength(3);
    expect(named()).toBeNull();
  });

  it('has one number for the same work', () => {
    const before = notes.length;
    for (let i = 0; i < 3; i++) marks.run(request('c'), () => undefined);
    expect(notes).toHaveLength(before + 1);
  });

  it('calls what a start has begun the work in the background, once the start has ended', async () => {
    const during = await marks.runStart('a', async () => {
      const later = turn().then(turn).then(named);
      await turn();
      return { now: named(), later };
    });
    expect(during.now).toEqual({ app: 'a', kind: 'start' });
    expect(await during.later).toEqual({ app: 'a', kind: 'background' });
  });
});

describe('the app that stopped a process', () => {
  const note = {
    uid: 'u1',
    boot: 10,
    seconds: 60,
    work: { app: 'crm', kind: 'node' as const, type: 'sql', node: '1', workflow: '2' },
  };
  const row = (uid: string, boot: number, applied: object | null = null) =>
    ({ record: { name: 'crm', uid, boot: { generation: boot, how: 'start' } }, applied }) as never;
  const failureOf = (found: { applied: unknown }) => (found.applied as { failure?: unknown } | null)?.failure;

  it('is blamed, with what it did', () => {
    const found = blame(
      note,
      'env_a',
    )(row('u1', 10, { uid: 'u1', bootGeneration: 9, unfinished: { bootGeneration: 10, count: 1 } }));
    expect(found).toMatchObject({ applied: { bootGeneration: 10, unfinished: null } });
    expect(failureOf(found)).toEqual({
      code: 'APP_STOPS_LOOP',
      params: {
        app: 'crm',
        environment: 'env_a',
        seconds: 60,
        work: { code: 'WORK_NODE', params: { type: 'sql', node: '1', workflow: '2' } },
      },
    });
  });

  it('is not blamed for what an earlier incarnation or an earlier boot of it did, nor is another one', () => {
    for (const other of [row('u2', 10), row('u1', 11), row('u1', 10, { bootGeneration: 11 })])
      expect(blame(note, 'env_a')(other)).toBe(other);
    expect(blame(null, 'env_a')(row('u1', 10))).toEqual(row('u1', 10));
  });

  const cause = { code: 'APP_STOPS_LOOP' };
  const published = {
    env_a: publishedOf({ hosts: ['env_a', 'env_b'], left: ['env_c'] }),
    env_b: publishedOf({ hosts: ['env_a', 'env_b'], left: ['env_c'] }),
    env_c: publishedOf({ desired: 'removed' }),
  };
  const planned = (boot: number, said: { boot: number; uid?: string }, pausedAt?: number) => {
    const place = placementOf({ boot: { generation: boot, how: 'start' } });
    const paused = pausedAt === undefined ? null : { environment: 'env_b', boot: pausedAt, cause };
    const entry = entryOf({ uid: said.uid ?? 'uid-1', status: 'error', error: cause, bootGeneration: said.boot });
    const app = new PlannedApp({ placements: { env_a: place, env_b: place }, paused, published });
    app.entries.set('env_b', entry);
    return app.next();
  };

  it('is paused in all its environments', () => {
    const { change, publish } = planned(10, { boot: 10 });
    expect(change).toEqual({ paused: { environment: 'env_b', boot: 10, cause } });
    expect(Object.keys(publish ?? {})).toEqual(['env_a', 'env_b']);
  });

  it('is not paused again, nor for what it did before somebody started it again', () => {
    const isPaused = (...asked: Parameters<typeof planned>) => planned(...asked).change?.paused != null;
    expect(isPaused(10, { boot: 10 }, 10)).toBe(false);
    expect(isPaused(11, { boot: 10 }, 10)).toBe(false);
    expect(isPaused(10, { boot: 10, uid: 'uid-0' })).toBe(false);
    expect(isPaused(11, { boot: 11 }, 10)).toBe(true);
  });
});
