import { createRequire } from 'node:module';
import { describe, expect, it, vi } from 'vitest';
import { replaceCoreCreators } from '../../src/server/databases';

/** The core's own registry and creators, whose bundle is the only place they are exported from. */
const core = (file: string) => createRequire(import.meta.url)(`@nocobase/server/lib/app-supervisor/${file}.js`);

describe('replaceCoreCreators', () => {
  const { ConditionalRegistry } = core('condition-registry');
  const { createDatabaseCondition, createConnectionCondition, createSchemaCondition } = core('db-creator');

  it.each([undefined, 'new_database', 'new_connection', 'new_schema'])(
    'replaces every creator of the core for %s',
    async (dbConnType) => {
      const silent = vi.fn();
      const registry = new ConditionalRegistry();
      // In this order: the core creates the adapters, and then registers its own (app-supervisor/index.ts:112-118).
      replaceCoreCreators({ registerAppDbCreator: (...rule) => registry.register(...rule) });
      for (const condition of [createDatabaseCondition, createConnectionCondition, createSchemaCondition]) {
        registry.register(condition, silent);
      }
      const database = {
        dialect: 'postgres',
        host: '127.0.0.1',
        port: 1,
        username: 'u',
        database: 'app',
        schema: 'tenant',
      };
      const creating = registry.run({ app: { name: 'app', options: { database } }, appOptions: { dbConnType } });
      await expect(creating).rejects.toMatchObject({ code: 'DATABASE_UNREACHABLE' });
      expect(silent).not.toHaveBeenCalled();
    },
  );
});
