import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { collections } from '../../src/server/core/collections';
import { createInput, parseInput } from '../../src/server/supervisor/definitions/input';
import { say } from '../../src/shared/message';
import { SmallFleet, type SupervisorProcess } from '../support/small-fleet';
import { until } from '../support/wait';

/** A Supervisor whose database is older than what its fleet has seen. */

let fleet: SmallFleet;
beforeAll(async () => {
  fleet = await SmallFleet.start('restored', { wakeUps: false });
});
afterEach(async () => {
  expect(fleet.databases.overlaps).toEqual([]);
  await fleet.reset();
});
afterAll(() => fleet?.stop());

type Rows = Array<[table: string, rows: object[]]>;

async function backup({ db }: SupervisorProcess): Promise<Rows> {
  return Promise.all(
    collections.map(async ({ name }): Promise<Rows[number]> => [name, await db.getModel(name).findAll({ raw: true })]),
  );
}

/** Puts the backup in place of what a Supervisor has, and a Supervisor that starts with it in its place. */
async function restore(supervisor: SupervisorProcess, tables: Rows, within = fleet): Promise<SupervisorProcess> {
  supervisor.part.stop();
  for (const [name, rows] of tables) {
    const model = supervisor.db.getModel(name);
    // As one step: another Supervisor may lead, and its lead that is renewed in between would have a row of its own.
    await supervisor.db.sequelize.transaction(async (transaction) => {
      await model.destroy({ truncate: true, transaction });
      await model.bulkCreate(rows as never, { transaction });
    });
  }
  await supervisor.kill();
  const next = await within.supervisor();
  await until('The lead', () => next.leads);
  return next;
}

const command = async (supervisor: SupervisorProcess, action: 'start' | 'stop', name: string) =>
  supervisor.ends(await supervisor.parts.service.command(name, action, null));
const bootsSoFar = () => fleet.databases.journal.filter((line) => line.includes(' boots ')).length;
const warnings = (supervisor: SupervisorProcess) =>
  supervisor.parts.view.environmentRows().flatMap((row) => row.warnings.filter(({ code }) => code === 'ORPHANS'));

describe('a restored database', () => {
  it('holds: what was changed after the backup is as it was, and changes go on from what the fleet has seen', async () => {
    const [supervisor, worker] = await fleet.begin('env_a');
    await supervisor.ends(await supervisor.create({ name: 'crm', environments: ['env_a'] }));
    const before = await backup(supervisor);
    expect(await command(supervisor, 'stop', 'crm')).toBe('succeeded: env_a succeeded');
    const seen = supervisor.part.app('crm')!.generation;

    const restored = await restore(supervisor, before);
    await restored.toShow('crm', 'env_a running');
    expect(worker.runs).toEqual(['crm']);
    expect(restored.part.app('crm')!.generation).toBeGreaterThan(seen);
    expect(await command(restored, 'stop', 'crm')).toBe('succeeded: env_a succeeded');
    await restored.toShow('crm', 'env_a stopped');
  });

  it('leaves alone what runs as it says', async () => {
    const [supervisor, worker] = await fleet.begin('env_a');
    await supervisor.ends(await supervisor.create({ name: 'crm', environments: ['env_a'] }));
    const before = await backup(supervisor);
    const operation = await supervisor.parts.service.update('crm', { title: 'Later' }, null);
    await supervisor.ends(operation);
    const boots = bootsSoFar();

    const restored = await restore(supervisor, before);
    await until('The older title in env_a', () => worker.part.controller?.apps.record('crm')?.title === 'crm');
    await restored.toShow('crm', 'env_a running');
    expect(bootsSoFar()).toBe(boots);
  });

  it('without an app that was made since: it runs on, is named, and comes back as it is by being adopted', async () => {
    const [supervisor, worker] = await fleet.begin('env_a');
    await supervisor.ends(await supervisor.create({ name: 'crm', environments: ['env_a'] }));
    const before = await backup(supervisor);
    await supervisor.ends(await supervisor.create({ name: 'late', environments: ['env_a'] }));
    const { uid } = supervisor.part.app('late')!;
    const boots = bootsSoFar();

    const restored = await restore(supervisor, before);
    await until('The warning', () => warnings(restored).length > 0);
    expect(warnings(restored)).toEqual([say('ORPHANS', { names: 'late' })]);
    expect(worker.runs).toEqual(['crm', 'late']);
    await expect(restored.create({ name: 'late', environments: ['env_a'] })).rejects.toMatchObject({
      code: 'NAME_TAKEN',
    });

    const input = parseInput(createInput, {
      name: 'late',
      title: 'Late',
      environments: ['env_a'],
      startMode: 'withMain',
    });
    expect(
      await restored.ends(await restored.parts.service.create({ ...input, initialAdmin: null }, null, 'adopt')),
    ).toBe('succeeded: env_a succeeded');
    expect(restored.part.app('late')).toMatchObject({ uid, title: 'Late' });
    expect(bootsSoFar()).toBe(boots);
    await until('The end of the warning', () => warnings(restored).length === 0);
  });
});

describe('a Worker that shows up after a restored Supervisor has looked for it', () => {
  let patient: SmallFleet;
  beforeAll(async () => {
    patient = await SmallFleet.start('ahead', { wakeUps: true });
  });
  afterAll(() => patient?.stop());

  it('is told at once what the backup says, not a round of 30 s later', async () => {
    const [supervisor, worker] = await patient.begin('env_a');
    await supervisor.ends(await supervisor.create({ name: 'crm', environments: ['env_a'] }));
    const before = await backup(supervisor);
    expect(await command(supervisor, 'stop', 'crm')).toBe('succeeded: env_a succeeded');
    await worker.kill();
    await until('env_a being down', () => supervisor.health('env_a') === 'down');

    const restored = await restore(supervisor, before, patient);
    await restored.reconcile('crm');
    await patient.worker('env_a');
    const shown = () => restored.shows('crm') === 'env_a running';
    await until('crm to run as the backup says', shown, 20_000);
  });
});

describe('what is over', () => {
  /** A Supervisor that begins so many days after it happened: it cleans up at once, and then every hour. */
  async function daysLater(supervisor: SupervisorProcess, days: number): Promise<SupervisorProcess> {
    const time = Date.now() - days * 24 * 3_600_000;
    const at = new Date(time).toISOString();
    await supervisor.db.sequelize.query(`UPDATE "appTombstones" SET "createdAt" = '${at}'`);
    await supervisor.db.sequelize.query(`UPDATE "appTombstones" SET "endedAt" = ${time} WHERE "endedAt" IS NOT NULL`);
    await supervisor.db.sequelize.query(`UPDATE "appOperations" SET "finishedAt" = ${time}`);
    await supervisor.kill();
    const next = await fleet.supervisor();
    await until('The lead', () => next.leads);
    await next.reconcile();
    await next.parts.appCache.load();
    return next;
  }
  const kept = async ({ parts: { appCache, appRepository, operations } }: SupervisorProcess) => ({
    tombstones: appCache.tombstones.size,
    restorable: (await appRepository.allTombstones()).filter(({ endedAt }) => endedAt !== null).length,
    operations: (await operations.page({}, ['createdAt'], 1, 10))[1],
  });

  it('is kept: operations and deleted apps with their data for 30 days, those that an environment has not heard of for 180', async () => {
    const [supervisor, worker] = await fleet.begin('env_a');
    await supervisor.ends(await supervisor.create({ name: 'crm', environments: ['env_a'] }));
    await supervisor.ends(await supervisor.create({ name: 'wiki', environments: ['env_a'] }));
    await supervisor.ends(await supervisor.parts.service.destroy('wiki', 'keep', null));
    await worker.stop();
    await until('env_a being down', () => supervisor.health('env_a') === 'down');
    await supervisor.ends(await supervisor.parts.service.destroy('crm', 'keep', null));
    const first = await daysLater(supervisor, 29);
    expect(await kept(first)).toEqual({ tombstones: 1, restorable: 1, operations: 4 });
    const second = await daysLater(first, 31);
    expect(await kept(second)).toEqual({ tombstones: 1, restorable: 0, operations: 0 });
    const third = await daysLater(second, 179);
    expect(await kept(third)).toEqual({ tombstones: 1, restorable: 0, operations: 0 });
    const last = await daysLater(third, 181);
    expect(await kept(last)).toEqual({ tombstones: 0, restorable: 0, operations: 0 });
  });
});
