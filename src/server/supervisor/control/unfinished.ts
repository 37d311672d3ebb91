import { messageOf } from '../../errors';
import type { Log } from '../../log';
import type { AppCache } from '../apps/cache';
import type { AppService } from '../apps/service';
import type { Driver } from './driver';
import { claimMet, leftUndone } from './rollout';
import type { OperationStore } from './store';

export interface UnfinishedOptions {
  appCache: AppCache;
  driver: Driver;
  operations: OperationStore;
  service: AppService;
  log: Log;
}

/**
 * An operation stops at the first environment that fails. Where the app comes up there by itself later, which its Worker
 * tries, nobody would ask for the rest: it would be missing in one environment, or run in one that it was taken from. What a
 * person cancelled stays cancelled.
 *
 * @returns takes the names of apps that something new is said of; never rejects
 */
export function finisher(options: UnfinishedOptions): (names: Iterable<string>) => Promise<void> {
  const { appCache, driver, operations, service, log } = options;
  /** Until the driver knows of their operations. */
  const going = new Set<string>();

  async function finish(name: string): Promise<void> {
    const app = appCache.apps.get(name);
    if (!app || driver.active.some(({ appUid }) => appUid === app.uid)) return;
    const entryIn = (environment: string) => driver.sight(environment, name).entry;
    if (claimMet(app, entryIn)) await driver.endClaim(name);
    const missing = leftUndone(app, entryIn);
    if (!missing) return;
    const [[newest]] = await operations.page({ appUid: app.uid }, ['-createdAt', '-id'], 1, 1);
    if (newest?.state !== 'failed') return;
    log.info(`App ${name}: what failed is well by now, and its ${newest.action} goes on.`, { app: name });
    await service.finish(name, missing);
    await driver.tick();
  }

  return async (names) => {
    for (const name of names) {
      if (going.has(name)) continue;
      going.add(name);
      await finish(name)
        .catch((error) => log.warn(`App ${name} could not be gone on with: ${messageOf(error)}`, { app: name }))
        .finally(() => going.delete(name));
    }
  };
}
