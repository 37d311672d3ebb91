import { describe, expect, it } from 'vitest';
import { createInput, parseInput } from '../../src/server/supervisor/definitions/input';
import { MemoryFleet } from '../support/memory-fleet';
import { recordIn } from '../support/records';

const FOREIGN = { code: 'DATABASE_FOREIGN', params: { object: 'x', server: 'db:5432', app: 'crm' } };

/** An app whose create failed because there is another one's data in its database. */
async function failedCreate(error: typeof FOREIGN = FOREIGN) {
  const fleet = new MemoryFleet();
  const { part } = await fleet.supervisor();
  await fleet.environment('env_a');
  const input = parseInput(createInput, { name: 'crm', title: 'CRM', environments: ['env_a'] });
  const administrator = { username: 'ada', email: null, password: 'a-long-password' };
  await part.parts.service.create({ ...input, initialAdmin: administrator }, '1');
  await fleet.clock.run(100);
  await fleet.says('env_a', 'crm', { status: 'error', error });
  await fleet.beat('env_a');
  return { fleet, part };
}

describe('an app that was not created, because another one is in its database', () => {
  it('adopts that one: it keeps its settings, and gets no administrator', async () => {
    const { fleet, part } = await failedCreate();
    const before = fleet.app('crm');
    expect([before.provision, before.initialAdmin?.username]).toEqual(['create', 'ada']);
    const { action, progress } = await part.parts.service.adoptInstead('crm', '1');
    expect([action, progress.map(({ of, environment }) => [of, environment])]).toEqual(['adopt', [['boot', 'env_a']]]);
    await fleet.clock.run(100);
    const { uid, title, provision, initialAdmin, database } = fleet.app('crm');
    expect({ uid, title, provision, initialAdmin }).toEqual({
      uid: before.uid,
      title: 'CRM',
      provision: 'adopt',
      initialAdmin: null,
    });
    expect(database).toEqual(before.database);
    const record = (await recordIn(fleet.stores.records, 'env_a', 'crm'))!;
    expect(record).toMatchObject({ provision: 'adopt', desired: 'onDemand' });
    await fleet.says('env_a', 'crm');
    await fleet.beat('env_a');
    expect(fleet.app('crm').provision).toBe('none');
    expect(fleet.open).toEqual([]);
  });

  it('does not, where something else kept it from being created', async () => {
    const { part } = await failedCreate({ ...FOREIGN, code: 'DATABASE_UNREACHABLE' });
    await expect(part.parts.service.adoptInstead('crm', '1')).rejects.toMatchObject({ code: 'NAME_TAKEN' });
  });

  it('does so only as long as it has no database', async () => {
    const fleet = new MemoryFleet();
    const supervisor = await fleet.supervisor();
    await fleet.environment('env_a');
    await fleet.runningApp(supervisor, 'crm', ['env_a']);
    await expect(supervisor.part.parts.service.adoptInstead('crm', '1')).rejects.toMatchObject({ code: 'NAME_TAKEN' });
  });
});
