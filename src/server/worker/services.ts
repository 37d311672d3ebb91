import type { Message } from '../../shared/message';
import type { Clock } from '../clock';
import type { EnvironmentConfig } from '../config';
import type { Log } from '../log';
import type { CoreAppRegistry } from '../nocobase/core-app-registry';
import type { AppIndexReader } from '../protocol/app-index';
import type { MessageBus, RequestHandlers } from '../protocol/bus';
import type { Stores } from '../protocol/stores';
import type { Random } from '../random';
import { AppController } from './apps/controller';
import { createAuthority } from './authority';
import { FollowedSnapshot } from './followed-snapshot';
import type { HostDatabase } from './hosting/connection';
import type { AppHost } from './hosting/host';
import { LeaseKeeper } from './lease';
import type { ProcessLock } from './lock-watch';
import { createProcessLock } from './process-lock';
import { RecordReader } from './record-reader';
import { StatusReporter } from './reporter';
import { type Remembered, SnapshotStore } from './snapshot';
import type { CopyAhead } from './uploads/ahead';
import type { Vitals } from './vitals';

export interface WorkerPartOptions {
  coreApps: CoreAppRegistry;
  host: AppHost;
  stores: Pick<Stores, 'records' | 'leases' | 'fleet' | 'statuses' | 'appIndex' | 'returns'>;
  bus: MessageBus;
  environment: EnvironmentConfig;
  /** The only app that this process runs; null if it runs all apps of the environment. */
  only: string | null;
  /** `APP_SUPERVISOR_PUBLIC_URL` of this process, which overrides the one that the Supervisor publishes. */
  publicUrl: string | null;
  instance: string;
  aesKey: Buffer | null;
  /** As in `RegistrationOptions`. */
  hasOwnKey?: boolean;
  appKey: string;
  /** Folder to which apps write; absent: its disk is not looked at. */
  storagePath?: string;
  /** As in `AppControllerOptions`. */
  apiBase?: string;
  copyAhead?: CopyAhead;
  blame?(row: Remembered): Remembered;
  clock: Clock;
  random: Random;
  log: Log;
  warnings: Message[];
  /** Replaces the session lock on the main app's database. */
  lock?: ProcessLock;
  /** Its answers to requests. */
  handlers: RequestHandlers;
  roundEvery?: number;
  beginAgain?: number;
  leaving?: number;
  secretsWithin?: number;
  recordsWithin?: number;
  admittedWithin?: number;
}

const ofApps = ({ leaving, apiBase, copyAhead, blame }: WorkerPartOptions) => ({ leaving, apiBase, copyAhead, blame });

export type Services = ReturnType<typeof createServices>;

/**
 * The services that host apps, from a start to the end. Each service gets those that were created before it; events for
 * an earlier one go through feeds (`WorkerPart.listen`).
 */
export function createServices(options: WorkerPartOptions, vitals: Vitals, appIndex: AppIndexReader) {
  const { coreApps, stores, bus, instance, only, clock, random, log } = options;
  const environment = options.environment.name;
  const { main } = coreApps.apps;
  const store = new SnapshotStore(main);
  const followed = only === null ? null : new FollowedSnapshot(store, only);
  // Next to the process that runs the other apps, which has the environment's own lock.
  const lockName = only === null ? environment : `${environment}/${only}`;
  /** Whether apps without a JWT secret have waited for it long enough. */
  const secrets = { areLate: false };
  /**
   * Whether this process has read the snapshot since it hosts, and so may act: another one wrote it before. Whether the main database has what
   * it wrote since: it may be an older copy once the session there has ended.
   */
  const known = { isCurrent: false, isStored: false };
  const { heartbeatInterval: interval, lockAddress } = options.environment;
  const lockOf = () => {
    const database = main.db.options as unknown as HostDatabase;
    const databaseId = () => store.databaseId(random.id());
    return createProcessLock(database, lockName, databaseId, clock, log, lockAddress);
  };
  const keeper = new LeaseKeeper({
    leases: stores.leases,
    environment,
    instance,
    interval,
    lock: options.lock ?? lockOf(),
    hosts: followed ?? store,
    clock,
    random,
    log,
    vitals: () => vitals.read(),
  });
  const authority = createAuthority(lockName, instance, keeper, clock);
  const controller = new AppController({
    authority,
    environment,
    snapshot: followed ?? store,
    host: options.host,
    coreApps,
    clock,
    log,
    mayHost: () => keeper.hosts && known.isCurrent,
    isStandby: () => keeper.role === 'standby',
    mayBoot: ({ jwtSecret }) => keeper.mayBegin && (jwtSecret !== null || secrets.areLate),
    ...ofApps(options),
  });
  const reporter = new StatusReporter({
    environment,
    instance,
    statuses: stores.statuses,
    bus,
    clock,
    log,
    epoch: () => (keeper.role === 'holder' ? keeper.epoch : null),
    entries: (names) =>
      (names === 'all' ? controller.apps.names() : names).flatMap((name) => controller.apps.entry(name) ?? []),
    onRefused: () => void keeper.beatNow(),
  });
  const { names } = options.host;
  const reader = new RecordReader({ environment, records: stores.records, followed, appIndex, controller, names, log });
  return { secrets, known, keeper, controller, reporter, reader };
}
