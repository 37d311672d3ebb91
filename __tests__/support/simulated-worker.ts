import { setTimeout as sleep } from 'node:timers/promises';
import { type Fleet, waitFor } from '../../scripts/fleet';
import { systemClock } from '../../src/server/clock';
import { systemRandom } from '../../src/server/core/system';
import { createLog } from '../../src/server/log';
import { RedisBus } from '../../src/server/protocol/bus/redis';
import { Keys } from '../../src/server/protocol/redis-keys';
import { fingerprint } from '../../src/server/protocol/secrets';
import { RedisStores } from '../../src/server/protocol/stores/redis';
import { pendingChanges } from '../../src/server/worker/apps/decide';
import type { AppRecord, Lease, Registration, StatusEntry } from '../../src/shared/messages';
import { keyringOf, testEnvelope } from './envelope';
import { entryOf, leaseOf, registrationOf } from './fixtures';
import { recordIn, recordsIn } from './records';

const SILENT = createLog({ debug() {}, info() {}, warn() {}, error() {} });
/** How long a lease lasts that no timer renews, in ms. */
const TTL = 180_000;
const ROUND = 100;
/** What the last beat of a process says that is killed: its end shows without waiting for three of the others. */
const LAST_BEAT = 500;

/** What it has of an app: `booted` is the record that it runs by. */
interface Hosted {
  record: AppRecord;
  booted: AppRecord | null;
  entry: StatusEntry;
}

interface Connection {
  stores: RedisStores;
  bus?: RedisBus;
  close(): Promise<void>;
}

interface Options {
  appKey: string;
  aesKey: string;
  /** Renews its lease this often by itself, in ms; without, its lease lasts for three minutes from each `appear`. */
  beat?: number;
  /** Between two looks at the records, in ms. */
  round?: number;
}

/**
 * What a Supervisor takes to be a Worker: it holds an environment by the plugin's own protocol on the real Redis, and hosts
 * nothing. It reports what a test has it report, or, once it is to obey, what a Worker would whose apps boot in no time.
 * For what does not depend on a Worker's work, at a fraction of the time that a NocoBase takes.
 */
export class SimulatedWorker {
  private readonly apps = new Map<string, Hosted>();
  private readonly lease: Lease;
  private readonly timer: NodeJS.Timeout | undefined;
  private registration: Registration;
  private obeying: Promise<void> | null = null;
  private isGone = false;
  private isHesitant = false;
  /** What it reported last of its apps. */
  private reported = '[]';
  private version = 0;
  private telling = Promise.resolve();
  /** Called after a report; a Worker tells Supervisors of it, who else find it with their next look. */
  announce: (() => void) | null = null;
  private readonly round: number;

  constructor(
    readonly environment: string,
    readonly connection: Connection,
    { appKey, aesKey, beat, round = ROUND }: Options,
  ) {
    this.round = round;
    const fingerprints = { appKey: fingerprint(appKey), aesKey: fingerprint(aesKey) };
    this.registration = registrationOf(environment, { fingerprints });
    this.lease = leaseOf({ instance: `simulated-${environment}:1:1`, interval: beat ?? TTL / 3, registered: 0 });
    this.lease.epoch = Date.now();
    // A beat that Redis does not take is made good by the next.
    if (beat) this.timer = setInterval(() => void this.beat().catch(() => undefined), beat / 2);
  }

  /** One that a fleet of processes takes for its own. */
  static of(fleet: Fleet, environment: string, options: Pick<Options, 'round' | 'beat'> = {}): SimulatedWorker {
    const env = fleet.supervisor.env as Record<string, string>;
    const { APP_SUPERVISOR_REDIS_URL, APP_SUPERVISOR_KEY_PREFIX = 'app-supervisor' } = env;
    const keys = new Keys(APP_SUPERVISOR_KEY_PREFIX);
    const envelope = testEnvelope(SILENT, keyringOf(Buffer.from(env.APP_SUPERVISOR_AES_SECRET_KEY, 'hex')));
    const stores = new RedisStores(APP_SUPERVISOR_REDIS_URL, keys, envelope, SILENT, systemRandom, systemClock);
    stores.open();
    const me = `simulated-${environment}`;
    const bus = new RedisBus(APP_SUPERVISOR_REDIS_URL, keys, envelope, me, SILENT, systemClock, systemRandom);
    bus.open();
    // A new app is created only where its database was looked at.
    const serves = bus.serve(environment, { checkDatabase: async () => ({ checks: [], verdict: 'free' }) });
    serves.catch(() => undefined);
    const connection = { stores, bus, close: () => Promise.all([stores.close(), bus.close()]).then(() => undefined) };
    const { APP_KEY: appKey, APP_SUPERVISOR_AES_SECRET_KEY: aesKey } = env;
    return new SimulatedWorker(environment, connection, { appKey, aesKey, ...options });
  }

  /** Appears, or appears again with other values. */
  async appear(values: Partial<Registration> = {}): Promise<void> {
    this.registration = { ...this.registration, ...values };
    const { stores } = this.connection;
    // It has the key of the whole fleet: of an environment that was forgotten it takes the one of now. A Worker may ask for its records.
    const isConnected = () =>
      stores.records.readSome(this.environment, []).then(
        () => true,
        () => false,
      );
    await waitFor(isConnected, { timeout: 60_000, interval: 15, what: 'A connection to Redis' });
    this.lease.registered++;
    await this.beat();
  }

  private async beat(): Promise<void> {
    this.lease.beat++;
    const { environment, lease, connection } = this;
    const registration = { ...this.registration, epoch: lease.epoch };
    const ttl = 3 * lease.interval;
    const answer = await connection.stores.leases.announce({ environment, lease, registration, ttl });
    // As one does whose database has lost a tenure.
    if (answer.by === 'newer') lease.epoch = answer.epoch + 1;
    if (answer.by === 'newer') return this.beat();
    if (answer.by !== 'me') throw new Error(`Another process holds ${this.environment}.`);
  }

  /** A second process waits for the same environment. */
  async meetReplica(instance: string): Promise<void> {
    const { environment, connection, lease } = this;
    await connection.stores.leases.wait(environment, { instance, place: lease.place ?? '' }, TTL);
  }

  /** The record of an app, once it is published. */
  record(app: string, wanted: (record: AppRecord) => boolean = () => true): Promise<AppRecord> {
    const read = async () => {
      const record = await recordIn(this.connection.stores.records, this.environment, app);
      return record && wanted(record) ? record : null;
    };
    return waitFor(read, { timeout: 60_000, interval: 15, what: `A record of ${app}` });
  }

  /** Reports something of an app, and nothing of any other. @returns whether it was written */
  report(record: AppRecord, values: Partial<StatusEntry>): Promise<boolean> {
    const { name, uid, generation } = record;
    return this.write([entryOf({ name, uid, generation, bootGeneration: record.boot.generation, ...values })]);
  }

  private write(entries: StatusEntry[]): Promise<boolean> {
    const { environment, connection, lease } = this;
    const { instance, epoch } = lease;
    const version = ++this.version;
    return connection.stores.statuses.write({
      environment,
      instance,
      epoch,
      entries,
      removed: [],
      version,
      from: null,
    });
  }

  /** From now on it does at once what its records say, and reports it. */
  obey(): void {
    this.isHesitant = false;
    this.obeying ??= this.work();
  }

  /** Until it is to obey again it does nothing, and lives on. */
  hesitate(): void {
    this.isHesitant = true;
  }

  /** What it reports of an app that it obeys for, until that boots anew. */
  setStatus(app: string, values: Partial<StatusEntry>): void {
    const hosted = this.apps.get(app)!;
    hosted.entry = { ...hosted.entry, ...values };
  }

  /** Reports all its apps now, and not with its next look. */
  tell(): Promise<void> {
    return this.inTurn(() => this.reportAll([...this.apps.values()].map(({ entry }) => entry)));
  }

  private async reportAll(entries: StatusEntry[]): Promise<void> {
    const text = JSON.stringify(entries);
    if (text === this.reported || !(await this.write(entries))) return;
    this.reported = text;
    this.announce?.();
  }

  /** One report after the other: what is written last is what counts. */
  private inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.telling.then(work);
    this.telling = done.catch(() => undefined);
    return done;
  }

  private async work(): Promise<void> {
    while (!this.isGone) {
      // What Redis does not take now it takes the next time.
      await this.turn().catch(() => undefined);
      await sleep(this.round);
    }
  }

  private async turn(): Promise<void> {
    await this.beat();
    if (this.isHesitant) return;
    const records = await recordsIn(this.connection.stores.records, this.environment);
    await this.inTurn(() => this.reportAll(records.map((record) => this.converge(record))));
  }

  private converge(record: AppRecord): StatusEntry {
    const { name, uid, generation, boot, desired } = record;
    const known = this.apps.get(name);
    const before = known?.record.uid === uid ? known : null;
    if (before?.record.generation === generation) return before.entry;
    const isWanted = desired === 'running' || desired === 'onDemand';
    const boots = isWanted && boot.generation > (before?.entry.bootGeneration ?? 0);
    const booted = boots ? record : (before?.booted ?? null);
    const kept = boots ? 'running' : (before?.entry.status ?? 'dormant');
    // What it is to copy ahead takes no time.
    const rests = record.uploads?.ahead ? 'waiting' : 'stopped';
    const status = isWanted ? kept : desired === 'stopped' ? rests : 'not_found';
    const isAsBefore = !boots && before?.entry.status === status;
    const entry = entryOf({
      name,
      uid,
      generation,
      status,
      since: isAsBefore ? before.entry.since : Date.now(),
      bootGeneration: boots ? boot.generation : (before?.entry.bootGeneration ?? 0),
      version: boots ? this.registration.appVersion : (before?.entry.version ?? null),
      pendingChanges: status === 'running' ? pendingChanges(booted, record, String) : [],
    });
    this.apps.set(name, { record, booted, entry });
    return entry;
  }

  /** Says goodbye, as at SIGTERM. */
  async leave(): Promise<void> {
    this.isGone = true;
    clearInterval(this.timer);
    await this.obeying;
    await this.connection.stores.leases.release(this.environment, this.lease.instance, this.lease.epoch);
  }

  /** `kill -9`: its lease runs out, soon after a last beat. */
  async die(): Promise<void> {
    this.isGone = true;
    clearInterval(this.timer);
    this.lease.interval = LAST_BEAT;
    await this.beat().catch(() => undefined);
    await this.close();
  }

  close(): Promise<void> {
    return this.connection.close();
  }
}
