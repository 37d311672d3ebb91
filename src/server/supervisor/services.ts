import type { Application } from '@nocobase/server';
import type { Message } from '../../shared/message';
import type { Clock } from '../clock';
import type { Log } from '../log';
import type { FindInstalled } from '../nocobase/installed-plugins';
import { AppIndexWriter } from '../protocol/app-index';
import type { MessageBus } from '../protocol/bus';
import type { Stores } from '../protocol/stores';
import type { Random } from '../random';
import { AppCache } from './apps/cache';
import { Migration } from './apps/migration';
import { AppRepository } from './apps/repository';
import { AppService } from './apps/service';
import { AppReconciler } from './control/app-reconciler';
import { EnvironmentReconciler } from './control/environment-reconciler';
import { FleetReconciler } from './control/fleet-reconciler';
import { EnvironmentRemoval } from './control/forgetting';
import { Leadership } from './control/leader';
import { ControlLoop, reportFailure } from './control/loop';
import { Publisher } from './control/publisher';
import type { Operation } from './control/rollout';
import { OperationCache, OperationStore } from './control/store';
import { WorkQueue } from './control/work-queue';
import { CompatibilityPolicy } from './fleet/compatibility-policy';
import { EnvironmentCache } from './fleet/environment-cache';
import { FleetObserver } from './fleet/observer';
import { EnvironmentRegistry } from './fleet/registry';
import { WorkerRequests } from './fleet/worker-requests';
import { FleetView } from './view';

/** How many apps and environments the control loop works on at a time. */
const CONCURRENCY = 8;

/** What is done without being asked, and how often, in ms; tests hurry. */
export interface SupervisorPace {
  /** The fleet is looked at; two Redis commands a look. */
  poll: number;
  /** Definitions are read anew. */
  reload: number;
  /** The store is compared with what it should hold. */
  reconcile?: number;
  /** A lead that does not move is over. */
  leadExpiry?: number;
  /** Begins again after it could not begin. */
  beginAgain: number;
}

export interface SupervisorPartOptions {
  stores: Pick<Stores, 'records' | 'leases' | 'fleet' | 'statuses' | 'appIndex' | 'warnings'>;
  bus: MessageBus;
  instance: string;
  aesKey: Buffer | null;
  appKey: string;
  clock: Clock;
  random: Random;
  log: Log;
  warnings: Message[];
  /** `WS_PATH`, to try whether a worker opens WebSockets. */
  wsPath: string;
  /** `APP_SUPERVISOR_PUBLIC_URL`, for the workers to know. */
  publicUrl: string | null;
  schemaByDefault: boolean;
  findInstalled: FindInstalled;
  /** What a new app gets when its request names none; null when it has to name some. */
  defaultEnvironments: string[] | null;
  pace?: SupervisorPace;
  onOperationEnd?(operation: Operation): void;
}

export interface ServicesOptions extends SupervisorPartOptions {
  /** As in `AppReconcilerOptions`. */
  onAppEnd(uid: string): Promise<void>;
}

export type Services = ReturnType<typeof createServices>;

/**
 * What manages apps, on the database of this main app. Each service gets what was made before it; what one of them has to
 * tell an earlier one is told by its feeds (`SupervisorPart.listen`).
 */
export function createServices(main: Application, options: ServicesOptions) {
  const { stores, bus, instance, publicUrl, aesKey, clock, random, log, defaultEnvironments, findInstalled } = options;
  const isThisProcess = defaultEnvironments !== null;
  const known = createKnown(main, options);
  const { appCache, active, leadership, observer } = known;
  const leads = () => leadership.leads;
  const registry = new EnvironmentRegistry(main);
  const appIndex = new AppIndexWriter(stores.appIndex, { instance, publicUrl });
  const removal = new EnvironmentRemoval({ ...known, fleet: stores.fleet, bus, clock });
  const takeOut = (environment: string) => removal.takeOut(environment);
  const environmentCache = new EnvironmentCache({ registry, observer, clock, log, leads, takeOut });
  const compatibility = new CompatibilityPolicy({
    environmentCache,
    appCache,
    observer,
    aesKey,
    appVersion: main.getPackageVersion(),
    findInstalled,
    isOneRelease: isThisProcess,
  });
  const service = new AppService({
    app: main,
    ...known,
    bus,
    clock,
    random,
    aesKey,
    defaultEnvironments,
    compatibility,
  });
  const publisher = new Publisher({ ...known, records: stores.records, bus, log });
  const { onAppEnd, pace } = options;
  const apps = new AppReconciler({ ...known, publisher, service, compatibility, clock, log, onAppEnd });
  const fleet = new FleetReconciler({ ...known, store: stores.fleet, clock, log, every: pace?.reconcile });
  const loop = new ControlLoop({ ...known, apps, fleet, environmentCache, appIndex, bus, log });
  return {
    ...known,
    registry,
    appIndex,
    removal,
    environmentCache,
    compatibility,
    service,
    apps,
    loop,
    requests: new WorkerRequests({ bus, compatibility, defaultEnvironments }),
    migration: new Migration(main, appCache, service, options.schemaByDefault),
    view: new FleetView({ appCache, observer, active, environmentCache, compatibility, isThisProcess }),
  };
}

/** What should be, what is seen, who leads, and what there is to do. */
function createKnown(main: Application, options: ServicesOptions) {
  const { stores, bus, instance, clock, random, log, pace, onOperationEnd } = options;
  const appRepository = new AppRepository(main);
  const appCache = new AppCache(appRepository);
  const operations = new OperationStore(main, onOperationEnd);
  const active = new OperationCache(operations);
  const alone = main.db.inDialect('sqlite');
  const leadership = new Leadership({ app: main, instance, clock, random, log, expiry: pace?.leadExpiry, alone });
  const observer = new FleetObserver(stores, clock, log, () => leadership.fleet || null);
  const queue = new WorkQueue({ clock, random, concurrency: CONCURRENCY, onFailure: reportFailure(log) });
  const { records } = stores;
  const environments = new EnvironmentReconciler({ appCache, observer, leadership, records, bus, queue });
  return { appRepository, appCache, operations, active, leadership, observer, queue, environments };
}
