import { expect, it } from 'vitest';
import { dialects } from '../../src/server/databases/dialects';
import { AppDatabases } from '../../src/server/worker/hosting/app-databases';
import type { HostDatabase } from '../../src/server/worker/hosting/host-database';
import { FakeClock } from '../support/clock';

/** How long a Supervisor waits for the answer to a check (supervisor/fleet/worker-requests.ts), in ms. */
const PATIENCE = 6_000;

it.each(['new_database', 'new_schema'] as const)('a check (%s) names the server that hangs, in time', async (mode) => {
  const clock = new FakeClock();
  const driver = { ...dialects.postgres, clock, connect: () => new Promise(() => {}) };
  const main = { dialect: 'postgres', host: 'db.example', port: 5432, database: 'main', driver } as unknown;
  const databases = new AppDatabases(() => main as HostDatabase, String, true, []);
  let checked: unknown;
  void databases.check('crm', { dbConnType: mode, schema: 'crm' } as never, false).then((answer) => {
    checked = answer;
  });
  await clock.run(PATIENCE);
  expect(checked).toMatchObject({
    checks: [{ name: 'names' }, { name: 'reachable', ok: false, message: { code: 'DATABASE_UNREACHABLE' } }],
    verdict: 'unusable',
  });
});
