import { describe, expect, it } from 'vitest';
import { overtaking } from '../../src/server/supervisor/control/overtaking';
import type { StatusEntry } from '../../src/shared/messages';
import { appOf, entryOf, operationOf, publishedOf } from '../support/fixtures';

const DAY = 86_400_000;
const published = { env_a: publishedOf({ generation: 10 }), env_b: publishedOf({ generation: 10 }) };
const app = { ...appOf(), generation: 10, published };

const sees =
  (entries: Record<string, Partial<StatusEntry>>) =>
  (environment: string): StatusEntry | null =>
    entries[environment] ? entryOf(entries[environment]) : null;

describe('a Worker that has done more than a restored database knows', () => {
  const again = (generation: number) => ({
    env_a: publishedOf({ generation, boot: published.env_a.boot }),
    env_b: publishedOf({ generation, boot: published.env_b.boot }),
  });

  it('is overtaken, and everywhere, because the app may have been taken from the others', () => {
    expect(overtaking(app, [], [], sees({ env_a: { generation: 10 } }), 5)).toBeNull();
    expect(overtaking(app, [], [], sees({ env_a: { generation: 90, uid: 'uid-0' } }), 5)).toBeNull();
    expect(overtaking(app, [], [], sees({ env_a: { generation: 90 }, env_b: {} }), 5)).toEqual({
      generation: 91,
      renews: true,
      ahead: ['env_a'],
      publish: again(91),
    });
    expect(overtaking(app, [], [], sees({ env_a: { generation: 90 } }), 100)?.generation).toBe(100);
  });

  it('gets the open step of an operation anew by that, whose turn may come later', () => {
    const operation = operationOf(['env_a boot', 'env_b remove'], { generation: 20 });
    const found = overtaking(app, [operation], [], sees({ env_a: { generation: 90 }, env_b: { generation: 80 } }), 5);
    expect(found).toEqual({ generation: 91, renews: true, ahead: ['env_a', 'env_b'], publish: {} });
    const renewed = { ...operation, generation: 91 };
    expect(overtaking(app, [renewed], [], sees({ env_a: { generation: 90 } }), 5)).toBeNull();
    // That one has nothing more to do there.
    renewed.steps[1].finishedAt = 4;
    expect(overtaking(app, [renewed], [], sees({ env_b: { generation: 80 } }), 5)?.publish).toHaveProperty('env_b');
  });

  it('is found by what the app’s own database says, where its Worker does not start it by the newest record', () => {
    const found = (
      newest: number,
      values: Partial<StatusEntry> = {},
      operations: Parameters<typeof overtaking>[1] = [],
    ) => overtaking(app, operations, [], sees({ env_a: { generation: 10, newest, ...values } }), 5)?.generation;
    expect([found(9), found(10), found(90)]).toEqual([undefined, 11, 91]);
    // Once it is published anew, the Worker has what it waits for, and says so until it has tried again.
    const again = { ...app, generation: 91, published: { env_a: publishedOf({ generation: 91 }) } };
    expect(overtaking(again, [], [], sees({ env_a: { generation: 91, newest: 90 } }), 5)).toBeNull();
    // Where the app is to end, the database is right, and what an operation is about to publish may be newer.
    const left = { ...app, published: { env_a: publishedOf({ generation: 10, desired: 'removed' }) } };
    expect(overtaking(left, [], [], sees({ env_a: { generation: 10, newest: 90 } }), 5)).toBeNull();
    expect(found(90, {}, [operationOf(['env_a boot'], { generation: 91 })])).toBeUndefined();
    // It does not start by the generation in which it was taken.
    expect(found(90, {}, [operationOf(['env_a boot'], { generation: 90 })])).toBe(91);
    // An administrator of the app can write any number into its database.
    expect([found(2 * DAY), found(2 * DAY, { generation: 20 })]).toEqual([undefined, 21]);
    // The clock of its Supervisor was ahead once.
    const late = { ...app, generation: 5 * DAY };
    const foundLate = (newest: number) => overtaking(late, [], [], sees({ env_a: { newest } }), 5)?.generation;
    expect([foundLate(3 * DAY), foundLate(5 * DAY + 1)]).toEqual([5 * DAY + 1, undefined]);
  });

  it('is none that has confirmed the data step of an operation', () => {
    const destroy = operationOf(['env_a remove', 'env_a drop'], { action: 'destroy', generation: 20 });
    expect(overtaking(app, [destroy], [], sees({ env_a: { generation: 21, status: 'not_found' } }), 5)).toBeNull();
  });

  it('is one that has done what another operation asked for in the very next generation', () => {
    const move = operationOf(['env_b boot', 'env_a remove'], { action: 'move', generation: 20 });
    const found = overtaking(app, [move], [], sees({ env_b: { generation: 21, status: 'not_found' } }), 5);
    expect(found).toMatchObject({ generation: 22, renews: true, ahead: ['env_b'] });
  });

  it('removes the app where it runs and nothing was published, unless an operation is about to publish something', () => {
    const found = (entry: Partial<StatusEntry>, operations: Parameters<typeof overtaking>[1] = []) =>
      overtaking(app, operations, ['env_c'], sees({ env_c: entry }), 5);
    const removed = { ...publishedOf({ generation: 13, desired: 'removed', stray: true }), boot: app.boot };
    const ahead = { generation: 13, renews: false, ahead: ['env_c'], publish: { ...again(13), env_c: removed } };
    expect(found({ generation: 11, begun: 12 })).toEqual(ahead);
    const { env_b, env_c } = ahead.publish;
    const booting = [operationOf(['env_a boot'])];
    expect(found({ generation: 11, begun: 12 }, booting)).toEqual({ ...ahead, publish: { env_b, env_c } });
    // The database knows of more than this Worker.
    const older = { ...ahead, generation: 10, publish: { env_c: { ...removed, generation: 10 } } };
    expect(found({ generation: 9 }, booting)).toEqual(older);
    expect(found({ generation: 11 }, [operationOf(['env_c boot'])])).toBeNull();
    expect([found({ generation: 11, status: 'not_found' }), found({ generation: 11, uid: 'uid-0' })]).toEqual([
      null,
      null,
    ]);
  });

  it('can report an app that is none of its environment: then it gets a newer removal, and nobody else hears of it', () => {
    const removed = publishedOf({ generation: 13, desired: 'removed' });
    const known = { ...app, generation: 13, published: { ...again(13), env_c: removed } };
    const found = (generation: number, steps = ['env_a boot']) =>
      overtaking(known, [operationOf(steps, { generation: 12 })], [], sees({ env_c: { generation } }), 5);
    const publish = { env_c: { ...removed, generation: 15 } };
    expect(found(14)).toEqual({ generation: 13, renews: false, ahead: ['env_c'], publish });
    const { env_c, ...places } = known.published;
    const left = { ...known, published: { ...places, env_d: env_c } };
    expect(overtaking(left, [], [], sees({ env_a: { generation: 14 } }), 5)).toHaveProperty('publish', again(15));
    // An operation waits for it.
    expect(found(14, ['env_c remove'])).toMatchObject({ generation: 15, renews: true, publish: again(15) });
  });

  it('is not believed if it is more than a day ahead of the clock', () => {
    const now = 50 * DAY;
    const found = (entry: Partial<StatusEntry>) =>
      ['env_a', 'env_c'].map((one) => overtaking(app, [], ['env_c'], sees({ [one]: entry }), now)?.generation);
    expect(found({ generation: now + DAY })).toEqual([now + DAY + 1, now + DAY + 1]);
    expect(found({ generation: now + DAY + 1 })).toEqual([undefined, undefined]);
    expect(found({ generation: 11, begun: Number.MAX_SAFE_INTEGER })).toEqual([undefined, undefined]);
  });
});
