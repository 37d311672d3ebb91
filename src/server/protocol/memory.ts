import type { Message } from '../../shared/message';
import type { AppRecord, ManifestItem, Registration, StatusEntry } from '../../shared/messages';
import { AppSupervisorError, describeError } from '../errors';
import {
  type AppIndexRead,
  type AppIndexWrite,
  type Audience,
  callHandler,
  type FleetSight,
  isNewer,
  type LeaseAnswer,
  type LeaseClaim,
  type MessageBus,
  manifestField,
  type RecordsRead,
  type RequestHandlers,
  type StateStore,
  type StatusMark,
  type StatusWrite,
} from './stores';

/** `StateStore` of one process: the same contract, with no expiry to wait for, since nobody else can hold anything. */
export class MemoryState implements StateStore {
  private fleet: string | null = null;
  private readonly records = new Map<string, Map<string, AppRecord>>();
  private readonly recordsVersions = new Map<string, number>();
  private readonly statuses = new Map<string, Map<string, StatusEntry>>();
  private readonly registrations = new Map<string, Registration>();
  private readonly leases: FleetSight['environments'] = new Map();
  /** Of the last holders: a successor's is higher, also in the same millisecond. */
  private readonly epochs = new Map<string, number>();
  private readonly appIndex = new Map<string, string>();
  private directoryVersion: string | null = null;
  private supervisor = 'null';
  private readonly manifests = new Map<string, ManifestItem>();
  private manifestsVersion = 0;

  async publish(environment: string, records: AppRecord[]): Promise<void> {
    const stored = within(this.records, environment);
    for (const record of records) {
      if ((stored.get(record.name)?.generation ?? 0) <= record.generation)
        stored.set(record.name, structuredClone(record));
    }
    this.noteRecords(environment);
  }

  async unpublish(environment: string, names: string[]): Promise<void> {
    for (const name of names) within(this.records, environment).delete(name);
    this.noteRecords(environment);
  }

  async readRecords(environment: string, names?: string[]): Promise<AppRecord[]> {
    const stored = within(this.records, environment);
    const found = names ? names.flatMap((name) => stored.get(name) ?? []) : [...stored.values()];
    return structuredClone(found);
  }

  async readRecordsSince(environment: string, version: string | null): Promise<RecordsRead | null> {
    const current = this.recordsVersions.get(environment)?.toString() ?? null;
    if (current !== null && current === version) return null;
    return { version: current, records: await this.readRecords(environment) };
  }

  async poll(): Promise<FleetSight> {
    return { fleet: this.fleet, environments: structuredClone(this.leases) };
  }

  async leasesLeft(environments: string[]): Promise<Map<string, number>> {
    const leftOf = (name: string) => (this.leases.get(name)?.lease ? Number.POSITIVE_INFINITY : 0);
    return new Map(environments.map((name) => [name, leftOf(name)]));
  }

  async readRegistration(environment: string): Promise<Registration | null> {
    return this.registrations.get(environment) ?? null;
  }

  async readStatuses(environment: string): Promise<StatusEntry[]> {
    return structuredClone([...within(this.statuses, environment).values()]);
  }

  async forget(environment: string): Promise<void> {
    for (const map of [this.records, this.recordsVersions, this.statuses, this.registrations, this.leases])
      map.delete(environment);
  }

  async claimFleet(id: string): Promise<string> {
    this.fleet ??= id;
    return this.fleet;
  }

  async claimLease({ environment, lease }: LeaseClaim): Promise<LeaseAnswer> {
    const held = this.leases.get(environment);
    const renewed = held?.lease?.instance === lease.instance ? held.lease.epoch : null;
    const epoch = renewed ?? Math.max((this.epochs.get(environment) ?? 0) + 1, lease.epoch + 1, Date.now());
    this.epochs.set(environment, epoch);
    if (renewed === null) this.statuses.delete(environment);
    const statusVersion = renewed === null ? 0 : (held?.statusVersion ?? 0);
    this.leases.set(environment, { lease: { ...lease, epoch }, statusVersion, standby: null });
    return { held: true, epoch, fresh: renewed === null };
  }

  async releaseLease(environment: string, instance: string, epoch: number): Promise<void> {
    const held = this.leases.get(environment);
    if (held?.lease?.instance !== instance || held.lease.epoch !== epoch) return;
    Object.assign(held, { lease: null, statusVersion: 0 });
    this.statuses.delete(environment);
  }

  async writeRegistration(registration: Registration): Promise<void> {
    this.registrations.set(registration.name, structuredClone(registration));
  }

  async writeStatuses(write: StatusWrite): Promise<boolean> {
    const held = this.leases.get(write.environment);
    if (held?.lease?.instance !== write.instance || held.lease.epoch !== write.epoch) return false;
    const stored = within(this.statuses, write.environment);
    if (write.complete) stored.clear();
    for (const name of write.removed) stored.delete(name);
    for (const entry of write.entries) stored.set(entry.name, structuredClone(entry));
    held.statusVersion = write.version;
    return true;
  }

  async statusMark(environment: string): Promise<StatusMark> {
    return {
      version: this.leases.get(environment)?.statusVersion ?? 0,
      count: this.statuses.get(environment)?.size ?? 0,
    };
  }

  async writeManifests(items: ManifestItem[]): Promise<void> {
    for (const item of items) {
      const field = manifestField(item);
      if (!isNewer(item, this.manifests.get(field))) continue;
      this.manifests.set(field, structuredClone(item));
      this.manifestsVersion++;
    }
  }

  async forgetManifests(uids: string[]): Promise<void> {
    for (const [field, { uid }] of this.manifests) if (uids.includes(uid)) this.manifests.delete(field);
    this.manifestsVersion++;
  }

  async readManifests(version: string) {
    const current = this.manifestsVersion ? String(this.manifestsVersion) : '';
    return current === version ? null : { version: current, items: structuredClone([...this.manifests.values()]) };
  }

  async writeAppIndex({ from, version, entries, gone, supervisor }: AppIndexWrite): Promise<boolean> {
    if (from === null) this.appIndex.clear();
    else if (from !== this.directoryVersion) return false;
    for (const name of gone) this.appIndex.delete(name);
    for (const [name, text] of entries) this.appIndex.set(name, text);
    this.directoryVersion = version;
    this.supervisor = supervisor;
    return true;
  }

  /** All of it, since nothing has to be sent. */
  async readAppIndex(version: string): Promise<AppIndexRead | null> {
    const { directoryVersion: current, supervisor } = this;
    if (current === null) return null;
    const complete = current !== version;
    const entries = complete ? [...this.appIndex].map(([name, text]) => [name, JSON.parse(text)] as const) : [];
    return { version: current, complete, entries: new Map(entries), gone: [], supervisor: JSON.parse(supervisor) };
  }

  async warnings(): Promise<Message[]> {
    return [];
  }

  async close(): Promise<void> {}

  private noteRecords(environment: string): void {
    this.recordsVersions.set(environment, (this.recordsVersions.get(environment) ?? 0) + 1);
  }
}

/** `Bus` of one process. */
export class MemoryBus implements MessageBus {
  private readonly listeners = new Map<string, (names: string[]) => void>();
  private readonly handlers = new Map<string, RequestHandlers>();

  notify(to: Audience, names: string[]): void {
    // Not in the caller's turn: a wake-up over Redis never is, and nobody may come to rely on it.
    setImmediate(() => this.listeners.get(keyOf(to))?.(names));
  }

  async onNotify(me: Audience, listener: (names: string[]) => void): Promise<void> {
    this.listeners.set(keyOf(me), listener);
  }

  async request(environment: string, method: string, payload: unknown, timeout: number): Promise<unknown> {
    const handlers = this.handlers.get(environment);
    if (!handlers) throw new AppSupervisorError('WORKER_SILENT', { environment, seconds: timeout / 1000 });
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new AppSupervisorError('WORKER_SILENT', { environment, seconds: timeout / 1000 })),
        timeout,
      );
    });
    const answer = callHandler(handlers, method, payload).catch((error) => {
      throw new AppSupervisorError('WORKER_FAILED', { environment, cause: describeError(error) });
    });
    return Promise.race([answer, late]).finally(() => clearTimeout(timer));
  }

  async serve(environment: string, handlers: RequestHandlers): Promise<void> {
    this.handlers.set(environment, handlers);
  }

  async close(): Promise<void> {
    this.listeners.clear();
    this.handlers.clear();
  }
}

const keyOf = (audience: Audience): string =>
  audience === 'supervisors' ? audience : `environment ${audience.environment}`;

function within<V>(maps: Map<string, Map<string, V>>, key: string): Map<string, V> {
  let map = maps.get(key);
  if (!map) {
    map = new Map();
    maps.set(key, map);
  }
  return map;
}
