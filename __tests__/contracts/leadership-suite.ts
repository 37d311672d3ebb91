import type { Database, Transaction } from '@nocobase/database';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { Leadership, TermOver } from '../../src/server/supervisor/control/leader';
import { FakeClock } from '../support/clock';
import { recordedLog } from '../support/log';
import { SeededRandom } from '../support/random';

/** What `Leadership` promises on a database. @param open makes the database, with the table of leaders in it */
export function leadershipSuite(open: () => Promise<Database>): void {
  let db: Database;
  beforeAll(async () => {
    db = await open();
  });
  beforeEach(() => db.getModel('appSupervisorLeaders').destroy({ truncate: true }));
  afterAll(() => db?.close());

  /** A supervisor's process with clocks of its own. */
  function process(me: string) {
    const clock = new FakeClock();
    return {
      clock,
      leadership: new Leadership({ app: { db }, instance: me, clock, random: new SeededRandom(), log: recordedLog() }),
    };
  }

  /** Time passes for a challenger, which looks each two seconds. @returns whether it leads after that */
  async function looks({ clock, leadership }: ReturnType<typeof process>, ms: number): Promise<boolean> {
    let leads = false;
    for (let left = ms; left > 0; left -= 2_000) {
      clock.pass(Math.min(left, 2_000));
      leads = await leadership.take();
    }
    return leads;
  }

  const rowOf = async (): Promise<object> => {
    const { id: _, ...row } = (await db.getModel('appSupervisorLeaders').findOne({ where: { id: 1 } }))!.toJSON();
    return row;
  };

  describe('the lead', () => {
    it('is one process’s, for as long as it renews it, whatever its clock says', async () => {
      const [one, two] = [process('one'), process('two')];
      expect([await one.leadership.take(), await two.leadership.take()]).toEqual([true, false]);
      expect(two.leadership.fleet).toBe(one.leadership.fleet);
      for (let second = 0; second < 30; second++) {
        one.clock.pass(1_000).jump(-300_000);
        two.clock.pass(1_000).jump(300_000);
        expect([await one.leadership.take(), await two.leadership.take()]).toEqual([true, false]);
      }
    });

    it('passes on when it was not renewed for its expiry, as the other saw it, and not before', async () => {
      const [one, two] = [process('one'), process('two')];
      await one.leadership.take();
      await two.leadership.take();
      expect(await looks(two, 9_999)).toBe(false);
      expect(await looks(two, 1)).toBe(true);
      // The first was only slow, and learns it at its next renewal.
      one.clock.pass(1_000);
      expect(await one.leadership.take()).toBe(false);
      expect(one.leadership.leads).toBe(false);
    });

    it('begins a new term where the database has lost what was written in this one, and writes nothing before', async () => {
      const { clock, leadership } = process('one');
      const changes: boolean[] = [];
      leadership.onChange((leads) => changes.push(leads));
      await leadership.take();
      const copy = await rowOf();
      clock.pass(1_000);
      await leadership.take();
      await db.getModel('appSupervisorLeaders').update(copy, { where: { id: 1 } });
      const written = vi.fn();
      await expect(leadership.write(written)).rejects.toThrow(TermOver);
      expect(written).not.toHaveBeenCalled();
      expect(await leadership.take()).toBe(true);
      expect([leadership.term > Number((copy as { term: number }).term), changes]).toEqual([true, [true, false, true]]);
      await leadership.write(written);
    });

    it('is of the same fleet and a newer term where the database has lost its row', async () => {
      const { leadership } = process('one');
      await leadership.take();
      const { fleet, term } = leadership;
      await db.getModel('appSupervisorLeaders').destroy({ truncate: true });
      expect(await leadership.take()).toBe(true);
      expect([leadership.fleet, leadership.term > term]).toEqual([fleet, true]);
    });

    it('is sure without asking for half of its expiry, and never when it is lost or passed on', async () => {
      const [one, two] = [process('one'), process('two')];
      expect(one.leadership.leads).toBe(false);
      await one.leadership.take();
      await two.leadership.take();
      one.clock.pass(4_999);
      expect([one.leadership.leads, two.leadership.leads]).toEqual([true, false]);
      one.clock.pass(1);
      expect(one.leadership.leads).toBe(false);
      await one.leadership.take();
      expect(one.leadership.leads).toBe(true);
      await one.leadership.resign();
      expect(one.leadership.leads).toBe(false);
    });

    it('is not taken from one who renewed it just before', async () => {
      const [one, two] = [process('one'), process('two')];
      await one.leadership.take();
      await two.leadership.take();
      await looks(two, 9_999);
      one.clock.pass(9_999);
      await one.leadership.take();
      expect(await looks(two, 5_000)).toBe(false);
    });

    it('is one process’s when many begin at once, of one fleet', async () => {
      const all = Array.from({ length: 8 }, (_, i) => process(`process-${i}`));
      // The core prints the insert that lost.
      const print = vi.spyOn(console, 'error').mockImplementation(() => undefined);
      const leads = await Promise.all(all.map(({ leadership }) => leadership.take()));
      expect(leads.filter(Boolean).length).toBeLessThanOrEqual(1);
      print.mockRestore();
      // Those who lost the race see who won it.
      for (const { leadership } of all) await leadership.take();
      expect(all.filter(({ leadership }) => leadership.leads)).toHaveLength(1);
      expect(new Set(all.map(({ leadership }) => leadership.fleet)).size).toBe(1);
      expect(await db.getRepository('appSupervisorLeaders').count()).toBe(1);
    });

    it('that is resigned is free at once; who does not have it resigns nothing', async () => {
      const [one, two, three] = [process('one'), process('two'), process('three')];
      await one.leadership.take();
      await three.leadership.take();
      await two.leadership.take();
      await two.leadership.resign();
      one.clock.pass(1_000);
      expect(await one.leadership.take()).toBe(true);
      await one.leadership.resign();
      expect(await three.leadership.take()).toBe(true);
    });

    it('is not taken again by who resigned, not even by a claim that was under way', async () => {
      const [one, two] = [process('one'), process('two')];
      await one.leadership.take();
      for (const again of [0, 1_000]) {
        one.clock.pass(again);
        const claim = one.leadership.take();
        await one.leadership.resign();
        await claim;
        one.clock.pass(60_000);
        expect([await one.leadership.take(), one.leadership.leads]).toEqual([false, false]);
      }
      expect(await two.leadership.take()).toBe(true);

      const late = process('late');
      await two.leadership.resign();
      const claim = late.leadership.take();
      await late.leadership.resign();
      await claim;
      expect((await db.getRepository('appSupervisorLeaders').findOne()).get('holder')).toBeNull();
    });

    it('has a term that grows with every change of its holder, and with nothing else', async () => {
      const [one, two] = [process('one'), process('two')];
      await one.leadership.take();
      one.clock.pass(1_000);
      const { term } = one.leadership;
      await one.leadership.take();
      await two.leadership.take();
      expect([one.leadership.term, two.leadership.term]).toEqual([term, 0]);
      await looks(two, 10_000);
      expect(two.leadership.term).toBeGreaterThan(term);
      await two.leadership.resign();
      await one.leadership.take();
      expect(one.leadership.term).toBeGreaterThan(two.leadership.term);
    });
  });

  describe('a write of the leader', () => {
    const setFleet = (fleet: string) => (transaction?: Transaction) =>
      db.getModel('appSupervisorLeaders').update({ fleet }, { where: { id: 1 }, transaction });
    const fleetNow = async () => (await db.getRepository('appSupervisorLeaders').findOne()).get('fleet');

    it('is refused once a newer term exists, although it believes that it leads', async () => {
      const [one, two] = [process('one'), process('two')];
      await one.leadership.take();
      await one.leadership.write(setFleet('first'));
      await two.leadership.take();
      // The first was frozen: no time has passed for it.
      await looks(two, 10_000);
      expect([one.leadership.leads, two.leadership.leads]).toEqual([true, true]);
      await expect(one.leadership.write(setFleet('late'))).rejects.toThrow(TermOver);
      expect([one.leadership.leads, await fleetNow()]).toEqual([false, 'first']);
      await two.leadership.write(setFleet('second'));
      expect(await fleetNow()).toBe('second');
    });

    it('is refused where it has not led for long enough to be sure, or never did', async () => {
      const [one, two] = [process('one'), process('two')];
      await one.leadership.take();
      await expect(two.leadership.write(setFleet('two'))).rejects.toThrow(TermOver);
      one.clock.pass(5_000);
      await expect(one.leadership.write(setFleet('late'))).rejects.toThrow(TermOver);
    });

    it('is over before the next term begins', async () => {
      const [one, two] = [process('one'), process('two')];
      await one.leadership.take();
      await two.leadership.take();
      const story: string[] = [];
      let end = () => {};
      let writing: Promise<unknown> = Promise.resolve();
      await new Promise<void>((begin) => {
        writing = one.leadership.write(async (transaction) => {
          begin();
          await new Promise<void>((resolve) => (end = resolve));
          await setFleet('written')(transaction);
        });
      });
      await looks(two, 9_000);
      two.clock.pass(1_000);
      const taken = two.leadership.take().then(() => story.push('taken'));
      // As far as it gets by itself.
      await new Promise((resolve) => setTimeout(resolve, 300));
      expect(story).toEqual([]);
      end();
      // The answers of two sessions come in any order.
      await Promise.all([writing, taken]);
      expect([two.leadership.leads, await fleetNow()]).toEqual([true, 'written']);
    });

    it('is undone if its process does not go on with it, and holds nobody up', async () => {
      const [one, two] = [process('one'), process('two')];
      await one.leadership.take();
      await two.leadership.take();
      let thaw = () => {};
      const writing = one.leadership.write(async (transaction) => {
        await setFleet('frozen')(transaction);
        await new Promise<void>((resolve) => (thaw = resolve));
      });
      const end = writing.catch((error: Error) => error);
      await looks(two, 9_000);
      two.clock.pass(1_000);
      expect(await two.leadership.take()).toBe(true);
      thaw();
      expect([await end, await fleetNow()]).toEqual([expect.any(Error), two.leadership.fleet]);
    });

    it('goes on with a newer term than a store has seen, where the database fell back and this process leads', async () => {
      const [one, two] = [process('one'), process('two')];
      await one.leadership.take();
      await two.leadership.take();
      const newest = one.leadership.term + 7;
      await two.leadership.raiseTerm(newest);
      await one.leadership.raiseTerm(newest);
      expect([one.leadership.term, two.leadership.term]).toEqual([newest + 1, 0]);
      await one.leadership.write(setFleet('raised'));
      one.clock.pass(1_000);
      await one.leadership.take();
      expect([one.leadership.term, await fleetNow()]).toEqual([newest + 1, 'raised']);
      // Frozen meanwhile: it does not lead any more, whatever it believes.
      await looks(two, 14_000);
      expect(two.leadership.term).toBeGreaterThan(newest + 1);
      await one.leadership.raiseTerm(newest + 20);
      expect([one.leadership.leads, one.leadership.term]).toEqual([false, newest + 1]);
    });

    it('that fails leaves nothing behind', async () => {
      const one = process('one');
      await one.leadership.take();
      const before = await fleetNow();
      const failing = one.leadership.write(async (transaction) => {
        await setFleet('half')(transaction);
        throw new Error('No.');
      });
      await expect(failing).rejects.toThrow('No.');
      expect(await fleetNow()).toBe(before);
    });
  });
}
