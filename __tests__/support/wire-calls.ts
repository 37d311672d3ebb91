import type { RedisBus } from '../../src/server/protocol/bus/redis';
import type { RedisStores } from '../../src/server/protocol/stores/redis';
import { doorReportOf, entryOf, leaseOf, manifestItemOf, recordOf, registrationOf } from './fixtures';
import { writeRecords } from './records';

/**
 * Every call that the plugin makes on its two Redis, each with the outcome it must have. The prefix must be unused.
 *
 * @param patience how long a request may take that a refused publication or subscription would never answer, in ms
 * @throws at the first that fails or does something else
 */
export async function makeEveryCall(stores: RedisStores, bus: RedisBus, patience = 60_000): Promise<void> {
  const environment = 'env_a';
  equal('the fleet', await stores.fleet.nameFleet('fleet-1'), 'fleet-1');
  await writeRecords(stores.records, environment, [recordOf(), recordOf({ name: 'gone', uid: 'gone' })]);
  const left = await writeRecords(stores.records, environment, [], { removed: ['gone'] });
  equal('records', (await stores.records.read(environment, null))?.records.length, 1);
  equal('the mark of records', await stores.records.mark(environment), left);
  equal('records, unchanged', await stores.records.read(environment, left), null);
  equal('one record', (await stores.records.readSome(environment, ['uid-1', 'gone'])).records.length, 1);

  const epoch = 5;
  const registration = registrationOf(environment, { epoch });
  const announcement = { environment, lease: leaseOf({ epoch }), registration, ttl: 60_000 };
  equal('an announcement', (await stores.leases.announce(announcement)).by, 'me');
  equal('another one', (await stores.leases.announce(announcement)).by, 'me');
  const former = { ...announcement, lease: leaseOf({ instance: 'two', epoch: 4 }) };
  equal('one that is overtaken', (await stores.leases.announce(former)).by, 'newer');
  await stores.leases.wait(environment, { instance: 'two', place: 'here' }, 60_000);
  const write = { environment, instance: 'one', epoch, version: 1, removed: ['gone'] };
  equal('statuses', await stores.statuses.write({ ...write, entries: [entryOf()], from: null }), true);
  equal('statuses, read', (await stores.statuses.read(environment)).length, 1);
  equal('statuses, counted', (await stores.statuses.mark(environment)).count, 1);
  equal('a registration', (await stores.fleet.readRegistration(environment))?.name, environment);
  const { environments } = await stores.fleet.poll();
  equal('a look', [...environments].map(([name, { standby }]) => `${name} ${standby}`).join(), `${environment} two`);
  equal('a rest', (await stores.leases.left([environment])).size, 1);
  equal('a former process', await stores.leases.hasFormer(environment), false);
  await stores.leases.release(environment, 'one', epoch);
  await stores.fleet.forget(environment, 1, 1);
  equal('a forgotten environment', (await stores.fleet.poll()).environments.size, 0);

  await stores.manifests.write([manifestItemOf(), manifestItemOf({ key: 'b' })]);
  equal('manifests', (await stores.manifests.read(''))?.items.length, 2);
  await stores.manifests.forget([manifestItemOf().uid]);
  equal('manifests of an app that has ended', (await stores.manifests.read(''))?.items.length, 0);
  const [one, two] = [1, 2].map((n) => ({ term: 1, n }));
  const changes = [
    { count: one, fields: ['crm'] },
    { count: two, fields: ['x'] },
  ];
  const index = { entries: new Map([['crm', '{}']]), gone: [], term: 1 };
  const mark = await stores.appIndex.write({ ...index, from: '', count: one, changes: changes.slice(0, 1) });
  equal('the mark of a new index', await stores.appIndex.mark(), mark);
  equal('the index', (await stores.appIndex.read(null))?.entries.size, 1);
  const changed = await stores.appIndex.write({ ...index, gone: ['x'], from: mark as string, count: two, changes });
  equal('the index, changed', (await stores.appIndex.inspect()).mark, changed);
  equal('its change', (await stores.appIndex.read(one))?.count.n, 2);
  equal('routes', typeof (await stores.routes.write({ ...index, from: '', count: one, changes: [] })), 'string');
  equal('their count', (await stores.routes.count())?.n, 1);
  await stores.doors.write(doorReportOf());
  equal('a door', (await stores.doors.read()).length, 1);
  await stores.doors.remove('door-1');
  equal('no door', (await stores.doors.read()).length, 0);
  const user = {
    id: 'fleet:7',
    since: 1,
    username: 'bob',
    email: null,
    nickname: null,
    isRoot: false,
    maySignUp: false,
  };
  await stores.sso.issue('secret', { app: 'uid-1', challenge: 'c', user, at: 1, endedAt: 0 }, 60_000);
  equal('a sign-in', (await stores.sso.redeem('secret'))?.user.id, 'fleet:7');
  await stores.sso.writeEnds([{ user: '7', at: 1 }]);
  equal(
    'the end of sign-ins',
    (await stores.sso.endsVersion()) !== '' && (await stores.sso.readEnds(['7'])).get('7'),
    1,
  );
  await stores.warnings();

  let woken = 0;
  await bus.onNotify('supervisors', () => {
    woken++;
  });
  await bus.serve(environment, { echo: async (payload) => payload });
  await bus.serveWorkers({ knows: () => true, answer: async (_, __, payload) => payload });
  const deadline = performance.now() + patience;
  for (;;) {
    bus.notify('supervisors', ['crm']);
    const answer = await bus.request(environment, 'echo', 'hello', 500).catch(() => null);
    const asked = await bus.ask(environment, 'echo', 'hello', 500).catch(() => null);
    if (answer === 'hello' && asked === 'hello' && woken) return;
    if (performance.now() > deadline) throw new Error(`Wake-ups: ${woken}, answers: ${answer}, ${asked}.`);
  }
}

function equal(what: string, got: unknown, wanted: unknown): void {
  if (got !== wanted) throw new Error(`${what}: ${JSON.stringify(got)} instead of ${JSON.stringify(wanted)}`);
}
