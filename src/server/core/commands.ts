import type { Model } from '@nocobase/database';
import type { Application } from '@nocobase/server';
import type { Registration } from '../../shared/messages';
import { ENVIRONMENT_NAME } from '../../shared/names';
import type { Config } from '../config';
import type { DatabaseConnection } from '../databases';
import { environmentKeyOf, fleetKeyOf, Keyring } from '../protocol/keyring';
import { Secrets } from '../protocol/secrets';
import { EnvironmentRegistry } from '../supervisor/definitions/environment-registry';
import { AppRepository } from '../supervisor/definitions/repository';
import { NotifierStore } from '../supervisor/notices/notifier-store';
import { raiseKey } from '../worker/apps/floor';
import { SnapshotStore } from '../worker/apps/snapshot';
import { moveToRoles } from './database-roles';
import { rekey, rekeyWebhook } from './rekey';
import { keyringOf } from './wire';

/** What was sealed with the former key, in this database and for this environment. @throws errors of the database */
export async function formerSecrets(
  config: Config | null,
  snapshot: Pick<SnapshotStore, 'loadHeader'>,
): Promise<Secrets> {
  const environment = config?.part === 'worker' ? config.environment.name : '';
  const nothing = { fleetKey: null, environment: null, atRest: null };
  const keyring = config ? keyringOf({ ...config, aesKey: config.oldAesKey }) : new Keyring(nothing);
  await raiseKey(snapshot, environment, keyring);
  return new Secrets(keyring, environment);
}

const REKEY = 'app-supervisor:rekey';
const DATABASE_ROLES = 'app-supervisor:database-roles';
const ENVIRONMENT_KEY = 'app-supervisor:environment-key';

/**
 * Commands of the host's command line, registered once for each app. The core finds them through `dist/server/commands`
 * (plugin-manager.ts:389).
 */
export function registerCommands(app: Application, config: Config | null): void {
  if (app.name !== 'main' || app.cli.hasCommand(REKEY)) return;
  app
    .command(REKEY)
    .description('Encrypts all secrets anew: from APP_SUPERVISOR_AES_OLD_SECRET_KEY to APP_SUPERVISOR_AES_SECRET_KEY')
    .preload()
    .action(async () => {
      const [to, snapshot] = [config?.aesKey ?? null, new SnapshotStore(app)];
      const from = await formerSecrets(config, snapshot);
      const { changed, unreadable } = await rekey(new AppRepository(app), snapshot, from, to);
      const isRead = await rekeyWebhook(new NotifierStore(app), from, to);
      console.log(`Apps with new secrets at rest: ${changed}.`);
      const left = [...unreadable, ...(isRead ? [] : ['the webhook'])];
      if (left.length) {
        throw new Error(`The secrets of ${left.join(', ')} are sealed with neither key; they are as they were.`);
      }
    });
  app
    .command(`${ENVIRONMENT_KEY} <environment>`)
    .description('Prints APP_SUPERVISOR_ENVIRONMENT_KEY for the Worker of an environment; on the Supervisor')
    .option('--floor', 'only when it was last forgotten, from which its keys are derived; 0: never')
    .preload()
    .action(async (environment: string, { floor: isFloor = false }: { floor?: boolean }) => {
      if (config?.part !== 'supervisor') throw new Error('Only the Supervisor has the keys of all environments.');
      if (!ENVIRONMENT_NAME.test(environment)) throw new Error(`"${environment}" is no name of an environment.`);
      const { aesKey, host } = config;
      const { floor } = await new EnvironmentRegistry(app).stateOf(environment);
      const key = environmentKeyOf(fleetKeyOf(aesKey ?? host.appKey), environment, floor).toString('hex');
      console.log(isFloor ? floor : key);
    });
  registerDatabaseRoles(app, config);
}

/** `--app` takes names separated by commas. */
interface DatabaseRolesOptions {
  app?: string;
  host?: string;
  port?: string;
  mainDatabase?: string;
}

function registerDatabaseRoles(app: Application, config: Config | null): void {
  app
    .command(DATABASE_ROLES)
    .description(
      'Gives apps that share the database role of their environment roles of their own; on the Supervisor, with APP_SUPERVISOR_DATABASE_ADMIN_USER and APP_SUPERVISOR_DATABASE_ADMIN_PASSWORD',
    )
    .option('--app <names>', 'only these, separated by commas; also apps that have a role already')
    .option('--host <host>', "the database server of the apps; by default the Supervisor's")
    .option('--port <port>', 'its port')
    .option('--main-database <name>', 'the main database of the Worker, for apps that are a schema in it')
    .preload()
    .action(async ({ app: only, host, port, mainDatabase }: DatabaseRolesOptions) => {
      if (!config?.databaseRoles.admin) throw new Error('APP_SUPERVISOR_DATABASE_ADMIN_USER is not set.');
      const main = app.db.options as unknown as DatabaseConnection;
      const { dialect, ssl, dialectOptions } = main;
      const { user: username, password } = config.databaseRoles.admin;
      const place = { host: host ?? main.host, port: port ?? (host ? undefined : main.port) };
      const { moved, failed } = await moveToRoles({
        appRepository: new AppRepository(app),
        admin: { dialect, ssl, dialectOptions, ...place, username, password },
        aesKey: config.aesKey,
        workers: await workerRoles(app),
        only: only?.split(',') ?? null,
        main: mainDatabase ?? null,
      });
      console.log(moved.length ? `Moved: ${moved.join(', ')}. Restart them to use their roles.` : 'Nothing was moved.');
      if (failed.length) throw new Error(failed.map((each) => `${each.app}: ${each.reason}`).join('\n'));
    });
}

/** As the environments have registered them. */
async function workerRoles(app: Application): Promise<Map<string, string>> {
  const rows = await app.db.getRepository('appEnvironments').find();
  return new Map(
    rows.flatMap((row: Model): [string, string][] => {
      const user = (row.get('registration') as Partial<Registration>).databaseRole?.user;
      return user ? [[row.get('name') as string, user]] : [];
    }),
  );
}
