import { afterAll, beforeAll, expect, it } from 'vitest';
import { waitFor } from '../../scripts/fleet';
import { roleNameOf } from '../../src/server/databases';
import { dialects } from '../../src/server/databases/dialects';
import type { ChecklistRow } from '../../src/shared/checklist';
import { on, sql } from '../integration/databases-places';
import { sharedFleet } from '../setup/fleet';
import { commandLine } from '../support/command-line';
import { signInTo, statusIn } from '../support/manager';
import { fleetOnMariadb, type MariadbTarget } from '../support/test-targets';

/** As chaos/database-roles.test.ts, on MariaDB: an app with data in it, that shares the user of its Worker, is moved to one of its own. */

let target: MariadbTarget;
/** Without what the driver adds to an array. */
const asRoot = async (statement: string) => [...(await sql(on(target.server, 'mariadb', 'mysql'), statement))];
const WORKER = { DB_USER: 'worker', DB_PASSWORD: 'of-the-worker' };

beforeAll(async () => {
  target = await fleetOnMariadb((await sharedFleet()).postgresServer);
  await asRoot(`CREATE USER worker@'%' IDENTIFIED BY '${WORKER.DB_PASSWORD}'`);
  // It makes databases, and no users.
  await asRoot("GRANT ALL ON `%`.* TO worker@'%'");
  const worker = target.fleet.worker('env_a');
  worker.saveEnv({ ...WORKER, APP_SUPERVISOR_SHARED_DATABASE_ROLE: 'true' });
  await worker.restart();
  await target.fleet.waitForWorkers();
});
afterAll(() => target?.stop());

it('one command of an administrator gives an app with data a user of its own, while it runs', async () => {
  const { manager, entry, server } = target;
  const legacy = await manager.create({ name: 'legacy', environments: ['env_a'], startMode: 'withMain' });
  expect(legacy.warnings.map(({ code }) => code)).toContain('APP_SHARES_ROLE');
  const users = await signInTo(entry, 'legacy');
  await users.post('collections:create', { name: 'before', fields: [{ name: 'a', type: 'string' }] });
  await users.post('before:create', { a: 'kept' });
  const [{ user: shared }] = await asRoot(
    "SELECT DISTINCT user FROM information_schema.processlist WHERE db = 'legacy'",
  );
  expect(shared).toBe('worker');

  for (const statement of dialects.mariadb.roles!.adminSql('worker').split(';'))
    if (statement.trim()) await asRoot(statement);
  await manager.untilEnvironment('env_a', (row) => !row.warnings.some(({ code }) => code === 'ROLE_SHARED'), {
    timeout: 90_000,
    what: 'allowed to make users',
  });
  const admin = {
    APP_SUPERVISOR_DATABASE_ADMIN_USER: server.username,
    APP_SUPERVISOR_DATABASE_ADMIN_PASSWORD: server.password,
  };
  const run = await commandLine(['app-supervisor:database-roles'], { ...entry.env, ...admin }, 240_000);
  expect([run.code, run.output]).toEqual([0, expect.stringContaining('Moved: legacy. Restart them')]);
  await manager.untilApp('legacy', ({ pendingChanges }) => pendingChanges.includes('options.database'), {
    timeout: 90_000,
    what: 'told of its user',
  });
  // Still as the Worker's user, and it goes on working.
  await users.post('before:create', { a: 'in between' });
  await manager.command('restart', 'legacy');

  const role = roleNameOf(legacy);
  const sessions = await asRoot("SELECT DISTINCT user FROM information_schema.processlist WHERE db = 'legacy'");
  expect(sessions).toEqual([{ user: role }]);
  const grants = (await asRoot(`SHOW GRANTS FOR '${role}'@'%'`)).map((row) => String(Object.values(row)[0]));
  expect(grants.map((grant) => grant.split(' TO ')[0])).toEqual([
    'GRANT USAGE ON *.*',
    'GRANT ALL PRIVILEGES ON `legacy`.*',
  ]);
  const again = await signInTo(entry, 'legacy');
  const { data } = await again.get('before:list', { sort: 'id' });
  expect(data.map(({ a }: { a: string }) => a)).toEqual(['kept', 'in between']);
  await again.post('collections:create', { name: 'after', fields: [{ name: 'a', type: 'string' }] });
  expect(statusIn(await manager.app('legacy'), 'env_a')).toBe('running');
  expect((await manager.app('legacy')).warnings).toEqual([]);
  const isContent = async () => {
    const { data: rows } = await manager.api.get('appFleet:checklist');
    const codes = rows.filter(({ check }: ChecklistRow) => check === 'SAFE_DATABASE_ROLES');
    return codes.every(({ code }: ChecklistRow) => code !== 'DATABASE_ROLES_SHARED');
  };
  await waitFor(isContent, { timeout: 90_000, what: 'A checklist without this app' });
});

it('is dropped with its user', async () => {
  await target.manager.destroy('legacy', 'drop');
  expect(await asRoot("SELECT user FROM mysql.user WHERE user LIKE 'app\\_legacy%'")).toEqual([]);
});
