import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { MessageBus } from '../../src/server/protocol/bus';
import type { StatusMark, StatusStore, StatusWrite } from '../../src/server/protocol/stores/statuses';
import { StatusReporter } from '../../src/server/worker/status-reporter';
import type { StatusEntry } from '../../src/shared/messages';
import { FakeClock } from '../support/clock';
import { entryOf } from '../support/fixtures';
import { recordedLog } from '../support/log';

let writes: StatusWrite[];
let wakes: string[][];
let refusals: number;
let apps: Map<string, StatusEntry>;
let epoch: number | null;
let answer: 'written' | 'refused' | 'away' | Promise<boolean>;
/** What the store has by now; null: what was written last. */
let mark: StatusMark | Promise<StatusMark> | null;
let reporter: StatusReporter;
let clock: FakeClock;
let lastVersion: number;

const show = (name: string, status: StatusEntry['status']) => apps.set(name, entryOf({ name, status }));

beforeEach(() => {
  clock = new FakeClock();
  writes = [];
  wakes = [];
  refusals = 0;
  apps = new Map();
  epoch = 100;
  answer = 'written';
  mark = null;
  const statuses = {
    mark: async () => {
      if (answer === 'away') throw new Error('Connection is closed.');
      return mark ?? { version: writes.at(-1)?.version ?? lastVersion, count: apps.size };
    },
    write: async (write: StatusWrite) => {
      writes.push(structuredClone(write));
      if (answer === 'away') throw new Error('Connection is closed.');
      return typeof answer === 'string' ? answer === 'written' : answer;
    },
  };
  reporter = new StatusReporter({
    environment: 'env_a',
    instance: 'one',
    statuses: statuses as unknown as StatusStore,
    bus: { notify: (_: unknown, names: string[]) => wakes.push(names) } as unknown as MessageBus,
    clock,
    log: recordedLog(),
    epoch: () => epoch,
    entries: (names) => (names === 'all' ? [...apps.keys()] : names).flatMap((name) => apps.get(name) ?? []),
    onRefused: () => refusals++,
  });
});
afterEach(() => {
  reporter.close();
});

/** The first write always tells everything. */
async function begin(): Promise<void> {
  reporter.reportAll();
  await clock.run(0);
  lastVersion = writes.at(-1)?.version ?? 0;
  writes.length = 0;
  wakes.length = 0;
}

describe('reporting', () => {
  it('writes everything first, under the lease', async () => {
    show('crm', 'running');
    show('shop', 'stopped');
    reporter.report(['crm']);
    await clock.run(100);
    expect(writes).toMatchObject([{ environment: 'env_a', instance: 'one', epoch: 100, from: null }]);
    expect(writes[0].entries.map(({ name }) => name)).toEqual(['crm', 'shop']);
  });

  it('then writes changes with their current value, and notifies the Supervisors', async () => {
    show('crm', 'waiting');
    show('shop', 'stopped');
    await begin();
    reporter.report(['crm']);
    show('crm', 'running');
    await clock.run(100);
    expect(writes).toMatchObject([{ from: lastVersion, removed: [], entries: [{ name: 'crm', status: 'running' }] }]);
    expect(wakes).toEqual([['crm']]);
  });

  it('writes removals', async () => {
    show('crm', 'not_found');
    await begin();
    apps.delete('crm');
    reporter.report(['crm']);
    await clock.run(100);
    expect(writes).toMatchObject([{ entries: [], removed: ['crm'] }]);
  });

  it('writes at most ten times a second, for any number of changes', async () => {
    show('crm', 'preparing');
    await begin();
    for (let i = 0; i < 340; i++) {
      reporter.report(['crm']);
      await clock.run(10);
    }
    expect(writes.length).toBeLessThanOrEqual(35);
    expect(writes.length).toBeGreaterThanOrEqual(30);
  });

  it('gives each write a higher version, also if the clock stands still or goes back', async () => {
    show('crm', 'running');
    await begin();
    for (const jump of [0, -300_000, 0]) {
      clock.jump(jump);
      reporter.report(['crm']);
      await clock.run(100);
    }
    const versions = writes.map(({ version }) => version);
    expect(versions).toHaveLength(3);
    expect(versions[1]).toBeGreaterThan(versions[0]);
    expect(versions[2]).toBeGreaterThan(versions[1]);
  });
});

describe('a failed write', () => {
  it('is repeated later with the then current statuses', async () => {
    show('crm', 'preparing');
    await begin();
    answer = 'away';
    reporter.report(['crm']);
    await clock.run(100);
    show('crm', 'running');
    answer = 'written';
    expect(wakes).toEqual([]);
    await clock.run(1_000);
    expect(writes).toHaveLength(2);
    expect(writes[1]).toMatchObject({ from: lastVersion, entries: [{ status: 'running' }] });
    expect(wakes).toEqual([['crm']]);
  });

  it('stays a complete report if it was one', async () => {
    show('crm', 'running');
    answer = 'away';
    reporter.reportAll();
    await clock.run(0);
    answer = 'written';
    await clock.run(1_000);
    expect(writes.map(({ from }) => from)).toEqual([null, null]);
  });

  it('because the lease belongs to another claims the lease', async () => {
    show('crm', 'running');
    await begin();
    answer = 'refused';
    reporter.report(['crm']);
    await clock.run(100);
    expect(refusals).toBe(1);
    expect(wakes).toEqual([]);
  });

  it('because the store has an older state is followed by everything', async () => {
    show('crm', 'running');
    show('shop', 'running');
    await begin();
    answer = 'refused';
    reporter.report(['crm']);
    await clock.run(100);
    answer = 'written';
    await clock.run(1_000);
    expect(writes.map(({ from }) => from)).toEqual([lastVersion, null]);
    expect(writes[1].entries.map(({ name }) => name)).toEqual(['crm', 'shop']);
  });

  it('without a lease is repeated once there is one', async () => {
    show('crm', 'running');
    await begin();
    epoch = null;
    reporter.report(['crm']);
    await clock.run(60_000);
    expect(writes).toEqual([]);
    epoch = 101;
    reporter.reportAll();
    await clock.run(0);
    expect(writes).toMatchObject([{ epoch: 101, from: null, entries: [{ name: 'crm' }] }]);
  });

  it('while another write is in progress is repeated after it', async () => {
    show('crm', 'preparing');
    await begin();
    let end!: (written: boolean) => void;
    answer = new Promise((resolve) => {
      end = resolve;
    });
    reporter.report(['crm']);
    await clock.run(100);
    show('crm', 'running');
    reporter.report(['crm']);
    reporter.reportAll();
    await clock.run(5_000);
    expect(writes).toHaveLength(1);
    end(true);
    answer = 'written';
    await clock.run(100);
    expect(writes).toHaveLength(2);
    expect(writes[1]).toMatchObject({ from: null, entries: [{ status: 'running' }] });
  });
});

describe('closing', () => {
  it('leaves no timer, also after a write that fails later', async () => {
    show('crm', 'running');
    await begin();
    let fail!: () => void;
    answer = new Promise<boolean>((_, reject) => {
      fail = () => reject(new Error('Connection is closed.'));
    });
    reporter.report(['crm']);
    await clock.run(100);
    reporter.close();
    fail();
    await clock.run(0);
    expect(clock.waiting).toBe(0);
    reporter.report(['crm']);
    expect(clock.waiting).toBe(0);
  });
});

describe('comparing the store', () => {
  const poll = async () => {
    await reporter.check();
    await clock.run(1_000);
  };

  it('writes nothing if it is complete', async () => {
    show('crm', 'running');
    await begin();
    await poll();
    expect([writes, wakes]).toEqual([[], []]);
  });

  it('reports visits every two minutes and wakes nobody for them, but with every change', async () => {
    show('crm', 'running');
    show('shop', 'running');
    await begin();
    for (let seconds = 0; seconds < 600; seconds += 30) {
      apps.set('crm', entryOf({ name: 'crm', lastVisitAt: 1 + seconds }));
      await poll();
      await clock.run(29_000);
    }
    expect([writes.length, wakes]).toEqual([5, []]);
    apps.set('crm', entryOf({ name: 'crm', lastVisitAt: 1_000 }));
    show('shop', 'error');
    reporter.report(['shop', 'crm']);
    await clock.run(1_000);
    expect(writes.at(-1)?.entries).toMatchObject([{ status: 'error' }, { lastVisitAt: 1_000 }]);
    expect(wakes).toEqual([['shop']]);
  });

  it('writes silent changes and removals', async () => {
    show('crm', 'running');
    show('shop', 'running');
    show('gone', 'running');
    await begin();
    apps.set('crm', entryOf({ name: 'crm', lastVisitAt: 5 }));
    apps.delete('gone');
    mark = { version: lastVersion, count: 3 };
    await poll();
    expect(writes).toMatchObject([
      { from: lastVersion, entries: [{ name: 'crm', lastVisitAt: 5 }], removed: ['gone'] },
    ]);
  });

  it.each<[string, () => StatusMark]>([
    ['nothing', () => ({ version: 0, count: 0 })],
    ['an older state', () => ({ version: lastVersion - 1, count: 2 })],
    ['some of it', () => ({ version: lastVersion, count: 1 })],
  ])('invariant 1: writes everything if the store has %s', async (_, has) => {
    show('crm', 'running');
    show('shop', 'running');
    await begin();
    mark = has();
    await poll();
    expect(writes).toMatchObject([{ from: null, entries: [{ name: 'crm' }, { name: 'shop' }] }]);
  });

  it('is not confused by its own write', async () => {
    show('crm', 'waiting');
    await begin();
    reporter.report(['crm']);
    show('crm', 'running');
    let see!: (mark: StatusMark) => void;
    mark = new Promise((resolve) => (see = resolve));
    const looking = reporter.check();
    await clock.run(100);
    see({ version: writes.at(-1)?.version ?? 0, count: 1 });
    await looking;
    await clock.run(1_000);
    expect(writes.map(({ from }) => from)).toEqual([lastVersion]);
  });

  it('waits for a store that is down', async () => {
    show('crm', 'running');
    await begin();
    answer = 'away';
    await expect(reporter.check()).resolves.toBeUndefined();
    answer = 'written';
    await poll();
    expect(writes).toEqual([]);
  });
});
