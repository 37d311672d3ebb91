import type { Message } from '../../shared/message';
import type { Registration } from '../../shared/messages';
import type { EnvironmentConfig } from '../config';
import { Lease } from '../lease/lease';
import { OwnConnection } from '../lease/own-connection';
import { workerLeases } from '../lease/tables';
import type { AppIndexReader } from '../protocol/app-index';
import type { MessageBus, RequestHandlers } from '../protocol/bus';
import type { Stores } from '../protocol/stores';
import type { Random } from '../random';
import { AppController, type AppControllerOptions } from './apps/controller';
import { OneAppSnapshot } from './apps/one-app-snapshot';
import { SnapshotStore } from './apps/snapshot';
import { hasFormerProcess } from './former-release';
import type { HostDatabase } from './hosting/host-database';
import { placeOf } from './installation';
import { RecordReader } from './record-reader';
import { StatusReporter } from './status-reporter';
import { Tenures } from './tenures';
import type { Vitals } from './vitals';

/** What is made for each start. */
type Made = 'environment' | 'snapshot' | 'mayHost' | 'mayBoot' | 'authority';

export interface WorkerPartOptions extends Omit<AppControllerOptions, Made> {
  stores: Pick<Stores, 'records' | 'leases' | 'statuses' | 'appIndex' | 'returns'>;
  bus: MessageBus;
  environment: EnvironmentConfig;
  /** The only app that this process runs; null if it runs all apps of the environment. */
  only: string | null;
  /** `APP_SUPERVISOR_PUBLIC_URL` of this process, which overrides the one that the Supervisor publishes. */
  publicUrl: string | null;
  instance: string;
  aesKey: Buffer | null;
  /** Whether `APP_SUPERVISOR_ENVIRONMENT_KEY` is its only key of the fleet. */
  hasOwnKey?: boolean;
  appKey: string;
  /** Folder to which apps write; absent: its disk is not looked at. */
  storagePath?: string;
  random: Random;
  warnings: Message[];
  /** Names the main database; absent: by what it says itself. */
  place?(): Promise<string>;
  /** Whether a process of release 0.2.0 may still host; absent: as `hasFormerProcess`. */
  hasFormer?(): Promise<boolean>;
  /** Nothing more can be hosted by this process. */
  onSpent?(): void;
  /** Its answers to requests. */
  handlers: RequestHandlers;
  roundEvery?: number;
  beginAgain?: number;
  recordsWithin?: number;
}

/** A process that runs one app is next to the one that runs the others, which holds the environment itself. */
const leaseKey = ({ environment, only }: Pick<WorkerPartOptions, 'environment' | 'only'>) =>
  only === null ? environment.name : `${environment.name}/${only}`;

/** The lease by which this process hosts; it is made before the main app has started, and outlives its restarts. */
export function createLease(options: WorkerPartOptions): Lease {
  const { coreApps, environment, instance, clock, log } = options;
  // The core makes another main app when it is reloaded, and has none between two, and when the process ends.
  let { main } = coreApps.apps;
  return new Lease({
    connection: new OwnConnection(
      {
        get db() {
          main = coreApps.apps.main ?? main;
          return main.db;
        },
      },
      workerLeases,
    ),
    table: workerLeases.name,
    key: { environment: leaseKey(options) },
    what: `environment ${leaseKey(options)}`,
    instance,
    interval: environment.heartbeatInterval,
    clock,
    log,
  });
}

export type Services = ReturnType<typeof createServices>;

/**
 * The services that host apps, from a start to the end. Each service gets those that were created before it; events for
 * an earlier one go through feeds (`WorkerPart.listen`).
 */
export function createServices(
  options: WorkerPartOptions,
  lease: Lease,
  vitals: Vitals,
  appIndex: AppIndexReader,
  describe: (epoch: number) => Promise<Registration>,
) {
  const { coreApps, stores, only, clock, random, log } = options;
  const environment = options.environment.name;
  const { main } = coreApps.apps;
  const store = new SnapshotStore(main);
  const followed = only === null ? null : new OneAppSnapshot(store, only);
  /** The tenure, and whether what the last one wrote was read in it: nothing is done before. */
  const known = { tenure: null as object | null, isCurrent: false };
  const databaseId = () => store.databaseId(random.id());
  const tenures: Tenures = new Tenures({
    ...options,
    lease,
    leases: stores.leases,
    environment,
    interval: options.environment.heartbeatInterval,
    vitals: () => vitals.read(clock.now().mono),
    place: options.place ?? placeOf(main.db.options as unknown as HostDatabase, environment, databaseId),
    hasEnded: () => reader.hasOtherKey,
    describe,
    end: () => {
      Object.assign(known, { tenure: null, isCurrent: false });
      return controller.standDown();
    },
  });
  const authority = tenures.authority(leaseKey(options));
  const controller: AppController = new AppController({
    ...options,
    authority,
    environment,
    snapshot: followed ?? store,
    mayHost: () => tenures.hosts && known.isCurrent,
    mayBoot: () => tenures.mayBegin,
  });
  const reporter = new StatusReporter({
    ...options,
    environment,
    statuses: stores.statuses,
    epoch: () => (tenures.hosts && known.isCurrent ? tenures.announcer.announced : null),
    entries: (names) =>
      (names === 'all' ? controller.apps.names() : names).flatMap((name) => controller.apps.entry(name) ?? []),
    onRefused: () => void tenures.announcer.announce(),
  });
  const { names } = options.host;
  const { records } = stores;
  const mayRead = () => known.isCurrent;
  const reader = new RecordReader({ environment, records, followed, appIndex, controller, names, log, mayRead });
  const hasFormer =
    options.hasFormer ??
    (() => hasFormerProcess(main.db.options as unknown as HostDatabase, leaseKey(options), stores.leases));
  return { known, hasFormer, tenures, controller, reporter, reader };
}
