import type { Clock } from '../../clock';
import type { Log } from '../../log';
import type { FleetStore } from '../../protocol/stores/fleet';
import { COMPARE } from '../../timing';
import type { AppCache } from '../definitions/app-cache';
import type { EnvironmentRegistry } from '../definitions/environment-registry';
import { KEEP_OPERATIONS, type OperationCache, type OperationStore } from '../definitions/operation-store';
import { type AppRepository, KEEP_DELETED } from '../definitions/repository';
import { type Leadership, TermOver } from './leader';
import { appKey, environmentKey, INDEX, ROUTES } from './queue-keys';
import type { RecordReconciler } from './record-reconciler';
import type { WorkQueue } from './work-queue';

/** Interval at which old rows are removed, in ms. */
const CLEAN_EVERY = 3_600_000;
/** How long the deletion of an app waits for an environment that is down, in ms. */
export const KEEP_TOMBSTONES = 180 * 24 * 3_600_000;

export interface FleetReconcilerOptions {
  appRepository: AppRepository;
  appCache: AppCache;
  operations: OperationStore;
  active: OperationCache;
  /** The `appBatches` table. */
  batches: Pick<OperationStore, 'removeOlderThan'>;
  environments: RecordReconciler;
  registry: Pick<EnvironmentRegistry, 'names'>;
  leadership: Leadership;
  store: FleetStore;
  queue: WorkQueue;
  clock: Clock;
  log: Log;
  /** Replaces `COMPARE`, in ms. */
  every?: number;
}

/**
 * Compensates for missed events: reads definitions and operations, makes sure that the store belongs to this fleet, and
 * has every environment compared. Removes old rows.
 */
export class FleetReconciler {
  private cleanedAt: number | null = null;

  constructor(private readonly options: FleetReconcilerOptions) {}

  /** Reads definitions and operations. @throws if the database cannot be reached */
  async read(): Promise<void> {
    const { appCache, active } = this.options;
    await appCache.load();
    await active.load();
  }

  /** @throws if the database or the store cannot be reached */
  async reconcile(): Promise<number> {
    const { appCache, active, environments, registry, leadership } = this.options;
    const { store, queue, log, every = COMPARE } = this.options;
    for (const { appName, appUid } of active.all()) queue.add(appKey({ name: appName, uid: appUid }));
    for (const { name, uid } of appCache.tombstones.values()) queue.add(appKey({ name, uid }));
    await this.clean();
    if (!leadership.leads) throw new TermOver();
    const owner = await store.nameFleet(leadership.fleet);
    if (owner !== leadership.fleet) {
      log.error(
        'Another fleet uses the same APP_SUPERVISOR_KEY_PREFIX on this Redis; this one publishes nothing until it has its own.',
      );
      return every;
    }
    // Also the forgotten ones: an older copy of the store may still have their records.
    const names = new Set([...environments.names(), ...(await registry.names())]);
    for (const name of names) queue.add(environmentKey(name));
    queue.add(INDEX);
    queue.add(ROUTES);
    return every;
  }

  private async clean(): Promise<void> {
    const { appRepository, operations, batches, clock, leadership } = this.options;
    const { mono, wall } = clock.now();
    if (this.cleanedAt !== null && mono - this.cleanedAt < CLEAN_EVERY) return;
    await leadership.write(async (transaction) => {
      await operations.removeOlderThan(wall - KEEP_OPERATIONS, transaction);
      await batches.removeOlderThan(wall - KEEP_OPERATIONS, transaction);
      await appRepository.removeTombstonesOlderThan(wall - KEEP_TOMBSTONES, wall - KEEP_DELETED, transaction);
    });
    this.cleanedAt = mono;
  }
}
