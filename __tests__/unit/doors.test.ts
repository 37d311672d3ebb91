import { describe, expect, it } from 'vitest';
import { Metrics } from '../../src/server/observability/metrics';
import { MemoryDoors } from '../../src/server/protocol/stores/memory/doors';
import { countedBetween, type DoorCounts } from '../../src/server/supervisor/fleet/door-counts';
import { doorTroubles, isUncertified, type SeenDoor } from '../../src/server/supervisor/fleet/door-troubles';
import { DoorWatch, SILENT_AFTER } from '../../src/server/supervisor/fleet/door-watch';
import { appWarningsOf } from '../../src/server/supervisor/fleet/warnings';
import { type DoorReport, MOST_DOORS } from '../../src/shared/door-report';
import { FakeClock } from '../support/clock';
import { appOf, doorReportOf } from '../support/fixtures';

describe('what a door has counted between two reports', () => {
  const report = (requests: number, errors: number, answers: DoorReport['environments'][string]) =>
    doorReportOf({ apps: { u1: [requests, 7, errors, 99] }, environments: { env_a: answers } });

  it('is the difference of its totals', () => {
    const counts = countedBetween(report(10, 1, [0, 9, 0, 0, 1, 0]), report(15, 2, [1, 12, 0, 0, 2, 0]));
    expect(counts.apps).toEqual(new Map([['u1', { requests: 5, errors: 1 }]]));
    expect(counts.environments).toEqual(new Map([['env_a', [1, 3, 0, 0, 1, 0]]]));
  });

  it('is all of it since its counters began, and nothing if nothing came', () => {
    const now = report(10, 1, [0, 9, 0, 0, 1, 0]);
    expect(countedBetween(null, now).apps.get('u1')).toEqual({ requests: 10, errors: 1 });
    expect(countedBetween(now, now)).toEqual({ apps: new Map(), environments: new Map() });
  });

  it('is never negative, whatever a door says', () => {
    expect(countedBetween(report(10, 5, [0, 9, 0, 0, 1, 0]), report(3, 0, [0, 0, 0, 0, 0, 0]))).toEqual({
      apps: new Map(),
      environments: new Map(),
    });
  });
});

describe('a Supervisor', () => {
  const start = (leads = true) => {
    const clock = new FakeClock();
    const doors = new MemoryDoors();
    const watch = new DoorWatch({ doors, clock, leads: () => leads });
    const counted: number[] = [];
    const refused: string[] = [];
    watch.counts.listen(({ apps }: DoorCounts) => counted.push(apps.get('u1')?.requests ?? 0));
    watch.refusals.listen((environment) => refused.push(environment));
    const report = async (values: Partial<DoorReport>) => {
      await doors.write(doorReportOf(values));
      await watch.read();
    };
    const pass = async (ms: number) => {
      await clock.run(ms);
      await watch.read();
    };
    return { clock, doors, watch, counted, refused, report, pass };
  };
  const of = (requests: number): Partial<DoorReport> => ({ apps: { u1: [requests, 0, 0, 0] }, requests });

  it('counts each request once: not what came before it looked, not a report twice, and nothing less for a lost one', async () => {
    const { report, watch, counted } = start();
    await report({ seq: 1, ...of(100) });
    await watch.read();
    await report({ seq: 2, ...of(110) });
    await report({ seq: 5, ...of(150) });
    await watch.read();
    expect(counted).toEqual([10, 40]);
  });

  it('counts all of a door that has come since, and of one whose counters began anew', async () => {
    const { report, counted } = start();
    await report({ id: 'door-1', seq: 1, ...of(100) });
    await report({ id: 'door-2', seq: 1, ...of(7) });
    await report({ id: 'door-2', seq: 1, start: 's2', ...of(3) });
    expect(counted).toEqual([7, 3]);
  });

  it.each([true, false])(
    'counts what is new alone of a door that said good-bye and comes back (leads: %s)',
    async (leads) => {
      const { report, watch, counted, doors, clock } = start(leads);
      await watch.read();
      await report({ seq: 1, ...of(1_000) });
      await doors.remove('door-1');
      await watch.read();
      expect(watch.all()).toEqual([]);
      await report({ seq: 3, ...of(1_015) });
      expect(counted).toEqual([1_000, 15]);
      await doors.remove('door-1');
      await clock.run(24 * 3_600_000);
      await watch.read();
      await report({ seq: 4, ...of(1_020) });
      expect(counted).toEqual([1_000, 15, 1_020]);
    },
  );

  it('remembers no more doors that have gone than there may be', async () => {
    const { report, watch, counted, doors, clock } = start();
    await watch.read();
    for (let i = 0; i <= MOST_DOORS; i++) {
      await clock.run(5_000);
      await report({ id: `door-${i}`, seq: 1, ...of(10) });
      await doors.remove(`door-${i}`);
      await watch.read();
    }
    counted.length = 0;
    for (const i of [0, MOST_DOORS]) await report({ id: `door-${i}`, seq: 2, ...of(11) });
    expect(counted).toEqual([11, 1]);
  });

  it('says how many requests a second a door gets', async () => {
    const { report, watch, clock } = start();
    await report({ seq: 1, requests: 100, errors: 1 });
    expect(watch.all()[0].rates).toBeNull();
    await clock.run(5_000);
    await report({ seq: 2, requests: 150, errors: 2 });
    expect(watch.all()[0].rates).toEqual({ requests: 10, errors: 0.2 });
  });

  it('takes a door for silent whose reports stay the same, and for gone once it has said good-bye', async () => {
    const { report, watch, doors, pass } = start();
    await report({ seq: 1 });
    expect(watch.isSettled).toBe(false);
    await pass(SILENT_AFTER - 1);
    expect(watch.all()[0].isSilent).toBe(false);
    await pass(1);
    expect([watch.all()[0].isSilent, watch.isSettled]).toEqual([true, true]);
    await report({ seq: 2 });
    expect(watch.all()[0].isSilent).toBe(false);
    await doors.remove('door-1');
    await watch.read();
    expect(watch.all()).toEqual([]);
  });

  it('does not miss a door that has just said good-bye: it may only be starting again', async () => {
    const { report, watch, doors, pass } = start();
    await report({ seq: 1 });
    expect(watch.leaving).toBe(0);
    await doors.remove('door-1');
    await pass(SILENT_AFTER - 1);
    expect([watch.all(), watch.leaving]).toEqual([[], 1]);
    await report({ seq: 2 });
    expect([watch.all().length, watch.leaving]).toEqual([1, 0]);
    await doors.remove('door-1');
    await pass(SILENT_AFTER);
    expect(watch.leaving).toBe(0);
  });

  it('takes no door for silent while Redis is away, nor right after', async () => {
    const { report, watch, doors, clock } = start();
    await report({ seq: 1 });
    const { read } = doors;
    doors.read = async () => {
      throw new Error('away');
    };
    for (let i = 0; i < 20; i++) {
      await clock.run(5_000);
      await watch.read();
    }
    doors.read = read;
    await watch.read();
    expect(watch.all()[0].isSilent).toBe(false);
  });

  it.each([
    [true, 0],
    [false, 1],
  ])('forgets what is silent for a day, if it leads (%s)', async (leads, left) => {
    const { report, doors, pass } = start(leads);
    await report({ seq: 1 });
    await pass(24 * 3_600_000);
    expect(await doors.read()).toHaveLength(left);
  });

  it('doubts the environments that refuse a door, with each report once', async () => {
    const { report, watch, refused } = start();
    await report({ seq: 1, refused: ['env_a'] });
    await watch.read();
    expect(refused).toEqual(['env_a']);
  });
});

describe('the same counters', () => {
  it('have what a door has counted, in pages and in one Supervisor’s metrics', () => {
    const metrics = new Metrics();
    metrics.request('env_a', '2xx', 5, 'crm');
    metrics.door(new Map([['crm', { requests: 4, errors: 1 }]]), new Map([['env_a', [0, 3, 0, 0, 1, 1]]]), true);
    expect(metrics.traffic.totals().get('env_a')).toEqual({ requests: 6, errors: 2 });
    const taken = metrics.appTraffic.take().get('crm')!;
    expect([taken.requests, taken.errors]).toEqual([5, 1]);
    // Those of the door are not measured: what is known of the others is not the app's.
    expect(taken.latency(0.95)).toBeNull();
  });
});

describe('what is wrong with doors', () => {
  const NOW = Date.UTC(2026, 0, 1);
  const DAY = 24 * 3_600_000;
  const certificate = {
    file: 'a.pem',
    names: ['*.example.com', 'own.test'],
    notAfter: NOW + 90 * DAY,
    problem: null,
    isServed: true,
  };
  const door = (values: Partial<DoorReport> = {}, isSilent = false): SeenDoor => ({
    report: doorReportOf(values),
    rates: null,
    isSilent,
    seenAt: NOW,
  });
  const found = (doors: SeenDoor[], { expected = 0, leaving = 0, domain = '' } = {}) => {
    const domains = domain ? [{ name: 'crm', uid: 'u1', domain }] : [];
    const troubles = doorTroubles(doors, { expected, leaving }, domains, new Set(['env_a']), NOW);
    return troubles.map(({ level, message }) => `${level} ${message.code}`);
  };

  it.each<[string, SeenDoor[], Parameters<typeof found>[1], string[]]>([
    ['nothing without doors', [], {}, []],
    ['nothing of one that is well', [door()], { expected: 1 }, []],
    ['none where one is to be', [], { expected: 1 }, ['red DOORS_MISSING']],
    ['nothing where the one that is to be starts again', [], { expected: 1, leaving: 1 }, []],
    ['one that is missing beside it', [], { expected: 2, leaving: 1 }, ['red DOORS_MISSING']],
    ['fewer than are to be', [door()], { expected: 2 }, ['yellow DOORS_MISSING']],
    ['a silent one', [door({}, true)], { expected: 1 }, ['red DOOR_SILENT']],
    ['a silent one beside another', [door({}, true), door({ id: 'door-2' })], {}, ['yellow DOOR_SILENT']],
    ['no HAProxy', [door({ haproxy: null })], {}, ['red DOOR_WITHOUT_HAPROXY']],
    ['no table', [door({ table: null })], {}, ['yellow DOOR_TABLE_OLD']],
    ['an old table', [door({ table: { count: { term: 1, n: 1 }, age: 60_001 } })], {}, ['yellow DOOR_TABLE_OLD']],
    [
      'an address that it cannot use, of a known environment',
      [door({ unusable: ['env_a', 'nobody'] })],
      {},
      ['yellow DOOR_ADDRESS_UNUSABLE'],
    ],
    [
      'a certificate that ends soon',
      [door({ certificates: [{ ...certificate, notAfter: NOW + 14 * DAY }] })],
      {},
      ['yellow CERTIFICATE_ENDS'],
    ],
    [
      'a broken one',
      [door({ certificates: [{ ...certificate, problem: 'keyDiffers' }] })],
      {},
      ['yellow CERTIFICATE_KEY_DIFFERS'],
    ],
    [
      'an expired one',
      [door({ certificates: [{ ...certificate, problem: 'expired' }] })],
      {},
      ['red CERTIFICATE_EXPIRED'],
    ],
    [
      'the same of two doors once',
      [1, 2].map((n) => door({ id: `door-${n}`, certificates: [{ ...certificate, problem: 'expired' }] })),
      {},
      ['red CERTIFICATE_EXPIRED'],
    ],
    [
      'a domain without a certificate',
      [door({ isSecure: true, certificates: [certificate] })],
      { domain: 'crm.test' },
      ['yellow DOMAIN_UNCERTIFIED'],
    ],
    [
      'a domain whose certificate is not served',
      [door({ isSecure: true, certificates: [{ ...certificate, isServed: false }] })],
      { domain: 'own.test' },
      ['yellow DOMAIN_UNCERTIFIED'],
    ],
    [
      'no more than a broken one where the former one is served',
      [door({ isSecure: true, certificates: [{ ...certificate, problem: 'keyDiffers' }] })],
      { domain: 'own.test' },
      ['yellow CERTIFICATE_KEY_DIFFERS'],
    ],
    ['none for a domain with one', [door({ isSecure: true, certificates: [certificate] })], { domain: 'own.test' }, []],
    ['none without https', [door()], { domain: 'crm.test' }, []],
  ])('%s', (_, doors, given, expected) => {
    expect(found(doors, given)).toEqual(expected);
  });

  it.each([
    ['crm.test', ['DOMAIN_UNCERTIFIED']],
    ['own.test', []],
    [null, []],
  ])('a page of an app with the domain %s names %j', (cname, expected) => {
    const options = {
      compatibility: { warningsOf: () => [] },
      observer: { reportsOf: () => [] },
      environmentCache: { registrationOf: () => undefined },
      doors: { all: () => [door({ isSecure: true, certificates: [certificate] })] },
    } as unknown as Parameters<typeof appWarningsOf>[1];
    expect(appWarningsOf(appOf({ cname }), options).map(({ code }) => code)).toEqual(expected);
  });

  it.each([
    ['crm.example.com', false],
    ['example.com', true],
    ['a.crm.example.com', true],
  ])('a certificate for *.example.com is for names right below it (%s)', (domain, isMissing) => {
    expect(isUncertified([door({ isSecure: true, certificates: [certificate] })], domain)).toBe(isMissing);
  });
});
