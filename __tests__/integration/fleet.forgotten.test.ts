import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { environmentKeyOf, fleetKeyOf, Keyring } from '../../src/server/protocol/keyring';
import { KEY, SmallFleet, type SupervisorProcess } from '../support/small-fleet';
import { until } from '../support/wait';

let fleet: SmallFleet;
let supervisor: SupervisorProcess;
beforeAll(async () => {
  fleet = await SmallFleet.start('forgotten', { wakeUps: true });
  [supervisor] = await fleet.begin('env_b');
});
afterAll(() => fleet?.stop());

/** A Worker that has the key of env_a and no other. */
const workerOf = (floor: number) => {
  const environment = { name: 'env_a', key: environmentKeyOf(fleetKeyOf(KEY), 'env_a', floor) };
  return fleet.worker('env_a', { keyring: new Keyring({ fleetKey: null, environment, atRest: null }) });
};
const codes = (warnings: { code: string }[]) => warnings.map(({ code }) => code);

describe('an environment that was forgotten', () => {
  it('invariant 13: is closed to the key that it had, which says so, and open to its new one', async () => {
    const first = await workerOf(0);
    await until('env_a', () => supervisor.health('env_a') === 'online');
    await supervisor.ends(await supervisor.create({ name: 'crm', environments: ['env_a'] }));
    expect([first.runs, first.part.warnings()]).toEqual([['crm'], []]);
    await first.kill();
    await until('Its end to be seen', () => supervisor.health('env_a') === 'down');
    await supervisor.part.forget('env_a');

    const before = await workerOf(0);
    await until('What it is told', () => before.part.warnings().length);
    expect(codes(before.part.warnings())).toEqual(['KEY_ENDED']);
    await until('What the Supervisor says', () => codes(supervisor.part.warnings()).includes('ENVIRONMENTS_REFUSED'));
    expect([supervisor.parts.environmentCache.names(), before.runs, before.part.known]).toEqual([['env_b'], [], []]);

    await before.kill();

    const { floor } = await supervisor.parts.registry.stateOf('env_a');
    const now = await workerOf(floor);
    await until('Its return', () => supervisor.health('env_a') === 'online');
    await supervisor.ends(await supervisor.parts.service.update('crm', { environments: ['env_a'] }, '1'));
    expect([now.runs, now.part.warnings()]).toEqual([['crm'], []]);

    // The pass that removed it is repeated if its last read fails.
    await supervisor.parts.removal.reconcile('env_a');
    await supervisor.parts.appCache.load();
    expect(supervisor.part.app('crm')?.environments).toEqual(['env_a']);
  });
});
