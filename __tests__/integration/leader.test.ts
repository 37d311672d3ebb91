import { Database } from '@nocobase/database';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it, vi } from 'vitest';
import { ensureDatabase } from '../../scripts/fleet';
import leaders from '../../src/server/core/collections/appSupervisorLeaders';
import { Leadership } from '../../src/server/supervisor/control/leader';
import { FakeClock } from '../support/clock';
import { SeededRandom } from '../support/random';

let db: Database;
beforeAll(async () => {
  const { host, port, user, password } = inject('postgres');
  await ensureDatabase(inject('postgres'), 'leader');
  const options = { dialect: 'postgres', host, port, username: user, password, database: 'leader', logging: false };
  db = new Database(options as never);
  db.collection(leaders);
  await db.sync();
});
beforeEach(() => db.getModel('appSupervisorLeaders').destroy({ truncate: true }));
afterAll(() => db?.close());

/** A supervisor's process with clocks of its own. */
function process(me: string) {
  const clock = new FakeClock();
  return { clock, leadership: new Leadership({ db }, me, clock, new SeededRandom()) };
}

describe('the lead', () => {
  it('is one process’s, for as long as it renews it, whatever its clock says', async () => {
    const [one, two] = [process('one'), process('two')];
    expect([await one.leadership.claim(), await two.leadership.claim()]).toEqual([true, false]);
    expect(two.leadership.fleet).toBe(one.leadership.fleet);
    for (let second = 0; second < 30; second++) {
      one.clock.pass(1_000).jump(-300_000);
      two.clock.pass(1_000).jump(300_000);
      expect([await one.leadership.claim(), await two.leadership.claim()]).toEqual([true, false]);
    }
  });

  it('passes on when it was not renewed for its expiry, as the other saw it, and not before', async () => {
    const [one, two] = [process('one'), process('two')];
    await one.leadership.claim();
    await two.leadership.claim();
    two.clock.pass(9_999);
    expect(await two.leadership.claim()).toBe(false);
    two.clock.pass(1);
    expect(await two.leadership.claim()).toBe(true);
    // The first was only slow, and learns it at its next renewal.
    one.clock.pass(1_000);
    expect(await one.leadership.claim()).toBe(false);
    expect(one.leadership.leads).toBe(false);
  });

  it('is sure without asking for half of its expiry, and never when it is lost or passed on', async () => {
    const [one, two] = [process('one'), process('two')];
    expect(one.leadership.isSure).toBe(false);
    await one.leadership.claim();
    await two.leadership.claim();
    one.clock.pass(4_999);
    expect([one.leadership.isSure, two.leadership.isSure]).toEqual([true, false]);
    one.clock.pass(1);
    expect(one.leadership.isSure).toBe(false);
    await one.leadership.claim();
    expect(one.leadership.isSure).toBe(true);
    await one.leadership.resign();
    expect(one.leadership.isSure).toBe(false);
  });

  it('is written nowhere where nobody else can be', async () => {
    const clock = new FakeClock();
    const alone = new Leadership({ db }, 'one', clock, new SeededRandom(), undefined, true);
    expect(await alone.claim()).toBe(true);
    const before = await db.getRepository('appSupervisorLeaders').findOne();
    expect(before.toJSON()).toMatchObject({ fleet: alone.fleet, holder: null, beat: 0 });
    clock.pass(60_000);
    expect([await alone.claim(), alone.leads]).toEqual([true, true]);
    await alone.resign();
    expect(alone.leads).toBe(false);
    expect((await db.getRepository('appSupervisorLeaders').findOne()).toJSON()).toEqual(before.toJSON());
  });

  it('is not taken from one who renewed it just before', async () => {
    const [one, two] = [process('one'), process('two')];
    await one.leadership.claim();
    await two.leadership.claim();
    two.clock.pass(9_999);
    one.clock.pass(9_999);
    await one.leadership.claim();
    two.clock.pass(5_000);
    expect(await two.leadership.claim()).toBe(false);
  });

  it('is one process’s when many begin at once, of one fleet', async () => {
    const all = Array.from({ length: 8 }, (_, i) => process(`process-${i}`));
    // The core prints the insert that lost.
    const print = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    const leads = await Promise.all(all.map(({ leadership }) => leadership.claim()));
    expect(leads.filter(Boolean).length).toBeLessThanOrEqual(1);
    print.mockRestore();
    // Those who lost the race see who won it.
    for (const { leadership } of all) await leadership.claim();
    expect(all.filter(({ leadership }) => leadership.leads)).toHaveLength(1);
    expect(new Set(all.map(({ leadership }) => leadership.fleet)).size).toBe(1);
    expect(await db.getRepository('appSupervisorLeaders').count()).toBe(1);
  });

  it('that is resigned is free at once; who does not have it resigns nothing', async () => {
    const [one, two, three] = [process('one'), process('two'), process('three')];
    await one.leadership.claim();
    await three.leadership.claim();
    await two.leadership.claim();
    await two.leadership.resign();
    one.clock.pass(1_000);
    expect(await one.leadership.claim()).toBe(true);
    await one.leadership.resign();
    expect(await three.leadership.claim()).toBe(true);
  });

  it('is not taken again by who resigned, not even by a claim that was under way', async () => {
    const [one, two] = [process('one'), process('two')];
    await one.leadership.claim();
    for (const again of [0, 1_000]) {
      one.clock.pass(again);
      const claim = one.leadership.claim();
      await one.leadership.resign();
      await claim;
      one.clock.pass(60_000);
      expect([await one.leadership.claim(), one.leadership.leads]).toEqual([false, false]);
    }
    expect(await two.leadership.claim()).toBe(true);

    const late = process('late');
    await two.leadership.resign();
    const claim = late.leadership.claim();
    await late.leadership.resign();
    await claim;
    expect((await db.getRepository('appSupervisorLeaders').findOne()).get('holder')).toBeNull();
  });

  it('is asked of the database once a second at most by the one that has it', async () => {
    const one = process('one');
    let asked = 0;
    const counted = new Leadership(
      {
        get db() {
          asked++;
          return db;
        },
      },
      'one',
      one.clock,
      new SeededRandom(),
    );
    await counted.claim();
    const before = asked;
    for (let i = 0; i < 50; i++) {
      one.clock.pass(10);
      expect(await counted.claim()).toBe(true);
    }
    expect(asked).toBe(before);
  });
});
