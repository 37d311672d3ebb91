import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { Database } from '@nocobase/database';
import type { Application } from '@nocobase/server';
import RedisClient from 'ioredis';
import { inject } from 'vitest';
import { ensureDatabase, type PostgresServer, type Redis } from '../../scripts/fleet';
import { systemClock, type Timer } from '../../src/server/clock';
import { sentinelsOf } from '../../src/server/config/redis-address';
import { collections } from '../../src/server/core/collections';
import { routeTableOf, supervisorRoutes } from '../../src/server/core/routes';
import { systemRandom } from '../../src/server/core/system';
import type { Lease as SqlLease } from '../../src/server/lease/lease';
import { administratorOf } from '../../src/server/protocol/administrator';
import { RedisBus } from '../../src/server/protocol/bus/redis';
import type { Keyring } from '../../src/server/protocol/keyring';
import { Keys } from '../../src/server/protocol/redis-keys';
import { RedisStores } from '../../src/server/protocol/stores/redis';
import { RoutingTable } from '../../src/server/proxy';
import { appKey, FLEET } from '../../src/server/supervisor/control/queue-keys';
import { areFormer, upgradeRows } from '../../src/server/supervisor/definitions/former-rows';
import { createInput, parseInput } from '../../src/server/supervisor/definitions/input';
import { SupervisorPart } from '../../src/server/supervisor/supervisor';
import { expiryOf } from '../../src/server/timing';
import type { Announcer } from '../../src/server/worker/announcer';
import type { Tenures } from '../../src/server/worker/tenures';
import { WorkerPart } from '../../src/server/worker/worker';
import type { Message } from '../../src/shared/message';
import type { Lease, Registration } from '../../src/shared/messages';
import type { Operation } from '../../src/shared/operation';
import { startRedis } from '../setup/services';
import { keyringOf, testEnvelope } from './envelope';
import { registrationOf, routeSettingsOf } from './fixtures';
import { type RecordedLog, recordedLog } from './log';
import { OWN_FACTS } from './own-facts';
import { SimulatedDatabases, SimulatedHost } from './simulated-host';
import { SimulatedWorker } from './simulated-worker';
import { until } from './wait';
import { bootQueueOf } from './worker-boots';

/**
 * Supervisors and workers as they run, on real PostgreSQL and real Redis, in one process and in a hurry. Only the host's core
 * is played (`SimulatedHost`), so that an app boots in no time, and a process can be killed in the middle of anything.
 */

export const KEY = Buffer.alloc(32, 9);
/** Three beats that are missed are an end: a machine that is starved holds all processes of a test up for seconds. */
export const BEAT = 2_000;
/** Nobody visits, so nobody has to go elsewhere. */
const LEAVING = 50;
/** What the last beat of a process says that is killed: so its end shows without waiting for three of the others. */
const LAST_BEAT = 500;
/** A lead is not lost to a machine that is starved; where its leader is dead, there is nobody to take it from. */
const LEAD_EXPIRY = { beside: 60_000, alone: 2_000 };

const FASTER = { beginAgain: 500 };
const PACES = {
  /** What production does by itself every 30 s is not done at all within a test: what comes comes by wake-ups. */
  patient: { supervisor: { poll: 1_000, reload: 30_000, reconcile: 30_000, ...FASTER }, round: 30_000 },
  /** The same 30 s, in a hurry. */
  hurried: { supervisor: { poll: 100, reload: 400, reconcile: 400, ...FASTER }, round: 300 },
};

export interface SupervisorOptions {
  /** Another one makes another fleet of it. */
  database?: string;
  /** What it sees of its main app. */
  wrap?: (main: Application) => Application;
  /** In ms; by default as long as nothing but a resignation passes the lead on from a living process. */
  leadExpiry?: number;
  /** Gets it before it begins. */
  beginning?: (part: SupervisorPart) => void;
  onChange?: (part: SupervisorPart) => void;
}

export interface WorkerOptions {
  database?: string;
  proxyUrl?: string;
  /** Of NocoBase. */
  version?: string;
  /** By default that of the whole fleet. */
  keyring?: Keyring;
}

interface Wire {
  stores: RedisStores;
  bus: RedisBus;
  keyring: Keyring;
  close(): Promise<void>;
}

const databases = new Map<string, Promise<Database>>();

/** A main app's database, with the plugin's tables; synced once for all tests of a file. */
async function openDatabase(name: string, server: PostgresServer): Promise<Database> {
  const { host, port, user, password } = server;
  const open = () => {
    const options = { dialect: 'postgres', host, port, username: user, password, database: name, logging: false };
    const db = new Database({ ...options, pool: { max: 10 } } as never);
    for (const collection of collections) db.collection(collection);
    db.collection({
      name: 'applicationPlugins',
      fields: [
        { name: 'name', type: 'string' },
        { name: 'version', type: 'string' },
        { name: 'enabled', type: 'boolean' },
        { name: 'builtIn', type: 'boolean' },
      ],
    });
    return db;
  };
  if (!databases.has(name)) {
    databases.set(
      name,
      (async () => {
        await ensureDatabase(server, name);
        const db = open();
        await db.sync();
        return db;
      })(),
    );
  }
  await databases.get(name);
  return open();
}

const mainOf = (db: Database, version = '2.2.15'): Application =>
  ({ name: 'main', db, getPackageVersion: () => version }) as unknown as Application;

/** One process of a Supervisor. */
export class SupervisorProcess {
  readonly log: RecordedLog = recordedLog();
  alive = true;
  /** Incarnations of apps of which nothing is left. */
  readonly ended: string[] = [];

  private constructor(
    readonly part: SupervisorPart,
    readonly db: Database,
    readonly wire: Wire,
  ) {}

  static async start(
    fleet: SmallFleet,
    { database = 'supervisor', wrap = (main) => main, leadExpiry, beginning, onChange }: SupervisorOptions,
  ): Promise<SupervisorProcess> {
    const db = await openDatabase(fleet.database(database), fleet.serverOf(database));
    const instance = `supervisor-${randomUUID().slice(0, 8)}`;
    const log = recordedLog();
    const wire = fleet.connect(instance, log);
    const table = new RoutingTable();
    const update = (names: Iterable<string>) => supervisorRoutes(part)(table, names);
    const part: SupervisorPart = new SupervisorPart({
      ...wire,
      routes: routeTableOf(routeSettingsOf(), () => ({ supervisor: part, routing: { table, update } })),
      instance,
      aesKey: KEY,
      clock: systemClock,
      random: systemRandom,
      log,
      warnings: [],
      wsPath: '/ws',
      publicUrl: 'https://main.example.test',
      schemaByDefault: false,
      defaultEnvironments: null,
      findInstalled: async () => [],
      own: () => OWN_FACTS,
      rows: { areFormer, upgrade: (main) => upgradeRows(main, KEY, Date.now()) },
      addressesOf: (name) => fleet.addresses.get(name) ?? [],
      pace: { ...PACES[fleet.wakeUps ? 'patient' : 'hurried'].supervisor, leadExpiry },
    });
    const supervisor = new SupervisorProcess(part, db, wire);
    part.changes.listen((names) => {
      update(names);
      onChange?.(part);
    });
    part.appEnds.listen(({ uid }) => supervisor.ended.push(uid));
    Object.assign(supervisor, { log });
    beginning?.(part);
    part.start(wrap(mainOf(db)));
    await until(
      'The supervisor',
      () => part.loaded && (supervisor.parts.observer.sees || supervisor.parts.observer.foreign),
    );
    return supervisor;
  }

  get parts() {
    return this.part.parts;
  }

  get leads(): boolean {
    return this.part.loaded && this.parts.leadership.leads;
  }

  create(values: { name: string; environments: string[]; [key: string]: unknown }): Promise<Operation> {
    const input = parseInput(createInput, { title: values.name, startMode: 'withMain', ...values });
    return this.parts.service.create({ ...input, initialAdmin: administratorOf(input.initialAdmin, {}) }, '1');
  }

  /** One pass of the control loop over what concerns all, and one over each of these apps. */
  async reconcile(...names: string[]): Promise<void> {
    const { queue, appCache } = this.parts;
    await queue.run(FLEET);
    for (const app of names.flatMap((name) => appCache.apps.get(name) ?? [])) await queue.run(appKey(app));
  }

  /** Keeps the control loop from an app until the returned function is called. */
  async hold(name: string): Promise<() => void> {
    const app = this.part.app(name);
    if (!app) throw new Error(`There is no app ${name}.`);
    const { apps, queue } = this.parts;
    // One that has begun has ended when the next one has.
    await queue.run(appKey(app));
    const pass = apps.reconcile.bind(apps);
    let release = () => {};
    const released = new Promise<void>((resolve) => (release = resolve));
    apps.reconcile = async (other, uid) => {
      if (other === name) await released;
      return pass(other, uid);
    };
    return () => {
      apps.reconcile = pass;
      release();
    };
  }

  /** `env_a running, env_b stopped`: what is shown of an app. */
  shows(name: string): string {
    const app = this.part.app(name);
    if (!app) return 'nothing';
    const { statuses } = this.parts.view.appRow(app);
    return Object.entries(statuses)
      .map(([environment, { status }]) => `${environment} ${status}`)
      .join(', ');
  }

  /** Waits for what is shown: on a busy machine an environment may miss its beats for a moment. */
  async toShow(name: string, expected: string): Promise<void> {
    await until(`${name} to be shown as '${expected}'`, () => this.shows(name) === expected);
  }

  health(environment: string): string | undefined {
    return this.parts.view.environmentRows().find((row) => row.name === environment)?.health;
  }

  async operation(id: string): Promise<Operation> {
    const found = await this.parts.operations.find(id);
    if (!found) throw new Error(`There is no operation ${id}.`);
    return found;
  }

  /** Whether an operation waits for this, and nothing else. */
  async waitsFor(id: string, what: Message): Promise<boolean> {
    return isDeepStrictEqual((await this.operation(id)).waitingFor, what);
  }

  /** Waits for the end of an operation; answers its state and that in each environment. */
  async ends(operation: Operation, timeout?: number): Promise<string> {
    const ended = await until(
      `The end of ${operation.action} ${operation.appName}`,
      async () => {
        const now = await this.operation(operation.id);
        return now.finishedAt === null ? null : now;
      },
      timeout,
    );
    return `${ended.state}: ${ended.progress.map(({ environment, state }) => `${environment} ${state}`).join(', ')}`;
  }

  /** SIGTERM: the core ends its main app, and the database with it, before it tells anybody else. */
  async stop(): Promise<void> {
    if (!this.alive) return;
    this.alive = false;
    await this.part.prepareToLeave();
    await this.db.close();
    this.part.stop();
    await this.wire.close();
  }

  /** `kill -9`: in the middle of whatever it does, and says no word. */
  async kill(): Promise<void> {
    if (!this.alive) return;
    this.alive = false;
    this.part.stop();
    await this.cut();
  }

  private async cut(): Promise<void> {
    await this.wire.close();
    await this.db.close();
  }
}

/** What is inside of the announcer of a process. */
interface Inside {
  announcing: Promise<void> | null;
  registration: Registration | null;
  place: string | null;
  lease(epoch: number, place: string): Lease;
}

/** One process of a Worker. */
export class WorkerProcess {
  alive = true;

  private constructor(
    readonly environment: string,
    readonly part: WorkerPart,
    readonly host: SimulatedHost,
    readonly db: Database,
    readonly wire: Wire,
    readonly log: RecordedLog,
    readonly instance: string,
  ) {}

  static async start(
    fleet: SmallFleet,
    environment: string,
    { database = environment, proxyUrl, version, keyring }: WorkerOptions,
  ): Promise<WorkerProcess> {
    const db = await openDatabase(fleet.database(database), fleet.serverOf(database));
    const instance = `${environment}-${randomUUID().slice(0, 8)}`;
    const log = recordedLog();
    const wire = fleet.connect(instance, log, undefined, keyring);
    const host = new SimulatedHost(environment, fleet.databases);
    host.coreApps.apps.main = mainOf(db, version);
    for (const [name, bootScript] of fleet.bootScripts) host.bootScripts.set(name, bootScript);
    const url = `http://${environment}`;
    // As variables of the Supervisor name them.
    fleet.addresses.set(environment, [...(fleet.addresses.get(environment) ?? []), url, proxyUrl ?? url]);
    const part = new WorkerPart({
      ...wire,
      coreApps: host.coreApps,
      host: host.asHost,
      bootQueue: bootQueueOf(systemClock),
      environment: {
        name: environment,
        url,
        proxyUrl: proxyUrl ?? url,
        serves: true,
        heartbeatInterval: fleet.beat,
        exitsWhenSpent: false,
      },
      only: null,
      publicUrl: null,
      instance,
      aesKey: keyring ? null : KEY,
      hasOwnKey: keyring !== undefined,
      appKey: 'app-key',
      clock: systemClock,
      random: systemRandom,
      log,
      warnings: [],
      handlers: {},
      leaving: fleet.leaving,
      recordsWithin: fleet.recordsWithin,
      beginAgain: 500,
      roundEvery: PACES[fleet.wakeUps ? 'patient' : 'hurried'].round,
    });
    part.start();
    return new WorkerProcess(environment, part, host, db, wire, log, instance);
  }

  get runs(): string[] {
    return [...this.host.running.keys()].sort();
  }

  status(name: string): string | undefined {
    return this.part.controller?.apps.entry(name)?.status;
  }

  get role(): string | undefined {
    return this.part.probed;
  }

  /** SIGTERM: the core forgets its main app before it tells anybody else. */
  async stop(): Promise<void> {
    if (!this.alive) return;
    this.alive = false;
    await this.part.prepareToLeave();
    delete this.host.coreApps.apps.main;
    await this.part.stop();
    this.host.die();
    await this.cut();
  }

  /**
   * `kill -9`: its boots never end, its lease runs out, and its database connections break.
   *
   * @param lastBeat what its last beat says of the time to the next, in ms; null: its lease lasts as it is
   */
  async kill(lastBeat: number | null = LAST_BEAT): Promise<void> {
    if (!this.alive) return;
    this.alive = false;
    this.host.die();
    const inside = this.inside;
    if (inside) {
      inside.round.cancel();
      Object.assign(inside.tenures, { hasLeft: true });
      inside.tenures.announcer.stop();
      const { term } = inside.tenures;
      const isAnnounced = inside.tenures.announcer.announced !== null;
      inside.lease.stop();
      inside.lease.options.connection.reset();
      inside.reader.close();
      inside.controller.close();
      inside.reporter.close();
      Object.assign(this.part, { running: null });
      if (lastBeat !== null && isAnnounced) await this.beatOnceMore(inside.tenures.announcer, term, lastBeat);
    }
    await this.cut();
  }

  private async beatOnceMore(announcer: Announcer, term: number, interval: number): Promise<void> {
    const { environment } = this;
    const inside = announcer as unknown as Inside;
    // One that is under way would come later and say otherwise.
    await inside.announcing;
    const lease = { ...inside.lease(term, inside.place!), interval };
    const said = { environment, lease, registration: inside.registration!, ttl: expiryOf(interval) };
    await this.wire.stores.leases.announce(said).catch(() => undefined);
  }

  private get inside() {
    const { running, lease } = this.part as unknown as {
      lease: SqlLease;
      running: {
        tenures: Tenures;
        controller: { close(): void };
        reporter: { close(): void };
        reader: { close(): void };
        round: Timer;
      } | null;
    };
    return running && { ...running, lease };
  }

  private async cut(): Promise<void> {
    await this.wire.close();
    await this.db.close();
  }
}

/** Less than in production, for tests in which nobody publishes them, in ms. */
const RECORDS_WITHIN = 1_500;

export class SmallFleet {
  databases = new SimulatedDatabases();
  /** By environment, the addresses of its workers, which variables of all supervisors name. */
  readonly addresses = new Map<string, string[]>();
  /** How boots go in workers that are started from now on. */
  readonly bootScripts: SimulatedHost['bootScripts'] = new Map();
  /** Between heartbeats of workers that are started from now on, in ms. */
  beat = BEAT;
  /** What workers that are started from now on give their visitors to go elsewhere, in ms. */
  leaving = LEAVING;
  /** How long workers that are started from now on wait for records before they go from their snapshots, in ms. */
  recordsWithin = RECORDS_WITHIN;
  private readonly supervisors: SupervisorProcess[] = [];
  private readonly workers: WorkerProcess[] = [];
  /** Of leads of Supervisors that are started from now on, in ms; by default less than in production. */
  leadExpiry: number | undefined;
  /** PostgreSQL of parts (`supervisor`, or an environment) that are not on the shared one. */
  readonly servers = new Map<string, PostgresServer>();
  /** How processes that are started from now on reach Redis. */
  address: string;
  /** The same for a process of its own. */
  addressOf: (instance: string) => string = () => this.address;
  private prefix = `small-${randomUUID()}`;

  private constructor(
    readonly redis: Redis,
    private readonly name: string,
    readonly wakeUps: boolean,
  ) {
    this.address = redis.url;
  }

  /** @param wakeUps false: the command Redis is nowhere */
  static async start(name: string, { wakeUps }: { wakeUps: boolean }): Promise<SmallFleet> {
    return new SmallFleet(await startRedis(), name, wakeUps);
  }

  serverOf(part: string): PostgresServer {
    return this.servers.get(part) ?? inject('postgres');
  }

  database(part: string): string {
    return `small_${this.name}_${part}`;
  }

  keys(): Keys {
    return new Keys(this.prefix);
  }

  connect(instance: string, log: RecordedLog, prefix = this.prefix, keyring = keyringOf(KEY, { atRest: KEY })): Wire {
    const keys = new Keys(prefix);
    const envelope = testEnvelope(log, keyring);
    const address = this.addressOf(instance);
    const stores = new RedisStores(address, keys, envelope, log, systemRandom, systemClock);
    const bus = new RedisBus(
      this.wakeUps ? address : 'redis://127.0.0.1:1',
      keys,
      envelope,
      instance,
      log,
      systemClock,
      systemRandom,
      this.wakeUps ? stores.shared : undefined,
    );
    stores.open();
    bus.open();
    return {
      stores,
      bus,
      keyring,
      close: async () => {
        await bus.close();
        await stores.close();
      },
    };
  }

  /** Returns when it can be woken, too. */
  async supervisor(options: SupervisorOptions = {}): Promise<SupervisorProcess> {
    const leadExpiry = this.leadExpiry ?? LEAD_EXPIRY[this.supervisors.some(({ alive }) => alive) ? 'beside' : 'alone'];
    const supervisor = await SupervisorProcess.start(this, { leadExpiry, ...options });
    this.supervisors.push(supervisor);
    await this.listening();
    return supervisor;
  }

  async worker(environment: string, options: WorkerOptions = {}): Promise<WorkerProcess> {
    const worker = await WorkerProcess.start(this, environment, options);
    this.workers.push(worker);
    return worker;
  }

  /** @param values what else it says of itself */
  async simulatedWorker(environment: string, values: Partial<Registration> = {}): Promise<SimulatedWorker> {
    const connection = this.connect(`simulated-${environment}`, recordedLog());
    const keys = { appKey: 'app-key', aesKey: KEY.toString('hex') };
    const worker = new SimulatedWorker(environment, connection, { ...keys, beat: BEAT });
    this.addresses.set(environment, [values.proxyUrl ?? registrationOf(environment).proxyUrl]);
    await worker.appear(values);
    return worker;
  }

  /** A supervisor that leads and sees these environments. */
  async begin(...environments: string[]): Promise<[SupervisorProcess, ...WorkerProcess[]]> {
    const supervisor = await this.supervisor();
    const workers = await Promise.all(environments.map((environment) => this.worker(environment)));
    await until('The lead', () => supervisor.leads);
    await until('The workers', () => environments.every((name) => supervisor.health(name) === 'online'));
    await this.listening();
    return [supervisor, ...workers];
  }

  /** Waits until all hear wake-ups who live and have begun: an earlier one is lost, and made up for by the next round. */
  async listening(): Promise<void> {
    if (!this.wakeUps) return;
    const keys = this.keys();
    const living = <Process extends { alive: boolean }>(all: Process[]) => all.filter(({ alive }) => alive);
    const channels = [
      ...living(this.supervisors).map(() => keys.notifications('supervisors')),
      ...living(this.workers).map(({ environment }) => keys.notifications({ environment })),
    ];
    const wanted = new Map<string, number>();
    for (const channel of channels) wanted.set(channel, (wanted.get(channel) ?? 0) + 1);
    await until('All to listen', () =>
      this.onRedis(async (redis) => {
        const counts = (await redis.pubsub('NUMSUB', ...wanted.keys())) as Array<string | number>;
        return [...wanted].every(([channel, count]) => Number(counts[counts.indexOf(channel) + 1]) >= count);
      }),
    );
  }

  /** Redis as somebody sees it who is no part of the fleet. */
  async onRedis<T>(work: (redis: RedisClient) => Promise<T>): Promise<T> {
    const sentinels = sentinelsOf(this.address);
    const client = sentinels ? new RedisClient(sentinels) : new RedisClient(this.address);
    try {
      return await work(client);
    } finally {
      client.disconnect();
    }
  }

  /** Ends all processes and forgets everything, for the next test. */
  async reset(): Promise<void> {
    await Promise.all([...this.supervisors.splice(0), ...this.workers.splice(0)].map((process) => process.kill()));
    await this.redis.heal();
    this.address = this.redis.url;
    for (const [name, opening] of databases) {
      if (!name.startsWith(`small_${this.name}_`)) continue;
      const db = await opening;
      for (const { name: collection } of collections) await db.getModel(collection).destroy({ truncate: true });
    }
    this.databases = new SimulatedDatabases();
    this.bootScripts.clear();
    this.beat = BEAT;
    this.leadExpiry = undefined;
    this.leaving = LEAVING;
    this.recordsWithin = RECORDS_WITHIN;
    this.prefix = `small-${randomUUID()}`;
  }

  async stop(): Promise<void> {
    await this.reset();
    for (const [name, opening] of databases) {
      if (!name.startsWith(`small_${this.name}_`)) continue;
      databases.delete(name);
      await (await opening).close();
    }
    await this.redis.stop();
  }
}
