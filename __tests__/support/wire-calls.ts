import type { RedisBus } from '../../src/server/protocol/redis-bus';
import type { RedisState } from '../../src/server/protocol/redis-state';
import { entryOf, leaseOf, manifestItemOf, recordOf, registrationOf } from './fixtures';

/**
 * Every call that the plugin makes on its two Redis, each with the outcome it must have. The prefix must be unused.
 *
 * @param patience how long a request may take that a refused publication or subscription would never answer, in ms
 * @throws at the first that fails or does something else
 */
export async function makeEveryCall(state: RedisState, bus: RedisBus, patience = 60_000): Promise<void> {
  const environment = 'env_a';
  const claim = { environment, lease: leaseOf(), ttl: 60_000, provenBy: null };
  equal('the fleet', await state.claimFleet('fleet-1'), 'fleet-1');
  await state.publish(environment, [recordOf(), recordOf({ name: 'gone' })]);
  await state.unpublish(environment, ['gone']);
  equal('records', (await state.readRecords(environment)).length, 1);
  const { version } = (await state.readRecordsSince(environment, null))!;
  equal('records, unchanged', await state.readRecordsSince(environment, version), null);
  equal('one record', (await state.readRecords(environment, ['crm', 'gone'])).length, 1);

  equal('a lease that may not be taken', (await state.claimLease({ ...claim, mayTake: false })).held, false);
  const taken = await state.claimLease({ ...claim, mayTake: true });
  if (!taken.held) throw new Error('The lease was not given.');
  const { epoch } = taken;
  equal('a renewal', (await state.claimLease({ ...claim, mayTake: true })).held, true);
  const other = { ...claim, lease: leaseOf({ instance: 'two' }), mayTake: true };
  equal('a standby', (await state.claimLease(other)).held, false);
  await state.writeRegistration(registrationOf(environment));
  const write = { environment, instance: 'one', epoch, version: 1, removed: ['gone'] };
  equal('statuses', await state.writeStatuses({ ...write, entries: [entryOf()], complete: true }), true);
  equal('statuses, read', (await state.readStatuses(environment)).length, 1);
  equal('statuses, counted', (await state.statusMark(environment)).count, 1);
  equal('a registration', (await state.readRegistration(environment))?.name, environment);
  const { environments } = await state.poll();
  equal('a look', [...environments].map(([name, { standby }]) => `${name} ${standby}`).join(), `${environment} two`);
  await state.releaseLease(environment, 'one', epoch);
  await state.forget(environment);
  equal('a forgotten environment', (await state.poll()).environments.size, 0);

  await state.writeManifests([manifestItemOf(), manifestItemOf({ key: 'b' })]);
  equal('manifests', (await state.readManifests(''))?.items.length, 2);
  await state.forgetManifests([manifestItemOf().uid]);
  equal('manifests of an app that has ended', (await state.readManifests(''))?.items.length, 0);
  const appIndex = { entries: new Map([['crm', '{}']]), gone: [], supervisor: '{}' };
  equal('a new directory', await state.writeAppIndex({ ...appIndex, from: null, version: 'v1' }), true);
  equal('the directory', (await state.readAppIndex(''))?.entries.size, 1);
  equal('its change', await state.writeAppIndex({ ...appIndex, gone: ['x'], from: 'v1', version: 'v2' }), true);
  equal('the directory, changed', (await state.readAppIndex('v1'))?.gone.join(), 'x');
  await state.warnings();

  let woken = 0;
  await bus.onNotify('supervisors', () => {
    woken++;
  });
  await bus.serve(environment, { echo: async (payload) => payload });
  const deadline = performance.now() + patience;
  for (;;) {
    bus.notify('supervisors', ['crm']);
    const answer = await bus.request(environment, 'echo', 'hello', 500).catch(() => null);
    if (answer === 'hello' && woken) return;
    if (performance.now() > deadline) throw new Error(`Wake-ups: ${woken}, answer: ${answer}.`);
  }
}

function equal(what: string, got: unknown, wanted: unknown): void {
  if (got !== wanted) throw new Error(`${what}: ${JSON.stringify(got)} instead of ${JSON.stringify(wanted)}`);
}
