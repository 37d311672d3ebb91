import type { StatusEntry } from '../../../shared/messages';
import { messageOf } from '../../errors';
import type { Log } from '../../log';
import type { AppCache } from '../apps/cache';
import type { AppDefinition } from '../apps/repository';
import type { AppService } from '../apps/service';
import type { CompatibilityPolicy } from '../fleet/compatibility-policy';
import type { FleetObserver } from '../fleet/observer';
import type { Driver } from './driver';

type Placed = Pick<AppDefinition, 'uid' | 'environments' | 'published'>;

/** Environments of an app that run it without what another one of them has: its plugins, or its JWT secret. Pure. */
export function staleIn(
  app: Placed,
  entryIn: (environment: string) => StatusEntry | null,
): Record<'plugins' | 'jwtSecret', string[]> {
  const running = app.environments.flatMap((environment) => {
    const entry = entryIn(environment);
    return entry?.uid === app.uid && entry.status === 'running' ? { environment, ...entry } : [];
  });
  const lacks = (change: string) => running.filter(({ pendingChanges }) => pendingChanges.includes(change));
  // One that has not read its newest record cannot say that it lacks something.
  const isUpToDate = ({ environment, generation }: (typeof running)[number]) =>
    generation >= (app.published[environment]?.generation ?? Number.POSITIVE_INFINITY);
  const withoutSecret = lacks('jwtSecret');
  const hasStarted = running.some((one) => !withoutSecret.includes(one) && isUpToDate(one));
  return {
    plugins: lacks('plugins').map(({ environment }) => environment),
    jwtSecret: hasStarted ? withoutSecret.map(({ environment }) => environment) : [],
  };
}

export interface StaleOptions {
  observer: FleetObserver;
  appCache: AppCache;
  driver: Driver;
  service: AppService;
  compatibility: Pick<CompatibilityPolicy, 'disagreementOf'>;
  log: Log;
}

/**
 * Restarts an app where it is stale, one environment after the other, since nothing else tells them.
 *
 * @returns takes the names of apps that something new is said of; never rejects
 */
export function staleRestarter(options: StaleOptions): (names: Iterable<string>) => Promise<void> {
  const { observer, appCache, driver, service, compatibility, log } = options;
  /** Until the driver knows of their operations. */
  const going = new Set<string>();

  async function restart(name: string): Promise<void> {
    const app = appCache.apps.get(name);
    if (!app || app.environments.length < 2 || app.desired === 'stopped') return;
    const { plugins, jwtSecret } = staleIn(app, (environment) => observer.observed(environment, name)?.entry ?? null);
    // A worker tells of its plugins only where the app can start again; of the secret, that has to be asked here.
    const canStart = jwtSecret.length > 0 && compatibility.disagreementOf(app.environments) === null;
    const stale = [...new Set([...plugins, ...(canStart ? jwtSecret : [])])];
    if (!stale.length || driver.active.some((operation) => operation.appUid === app.uid)) return;
    log.info(
      `App ${name}: its plugins or its JWT secret changed in another environment; ${stale.join(', ')} restart.`,
      { app: name },
    );
    await service.command(name, 'restart', null, { environments: stale });
    await driver.tick();
  }

  return async (names) => {
    for (const name of names) {
      if (going.has(name)) continue;
      going.add(name);
      await restart(name)
        .catch((error) => log.warn(`App ${name} could not be restarted: ${messageOf(error)}`, { app: name }))
        .finally(() => going.delete(name));
    }
  };
}
