import type { Application } from '@nocobase/server';
import type { Event } from '../../shared/event';
import type { Message } from '../../shared/message';
import type { Operation } from '../../shared/operation';
import type { Addresses } from '../../shared/origins';
import type { Clock } from '../clock';
import type { DatabaseConnection } from '../databases';
import type { Log } from '../log';
import type { FindInstalled } from '../nocobase/installed-plugins';
import type { AppTrafficCount } from '../observability/app-traffic';
import type { TrafficCount } from '../observability/traffic';
import { createAppIndexWriter } from '../protocol/app-index';
import type { MessageBus } from '../protocol/bus';
import type { Keyring } from '../protocol/keyring';
import type { Stores } from '../protocol/stores';
import type { Random } from '../random';
import { checklistOf } from './checklist';
import { gatherFacts, type OwnFacts } from './checklist/facts';
import { Containers } from './containers/containers';
import type { WorkerDriver } from './containers/driver';
import { AppReconciler } from './control/app-reconciler';
import { FleetReconciler } from './control/fleet-reconciler';
import { EnvironmentRemoval } from './control/forgetting';
import { Leadership } from './control/leader';
import { ControlLoop, reportFailure } from './control/loop';
import { Publisher } from './control/publisher';
import { RecordReconciler } from './control/record-reconciler';
import { RoutePublisher, type RouteTable } from './control/route-publisher';
import { WorkQueue } from './control/work-queue';
import { AppCache } from './definitions/app-cache';
import { EnvironmentRegistry } from './definitions/environment-registry';
import { EventStore } from './definitions/event-store';
import { OperationCache, OperationStore } from './definitions/operation-store';
import { AppRepository } from './definitions/repository';
import { ViewStore } from './definitions/saved-views';
import type { ProbeDomain } from './domains/domain-probe';
import { DomainWatch } from './domains/domain-watch';
import { EventWatch } from './events/event-watch';
import { ChangeJournal } from './events/journal';
import { EventRecorder } from './events/recorder';
import { CompatibilityPolicy } from './fleet/compatibility-policy';
import type { DoorCounts } from './fleet/door-counts';
import { doorTroubles } from './fleet/door-troubles';
import { DoorWatch } from './fleet/door-watch';
import { EnvironmentCache } from './fleet/environment-cache';
import { FleetObserver } from './fleet/observer';
import { ReachWatch } from './fleet/reach-watch';
import { checkReach, hostsAt, reaches } from './fleet/reachability';
import { FleetView } from './fleet/view';
import { WorkerRequests } from './fleet/worker-requests';
import { EnvironmentJoins } from './joining/joins';
import { Notices } from './notices/notices';
import { NotifierSettings } from './notices/notifier-settings';
import { NotifierStore } from './notices/notifier-store';
import { createSenders } from './notices/senders';
import { LoadRecorder } from './overview/load-recorder';
import { Summary } from './overview/summary';
import { Drains } from './placement/drains';
import { Failovers } from './placement/failovers';
import { Moves } from './placement/moves';
import { NewApps } from './placement/new-apps';
import { AdministratorResets } from './requests/administrator-resets';
import { Batches } from './requests/batches';
import { AppCommands, type AppCommandsOptions } from './requests/commands';
import { Migration } from './requests/migration';
import { AppService } from './requests/service';

/** How many apps and environments the control loop works on at a time. */
const CONCURRENCY = 8;

/** Intervals of the periodic work, in ms; tests use shorter ones. */
export interface SupervisorPace {
  /** Interval of polling the fleet; two Redis commands for each poll. */
  poll: number;
  /** Interval of reading all definitions. */
  reload: number;
  /** Interval of comparing the store with the database. */
  reconcile?: number;
  /** A lead without a heartbeat for this long has expired. */
  leadExpiry?: number;
  /** Delay before the next attempt to begin. */
  beginAgain: number;
}

export interface SupervisorPartOptions {
  stores: Omit<Stores, 'manifests' | 'sso' | 'open' | 'close'>;
  bus: MessageBus;
  instance: string;
  aesKey: Buffer | null;
  clock: Clock;
  random: Random;
  log: Log;
  warnings: Message[];
  /** `WS_PATH`, to test whether a worker opens WebSockets. */
  wsPath: string;
  /** `APP_SUPERVISOR_PUBLIC_URL`, for the workers. */
  publicUrl: string | null;
  /** `APP_SUPERVISOR_APPS_DOMAIN`; absent: none. */
  appsDomain?: string | null;
  schemaByDefault: boolean;
  findInstalled: FindInstalled;
  /** For the security checklist, and for the Workers of new environments. */
  own(): OwnFacts;
  /** Absent where nothing is signed. */
  keyring?: Pick<Keyring, 'fleetKey' | 'floorOf' | 'raise'>;
  /** Makes the driver of the engine that the Supervisor was given; absent: it was given none. */
  driver?(fleet: () => string): WorkerDriver;
  /** Proxy addresses of an environment that variables of the Supervisor name; absent: none. */
  addressesOf?(environment: string): readonly string[];
  /** Absent where there can be no door. */
  routes?: RouteTable;
  /** How many doors there are to be; absent: none. */
  expectedDoors?: number;
  /** Doors have counted requests. @param isLeader whether this process leads */
  onDoorCounts?(counts: DoorCounts, isLeader: boolean): void;
  /** Absent: custom domains are not checked. */
  probeDomain?: ProbeDomain;
  /** Whether a Worker answers at this address of its environment; never rejects. A simulation plays it. */
  reaches?(proxyUrl: string): Promise<boolean>;
  /** Whether the Worker at this address says that it hosts its environment; never rejects. A simulation plays it. */
  hosts?(proxyUrl: string): Promise<boolean>;
  /** Environments of a new app whose request names none; null if it has to name some. */
  defaultEnvironments: string[] | null;
  pace?: SupervisorPace;
  /** Whether rows are of a former release, and what writes them as they are today, before any is read. */
  rows?: { areFormer(main: Application): Promise<boolean>; upgrade(main: Application): Promise<void> };
  onOperationEnd?(operation: Operation): void;
  /** Requests that this process has proxied, by environment; absent: it proxies none. */
  traffic?(): ReadonlyMap<string, TrafficCount>;
  /** Of each app since the last call; absent: it proxies none. */
  appTraffic?(): ReadonlyMap<string, AppTrafficCount>;
}

export interface ServicesOptions extends SupervisorPartOptions, Pick<AppCommandsOptions, 'onCommand'> {
  /** As in `AppReconcilerOptions`. */
  onAppEnd(uid: string): Promise<void>;
}

export type Services = ReturnType<typeof createServices>;
type Known = ReturnType<typeof createKnown>;
type Observed = Known & ReturnType<typeof createObserved>;

/**
 * The services that manage apps, on the database of this main app. Each service gets those that were created before it;
 * events for an earlier one go through feeds (`SupervisorPart.listen`).
 */
export function createServices(main: Application, options: ServicesOptions) {
  const { stores, bus, clock, random, log, aesKey, defaultEnvironments } = options;
  const addresses = { publicUrl: options.publicUrl, appsDomain: options.appsDomain ?? null };
  const known = createKnown(main, options);
  const observed = { ...known, ...createObserved(main, options, known) };
  const publishing = createPublishing(known, options, addresses);
  const service = new AppService({
    app: main,
    ...observed,
    bus,
    clock,
    random,
    aesKey,
    defaultEnvironments,
    addresses,
  });
  const onFinish = (operation: Operation) => observed.watch.noteOperation(operation);
  const ends = { onAppEnd: options.onAppEnd, onFinish };
  const publisher = new Publisher({ ...known, clock });
  const passes = {
    apps: new AppReconciler({ ...observed, ...ends, publisher, clock, random, log, aesKey }),
    fleet: new FleetReconciler({ ...known, store: stores.fleet, clock, log, every: options.pace?.reconcile }),
    removal: new EnvironmentRemoval({ ...known, store: stores.fleet, bus, clock }),
  };
  const placement = createPlacement({ ...observed, service }, options);
  return {
    ...observed,
    ...createProbes(known, options, addresses),
    ...publishing,
    ...passes,
    service,
    loop: new ControlLoop({ ...known, ...placement, ...publishing, ...passes, bus, log }),
    ...placement,
    ...createOverview({ ...observed, ...placement, service }, options),
    commands: new AppCommands({ ...options, ...observed, service }),
    migration: new Migration(main, known.appCache, service, options.schemaByDefault),
    administrators: new AdministratorResets({ ...options, ...observed, ...placement }),
    ...createForPeople(main, options, observed),
  };
}

/** The desired state, the observations, the lead, and the work queue. */
function createKnown(main: Application, options: ServicesOptions) {
  const { stores, bus, instance, clock, random, log, pace, onOperationEnd } = options;
  const appRepository = new AppRepository(main);
  const appCache = new AppCache(appRepository);
  const operations = new OperationStore(main, onOperationEnd);
  const active = new OperationCache(operations);
  const batches = new Batches({ app: main, operations, clock, random });
  const leadership = new Leadership({ app: main, instance, clock, random, log, expiry: pace?.leadExpiry });
  const observer = new FleetObserver(stores, clock, log, () => leadership.fleet || null);
  const queue = new WorkQueue({ clock, random, concurrency: CONCURRENCY, onFailure: reportFailure(log) });
  const registry = new EnvironmentRegistry(main);
  const { records, fleet, leases, sealed } = stores;
  const environmentCache = new EnvironmentCache({ ...options, registry, observer, leadership });
  const given = { appCache, observer, environmentCache, leadership, registry, bus, queue, clock, log };
  const environments = new RecordReconciler({ ...given, records, fleet, leases, sealed });
  const known = { appRepository, appCache, operations, active, batches, leadership, observer, queue, registry };
  return { ...known, environmentCache, environments };
}

/** What follows from that: what fits together, what is shown, and what is recorded. */
function createObserved(main: Application, options: ServicesOptions, known: Known) {
  const { clock, random, log } = options;
  const isThisProcess = options.defaultEnvironments !== null;
  const appVersion = main.getPackageVersion();
  const compatibility = new CompatibilityPolicy({ ...options, ...known, appVersion, isOneRelease: isThisProcess });
  const doors = createDoors(known, options);
  const events = new EventStore(main);
  const recorder = new EventRecorder({ ...known, events, clock, random, log });
  return {
    isThisProcess,
    compatibility,
    ...doors,
    view: new FleetView({ ...known, ...doors, compatibility, isThisProcess }),
    events,
    recorder,
    watch: new EventWatch({ ...known, events, recorder, clock, log }),
    journal: new ChangeJournal({ events, clock, random, log }),
  };
}

/** What other processes may know of all apps. */
function createPublishing(
  known: Known,
  { stores, instance, clock, routes: table }: ServicesOptions,
  addresses: Addresses,
) {
  return {
    appIndex: createAppIndexWriter(stores.appIndex, { instance, ...addresses }, clock),
    routes: table ? new RoutePublisher({ ...known, store: stores.routes, table, clock }) : null,
  };
}

/** What doors report, and what is wrong with them. */
function createDoors(known: Known, { stores, clock, expectedDoors = 0 }: ServicesOptions) {
  const { leadership, appCache, environmentCache } = known;
  const doors = new DoorWatch({ doors: stores.doors, clock, leads: () => leadership.leads });
  return {
    doors,
    doorTroubles() {
      const all = doors.all();
      if (!doors.isSettled || !(expectedDoors || all.length)) return [];
      const domains = [...appCache.apps.values()].flatMap(({ name, uid, cname }) =>
        cname ? [{ name, uid, domain: cname }] : [],
      );
      const awaited = { expected: expectedDoors, leaving: doors.leaving };
      return doorTroubles(all, awaited, domains, new Set(environmentCache.names()), clock.now().wall);
    },
  };
}

/** What decides where apps run. */
function createPlacement(given: Observed & { service: AppService }, options: ServicesOptions) {
  const requests = new WorkerRequests({ ...options, ...given });
  const moves = new Moves({ ...given, requests });
  const hosts = options.hosts ?? ((url: string) => hostsAt(url, options.own().config.host.apiBasePath));
  return {
    requests,
    moves,
    newApps: new NewApps({ ...options, ...given, requests }),
    failovers: new Failovers({ ...options, ...given, moves, hosts }),
  };
}

/** What asks whether an address answers: that of a Worker, and the domain of an app. */
function createProbes(known: Known, options: ServicesOptions, addresses: Addresses) {
  const { clock, random, log, bus, wsPath, probeDomain } = options;
  return {
    reach: new ReachWatch({ ...known, clock, reaches: options.reaches ?? reaches }),
    checkReach: (proxyUrl: string) => checkReach(proxyUrl, wsPath, clock.now().wall),
    domains: new DomainWatch({ ...known, bus, addresses, probe: probeDomain ?? null, clock, random, log }),
  };
}

/** What people change of environments, which is recorded, and what they save for themselves. */
function createForPeople(main: Application, options: ServicesOptions, observed: Observed) {
  const database = () => main.db.options as unknown as DatabaseConnection;
  const joins = new EnvironmentJoins({ ...options, ...observed, database });
  const driver = options.driver?.(() => observed.leadership.fleet) ?? null;
  const appsOnlyIn = (environment: string) =>
    [...observed.appCache.apps.values()]
      .filter(({ environments }) => environments.length === 1 && environments[0] === environment)
      .map(({ name }) => name);
  const containers = new Containers({ ...observed, driver, joins, appsOnlyIn });
  const views = new ViewStore(main, options.random);
  return { joins, containers, views, ...createNotices(main, options, observed) };
}

/** What tells people and other systems what happens. */
function createNotices(
  app: Application,
  { clock, random, log, aesKey, publicUrl, own }: ServicesOptions,
  observed: Observed,
) {
  const { leadership, view } = observed;
  const notifiers = new NotifierStore(app);
  const fleet = () => leadership.fleet;
  const rowOf = (event: Event) => view.eventRow(event);
  const send = createSenders({ app, clock, aesKey, publicUrl, pages: own().config.host, fleet, rowOf });
  const notices = new Notices({ ...observed, notifiers, send, clock, random, log });
  return { notices, notifierSettings: new NotifierSettings({ ...observed, app, notifiers, notices, clock, aesKey }) };
}

/** What moves apps between environments, and what shows all of them. */
function createOverview(
  given: Observed & ReturnType<typeof createPlacement> & { service: AppService },
  { clock, traffic = () => new Map(), appTraffic, own }: ServicesOptions,
) {
  const checklist = () => checklistOf(gatherFacts(given, own()));
  const redRows = () => checklist().filter(({ level }) => level === 'red').length;
  return {
    checklist,
    drains: new Drains(given),
    summary: new Summary({ ...given, clock, redRows }),
    load: new LoadRecorder({ ...given, clock, traffic, appTraffic: appTraffic ?? null }),
  };
}
