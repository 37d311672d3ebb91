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
import { Driver } from './control/driver';
import { EnvironmentRemoval } from './control/forgetting';
import { Leadership } from './control/leader';
import type { Operation } from './control/rollout';
import { staleRestarter } from './control/stale';
import { OperationStore } from './control/store';
import { secretStorer } from './control/stored-secrets';
import { finisher } from './control/unfinished';
import { CompatibilityPolicy } from './fleet/compatibility-policy';
import { EnvironmentCache } from './fleet/environment-cache';
import { FleetObserver } from './fleet/observer';
import { EnvironmentRegistry } from './fleet/registry';
import { WorkerRequests } from './fleet/worker-requests';
import { FleetView } from './view';

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
  /** As in `DriverOptions`. */
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
  const control = createControl(main, options);
  const { appRepository, appCache, operations, leadership, observer, driver } = control;
  const leads = () => leadership.leads;
  const registry = new EnvironmentRegistry(main);
  const appIndex = new AppIndexWriter(stores.appIndex, { instance, publicUrl });
  const removal = new EnvironmentRemoval({ ...control, fleet: stores.fleet, bus, clock });
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
    appRepository,
    appCache,
    operations,
    driver,
    observer,
    bus,
    clock,
    random,
    aesKey,
    defaultEnvironments,
    compatibility,
  });
  return {
    ...control,
    registry,
    appIndex,
    removal,
    environmentCache,
    compatibility,
    service,
    finishFailed: finisher({ appCache, driver, operations, service, log }),
    restartStale: staleRestarter({ observer, appCache, driver, service, compatibility, log }),
    storeSecrets: secretStorer({ appCache, driver, service, leads, log }),
    requests: new WorkerRequests({ bus, compatibility, defaultEnvironments }),
    migration: new Migration(main, appCache, service, options.schemaByDefault),
    view: new FleetView({ appCache, observer, driver, environmentCache, compatibility, isThisProcess }),
  };
}

/** What should be, what is seen, who leads, and what brings the one to the other. */
function createControl(main: Application, options: ServicesOptions) {
  const { stores, bus, instance, clock, random, log, pace, onOperationEnd, onAppEnd } = options;
  const appRepository = new AppRepository(main);
  const appCache = new AppCache(appRepository);
  const operations = new OperationStore(main, onOperationEnd);
  const leadership = new Leadership(main, instance, clock, random, pace?.leadExpiry, main.db.inDialect('sqlite'));
  const observer = new FleetObserver(stores, clock, log, () => leadership.fleet || null);
  const driver = new Driver({
    appRepository,
    appCache,
    operations,
    observer,
    leadership,
    records: stores.records,
    fleet: stores.fleet,
    bus,
    clock,
    log,
    reconcileEvery: pace?.reconcile,
    onAppEnd,
  });
  return { appRepository, appCache, operations, leadership, observer, driver };
}
