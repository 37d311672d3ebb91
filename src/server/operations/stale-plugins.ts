import type { Catalog } from '../apps/catalog';
import { messageOf } from '../errors';
import type { Log } from '../log';
import type { StatusBoard } from '../status/board';
import type { Driver } from './driver';
import type { AppService } from './service';

export interface StalePluginsOptions {
  board: StatusBoard;
  catalog: Catalog;
  driver: Driver;
  service: AppService;
  log: Log;
}

/**
 * Plugins of an app were enabled, disabled or updated in one of its environments: the others restart, one after the other,
 * since nothing else tells them.
 * @param names of apps that something new is said of
 */
export async function restartStale(names: Set<string>, options: StalePluginsOptions): Promise<void> {
  const { board, driver, service, catalog, log } = options;
  for (const name of names) {
    const app = catalog.apps.get(name);
    if (!app || app.environments.length < 2 || app.desired === 'stopped') continue;
    const stale = app.environments.filter((environment) => {
      const entry = board.observed(environment, name)?.entry;
      return entry?.uid === app.uid && entry.status === 'running' && entry.pendingChanges.includes('plugins');
    });
    if (!stale.length || driver.active.some((operation) => operation.appUid === app.uid)) continue;
    log.info(`App ${name}: its plugins were changed elsewhere; ${stale.join(', ')} restart.`);
    await service
      .command(name, 'restart', null, { environments: stale })
      .catch((error) => log.warn(`App ${name} could not be restarted: ${messageOf(error)}`));
  }
}
