import { z } from 'zod';
import { type Message, say } from '../../../shared/message';
import { ICON_NAME } from '../../../shared/names';
import { describeError } from '../../errors';
import type { WithDatabase } from '../../nocobase/main-database';
import type { AppCache } from '../definitions/app-cache';
import { createInput, parseInput } from '../definitions/input';
import { assertPermitted, EVERYTHING, type Permissions } from '../definitions/permissions';
import type { AppService } from './service';

/** The relevant fields of a row of multi-app-manager's `applications` table. */
const legacyApp = z.object({
  name: z.string(),
  displayName: z.string().nullish(),
  cname: z.string().nullish(),
  pinned: z.boolean().nullish(),
  icon: z.string().nullish(),
  options: z
    .looseObject({
      autoStart: z.boolean().nullish(),
      standaloneDeployment: z.boolean().nullish(),
      plugins: z.array(z.unknown()).nullish(),
      dbConnType: z.string().nullish(),
      database: z.record(z.string(), z.unknown()).nullish(),
      authManager: z.looseObject({ jwt: z.looseObject({ secret: z.string().nullish() }).nullish() }).nullish(),
    })
    .nullish(),
});

export interface MigrationResult {
  migrated: string[];
  skipped: Array<{ name: string; reason: Message }>;
}

/** Takes apps over from the deprecated multi-app-manager: same databases, titles, domains, secrets and start mode. */
export class Migration {
  constructor(
    private readonly app: WithDatabase,
    private readonly appCache: AppCache,
    private readonly service: AppService,
    /** Whether the core would have put these apps into schemas (`USE_DB_SCHEMA_IN_SUBAPP`). */
    private readonly schemaByDefault: boolean,
  ) {}

  async migrate(
    names: string[],
    environments: string[] | null,
    userId: string | null,
    may: Permissions = EVERYTHING,
  ): Promise<MigrationResult> {
    const result: MigrationResult = { migrated: [], skipped: [] };
    for (const name of names) {
      try {
        const reason = await this.migrateOne(name, environments, userId, may);
        if (reason) result.skipped.push({ name, reason });
        else result.migrated.push(name);
      } catch (error) {
        result.skipped.push({ name, reason: describeError(error) });
      }
    }
    return result;
  }

  /** @returns why the app was skipped, or null */
  private async migrateOne(
    name: string,
    environments: string[] | null,
    userId: string | null,
    may: Permissions,
  ): Promise<Message | null> {
    if (this.appCache.apps.has(name)) return say('MIGRATION_MANAGED');
    const repository = this.app.db.hasCollection('applications') ? this.app.db.getRepository('applications') : null;
    const row = await repository?.findOne({ filterByTk: name });
    if (!row) return say('MIGRATION_UNKNOWN');
    const legacy = legacyApp.parse(row.toJSON());
    const options = legacy.options ?? {};
    if (options.standaloneDeployment) return say('MIGRATION_STANDALONE');
    const plugins = (options.plugins ?? []).filter((plugin) => plugin !== 'nocobase');
    if (plugins.length) return say('MIGRATION_PLUGINS', { plugins: plugins.join(', ') });
    const input = parseInput(createInput, {
      name,
      title: legacy.displayName || name,
      cname: legacy.cname ?? '',
      pinned: legacy.pinned ?? false,
      ...(legacy.icon && ICON_NAME.test(legacy.icon) ? { icon: legacy.icon } : {}),
      startMode: options.autoStart ? 'withMain' : 'onVisit',
      options: this.place(name, options),
      ...(environments ? { environments } : {}),
    });
    assertPermitted(null, input, may);
    await this.service.create(
      { ...input, initialAdmin: null },
      userId,
      'adopt',
      options.authManager?.jwt?.secret || null,
    );
    return null;
  }

  /** Where multi-app-manager and the core stored the app's data (app-options-factory.ts:38-66). */
  private place(name: string, options: NonNullable<z.infer<typeof legacyApp>['options']>) {
    const given = options.database ?? {};
    const keep = (keys: string[]) =>
      Object.fromEntries(
        keys.filter((key) => given[key] !== undefined && given[key] !== '').map((key) => [key, given[key]]),
      );
    if (given.host) {
      const keys = ['dialect', 'host', 'port', 'username', 'password', 'database', 'schema', 'tablePrefix'];
      // The core completed missing settings from its main app. Only the port is taken over; the password is not the
      // app's.
      const { port } = this.app.db.options as { port?: unknown };
      return { dbConnType: 'new_connection' as const, database: { port, ...keep(keys) } };
    }
    if (options.dbConnType === 'new_schema' || (this.schemaByDefault && !given.database)) {
      return { dbConnType: 'new_schema' as const, database: { schema: name, ...keep(['schema', 'tablePrefix']) } };
    }
    return { dbConnType: 'new_database' as const, database: { database: name, ...keep(['database', 'tablePrefix']) } };
  }
}
