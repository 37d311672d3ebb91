import { DataTypes } from '@nocobase/database';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { query } from '../../scripts/fleet';
import { areFormer } from '../../src/server/supervisor/definitions/former-rows';
import type { SupervisorPart } from '../../src/server/supervisor/supervisor';
import { SmallFleet, type SupervisorProcess } from '../support/small-fleet';
import { until } from '../support/wait';

/**
 * A Supervisor of release 0.2.0 that was forgotten beside the new one. What it does to the row of the lead is played, with the statements
 * of that release.
 */

let fleet: SmallFleet;
beforeAll(async () => {
  fleet = await SmallFleet.start('former_supervisor', { wakeUps: true });
});
afterAll(() => fleet?.stop());

const sql = (text: string, values: unknown[] = []) => {
  const part = 'supervisor';
  return query(fleet.serverOf(part), fleet.database(part), text, values);
};

/** How often it renews its lead, and how long one lasts that is not renewed: a loaded machine may be late. In ms. */
const RENEWS = 500;
const LEAD_EXPIRY = 10_000;
const FORMER = 'host-a:4711:0a1b2c';
const warning = { code: 'FORMER_SUPERVISOR', params: { instance: FORMER } };

/** Takes the lead from whoever has it, and renews it each second. @returns resigns, as its shutdown does */
async function lead(): Promise<() => Promise<void>> {
  const taken = `UPDATE "appSupervisorLeaders" SET holder = $1, beat = beat + 1, term = term + 1 WHERE id = 1`;
  await sql(taken, [FORMER]);
  const renew = () => sql(`UPDATE "appSupervisorLeaders" SET beat = beat + 1 WHERE holder = $1`, [FORMER]);
  const timer = setInterval(() => void renew().catch(() => undefined), RENEWS);
  return async () => {
    clearInterval(timer);
    await sql('UPDATE "appSupervisorLeaders" SET holder = NULL WHERE holder = $1', [FORMER]);
  };
}

const beatOf = async (): Promise<number> =>
  Number((await sql('SELECT beat FROM "appSupervisorLeaders" WHERE id = 1')).rows[0].beat);

const written = () => fleet.onRedis((redis) => redis.exists(fleet.keys().term(), fleet.keys().appIndex()));

it('is named with what to do: beside it nothing is upgraded, and nothing published', async () => {
  // As that release leaves the tables.
  const first = await fleet.supervisor();
  const queries = first.db.sequelize.getQueryInterface();
  const table = (name: string) => first.db.getModel(name).getTableName() as string;
  await queries.addColumn(table('apps'), 'boot', DataTypes.JSON);
  await queries.addColumn(table('apps'), 'claim', { type: DataTypes.STRING, defaultValue: 'none' });
  await queries.addColumn(table('appOperations'), 'steps', { type: DataTypes.JSON, defaultValue: [] });
  await first.stop();
  await fleet.onRedis((redis) => redis.flushall());
  const resign = await lead();

  let part: SupervisorPart | undefined;
  const warnings = () => part?.warnings().filter(({ code }) => code === warning.code);
  const starting: Promise<SupervisorProcess> = fleet.supervisor({
    leadExpiry: LEAD_EXPIRY,
    beginning: (made) => (part = made),
  });
  await until('The warning', () => warnings()?.length);
  expect(warnings()).toEqual([warning]);
  expect(() => part?.parts).toThrow(`Supervisor ${FORMER} of a release before 0.3.0 still leads. Stop it`);
  // Longer than a lead lasts that is not renewed.
  const beat = await beatOf();
  await until('A lead that lasts', async () => (await beatOf()) > beat + LEAD_EXPIRY / RENEWS, 60_000);
  expect([part?.loaded, await written()]).toEqual([false, 0]);
  expect((await sql('SELECT boot, claim FROM apps')).rows).toEqual([]);

  await resign();
  const supervisor = await starting;
  await until('The lead', () => supervisor.leads);
  expect([warnings(), await areFormer({ db: supervisor.db })]).toEqual([[], false]);
  expect(supervisor.log.at('error')).toEqual([expect.stringContaining(FORMER)]);
  await until('What a leader publishes', async () => (await written()) === 2);

  // One that did not lead takes the lead when it can, and does not know the rows any more.
  const leave = await lead();
  await until('The other lead', () => warnings()?.length && !supervisor.leads);
  await until('The second word', () => supervisor.log.at('error').length > 1);
  expect([warnings(), supervisor.log.at('error')]).toEqual([[warning], Array(2).fill(expect.stringContaining(FORMER))]);
  await leave();
  await until('The lead again', () => supervisor.leads);
  expect(warnings()).toEqual([]);
});
