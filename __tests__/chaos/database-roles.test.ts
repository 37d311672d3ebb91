import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Fleet, type Instance, query, waitFor } from '../../scripts/fleet';
import { roleNameOf } from '../../src/server/databases';
import type { ChecklistRow } from '../../src/shared/checklist';
import type { AppRow } from '../../src/shared/types';
import { sharedFleet } from '../setup/fleet';
import { commandLine } from '../support/command-line';
import { Manager, signInTo, statusIn } from '../support/manager';

/** Apps without a database role of their own, from the refusal to make them to the command that moves them. */

let fleet: Fleet;
let manager: Manager;
let worker: Instance;
const sql = async (database: string, text: string) => (await query(fleet.postgresServer, database, text)).rows;
const warnings = async () => (await manager.environment('env_a')).warnings.map(({ code }) => code);
const restarted = async (env: Record<string, string>) => {
  worker.saveEnv(env);
  await worker.restart();
  await fleet.waitForWorkers();
};

beforeAll(async () => {
  fleet = await sharedFleet();
  manager = await Manager.of(fleet);
  worker = fleet.worker('env_a');
});
afterAll(async () => {
  await sql('postgres', 'ALTER ROLE nocobase_worker CREATEROLE');
  await manager.clear('legacy');
  await restarted({ APP_SUPERVISOR_SHARED_DATABASE_ROLE: '' });
});

const LEGACY = { name: 'legacy', environments: ['env_a'], startMode: 'withMain' };

it('a Worker that may make no roles makes no app, and everybody says which statement is missing', async () => {
  await sql('postgres', 'ALTER ROLE nocobase_worker NOCREATEROLE');
  await restarted({});
  expect(await warnings()).toContain('DATABASE_ROLE_DENIED');
  await expect(manager.begin('create', LEGACY)).rejects.toThrow(/DATABASE_ROLE_DENIED.*CREATEROLE/);
  const { data } = await manager.api.post('apps:checkDatabase', { environment: 'env_a', name: 'legacy' });
  expect(data.verdict).toBe('unusable');
  expect(JSON.stringify(data.checks.at(-1).remedy)).toContain('ALTER ROLE \\"nocobase_worker\\" CREATEROLE');
});

it('APP_SUPERVISOR_SHARED_DATABASE_ROLE lets apps share its role, with a warning that stays', async () => {
  await restarted({ APP_SUPERVISOR_SHARED_DATABASE_ROLE: 'true' });
  const app = await manager.create(LEGACY);
  expect(app.options.database).not.toHaveProperty('username');
  expect(app.warnings.map(({ code }) => code)).toContain('APP_SHARES_ROLE');
  expect(await warnings()).toContain('ROLE_SHARED');
  const { data } = await manager.api.get('appFleet:checklist');
  const roles = data.filter(({ check }: { check: string }) => check === 'SAFE_DATABASE_ROLES');
  expect(roles.map(({ code }: { code: string }) => code)).toEqual(['DATABASE_ROLES_SHARED', 'DATABASE_ROLES_UNMADE']);
});

it('is noticed without a restart when it may, and one command moves the app with its data', {
  timeout: 300_000,
}, async () => {
  const users = await signInTo(fleet.supervisor, 'legacy');
  await users.post('users:create', { username: 'kept', password: 'secret-123' });
  await sql('postgres', 'ALTER ROLE nocobase_worker CREATEROLE');
  await manager.untilEnvironment('env_a', (row) => !row.warnings.some(({ code }) => code === 'ROLE_SHARED'), {
    timeout: 60_000,
    what: 'allowed to make roles',
  });
  const { user, password } = fleet.postgresServer;
  const admin = { APP_SUPERVISOR_DATABASE_ADMIN_USER: user, APP_SUPERVISOR_DATABASE_ADMIN_PASSWORD: password };
  const run = await commandLine(['app-supervisor:database-roles'], { ...fleet.supervisor.env, ...admin });
  expect([run.code, run.output]).toEqual([
    0,
    expect.stringContaining('Moved: legacy. Restart them to use their roles.'),
  ]);

  const isTold = (app: AppRow) => app.pendingChanges.includes('options.database');
  const { uid, warnings: left } = await manager.untilApp('legacy', isTold, {
    timeout: 60_000,
    what: 'told of its role',
  });
  expect(left).toEqual([]);
  // Still as the Worker's role, and it goes on working.
  expect((await users.get('users:list')).data.map((each: { username: string }) => each.username)).toContain('kept');
  await users.post('collections:create', { name: 'before', fields: [{ name: 'a', type: 'string' }] });
  await manager.command('restart', 'legacy');

  const role = roleNameOf({ name: 'legacy', uid });
  const sessions = await sql('postgres', "SELECT DISTINCT usename FROM pg_stat_activity WHERE datname = 'legacy'");
  expect(sessions).toEqual([{ usename: role }]);
  const owners = await sql('legacy', "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'");
  expect(owners).toEqual([{ tableowner: role }]);
  const again = await signInTo(fleet.supervisor, 'legacy');
  expect((await again.get('users:list')).data.map((each: { username: string }) => each.username)).toContain('kept');
  await again.post('collections:create', { name: 'after', fields: [{ name: 'a', type: 'string' }] });
  expect(statusIn(await manager.app('legacy'), 'env_a')).toBe('running');
  const isOk = async () => {
    const { data } = await manager.api.get('appFleet:checklist');
    return data.some((row: ChecklistRow) => row.check === 'SAFE_DATABASE_ROLES' && row.level === 'ok');
  };
  await waitFor(isOk, { timeout: 90_000, what: 'The checklist to be content' });
});

it('is dropped with its role', async () => {
  await manager.destroy('legacy', 'drop');
  expect(await sql('postgres', "SELECT rolname FROM pg_roles WHERE rolname LIKE 'app\\_legacy%'")).toEqual([]);
});
