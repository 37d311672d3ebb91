import { expect, it } from 'vitest';
import type { WithDatabase } from '../../src/server/nocobase/main-database';
import type { AppCache } from '../../src/server/supervisor/definitions/app-cache';
import { Migration } from '../../src/server/supervisor/requests/migration';
import type { AppService } from '../../src/server/supervisor/requests/service';
import { say } from '../../src/shared/message';

/** Rows of multi-app-manager's `applications`, and what is made of their options. The rest is in long/migration. */
async function migrate(options: object) {
  const created: unknown[] = [];
  const row = { toJSON: () => ({ name: 'crm', displayName: 'CRM', options }) };
  const app = { db: { options: {}, hasCollection: () => true, getRepository: () => ({ findOne: async () => row }) } };
  const service = { create: async (...args: unknown[]) => void created.push(args[0]) } as unknown as AppService;
  const cache = { apps: new Map() } as unknown as AppCache;
  const migration = new Migration(app as unknown as WithDatabase, cache, service, false);
  return { ...(await migration.migrate(['crm'], ['env_a'], null)), created };
}

it('an app whose options name plugins of their own is not migrated, because its plugins would be missing', async () => {
  expect(await migrate({ plugins: ['nocobase', 'one', 'two'] })).toEqual({
    migrated: [],
    skipped: [{ name: 'crm', reason: say('MIGRATION_PLUGINS', { plugins: 'one, two' }) }],
    created: [],
  });
  for (const options of [{}, { plugins: null }, { plugins: ['nocobase'] }])
    expect(await migrate(options)).toMatchObject({ migrated: ['crm'], skipped: [] });
});

it('how an app’s tables are named is no option: a boot reads it in the database', async () => {
  const { created } = await migrate({ database: { database: 'crm', underscored: true } });
  expect(created).toMatchObject([{ options: { dbConnType: 'new_database', database: { database: 'crm' } } }]);
  expect(JSON.stringify(created)).not.toContain('underscored');
});
