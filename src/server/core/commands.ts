import type { Application } from '@nocobase/server';
import type { Config } from '../config';
import { AppRepository } from '../supervisor/apps/repository';
import { SnapshotStore } from '../worker/snapshot';
import { rekey } from './rekey';

const REKEY = 'app-supervisor:rekey';

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
        config?.oldAesKey ?? null,
        config?.aesKey ?? null,
      );
      console.log(`${changed} apps have new secrets at rest.`);
      if (unreadable.length) {
        throw new Error(`The secrets of ${unreadable.join(', ')} are sealed with neither key; they are as they were.`);
      }
    });
}
