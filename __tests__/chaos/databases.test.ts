import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Instance } from '../../scripts/fleet';
import { unseal } from '../../src/server/protocol/secrets';
import { on, sql } from '../integration/databases-places';
import { conforms } from '../long/conformance-suite';
import { sharedFleet } from '../setup/fleet';
import { commandLine } from '../support/command-line';
import { ask } from '../support/http';
import { signInTo, statusIn } from '../support/manager';
import { aloneOnSqlite, fleetOnMariadb, type MariadbTarget, type TestTarget } from '../support/test-targets';

/** Whole suites on databases other than PostgreSQL, which take too long for every run of the tests. */

describe('a fleet on MariaDB', () => {
  let target: MariadbTarget;
  beforeAll(async () => {
    target = await fleetOnMariadb((await sharedFleet()).postgresServer);
  });
  afterAll(() => target?.stop());

  conforms({ remote: true, environment: 'env_a' }, () => target);

  it('another AES key is in force after app-supervisor:rekey on each instance: every secret is sealed with it alone', async () => {
    const { manager, fleet, host, entry, server } = target;
    const PASSWORD = 'a-password-of-its-own';
    const NEW_KEY = randomBytes(32).toString('hex');
    const oldKey = entry.env.APP_SUPERVISOR_AES_SECRET_KEY!;
    const mysql = (database: string) => on(server, 'mariadb', database);
    await sql(mysql('mysql'), `CREATE USER 'keeper'@'%' IDENTIFIED BY '${PASSWORD}'`);
    await sql(mysql('mysql'), `GRANT ALL ON kept.* TO 'keeper'@'%'`);
    const { host: address, port } = server;
    const database = {
      dialect: 'mariadb',
      host: address,
      port,
      username: 'keeper',
      password: PASSWORD,
      database: 'kept',
    };
    const options = { dbConnType: 'new_connection', database };
    await manager.create({
      name: 'keeper',
      startMode: 'withMain',
      environments: ['env_a'],
      options,
    });
    const { token } = await signInTo(entry, 'keeper');

    /** What rests in both main databases. */
    const stored = async () => {
      const rows = [
        ...(await sql(mysql(entry.database), 'SELECT jwtSecret, `database` AS place FROM apps')),
        ...(await sql(mysql(host.database), 'SELECT record FROM appSnapshots')).map(({ record }) => {
          const { jwtSecret, database: place } = parsed(record);
          return { jwtSecret, place };
        }),
      ];
      return rows.map(({ jwtSecret, place }) => [jwtSecret as string, parsed(place).password as string]);
    };
    const plain = (key: string, secrets: string[][]) =>
      secrets.map((pair) => pair.map((secret) => unseal(secret, Buffer.from(key, 'hex'), 'keeper')));
    const before = plain(oldKey, await stored());
    expect(before).toEqual(Array(2).fill([expect.any(String), PASSWORD]));

    const each = (work: (instance: Instance) => Promise<unknown>) => Promise.all([entry, host].map(work));
    await each((instance) => instance.stop());
    await each(async (instance) => {
      const keys = { APP_SUPERVISOR_AES_OLD_SECRET_KEY: oldKey, APP_SUPERVISOR_AES_SECRET_KEY: NEW_KEY };
      const { code, output } = await commandLine(['app-supervisor:rekey'], { ...instance.env, ...keys }, 240_000);
      expect([code, output]).toEqual([0, expect.stringContaining('Apps with new secrets at rest: 1.')]);
    });
    expect(plain(NEW_KEY, await stored())).toEqual(before);

    await each(async (instance) => {
      instance.saveEnv({ APP_SUPERVISOR_AES_SECRET_KEY: NEW_KEY });
      await instance.start();
    });
    await fleet.waitForWorkers();
    await manager.untilApp('keeper', (app) => statusIn(app, 'env_a') === 'running', {
      timeout: 60_000,
      what: 'running again',
    });
    const headers = { Authorization: `Bearer ${token}`, 'X-Authenticator': 'basic' };
    const check = await ask(entry.url, '/api/__app/keeper/auth:check', { headers });
    expect(check.json.data).toMatchObject({ id: 1 });
    expect((await manager.app('keeper')).pendingChanges).toEqual([]);
    // The leader has published its records under the new key by then; a restart opens them.
    await manager.command('restart', 'keeper');
    expect(statusIn(await manager.app('keeper'), 'env_a')).toBe('running');
    expect(JSON.stringify((await manager.environment('env_a')).warnings)).not.toContain('AES');
    await manager.destroy('keeper', 'drop');
    expect(await target.hasData('kept')).toBe(false);
  });
});

describe('shared memory on SQLite', () => {
  let target: TestTarget;
  beforeAll(async () => {
    target = await aloneOnSqlite((await sharedFleet()).postgresServer);
  });
  afterAll(() => target?.stop());

  conforms({ remote: false, environment: 'local' }, () => target);
});

/** JSON comes as text from some drivers. */
const parsed = (value: unknown) => (typeof value === 'string' ? JSON.parse(value) : value);
