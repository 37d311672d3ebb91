import { z } from 'zod';
import type { GuardedContext } from './actions';
import { type Guard, guardMethod } from './guard';

const text = z.union([z.string(), z.number()]).optional().catch(undefined);
/** A path is a socket of the host. */
const host = z
  .string()
  .regex(/^[^/\\]+$/)
  .optional()
  .catch('invalid-host');

/**
 * The fields for a server of foreign tables, and the names that the plugin uses for them. NocoBase passes everything
 * else on to Sequelize, which accepts a script to load (`dialectModulePath`) and a file to open as a database.
 */
const connection = z.object({
  dialect: z.enum(['postgres', 'mysql', 'mariadb']).optional().catch(undefined),
  host,
  port: text,
  database: text,
  username: text,
  password: text,
  serverName: text,
  user: text,
});

export const connectionOf = (options: unknown): object => connection.catch({}).parse(options);

async function confineTest({ action }: GuardedContext, next: () => Promise<unknown>): Promise<void> {
  if (action?.resourceName === 'databaseServers' && action.actionName === 'testConnection') {
    const { dialect: _, ...values } = connection.catch({}).parse(action.params.values);
    action.params.values = values;
  }
  await next();
}

/** Connections of the plugin "Collection: FDW" use only the fields of its form. */
export const foreignServers: Guard = {
  afterLoad: (app) => {
    app.resourceManager.use(confineTest, { tag: 'appSupervisorForeignServers', before: 'validate-filter-params' });
    // Every stored server is read through this method, whoever wrote it; the model does not exist while the plugin is
    // disabled.
    const model = app.db.models.get('DatabaseServerModel');
    if (!model) return;
    guardMethod(model.prototype, 'renderJsonTemplate', (original, args) => connectionOf(original(...args)));
  },
};
