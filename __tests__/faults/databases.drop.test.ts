import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DatabaseConnection, dropDatabase, inspectDatabase, prepareDatabase } from '../../src/server/databases';
import { dropByHand, freeze } from '../integration/databases-frozen';
import { type Ground, install, PLACES, sql, startGround, table } from '../integration/databases-places';

/** A drop that freezes at any of its steps, while others work on the place: integration/databases has the last step alone. */

let ground: Ground;
beforeAll(async () => {
  ground = await startGround();
});
afterAll(() => ground?.stop());

const one = { app: 'one', uid: 'uid-1', mayCreate: true };
const two = { app: 'two', uid: 'uid-2', mayCreate: true };

// SQLite's file belongs to one process.
describe.each(PLACES.filter((kind) => kind !== 'sqlite'))('invariant 9: a frozen drop in %s', (kind) => {
  /** Lets a drop of the first app freeze at each of its steps in turn. */
  async function atEachStep(
    name: string,
    meanwhile: (connection: DatabaseConnection, mode: 'new_database' | 'new_schema') => Promise<void>,
  ) {
    const { connection, mode } = await ground.place(kind, name);
    const kindOf = mode as 'new_database' | 'new_schema';
    const drop = (uid: string) => dropDatabase(connection, kindOf, { uid });
    for (let step = 0, isFrozen = true; isFrozen; step++) {
      await prepareDatabase(connection, kindOf, one);
      let seen = 0;
      const process = await freeze(
        connection.dialect,
        () => seen++ === step,
        () => drop('uid-1'),
      );
      isFrozen = process.isFrozen;
      if (isFrozen) await meanwhile(connection, kindOf);
      await process.wake();
      if (isFrozen) {
        const found = inspectDatabase(connection, kindOf, two);
        await expect(found, `frozen at step ${step}`).resolves.toMatchObject({ mark: { uid: 'uid-2' } });
        await dropByHand(connection);
      }
    }
  }

  it('drops nothing that was created after another drop', () =>
    atEachStep('after_drop', async (connection, mode) => {
      await dropDatabase(connection, mode, { uid: 'uid-1' });
      await prepareDatabase(connection, mode, two);
    }));

  it('drops nothing that was created after an administrator had dropped the place', () =>
    atEachStep('by_hand', async (connection, mode) => {
      await dropByHand(connection);
      await prepareDatabase(connection, mode, two);
    }));

  it('drops nothing that was adopted after it had been released', () =>
    atEachStep('adopted', async (connection, mode) => {
      await install(connection, '2.2.15');
      await sql(connection, `DROP TABLE ${table(connection, 'app_supervisor_mark')}`);
      await prepareDatabase(connection, mode, { ...two, mayCreate: false, adopt: true });
    }));
});
