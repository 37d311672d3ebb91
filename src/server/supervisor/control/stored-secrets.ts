import type { Health } from '../../../shared/types';
import { messageOf } from '../../errors';
import type { Log } from '../../log';
import type { AppCache } from '../apps/cache';
import type { AppService } from '../apps/service';
import type { Driver } from './driver';

const isAlive = (health: Health) => health === 'online' || health === 'suspect';

export interface StoredSecretsOptions {
  appCache: AppCache;
  driver: Driver;
  service: AppService;
  leads(): boolean;
  log: Log;
}

/**
 * Apps that were stored without a JWT secret of their own, before 0.1.1 or by a Supervisor that is still older, get one.
 *
 * @returns does what there is to do, one app after the other; never rejects
 */
export function secretStorer(options: StoredSecretsOptions): () => Promise<void> {
  const { appCache, driver, service, leads, log } = options;
  let going = false;

  async function storeAll(): Promise<void> {
    for (const { name, uid, jwtSecret, environments } of [...appCache.apps.values()]) {
      if (jwtSecret !== null || driver.active.some(({ appUid }) => appUid === uid)) continue;
      // Of those that nobody hosts now there may be thousands, and each would wait for its environment.
      if (!environments.some((environment) => isAlive(driver.sight(environment, name).health))) continue;
      if (!leads()) return;
      await service.giveSecret(name).then(
        () => log.info(`App ${name} has a JWT secret of its own from its next start on.`, { app: name }),
        (error) =>
          log.warn(`App ${name} could not be given a JWT secret, it is tried again: ${messageOf(error)}`, {
            app: name,
          }),
      );
    }
  }

  return async () => {
    if (going) return;
    going = true;
    await storeAll().finally(() => {
      going = false;
    });
  };
}
