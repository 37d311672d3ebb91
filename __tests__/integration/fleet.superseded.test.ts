import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { recordsIn } from '../support/records';
import { SmallFleet } from '../support/small-fleet';
import { until } from '../support/wait';

/**
 * What a superseded operation had still to do is done by the one that came in its place: a change of the title used to undo
 * the start before it, and an environment that the app had just been taken from used to run it for ever.
 */

let fleet: SmallFleet;
beforeAll(async () => {
  fleet = await SmallFleet.start('superseded', { wakeUps: true });
});
afterEach(async () => {
  expect(fleet.databases.overlaps).toEqual([]);
  await fleet.reset();
});
afterAll(() => fleet?.stop());

const both = ['env_a', 'env_b'];

it('a start goes on in every environment, and boots none of them twice', async () => {
  const [supervisor, a, b] = await fleet.begin(...both);
  const { service } = supervisor.parts;
  await supervisor.ends(await supervisor.create({ name: 'crm', environments: both }));
  await supervisor.ends(await service.command('crm', 'stop', '1'));
  fleet.databases.journal.length = 0;
  let end!: () => void;
  a.host.bootScripts.set('crm', { takes: new Promise((resolve) => (end = resolve)) });
  await service.command('crm', 'start', '1');
  await until('The start', () => fleet.databases.journal.includes('env_a boots crm start'));
  const renamed = await service.update('crm', { title: 'Sales' }, '1');
  end();
  expect(await supervisor.ends(renamed)).toBe('succeeded: env_a succeeded, env_b succeeded');
  expect([a.runs, b.runs]).toEqual([['crm'], ['crm']]);
  expect(fleet.databases.journal.filter((line) => line.includes('boots'))).toEqual([
    'env_a boots crm start',
    'env_b boots crm start',
  ]);
});

it('a restart of two environments is not cut short by a drain of one', async () => {
  const [supervisor, a, b] = await fleet.begin(...both);
  const { service } = supervisor.parts;
  await supervisor.ends(await supervisor.create({ name: 'crm', environments: both }));
  fleet.databases.journal.length = 0;
  let end!: () => void;
  a.host.bootScripts.set('crm', { takes: new Promise((resolve) => (end = resolve)) });
  await service.command('crm', 'restart', '1');
  await until('The restart', () => fleet.databases.journal.includes('env_a boots crm restart'));
  const drained = await service.command('crm', 'stop', '1', { environments: ['env_a'], onFailure: 'continue' });
  end();
  expect(await supervisor.ends(drained)).toBe('succeeded: env_a succeeded, env_b succeeded');
  expect([a.runs, b.runs]).toEqual([[], ['crm']]);
  expect(fleet.databases.story('env_b')).toContain('env_b boots crm restart');
});

it('an app that was just moved leaves the environment that it was moved from', async () => {
  const [supervisor, a, b] = await fleet.begin(...both);
  const { service } = supervisor.parts;
  await supervisor.ends(await supervisor.create({ name: 'crm', environments: ['env_a'] }));
  let end!: () => void;
  b.host.bootScripts.set('crm', { takes: new Promise((resolve) => (end = resolve)) });
  await service.update('crm', { environments: ['env_b'] }, '1');
  await until('The boot in its new place', () => fleet.databases.journal.includes('env_b boots crm start'));
  const renamed = await service.update('crm', { title: 'Sales' }, '1');
  end();
  expect(await supervisor.ends(renamed)).toBe('succeeded: env_b succeeded');
  expect([a.runs, b.runs]).toEqual([[], ['crm']]);
  await until(
    'No record to be left there',
    async () => !(await recordsIn(supervisor.wire.stores.records, 'env_a')).length,
  );
  await supervisor.toShow('crm', 'env_b running');
});
