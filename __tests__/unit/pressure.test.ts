import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { lasting, nearestLimit, processorsOf, Vitals } from '../../src/server/worker/vitals';

const half = { used: 50, limit: 100 };

describe('what is near its limit', () => {
  it('is the nearest of the limits that hold', () => {
    const machine = { used: 99, limit: 100 };
    expect(nearestLimit({ heap: half, container: null, machine })).toEqual({ of: 'machine', ...machine });
    expect(nearestLimit({ heap: half, container: { used: 6, limit: 10 }, machine })).toEqual({
      of: 'container',
      used: 6,
      limit: 10,
    });
    expect(nearestLimit({ heap: { used: 7, limit: 10 }, container: half, machine })).toMatchObject({ of: 'heap' });
    expect(nearestLimit({ heap: half, container: null, machine: { used: 0, limit: 0 } })).toMatchObject({ of: 'heap' });
  });

  it('is what lasts: a peak is none', () => {
    const heap = (used: number) => ({ of: 'heap' as const, used, limit: 100 });
    expect(lasting([heap(95), heap(40), heap(99)])).toEqual(heap(40));
    expect(lasting([])).toBeNull();
  });

  it('is read of this process and its disk', async () => {
    const gauge = new Vitals(process.cwd());
    expect(gauge.read(0).pressures!).toEqual({ memory: null, disk: null });
    await expect.poll(() => gauge.read(0).pressures!.disk).toMatchObject({ of: 'disk', limit: expect.any(Number) });
    for (let time = 0; time < 6; time++) gauge.read(0).pressures!;
    const { memory, disk } = gauge.read(0).pressures!;
    for (const one of [memory!, disk!]) {
      expect(one.used).toBeGreaterThan(0);
      expect(one.used).toBeLessThanOrEqual(one.limit);
    }
  });

  it('is no longer known of a disk that is gone', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'pressure-'));
    const gauge = new Vitals(folder);
    await expect.poll(() => gauge.read(0).pressures!.disk).not.toBeNull();
    rmSync(folder, { recursive: true });
    await expect.poll(() => gauge.read(0).pressures!.disk).toBeNull();
  });

  it('is what a process may use of the processors, and what it has used since the last time', () => {
    expect([processorsOf('150000 100000\n'), processorsOf('max 100000\n'), processorsOf('')]).toEqual([
      1.5,
      null,
      null,
    ]);
    const gauge = new Vitals(null);
    const spent = () => process.cpuUsage().user + process.cpuUsage().system;
    expect(gauge.read(0).usage).toMatchObject({
      cpu: { limit: expect.any(Number) },
      heap: { used: expect.any(Number) },
    });
    const until = spent() + 50_000;
    while (spent() < until);
    // At least 50 ms of a second.
    expect(gauge.read(1_000).usage?.cpu.used).toBeGreaterThanOrEqual(0.05);
    expect(gauge.read(1_000_000).usage?.cpu.used).toBeLessThan(0.05);
  });
});
