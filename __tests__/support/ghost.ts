import { setTimeout as sleep } from 'node:timers/promises';
import { type Fleet, waitFor } from '../../scripts/fleet';
import type { Log } from '../../src/server/log';
import { Keys } from '../../src/server/protocol/keys';
import { RedisState } from '../../src/server/protocol/redis-state';
import { fingerprint } from '../../src/server/protocol/secrets';
import { pendingChanges } from '../../src/server/worker/apps/decide';
import type { AppRecord, Lease, Registration, StatusEntry } from '../../src/shared/messages';
import { entryOf, leaseOf, registrationOf } from './fixtures';

const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {} };
/** How long its word is good for without another, in ms. */
const TTL = 180_000;
/** Between two looks at what it is told, in ms. */
const ROUND = 100;

/** What it has of an app: `booted` is the record that it runs by. */
interface Hosted {
  record: AppRecord;
  booted: AppRecord | null;
  entry: StatusEntry;
}

/**
 * An environment without a process: what a worker would write of itself, written by a test. For what does not depend on a
 * worker's work, at a fraction of the time that a NocoBase takes.
 */
export class Ghost {
  private readonly state: RedisState;
  private readonly coreApps = new Map<string, Hosted>();
  private held: Lease = leaseOf({ instance: 'ghost:1:1', interval: 60_000 });
  private registration: Registration;
  private obeying: Promise<void> | null = null;
  private isGone = false;
  private isHesitant = false;
  /** What it said last of its apps. */
  private said = '[]';

  constructor(fleet: Fleet, name: string) {
    const env = fleet.supervisor.env as Record<string, string>;
    const { APP_SUPERVISOR_REDIS_URL, APP_SUPERVISOR_KEY_PREFIX = 'app-supervisor' } = env;
    const fingerprints = {
      appKey: fingerprint(env.APP_KEY),
      aesKey: fingerprint(env.APP_SUPERVISOR_AES_SECRET_KEY),
    };
    this.registration = registrationOf(name, { fingerprints });
    this.state = new RedisState(APP_SUPERVISOR_REDIS_URL, new Keys(APP_SUPERVISOR_KEY_PREFIX), SILENT);
    this.state.open();
  }

  /** Appears, or appears again with other values. */
  async appear(values: Partial<Registration> = {}): Promise<void> {
    this.registration = { ...this.registration, ...values };
    await waitFor(this.isConnected, { timeout: 60_000, what: 'A connection to Redis' });
    await this.state.writeRegistration(this.registration);
    this.held.registered++;
    await this.beat();
  }

  private async beat(): Promise<void> {
    this.held.beat++;
    const answer = await this.claim(this.held);
    if (!answer.held) throw new Error(`Another process holds ${this.registration.name}.`);
    this.held.epoch = answer.epoch;
  }

  private claim(lease: Lease) {
    const environment = this.registration.name;
    return this.state.claimLease({ environment, lease, ttl: TTL, mayTake: true, provenBy: null });
  }

  /** A second process asks for the same environment, and does not get it. */
  async meetTwin(instance: string): Promise<void> {
    await this.claim(leaseOf({ instance }));
  }

  /** From now on it does at once what it is told, as a worker whose apps boot in no time. */
  obey(): void {
    this.isHesitant = false;
    this.obeying ??= this.work();
  }

  /** Until it is to obey again it does nothing, and lives on. */
  hesitate(): void {
    this.isHesitant = true;
  }

  /** Of an app that it was told of it says this, until that boots anew. */
  say(app: string, values: Partial<StatusEntry>): void {
    const coreApps = this.coreApps.get(app)!;
    coreApps.entry = { ...coreApps.entry, ...values };
  }

  private async work(): Promise<void> {
    while (!this.isGone) {
      // What Redis does not take now it takes the next time.
      await this.turn().catch(() => undefined);
      await sleep(ROUND);
    }
  }

  private async turn(): Promise<void> {
    await this.beat();
    if (this.isHesitant) return;
    const environment = this.registration.name;
    const records = await this.state.readRecords(environment);
    const entries = records.map((record) => this.converge(record));
    const text = JSON.stringify(entries);
    if (text === this.said) return;
    const { instance, epoch } = this.held;
    const write = { environment, instance, epoch, entries, removed: [], version: Date.now(), complete: true };
    if (await this.state.writeStatuses(write)) this.said = text;
  }

  private converge(record: AppRecord): StatusEntry {
    const { name, uid, generation, boot, desired } = record;
    const known = this.coreApps.get(name);
    const before = known?.record.uid === uid ? known : null;
    if (before?.record.generation === generation) return before.entry;
    const isWanted = desired === 'running' || desired === 'onDemand';
    const boots = isWanted && boot.generation > (before?.entry.bootGeneration ?? 0);
    const booted = boots ? record : (before?.booted ?? null);
    const kept = boots ? 'running' : (before?.entry.status ?? 'dormant');
    const status = isWanted ? kept : desired === 'stopped' ? 'stopped' : 'not_found';
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
    this.coreApps.set(name, { record, booted, entry });
    return entry;
  }

  /** Says goodbye, as at SIGTERM. */
  async leave(): Promise<void> {
    this.isGone = true;
    await this.obeying;
    await this.state.releaseLease(this.registration.name, this.held.instance, this.held.epoch);
  }

  private readonly isConnected = () =>
    this.state.poll().then(
      () => true,
      () => false,
    );

  close(): Promise<void> {
    return this.state.close();
  }
}
