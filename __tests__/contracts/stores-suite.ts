import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Stores } from '../../src/server/protocol/stores';
import type { PublishedWrite } from '../../src/server/protocol/stores/published';
import { StaleTerm } from '../../src/server/protocol/stores/terms';
import { failed, verbatim } from '../../src/shared/message';
import type { AppRecord, Lease, StatusEntry } from '../../src/shared/messages';
import {
  doorReportOf,
  entryOf,
  leaseOf,
  manifestItemOf,
  recordOf,
  registrationOf,
  SSO_CODE,
} from '../support/fixtures';
import { recordsIn, writeRecords } from '../support/records';

/** Empty stores of one implementation, and what a test does to them from outside. */
export interface StoresUnderTest {
  stores: Stores;
  /** Time passes for whatever runs out, without a wait. */
  pass(ms: number): Promise<void>;
  /** All content is lost. */
  flush(): Promise<void>;
  /** The wall clock that the stores read, in ms. */
  wall(): number;
  /** Stores of the same implementation that cannot be reached. */
  unreachable(): Stores;
  end(): Promise<void>;
}

type Guard =
  /** It changes nothing. */
  | 'reads'
  /** A leader's write: refused once a newer term has written. */
  | 'term'
  /** A Worker's: the store refuses what comes under another tenure than the newest one. */
  | 'lease'
  /** Of each item the newest stays, whoever writes it. */
  | 'newest'
  /** What it removes comes back from whoever has it, unless its app has ended: nobody makes that undone. */
  | 'ended'
  /** A secret that its writer has just made names it; whoever reads it takes it away. */
  | 'once'
  /** Each process writes what is of itself alone, and again. */
  | 'own'
  /** Every writer writes the same, and only where there is nothing. */
  | 'constant';
type Subject = Exclude<keyof Stores, 'returns' | 'ignored' | 'sealed' | 'open' | 'warnings' | 'close'>;

/** What keeps a process that was frozen from writing beside its successor. A method that is not named here does not compile. */
const GUARDS: { [S in Subject]: Record<keyof Stores[S], Guard> } = {
  records: { write: 'term', mark: 'reads', read: 'reads', readSome: 'reads' },
  leases: { announce: 'lease', wait: 'newest', release: 'lease', left: 'reads', hasFormer: 'reads' },
  fleet: {
    poll: 'reads',
    nameFleet: 'constant',
    readRegistration: 'reads',
    forget: 'term',
  },
  statuses: { write: 'lease', read: 'reads', mark: 'reads' },
  appIndex: { write: 'term', mark: 'reads', count: 'reads', inspect: 'reads', read: 'reads' },
  routes: { write: 'term', mark: 'reads', count: 'reads', inspect: 'reads', read: 'reads' },
  doors: { write: 'own', remove: 'own', read: 'reads' },
  manifests: { write: 'newest', forget: 'ended', read: 'reads' },
  sso: { issue: 'once', redeem: 'once', writeEnds: 'newest', endsVersion: 'reads', readEnds: 'reads' },
};

interface Announcing extends Partial<Lease> {
  ttl?: number;
  url?: string;
  isKnown?: boolean;
}

/** What every implementation of `Stores` promises to those who use it; run by unit/stores.test.ts and integration/stores.test.ts. */
export function storesSuite(make: () => Promise<StoresUnderTest>): void {
  let under: StoresUnderTest;
  let stores: Stores;

  beforeEach(async () => {
    under = await make();
    ({ stores } = under);
  });
  afterEach(() => under.end());

  /** A process announces its tenure. */
  const announce = (environment: string, { ttl = 120_000, url, isKnown, ...lease }: Announcing = {}) => {
    const { epoch } = leaseOf({ epoch: 1_000, ...lease });
    const registration = registrationOf(environment, { epoch, ...(url && { url }) });
    const announced = leaseOf({ epoch, place: 'here', ...lease });
    return stores.leases.announce({ environment, lease: announced, registration, ttl, isKnown });
  };
  /** @returns its epoch */
  const hold = async (environment: string, values: Announcing = {}): Promise<number> => {
    const answer = await announce(environment, values);
    if (answer.by !== 'me') throw new Error('The announcement was refused.');
    return values.epoch ?? 1_000;
  };
  const sight = async (environment = 'env_a') => (await stores.fleet.poll()).environments.get(environment);
  const report = (epoch: number, version: number, entries: StatusEntry[], more: object = {}) => {
    const write = { environment: 'env_a', instance: 'one', epoch, version, entries, removed: [], from: null };
    return stores.statuses.write({ ...write, ...more });
  };
  const statuses = async () =>
    (await stores.statuses.read('env_a')).map(({ name, status }) => `${name} ${status}`).sort();

  describe('records', () => {
    const crm = recordOf();
    const shop = recordOf({ name: 'shop', uid: 'uid-2', sso: { enabled: true }, icon: '☕' });
    const records = () => stores.records;
    const publish = (environment: string, written: AppRecord[], more: Parameters<typeof writeRecords>[3] = {}) =>
      writeRecords(records(), environment, written, more);
    const names = async (environment = 'env_a') =>
      (await recordsIn(records(), environment)).map(({ name }) => name).sort();
    const countOf = (n: number) => ({ term: 1, n });
    const none = { mark: '', count: null, floor: null, records: [] };

    it('are read as they were written, all of them or by uid', async () => {
      await publish('env_a', [crm, shop]);
      const all = await recordsIn(records(), 'env_a');
      expect(all.sort((a, b) => a.name.localeCompare(b.name))).toEqual([crm, shop]);
      expect(await records().readSome('env_a', ['uid-2', 'nobody'])).toEqual({ floor: 0, records: [shop] });
      expect(await records().readSome('env_a', [])).toEqual({ floor: 0, records: [] });
      expect(await records().readSome('env_b', ['uid-1'])).toEqual({ floor: null, records: [] });
      expect(await records().read('env_b', null)).toEqual(none);
    });

    it('are copies: whoever changes one changes it for nobody else', async () => {
      const mine = recordOf({ environments: ['env_a'] });
      await publish('env_a', [mine]);
      mine.environments.push('env_b');
      (await recordsIn(records(), 'env_a'))[0].environments.push('env_c');
      expect((await recordsIn(records(), 'env_a'))[0].environments).toEqual(['env_a']);
    });

    it('are by uid: of one name there may be several incarnations', async () => {
      await publish('env_a', [crm, recordOf({ uid: 'uid-9' })]);
      expect(await names()).toEqual(['crm', 'crm']);
    });

    it('are taken away', async () => {
      await publish('env_a', [crm, shop]);
      await publish('env_b', [crm]);
      await publish('env_a', [], { removed: ['uid-1', 'nobody'] });
      expect([await names(), await names('env_b')]).toEqual([['shop'], ['crm']]);
    });

    it('invariant 3: are written over what their writer left, and over nothing else', async () => {
      const write = (from: string, n: number, written: AppRecord[]) =>
        records().write('env_a', { from, count: countOf(n), floor: 0, records: written, removed: [], term: 1 });
      const first = (await write('', 1, [crm])) as string;
      expect([await records().mark('env_a'), await write('', 2, [shop])]).toEqual([first, null]);
      const second = (await write(first, 2, [recordOf({ generation: 11 })])) as string;
      expect(await write(first, 3, [recordOf({ generation: 9 })])).toBeNull();
      expect(await records().read('env_a', first)).toMatchObject({
        mark: second,
        count: countOf(2),
        records: [{ generation: 11 }],
      });
      await under.flush();
      expect(await write(second, 3, [shop])).toBeNull();
      expect([await records().mark('env_a'), await records().read('env_a', second)]).toEqual(['', none]);
    });

    it('invariant 3: of those who write at once, one does', async () => {
      const written = await Promise.all(
        [...Array(10).keys()].map((generation) => publish('env_a', [recordOf({ generation: 10 + generation })])),
      );
      expect(written.filter(Boolean)).toHaveLength(1);
      expect((await recordsIn(records(), 'env_a'))[0].generation).toBe(10 + written.findIndex(Boolean));
    });

    it('of an older term than has written are refused, written and taken away', async () => {
      const mark = await publish('env_a', [crm], { term: 2 });
      const refused = { newest: 2, constructor: StaleTerm };
      await expect(publish('env_a', [shop], { term: 1 })).rejects.toMatchObject(refused);
      await expect(publish('env_b', [shop], { term: 1 })).rejects.toMatchObject(refused);
      await expect(publish('env_a', [], { term: 1, removed: ['uid-1'] })).rejects.toMatchObject(refused);
      expect([await records().mark('env_a'), await names('env_b')]).toEqual([mark, []]);
      await publish('env_a', [], { term: 3, removed: ['uid-1'] });
      await expect(publish('env_a', [crm], { term: 2 })).rejects.toMatchObject({ newest: 3 });
      // Lost with everything else, and there again with the next write.
      await under.flush();
      await publish('env_a', [crm], { term: 2 });
      await expect(publish('env_a', [shop], { term: 1 })).rejects.toMatchObject(refused);
      expect(await names()).toEqual(['crm']);
    });

    it('come in thousands', async () => {
      const many = Array.from({ length: 1_200 }, (_, i) => recordOf({ name: `app${i}`, uid: `uid-${i}` }));
      await publish('env_a', many);
      expect(await names()).toHaveLength(1_200);
    });

    it('are read, all together, when one of them changed', async () => {
      const first = await publish('env_a', [crm]);
      expect(await records().read('env_a', first)).toBeNull();
      const second = await publish('env_a', [recordOf({ generation: 11 })]);
      expect((await records().read('env_a', first))?.records[0].generation).toBe(11);
      await publish('env_a', [], { removed: ['uid-1'] });
      expect((await records().read('env_a', second))?.records).toEqual([]);
      const third = await records().mark('env_a');
      await stores.fleet.forget('env_a', 5, 1);
      const last = (await records().read('env_a', third))!;
      expect(last).toMatchObject({ floor: 5, records: [] });
      expect([third, '']).not.toContain(last.mark);
    });

    it('say for which floor of their environment they are', async () => {
      const first = await publish('env_a', [crm]);
      const later = 1_700_000_000_123;
      await publish('env_a', [], { floor: later, removed: ['uid-1'] });
      expect(await records().read('env_a', first)).toMatchObject({ floor: later, records: [] });
      expect((await records().readSome('env_a', [])).floor).toBe(later);
    });
  });

  describe('a lease', () => {
    it('has some of its time left, and none when it is gone', async () => {
      await hold('env_a');
      await stores.leases.release('env_b', 'one', await hold('env_b'));
      await under.pass(50_000);
      const left = await stores.leases.left(['env_a', 'env_b', 'nobody']);
      expect([...left.keys()]).toEqual(['env_a', 'env_b', 'nobody']);
      expect(left.get('env_a')).toBeGreaterThan(10_000);
      expect(left.get('env_a')).toBeLessThanOrEqual(70_000);
      expect([left.get('env_b'), left.get('nobody')]).toEqual([0, 0]);
    });

    it('is announced and seen', async () => {
      expect((await stores.fleet.poll()).environments.size).toBe(0);
      expect(await announce('env_a', { memory: 5 })).toEqual({ by: 'me', fresh: true });
      expect(await announce('env_a', { beat: 2 })).toEqual({ by: 'me', fresh: false });
      const lease = leaseOf({ epoch: 1_000, beat: 2, place: 'here' });
      expect(await sight()).toEqual({ lease, statusVersion: 0, standby: null });
    });

    it('is written together with its registration, which is there again where it was lost', async () => {
      expect(await stores.fleet.readRegistration('env_a')).toBeNull();
      await announce('env_a');
      expect(await stores.fleet.readRegistration('env_a')).toEqual(registrationOf('env_a', { epoch: 1_000 }));
      await announce('env_a', { url: 'http://moved', beat: 2, registered: 2 });
      expect(await stores.fleet.readRegistration('env_a')).toMatchObject({ url: 'http://moved', epoch: 1_000 });
      await under.flush();
      expect(await announce('env_a', { url: 'http://moved', beat: 3, registered: 2 })).toEqual({
        by: 'me',
        fresh: true,
      });
      expect(await stores.fleet.readRegistration('env_a')).toMatchObject({ url: 'http://moved' });
    });

    it('runs out unless it is announced again', async () => {
      await hold('env_a', { ttl: 60_000 });
      await under.pass(50_000);
      await hold('env_a', { ttl: 60_000 });
      await under.pass(50_000);
      expect((await sight())?.lease).not.toBeNull();
      await under.pass(20_000);
      expect((await sight())?.lease).toBeNull();
      expect((await stores.leases.left(['env_a'])).get('env_a')).toBe(0);
    });

    it('that ran out and is announced again says what it has said', async () => {
      await report(await hold('env_a'), 5, [entryOf()]);
      await under.pass(130_000);
      expect(await announce('env_a')).toEqual({ by: 'me', fresh: true });
      expect([await statuses(), (await sight())?.statusVersion]).toEqual([['crm running'], 5]);
    });

    it('invariant 3: of a newer tenure replaces the former one at once, and passes on nothing that it said', async () => {
      await report(await hold('env_a'), 5, [entryOf()]);
      expect(await announce('env_a', { instance: 'two', epoch: 1_001 })).toEqual({ by: 'me', fresh: true });
      expect([await statuses(), (await sight())?.statusVersion]).toEqual([[], 0]);
      expect((await sight())?.lease?.instance).toBe('two');
    });

    it('invariant 3: of a former tenure is refused, also when the newer one has run out or has left', async () => {
      await hold('env_a');
      await hold('env_a', { instance: 'two', epoch: 1_001 });
      expect(await announce('env_a')).toEqual({ by: 'newer', epoch: 1_001, instance: 'two' });
      await under.pass(130_000);
      expect(await announce('env_a')).toEqual({ by: 'newer', epoch: 1_001, instance: null });
      await stores.leases.release('env_a', 'two', await hold('env_a', { instance: 'two', epoch: 1_001 }));
      expect(await announce('env_a')).toEqual({ by: 'newer', epoch: 1_001, instance: null });
      expect((await sight())?.lease).toBeNull();
      // Late words of the time before.
      expect(await report(1_000, 1, [entryOf()])).toBe(false);
    });

    it('of two processes with the same epoch is the first one’s', async () => {
      await hold('env_a');
      expect(await announce('env_a', { instance: 'two' })).toEqual({ by: 'newer', epoch: 1_000, instance: 'one' });
    });

    it('of another installation is refused, however new it is, until the first one’s is over', async () => {
      await hold('env_a');
      const other = { instance: 'two', epoch: 2_000, place: 'elsewhere' };
      expect(await announce('env_a', other)).toEqual({ by: 'otherInstallation', instance: 'one' });
      expect(await announce('env_a', { beat: 2 })).toEqual({ by: 'me', fresh: false });
      await under.pass(130_000);
      expect(await announce('env_a', other)).toEqual({ by: 'me', fresh: true });
    });

    it('of another installation is not in the way of a newer one that the store has accepted: it was written again', async () => {
      await hold('env_a');
      const known = { instance: 'two', epoch: 2_000, place: 'elsewhere', isKnown: true };
      expect(await announce('env_a', { ...known, epoch: 999 })).toEqual({ by: 'otherInstallation', instance: 'one' });
      expect(await announce('env_a', known)).toEqual({ by: 'me', fresh: true });
    });

    it('of this release is none of a former one', async () => {
      expect(await stores.leases.hasFormer('env_a')).toBe(false);
      await hold('env_a');
      expect(await stores.leases.hasFormer('env_a')).toBe(false);
    });

    it('is one of those that are announced at once: the newest', async () => {
      const epochs = [...Array(10).keys()].map((i) => 1_000 + ((7 * i) % 10));
      await Promise.all(epochs.map((epoch) => announce('env_a', { instance: `i${epoch}`, epoch })));
      expect((await sight())?.lease?.epoch).toBe(1_009);
      expect((await stores.fleet.readRegistration('env_a'))?.epoch).toBe(1_009);
    });

    it('names who waits for the environment, and whether that is of another installation', async () => {
      await hold('env_a');
      const sees = async (place: string) => {
        await stores.leases.wait('env_a', { instance: 'two', place }, 50_000);
        const { standby, isForeign } = (await sight())!;
        return [standby, isForeign];
      };
      expect([await sees('here'), await sees('elsewhere')]).toEqual([
        ['two', undefined],
        ['two', true],
      ]);
      await under.pass(60_000);
      expect((await sight())?.standby).toBeNull();
      await stores.leases.wait('env_a', { instance: 'two', place: 'here' }, 50_000);
      await hold('env_a', { instance: 'two', epoch: 1_001 });
      expect((await sight())?.standby).toBeNull();
    });

    it('given up is gone at once, with its statuses; another’s is not', async () => {
      const epoch = await hold('env_a');
      await report(epoch, 1, [entryOf()]);
      await stores.leases.release('env_a', 'two', epoch);
      await stores.leases.release('env_a', 'one', epoch - 1);
      expect((await sight())?.lease?.epoch).toBe(epoch);
      await stores.leases.release('env_a', 'one', epoch);
      expect(await sight()).toEqual({ lease: null, statusVersion: 0, standby: null });
      expect(await statuses()).toEqual([]);
      await stores.leases.release('env_a', 'one', epoch);
    });
  });

  describe('statuses', () => {
    it('are written and read, each on its own', async () => {
      const epoch = await hold('env_a');
      const entry = entryOf({ message: verbatim('m'), error: failed('e'), pendingChanges: ['plugins'] });
      expect(await report(epoch, 7, [entry, entryOf({ name: 'shop', status: 'stopped' })])).toBe(true);
      expect(await stores.statuses.read('env_a')).toContainEqual(entry);
      expect((await sight())?.statusVersion).toBe(7);
      await report(epoch, 8, [entryOf({ status: 'error' })], { from: 7 });
      expect(await statuses()).toEqual(['crm error', 'shop stopped']);
      await report(epoch, 9, [], { from: 8, removed: ['crm', 'nobody'] });
      expect(await statuses()).toEqual(['shop stopped']);
    });

    it('that are all there is replace the rest', async () => {
      const epoch = await hold('env_a');
      await report(epoch, 1, [entryOf(), entryOf({ name: 'shop' })]);
      await report(epoch, 2, [entryOf({ name: 'wiki' })]);
      expect(await statuses()).toEqual(['wiki running']);
      await report(epoch, 3, []);
      expect(await statuses()).toEqual([]);
    });

    it('that were lost or are older than the writer knows are not changed, but replaced', async () => {
      const epoch = await hold('env_a');
      await report(epoch, 7, [entryOf(), entryOf({ name: 'shop' })]);
      expect(await report(epoch, 9, [entryOf({ status: 'error' })], { from: 8 })).toBe(false);
      expect([await statuses(), (await sight())?.statusVersion]).toEqual([['crm running', 'shop running'], 7]);
      await under.flush();
      const again = await hold('env_a');
      expect(await report(again, 9, [entryOf()], { from: 7 })).toBe(false);
      expect(await report(again, 9, [entryOf()], { from: null })).toBe(true);
    });

    it('invariant 2: are written by the holder of the lease only', async () => {
      expect(await report(1, 1, [entryOf()])).toBe(false);
      const epoch = await hold('env_a', { ttl: 60_000 });
      expect(await report(epoch - 1, 1, [entryOf()])).toBe(false);
      expect(await report(epoch, 1, [entryOf()], { instance: 'two' })).toBe(false);
      expect(await statuses()).toEqual([]);
      expect(await report(epoch, 1, [entryOf()])).toBe(true);
      await under.pass(70_000);
      expect(await report(epoch, 2, [entryOf({ status: 'error' })])).toBe(false);
      expect(await statuses()).toEqual(['crm running']);
      await announce('env_a');
      await stores.leases.release('env_a', 'one', epoch);
      expect(await report(epoch, 2, [entryOf()])).toBe(false);
      expect(await statuses()).toEqual([]);
    });

    it('can be asked how many there are, and of which write', async () => {
      expect(await stores.statuses.mark('env_a')).toEqual({ version: 0, count: 0 });
      const epoch = await hold('env_a');
      await report(epoch, 7, [entryOf(), entryOf({ name: 'shop' })]);
      expect(await stores.statuses.mark('env_a')).toEqual({ version: 7, count: 2 });
      await stores.leases.release('env_a', 'one', epoch);
      expect(await stores.statuses.mark('env_a')).toEqual({ version: 0, count: 0 });
    });
  });

  describe('the fleet', () => {
    it('is whose it was first, until that is lost', async () => {
      expect((await stores.fleet.poll()).fleet).toBeNull();
      expect(await stores.fleet.nameFleet('one')).toBe('one');
      expect(await stores.fleet.nameFleet('two')).toBe('one');
      expect((await stores.fleet.poll()).fleet).toBe('one');
      await hold('env_a');
      await under.flush();
      expect(await stores.fleet.poll()).toMatchObject({ fleet: null, environments: new Map() });
    });

    it('keeps nothing of an environment that it forgets, which may come back', async () => {
      await writeRecords(stores.records, 'env_a', [recordOf()]);
      await report(await hold('env_a'), 1, [entryOf()]);
      await stores.leases.wait('env_a', { instance: 'two', place: 'here' }, 50_000);
      await hold('env_b');
      expect(await stores.fleet.forget('env_a', 1, 1)).toBe(true);
      expect([...(await stores.fleet.poll()).environments.keys()]).toEqual(['env_b']);
      expect(await stores.fleet.readRegistration('env_a')).toBeNull();
      expect([await recordsIn(stores.records, 'env_a'), await statuses()]).toEqual([[], []]);
      await hold('env_a');
      expect([...(await stores.fleet.poll()).environments.keys()].sort()).toEqual(['env_a', 'env_b']);
      expect(await sight()).toMatchObject({ statusVersion: 0, standby: null });
    });

    it('keeps all of an environment that has come back since, whoever forgets it once more', async () => {
      await stores.fleet.forget('env_a', 100, 1);
      await hold('env_a');
      await writeRecords(stores.records, 'env_a', [recordOf()], { floor: 100 });
      for (const floor of [99, 100]) expect(await stores.fleet.forget('env_a', floor, 1)).toBe(false);
      expect([(await sight())?.lease?.instance, (await recordsIn(stores.records, 'env_a')).length]).toEqual(['one', 1]);
    });
  });

  describe('the app index', () => {
    const countOf = (n: number, term = 1) => ({ term, n });
    const textsOf = (fields: string[], title = 't') =>
      new Map(fields.map((field) => [field, JSON.stringify({ field, title })]));
    /** Written as the `n`th of a term, with what has changed before. */
    const write = (from: string, n: number, fields: string[], more: Partial<PublishedWrite> = {}) =>
      stores.appIndex.write({
        from,
        count: countOf(n, more.term),
        changes: [],
        entries: textsOf(fields),
        gone: [],
        term: 1,
        ...more,
      });
    const begin = async (fields: string[]) => (await write('', 1, fields)) as string;
    /** What a reader of a count is given, in short. */
    const read = async (since: number | null) => {
      const found = await stores.appIndex.read(since === null ? null : countOf(since));
      return found && { n: found.count.n, fields: [...found.entries.keys()].sort() };
    };
    const all = async () => [...(await stores.appIndex.inspect()).entries.keys()].sort();

    it('is not there until it was written, and after it was lost', async () => {
      expect([await read(null), await stores.appIndex.mark()]).toEqual([null, '']);
      const mark = await begin(['crm']);
      expect(await stores.appIndex.mark()).toBe(mark);
      await under.flush();
      expect([await read(1), await stores.appIndex.mark(), await all()]).toEqual([null, '', []]);
      expect(await write(mark, 2, ['shop'])).toBeNull();
      expect(await read(1)).toBeNull();
    });

    it('is read whole by those who have none or whose count nobody knows', async () => {
      await begin(['crm', 'shop']);
      const found = (await stores.appIndex.read(null))!;
      expect(found.count).toEqual(countOf(1));
      expect(found.entries.get('crm')).toMatchObject({ at: countOf(1), value: { field: 'crm', title: 't' } });
      expect(await read(0)).toEqual({ n: 1, fields: ['crm', 'shop'] });
    });

    it('is as its writer left it, for the writer', async () => {
      const mark = await begin(['crm', 'shop']);
      const found = { mark, head: { count: countOf(1), changes: [] }, entries: textsOf(['crm', 'shop']) };
      expect(await stores.appIndex.inspect()).toEqual(found);
      const changes = [{ count: countOf(2), fields: ['shop'] }];
      const next = await write(mark, 2, [], { gone: ['shop'], changes });
      const after = { mark: next, head: { count: countOf(2), changes }, entries: textsOf(['crm']) };
      expect(await stores.appIndex.inspect()).toEqual(after);
    });

    it('a reader that has it, or something newer, is given nothing', async () => {
      await begin(['crm', 'shop']);
      expect([await read(1), await read(2)]).toEqual([null, null]);
      expect(await stores.appIndex.read(countOf(0, 2))).toBeNull();
    });

    it('a reader that has followed comes to the same as one that reads it whole', async () => {
      const first = { count: countOf(1), fields: ['crm', 'shop'] };
      const second = { count: countOf(2), fields: ['wiki', 'crm'] };
      const third = { count: countOf(3), fields: ['crm', 'shop'] };
      let mark = (await write('', 1, ['crm', 'shop'], { changes: [first] })) as string;
      mark = (await write(mark, 2, ['wiki'], { gone: ['crm'], changes: [first, second] })) as string;
      await write(mark, 3, ['crm'], { gone: ['shop'], changes: [first, second, third] });
      for (const from of [1, 2, 0, null]) {
        const { count, entries } = (await stores.appIndex.read(from === null ? null : countOf(from)))!;
        expect([count, ...[...entries.keys()].sort()]).toEqual([countOf(3), 'crm', 'wiki']);
      }
    });

    it('is not changed by whoever left it as something else', async () => {
      const mark = await begin(['crm']);
      const next = await write(mark, 2, ['shop']);
      expect(await write(mark, 3, ['wiki'], { gone: ['crm'] })).toBeNull();
      expect(await write('', 3, ['wiki'])).toBeNull();
      expect([await stores.appIndex.mark(), await all()]).toEqual([next, ['crm', 'shop']]);
    });

    it('written again as it was has the mark that it had', async () => {
      const mark = await begin(['crm']);
      await under.flush();
      expect(await write('', 1, ['crm'])).toBe(mark);
      expect(await read(1)).toBeNull();
    });

    it('of an older term than has written is refused', async () => {
      const mark = await write('', 1, ['crm'], { term: 2 });
      await expect(write(mark as string, 2, ['shop'])).rejects.toMatchObject({ newest: 2, constructor: StaleTerm });
      expect(await all()).toEqual(['crm']);
      // Records and the index have one term.
      await writeRecords(stores.records, 'env_a', [], { term: 3 });
      await expect(write(mark as string, 2, ['shop'], { term: 2 })).rejects.toMatchObject({ newest: 3 });
    });

    it('that two write anew at once is that of one of them for its readers, and never of both', async () => {
      const many = (letter: string) => Array.from({ length: 1_100 }, (_, i) => `${letter}${i}`);
      const written = await Promise.all(['a', 'b'].map((letter) => write('', 1, many(letter))));
      expect(written.filter(Boolean)).toHaveLength(1);
      expect((await read(null))?.fields).toEqual(many('ab'[written.findIndex(Boolean)]).sort());
    });

    it('is never read in part', async () => {
      const mark = await begin(['crm']);
      const seen = new Set<number | undefined>();
      const many = Array.from({ length: 1_100 }, (_, i) => `app${i}`);
      const writing = write(mark, 2, many).then(() => true);
      for (let done = false; !done; ) {
        seen.add((await read(null))?.fields.length);
        done = await Promise.race([writing, Promise.resolve(false)]);
      }
      for (const right of [undefined, 1, 1_101]) seen.delete(right);
      expect([...seen]).toEqual([]);
      expect((await read(1))?.fields).toHaveLength(1_101);
    });

    it('is changed by one of those who try at once', async () => {
      const mark = await begin(['crm']);
      const written = await Promise.all(['a', 'b', 'c'].map((field) => write(mark, 2, [field])));
      expect(written.filter(Boolean)).toHaveLength(1);
      expect(await all()).toEqual(['abc'[written.findIndex(Boolean)], 'crm']);
    });
  });

  describe('the routes', () => {
    it('are another hash than the app index, written and counted alone', async () => {
      const write = { from: '', count: { term: 1, n: 1 }, changes: [], gone: [], term: 1 };
      await stores.appIndex.write({ ...write, entries: new Map([['crm', '"index"']]) });
      expect([await stores.routes.count(), await stores.routes.mark()]).toEqual([null, '']);
      await stores.routes.write({ ...write, count: { term: 1, n: 7 }, entries: new Map([['crm', '"route"']]) });
      expect([await stores.appIndex.count(), await stores.routes.count()]).toEqual([
        { term: 1, n: 1 },
        { term: 1, n: 7 },
      ]);
      const valueIn = async (store: 'appIndex' | 'routes') =>
        (await stores[store].read(null))?.entries.get('crm')?.value;
      expect([await valueIn('appIndex'), await valueIn('routes')]).toEqual(['index', 'route']);
    });
  });

  describe('reports of doors', () => {
    const ids = async () => (await stores.doors.read()).map(({ id }) => id).sort();

    it('are there until their door takes them away, or they are lost', async () => {
      await stores.doors.write(doorReportOf());
      await stores.doors.write(doorReportOf({ id: 'door-2', seq: 7 }));
      await stores.doors.write(doorReportOf({ seq: 2 }));
      const found = await stores.doors.read();
      expect(found.find(({ id }) => id === 'door-1')).toEqual(doorReportOf({ seq: 2 }));
      expect(await ids()).toEqual(['door-1', 'door-2']);
      await stores.doors.remove('door-1');
      await stores.doors.remove('door-1');
      expect(await ids()).toEqual(['door-2']);
      await under.flush();
      expect(await ids()).toEqual([]);
    });

    it('are few, however many there are', async () => {
      for (let i = 0; i < 20; i++) await stores.doors.write(doorReportOf({ id: `door-${i}` }));
      expect(new Set(await ids()).size).toBe(16);
    });
  });

  describe('manifests', () => {
    const [first, second] = [manifestItemOf(), manifestItemOf({ key: 'b', value: null })];
    const read = async () => {
      const found = await stores.manifests.read('');
      return found?.items.sort((one, two) => (one.key < two.key ? -1 : 1)) ?? [];
    };

    it('are what there is, until it changes or is lost', async () => {
      expect(await stores.manifests.read('')).toBeNull();
      await stores.manifests.write([first, second]);
      const { version } = (await stores.manifests.read(''))!;
      expect(await read()).toEqual([first, second]);
      expect(await stores.manifests.read(version)).toBeNull();
      await stores.manifests.write([manifestItemOf({ at: 11, value: 'new' })]);
      expect((await stores.manifests.read(version))?.items).toHaveLength(2);
      await under.flush();
      expect(await stores.manifests.read(version)).toEqual({ version: '', items: [] });
      await stores.manifests.write([first]);
      expect((await stores.manifests.read(version))?.items).toEqual([first]);
    });

    it('hold the newest word on each item, also that it was removed', async () => {
      await stores.manifests.write([second, manifestItemOf({ at: 12, value: undefined })]);
      const { version } = (await stores.manifests.read(''))!;
      await stores.manifests.write([first, manifestItemOf({ at: 12, value: 'the same moment' })]);
      expect(await stores.manifests.read(version)).toBeNull();
      expect(await read()).toMatchObject([{ key: 'a', at: 12 }, second]);
      expect((await read())[0].value).toBeUndefined();
    });

    it('of an app that has ended are gone, and no other’s', async () => {
      const successor = manifestItemOf({ uid: 'uid-2', key: 'c' });
      await stores.manifests.write([first, second, successor]);
      const { version } = (await stores.manifests.read(''))!;
      await stores.manifests.forget(['uid-1']);
      expect((await stores.manifests.read(version))?.items).toEqual([successor]);
    });
  });

  describe('sign-in by the main app', () => {
    const content = SSO_CODE;

    it('a code is redeemed once, and by one of eight who try at once', async () => {
      await stores.sso.issue('secret', content, 60_000);
      await stores.sso.issue('other', { ...content, app: 'uid-2' }, 60_000);
      const all = await Promise.all(Array.from({ length: 8 }, () => stores.sso.redeem('secret')));
      expect(all.filter(Boolean)).toEqual([content]);
      expect(await stores.sso.redeem('secret')).toBeNull();
      expect(await stores.sso.redeem('never issued')).toBeNull();
      expect(await stores.sso.redeem('other')).toMatchObject({ app: 'uid-2' });
    });

    it('a code expires, and is lost with the content', async () => {
      await stores.sso.issue('short', content, 1_000);
      await stores.sso.issue('long', content, 60_000);
      await under.pass(1_100);
      expect(await stores.sso.redeem('short')).toBeNull();
      await under.flush();
      expect(await stores.sso.redeem('long')).toBeNull();
    });

    it('of each user the newest end stays, and the version changes with it', async () => {
      const { sso } = stores;
      expect(await sso.endsVersion()).toBe('');
      expect(await sso.readEnds(['7'])).toEqual(new Map());
      await sso.writeEnds([
        { user: '7', at: 20 },
        { user: '8', at: 21 },
      ]);
      const version = await sso.endsVersion();
      await sso.writeEnds([{ user: '7', at: 19 }]);
      expect(await sso.endsVersion()).toBe(version);
      expect(await sso.readEnds(['7', '9'])).toEqual(new Map([['7', 20]]));
      await sso.writeEnds([{ user: '7', at: 22 }]);
      expect(await sso.endsVersion()).not.toBe(version);
      expect(await sso.readEnds(['7', '8'])).toEqual(
        new Map([
          ['7', 22],
          ['8', 21],
        ]),
      );
      await under.flush();
      expect([await sso.endsVersion(), await sso.readEnds(['7'])]).toEqual(['', new Map()]);
    });
  });

  describe('terms of leaders', () => {
    const index = { from: '', count: { term: 1, n: 1 }, changes: [], entries: new Map(), gone: [] };
    const writes: Record<string, (term: number) => Promise<unknown>> = {
      'records.write': (term) => writeRecords(stores.records, 'env_a', [recordOf({ name: 'shop' })], { term }),
      'fleet.forget': (term) => stores.fleet.forget('env_a', 7, term),
      'appIndex.write': (term) => stores.appIndex.write({ ...index, term }),
      'routes.write': (term) => stores.routes.write({ ...index, term }),
    };
    const all = async () => {
      const records = await stores.records.read('env_a', null);
      const [index, manifests] = [await stores.appIndex.inspect(), await stores.manifests.read('')];
      const routes = await stores.routes.inspect();
      return { records, lease: (await sight())?.lease?.instance, index, routes, manifests };
    };

    it('guard every write of a leader', () => {
      const named = Object.entries(GUARDS).flatMap(([subject, methods]) =>
        Object.entries(methods).flatMap(([method, guard]) => (guard === 'term' ? [`${subject}.${method}`] : [])),
      );
      expect(named.sort()).toEqual(Object.keys(writes).sort());
    });

    it.each(Object.keys(writes))(
      '%s of an older one than has written is refused, and changes nothing',
      async (write) => {
        await hold('env_a');
        await writeRecords(stores.records, 'env_a', [recordOf()], { term: 2 });
        await stores.appIndex.write({ ...index, term: 2 });
        await stores.routes.write({ ...index, term: 2 });
        await stores.manifests.write([manifestItemOf()]);
        const before = await all();
        await expect(writes[write](1)).rejects.toMatchObject({ newest: 2, constructor: StaleTerm });
        expect(await all()).toEqual(before);
        // It is the write that is refused, and not this one alone: the newer one refuses what is older then.
        await writes[write](3);
        await expect(writeRecords(stores.records, 'env_a', [], { term: 2 })).rejects.toMatchObject({ newest: 3 });
      },
    );
  });

  it('every method rejects while the store cannot be reached', async () => {
    const away = under.unreachable();
    const registration = registrationOf('env_a');
    const announcement = { environment: 'env_a', lease: leaseOf(), registration, ttl: 1 };
    const write = { environment: 'env_a', instance: 'one', epoch: 1, version: 1, entries: [], removed: [] };
    const index = { term: 1, from: '', count: { term: 1, n: 1 }, changes: [], entries: new Map(), gone: [] };
    const calls: Array<() => Promise<unknown>> = [
      () => away.records.write('env_a', { ...index, records: [], removed: [], floor: 0 }),
      () => away.records.mark('env_a'),
      () => away.records.read('env_a', null),
      () => away.records.readSome('env_a', ['uid-1']),
      () => away.leases.announce(announcement),
      () => away.leases.wait('env_a', { instance: 'two', place: 'here' }, 1),
      () => away.leases.release('env_a', 'one', 1),
      () => away.leases.left(['env_a']),
      () => away.fleet.poll(),
      () => away.fleet.nameFleet('one'),
      () => away.fleet.readRegistration('env_a'),
      () => away.fleet.forget('env_a', 1, 1),
      () => away.statuses.write({ ...write, from: null }),
      () => away.statuses.read('env_a'),
      () => away.statuses.mark('env_a'),
      () => away.appIndex.write(index),
      () => away.appIndex.mark(),
      () => away.appIndex.inspect(),
      () => away.appIndex.count(),
      () => away.appIndex.read(null),
      () => away.routes.write(index),
      () => away.doors.write(doorReportOf()),
      () => away.doors.remove('door-1'),
      () => away.doors.read(),
      () => away.manifests.write([manifestItemOf()]),
      () => away.manifests.forget(['uid-1']),
      () => away.sso.issue('secret', SSO_CODE, 1_000),
      () => away.sso.redeem('secret'),
      () => away.sso.writeEnds([{ user: '7', at: 1 }]),
      () => away.sso.endsVersion(),
      () => away.sso.readEnds(['7']),
      () => away.manifests.read(''),
      () => away.warnings(),
    ];
    const outcomes = await Promise.allSettled(calls.map((call) => call()));
    const written = outcomes.flatMap(({ status }, i) => (status === 'fulfilled' ? [String(calls[i])] : []));
    expect(written).toEqual([]);
    await away.close();
  });
}
