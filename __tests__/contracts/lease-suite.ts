import type { Database } from '@nocobase/database';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { Lease } from '../../src/server/lease/lease';
import { OwnConnection } from '../../src/server/lease/own-connection';
import { workerLeases } from '../../src/server/lease/tables';
import { expiryOf, INTERVAL } from '../../src/server/timing';
import { FakeClock } from '../support/clock';
import { recordedLog } from '../support/log';

const EXPIRY = expiryOf(INTERVAL);

/** A process with clocks of its own. */
export function processOn(db: Database, instance: string, environment = 'env_a') {
  const clock = new FakeClock();
  const lease = new Lease({
    connection: new OwnConnection({ db }, workerLeases),
    table: workerLeases.name,
    key: { environment },
    what: environment,
    instance,
    interval: INTERVAL,
    clock,
    log: recordedLog(),
  });
  const takes = async (): Promise<boolean> => {
    lease.want();
    return lease.take();
  };
  /** Time passes, with a look at each interval. */
  const looks = async (ms: number): Promise<boolean> => {
    let leads = false;
    for (let left = ms; left > 0; left -= INTERVAL) {
      clock.pass(Math.min(left, INTERVAL));
      leads = await takes();
    }
    return leads;
  };
  return { clock, lease, takes, looks };
}

/** What `Lease` promises on a database that several processes share. @param open makes the database, with the table of leases in it */
export function leaseSuite(open: () => Promise<Database>): void {
  let db: Database;
  const used: Array<ReturnType<typeof processOn>> = [];
  beforeAll(async () => {
    db = await open();
  });
  beforeEach(async () => {
    for (const { lease } of used.splice(0)) lease.options.connection.reset();
    await db.getModel(workerLeases.name).destroy({ truncate: true });
  });
  afterAll(async () => {
    for (const { lease } of used) lease.options.connection.reset();
    await db?.close();
  });

  const process = (instance: string, environment?: string) => {
    const made = processOn(db, instance, environment);
    used.push(made);
    return made;
  };
  const rowOf = async () =>
    (await db.getModel(workerLeases.name).findOne({ where: { environment: 'env_a' } }))!.toJSON();
  const fallBackTo = (copy: object) => db.getModel(workerLeases.name).update(copy, { where: { environment: 'env_a' } });

  describe('a lease', () => {
    it('invariant 4: is one process’s for as long as it renews it, whatever clocks say', async () => {
      const [one, two] = [process('one'), process('two')];
      expect([await one.takes(), await two.takes()]).toEqual([true, false]);
      for (let beat = 0; beat < 8; beat++) {
        one.clock.jump(-3_000_000);
        two.clock.jump(3_000_000);
        expect([await one.looks(INTERVAL), await two.looks(INTERVAL)]).toEqual([true, false]);
      }
    });

    it('is of one environment: another one’s is free', async () => {
      const [one, other] = [process('one'), process('two', 'env_b')];
      expect([await one.takes(), await other.takes()]).toEqual([true, true]);
    });

    it('is taken when the same beat was seen for as long as it lasts, and not before', async () => {
      const [one, two] = [process('one'), process('two')];
      await one.takes();
      await two.takes();
      expect(await two.looks(EXPIRY - 1)).toBe(false);
      expect(await two.looks(1)).toBe(true);
      expect(two.lease.term).toBeGreaterThan(one.lease.term);
      // The first was only frozen: it is sure of itself until it asks.
      expect(one.lease.leads).toBe(true);
      expect([await one.lease.confirm(), one.lease.isHeld]).toEqual([false, false]);
    });

    it('is not taken by who could not look meanwhile: the holder could not renew it either', async () => {
      const [one, two] = [process('one'), process('two')];
      await one.takes();
      await two.takes();
      two.clock.pass(10 * EXPIRY);
      expect(await two.takes()).toBe(false);
      expect(await two.looks(EXPIRY)).toBe(true);
    });

    it('is begun nothing by for half of the time that it lasts without a renewal, and is held until another one takes it', async () => {
      const { clock, lease, takes } = process('one');
      await takes();
      clock.pass(EXPIRY / 2 - 1);
      expect(lease.leads).toBe(true);
      clock.pass(1);
      expect([lease.leads, lease.isHeld]).toEqual([false, true]);
      clock.pass(100 * EXPIRY);
      expect([await lease.confirm(), lease.isHeld]).toEqual([true, true]);
    });

    it('is only looked at by who does not want it yet, and is taken the sooner then', async () => {
      const [one, two] = [process('one'), process('two')];
      await one.takes();
      for (let look = 0; look <= EXPIRY / INTERVAL; look++) {
        expect(await two.lease.take()).toBe(false);
        two.clock.pass(INTERVAL);
      }
      expect((await rowOf()).holder).toBe('one');
      expect(await two.takes()).toBe(true);
    });

    it('is one process’s when many begin at once', async () => {
      const all = Array.from({ length: 8 }, (_, i) => process(`process-${i}`));
      // The core prints the insert that lost.
      const print = vi.spyOn(console, 'error').mockImplementation(() => undefined);
      await Promise.all(all.map(({ takes }) => takes()));
      print.mockRestore();
      for (const { takes } of all) await takes();
      expect(all.filter(({ lease }) => lease.leads)).toHaveLength(1);
      expect(await db.getRepository(workerLeases.name).count()).toBe(1);
    });

    it('that is given back is free at once, and stays with whoever took it', async () => {
      const [one, two] = [process('one'), process('two')];
      await one.takes();
      await two.takes();
      await two.lease.resign();
      expect(await one.looks(1_000)).toBe(true);
      await one.lease.resign();
      expect((await rowOf()).holder).toBeNull();
      expect([await one.takes(), await process('three').takes()]).toEqual([false, true]);
    });

    it('has a term above the stored one, the own one and the time', async () => {
      const { clock, lease, takes } = process('one');
      await takes();
      expect(lease.term).toBe(clock.wall);
      await db
        .getModel(workerLeases.name)
        .update({ holder: null, term: clock.wall + 500 }, { where: { environment: 'env_a' } });
      await takes();
      expect(lease.term).toBe(clock.wall + 501);
    });
  });

  describe('an older copy of the database', () => {
    it('in which this process has it begins a new term, before which nothing is begun, and the tenure goes on', async () => {
      const { lease, takes, looks } = process('one');
      await takes();
      const copy = await rowOf();
      await looks(INTERVAL);
      const states: unknown[] = [];
      lease.changes.listen(() => states.push([lease.isHeld, lease.leads]));
      const { term } = lease;
      await fallBackTo(copy);
      expect(await lease.confirm()).toBe(true);
      expect(states).toEqual([
        [true, false],
        [true, true],
      ]);
      expect(lease.term).toBeGreaterThan(term);
    });

    it('in which nobody has it is the holder’s at once', async () => {
      const { lease, takes } = process('one');
      await takes();
      const { term } = lease;
      const states: unknown[] = [];
      lease.changes.listen(() => states.push([lease.isHeld, lease.leads]));
      await fallBackTo({ holder: null, beat: 0, term: 0 });
      expect([await lease.confirm(), lease.term > term]).toEqual([true, true]);
      expect(states).toEqual([
        [true, false],
        [true, true],
      ]);
      await db.getModel(workerLeases.name).destroy({ truncate: true });
      expect([await lease.confirm(), (await rowOf()).holder]).toEqual([true, 'one']);
    });

    it('in which another process has it ends the tenure', async () => {
      const { lease, takes } = process('one');
      await takes();
      await fallBackTo({ holder: 'former', beat: 7, term: 3 });
      expect([await lease.confirm(), lease.isHeld]).toEqual([false, false]);
    });

    it('is answered with a term above one that something else knows, for whoever has it', async () => {
      const [one, two] = [process('one'), process('two')];
      await one.takes();
      await two.takes();
      const above = one.lease.term + 1_000;
      expect([await one.lease.raiseAbove(above), await two.lease.raiseAbove(above)]).toEqual([true, false]);
      expect([one.lease.term, Number((await rowOf()).term)]).toEqual([above + 1, above + 1]);
      expect(await one.looks(INTERVAL)).toBe(true);
      expect(one.lease.term).toBe(above + 1);
    });
  });
}
