import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { recordsIn } from '../support/records';
import { SmallFleet } from '../support/small-fleet';
import { until } from '../support/wait';

/** What a supervisor mends in its regular round, since nothing that happens tells it to. */

let fleet: SmallFleet;
beforeAll(async () => {
  fleet = await SmallFleet.start('rounds', { wakeUps: false });
});
afterEach(async () => {
  expect(fleet.databases.overlaps).toEqual([]);
  await fleet.reset();
});
afterAll(() => fleet?.stop());

const both = ['env_a', 'env_b'];

function deferred() {
  let resolve!: () => void;
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

describe('the regular round', () => {
  it('takes away the record of an app that was moved out of an environment while that was away', async () => {
    const [supervisor, a] = await fleet.begin(...both);
    await supervisor.ends(await supervisor.create({ name: 'crm', environments: both }));
    await a.kill();
    await until('It to be seen', () => supervisor.health('env_a') === 'down');
    const moved = await supervisor.parts.service.update('crm', { environments: ['env_b'] }, '1');
    expect(await supervisor.ends(moved)).toBe('succeeded: env_b succeeded, env_a succeeded');
    expect(await recordsIn(supervisor.wire.stores.records, 'env_a')).toMatchObject([
      { name: 'crm', desired: 'removed' },
    ]);
    await fleet.worker('env_a');
    await until(
      'The record to be gone',
      async () => !(await recordsIn(supervisor.wire.stores.records, 'env_a')).length,
    );
    await until('Nothing to be published for it', async () => {
      const app = await supervisor.parts.appRepository.find('crm');
      return Object.keys(app?.published ?? {}).join() === 'env_b';
    });
  });

  it('takes an environment out that was forgotten through a Supervisor that does not lead', async () => {
    const [leader, a, b] = await fleet.begin(...both);
    const other = await fleet.supervisor();
    await leader.ends(await leader.create({ name: 'crm', environments: both }));
    await b.kill();
    await until('It to be seen', () => [leader, other].every((one) => one.health('env_b') === 'down'));
    const { promise: boot, resolve: endBoot } = deferred();
    a.host.bootScripts.set('crm', { takes: boot });
    const restarted = await leader.parts.service.command('crm', 'restart', '1');
    await until('env_a to begin', () => fleet.databases.story('boots').includes('env_a boots crm restart'));
    // A tick of the leader had begun before, and ends before the leader hears of it.
    const { registry, operations, appRepository } = leader.parts;
    const { all } = registry;
    const { promise: heard, resolve: hear } = deferred();
    registry.all = () => heard.then(() => all.call(registry));
    const stale = leader.part.app('crm');
    const staleOperation = await leader.operation(restarted.id);
    await other.part.forget('env_b');
    await appRepository.update('crm', { published: stale?.published });
    await operations.save(staleOperation);
    hear();
    endBoot();
    expect(await leader.ends(restarted)).toMatch(/env_a succeeded, env_b cancelled$/);
    await until('The leader to know', () => leader.health('env_b') === undefined);
    await until('Nothing to be published for it', async () => {
      const app = await appRepository.find('crm');
      const records = await recordsIn(leader.wire.stores.records, 'env_b');
      return Object.keys(app?.published ?? {}).join() === 'env_a' && records.length === 0;
    });
    expect(leader.part.app('crm')?.environments).toEqual(['env_a']);
  });
});
