import type { Application } from '@nocobase/server';
import { keepMark, type Owner } from '../../databases';
import { messageOf } from '../../errors';
import type { Log } from '../../log';
import { retryWhenBusy } from '../../nocobase/undone';
import type { HostDatabase } from './host-database';

/**
 * NocoBase's backup plugin replaces the data of a running app, and restarts it by itself.
 *
 * @param connection with the password that the app's role has then
 * @param onStart called each time that the app has started by itself, once its mark is there
 */
export function watchRestores(
  app: Application,
  connection: () => Promise<HostDatabase>,
  owner: Owner,
  created: boolean,
  onStart: () => void,
  log: Log,
): void {
  app.on('__started', () =>
    retryWhenBusy(async () => keepMark(await connection(), owner, created)).then(
      (wasForeign) => {
        onStart();
        if (wasForeign)
          log.info(`App ${owner.app}: other data were restored into it; its mark was put back.`, { app: owner.app });
      },
      (error) => log.warn(`App ${owner.app}: its mark could not be looked at: ${messageOf(error)}`, { app: owner.app }),
    ),
  );
}
