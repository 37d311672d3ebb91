import type { Application } from '@nocobase/server';
import { ENVIRONMENT_NAME } from '../../shared/names';
import type { Config } from '../config';
import { environmentKeyOf, fleetKeyOf, Keyring } from '../protocol/keyring';
import { Secrets } from '../protocol/secrets';
import { AppRepository } from '../supervisor/apps/repository';
import { SnapshotStore } from '../worker/snapshot';
import { rekey } from './rekey';
import { keyringOf } from './wire';

/** What was sealed with the former key, in this database and for this environment. */
function formerSecrets(config: Config | null): Secrets {
  const environment = config?.part === 'worker' ? config.environment.name : '';
  const nothing = { fleetKey: null, environment: null, atRest: null };
  return new Secrets(config ? keyringOf({ ...config, aesKey: config.oldAesKey }) : new Keyring(nothing), environment);
}

const REKEY = 'app-supervisor:rekey';
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
      const { changed, unreadable } = await rekey(
        new AppRepository(app),
        new SnapshotStore(app),
        formerSecrets(config),
        config?.aesKey ?? null,
      );
      console.log(`${changed} apps have new secrets at rest.`);
      if (unreadable.length) {
        throw new Error(`The secrets of ${unreadable.join(', ')} are sealed with neither key; they are as they were.`);
      }
    });
  app
    .command(`${ENVIRONMENT_KEY} <environment>`)
    .description('Prints APP_SUPERVISOR_ENVIRONMENT_KEY for the Worker of an environment; on the Supervisor')
    .action((environment: string) => {
      if (config?.part !== 'supervisor') throw new Error('Only the Supervisor has the keys of all environments.');
      if (!ENVIRONMENT_NAME.test(environment)) throw new Error(`"${environment}" is no name of an environment.`);
      const { aesKey, host } = config;
      console.log(environmentKeyOf(fleetKeyOf(aesKey ?? host.appKey), environment).toString('hex'));
    });
}
