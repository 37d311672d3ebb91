import { describe, expect, it } from 'vitest';
import { overtaking } from '../../src/server/supervisor/control/overtaking';
import type { StatusEntry } from '../../src/shared/messages';
import { appOf, entryOf, operationOf, publishedOf } from '../support/fixtures';

const published = { env_a: publishedOf({ generation: 10 }), env_b: publishedOf({ generation: 10 }) };
const app = { ...appOf(), generation: 10, published };

const sees =
  (entries: Record<string, Partial<StatusEntry>>) =>
  (environment: string): StatusEntry | null =>
    entries[environment] ? entryOf(entries[environment]) : null;

describe('a Worker that has done more than a restored database knows', () => {
  it('is overtaken where nothing is under way, and nowhere else', () => {
    expect(overtaking(app, [], [], sees({ env_a: { generation: 10 } }), 5)).toBeNull();
    expect(overtaking(app, [], [], sees({ env_a: { generation: 90, uid: 'uid-0' } }), 5)).toBeNull();
    expect(overtaking(app, [], [], sees({ env_a: { generation: 90 }, env_b: {} }), 5)).toEqual({
      generation: 91,
      ahead: ['env_a'],
      publish: { env_a: publishedOf({ generation: 91, boot: published.env_a.boot }) },
    });
    expect(overtaking(app, [], [], sees({ env_a: { generation: 90 } }), 100)?.generation).toBe(100);
  });

  it('gets the open step of an operation anew by that, whose turn may come later', () => {
    const operation = operationOf(['env_a boot', 'env_b remove'], { generation: 20 });
    const found = overtaking(app, [operation], [], sees({ env_a: { generation: 90 }, env_b: { generation: 80 } }), 5);
    expect(found).toEqual({ generation: 91, ahead: ['env_a', 'env_b'], publish: {} });
    const renewed = { ...operation, generation: 91 };
    expect(overtaking(app, [renewed], [], sees({ env_a: { generation: 90 } }), 5)).toBeNull();
    // That one has nothing more to do there.
    renewed.steps[1].finishedAt = 4;
    expect(overtaking(app, [renewed], [], sees({ env_b: { generation: 80 } }), 5)?.publish).toHaveProperty('env_b');
  });

  it('is none that has confirmed the data step of an operation', () => {
    const destroy = operationOf(['env_a remove', 'env_a drop'], { action: 'destroy', generation: 20 });
    expect(overtaking(app, [destroy], [], sees({ env_a: { generation: 21, status: 'not_found' } }), 5)).toBeNull();
  });

  it('removes the app where it runs and nothing was published, unless an operation is about to publish something', () => {
    const found = (entry: Partial<StatusEntry>, operations: Parameters<typeof overtaking>[1] = []) =>
      overtaking(app, operations, ['env_c'], sees({ env_c: entry }), 5);
    const removed = { generation: 13, boot: app.boot, claim: 'none', data: 'keep', desired: 'removed' };
    const ahead = { generation: 13, ahead: ['env_c'], publish: { env_c: removed } };
    expect(found({ generation: 11, begun: 12 })).toEqual(ahead);
    expect(found({ generation: 11, begun: 12 }, [operationOf(['env_a boot'])])).toEqual(ahead);
    expect(found({ generation: 11 }, [operationOf(['env_c boot'])])).toBeNull();
    expect([found({ generation: 11, status: 'not_found' }), found({ generation: 11, uid: 'uid-0' })]).toEqual([
      null,
      null,
    ]);
  });
});
