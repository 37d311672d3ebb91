import { isDeepStrictEqual } from 'node:util';
import type { Transaction } from '@nocobase/database';
import PQueue from 'p-queue';
import { ENVIRONMENT, type StoredEnvironment } from '../../../shared/environment';
import { completeIn } from '../../../shared/fields';
import { httpAddress } from '../../../shared/http-address';
import type { Registration } from '../../../shared/messages';
import { type Addresses, type FleetHosts, fleetHosts } from '../../../shared/origins';
import type { Clock } from '../../clock';
import { AppSupervisorError, messageOf } from '../../errors';
import { Feed } from '../../feed';
import type { Log } from '../../log';
import type { MessageBus } from '../../protocol/bus';
import type { Keyring } from '../../protocol/keyring';
import type { FleetStore } from '../../protocol/stores/fleet';
import type { LeaseStore } from '../../protocol/stores/leases';
import {
  type EnvironmentRegistry,
  type EnvironmentSettings,
  type EnvironmentState,
  isKnown,
} from '../definitions/environment-registry';
import { readBackLater } from '../definitions/read-back';
import type { FleetObserver } from './observer';
import { isAdmitted, type ProxyAddress, proxyAddressOf } from './proxy-address';

export interface EnvironmentCacheOptions {
  registry: EnvironmentRegistry;
  observer: FleetObserver;
  clock: Clock;
  log: Log;
  stores: { fleet: Pick<FleetStore, 'forget'>; leases: Pick<LeaseStore, 'left'> };
  /** `Leadership`. */
  leadership: { newestTerm(): Promise<number> };
  bus: Pick<MessageBus, 'notify'>;
  /** Absent where nothing is signed. */
  keyring?: Pick<Keyring, 'raise'>;
  /** As in `SupervisorPartOptions`. */
  addressesOf?(environment: string): readonly string[];
  defaultEnvironments?: string[] | null;
}

/** The known environments: those in the database, and those that the observer has just found. */
export class EnvironmentCache {
  /** An environment was forgotten or cordoned, through any Supervisor. */
  readonly changes = new Feed<void>();
  /** By name, also those that were forgotten or are only expected. */
  private rows = new Map<string, EnvironmentState>();
  /**
   * One write after the other, so that each environment gets one row; and one read after the other, which must not end after a change that
   * it has not seen.
   */
  private readonly turns = new PQueue({ concurrency: 1 });

  constructor(private readonly options: EnvironmentCacheOptions) {}

  /** Environments that were forgotten and that the leader has not removed yet. */
  get forgotten(): ReadonlySet<string> {
    const pending = [...this.rows.values()].filter(({ isRemoved }) => isRemoved);
    return new Set(pending.map(({ name }) => name));
  }

  get(name: string): StoredEnvironment | undefined {
    const row = this.rows.get(name);
    return row && isKnown(row) ? row : undefined;
  }

  all(): StoredEnvironment[] {
    return [...this.rows.values()].filter(isKnown);
  }

  /** Names of all of them, including those that are not in the database yet. */
  names(): string[] {
    const { observer } = this.options;
    const isShown = (name: string) => observer.environment(name)?.registration && !this.rows.get(name)?.isRemoved;
    const seen = observer.names().filter(isShown);
    return [...new Set([...this.all().map(({ name }) => name), ...seen])].sort();
  }

  /** The last registration of an environment. */
  registrationOf(name: string): Registration | null {
    return this.options.observer.environment(name)?.registration ?? this.rows.get(name)?.registration ?? null;
  }

  /** Where the proxy reaches its Worker; null if nobody has confirmed where; undefined if there is no such environment. */
  addressOf(name: string): string | null | undefined {
    if (!this.get(name) && !this.options.observer.environment(name)) return undefined;
    return this.proxyAddressOf(name).address || null;
  }

  /** Where the proxy reaches its Worker, and where that says that it is. */
  proxyAddressOf(name: string): ProxyAddress {
    // One that has just been found is stored a moment later.
    const confirmed = [...(this.options.addressesOf?.(name) ?? []), ...(this.rows.get(name)?.proxyUrls ?? [])];
    return proxyAddressOf(this.registrationOf(name)?.proxyUrl ?? '', confirmed);
  }

  /** Whether it belongs to the fleet, as `isAdmitted`; in shared memory it is this process. */
  isAdmitted(name: string): boolean {
    return Boolean(this.options.defaultEnvironments) || isAdmitted(this.proxyAddressOf(name));
  }

  /**
   * From now on the environment belongs to the fleet, and its Worker is reached where it says.
   * @param address that was shown to whoever admits it
   * @returns whether it did not belong to the fleet before
   * @throws AppSupervisorError UNKNOWN_ENVIRONMENT, ADDRESS_DIFFERS
   */
  async admit(name: string, address: string): Promise<boolean> {
    await this.settled();
    this.known(name);
    const { unconfirmed } = this.proxyAddressOf(name);
    if (unconfirmed !== address || httpAddress(address) === null)
      throw new AppSupervisorError('ADDRESS_DIFFERS', { environment: name, address });
    const isNew = !this.isAdmitted(name);
    await this.change(name, { proxyUrls: [address] });
    return isNew;
  }

  /** Somebody adds an environment, and says where it will be reached: there it needs no confirmation. */
  async expect(name: string, addresses: readonly string[]): Promise<void> {
    await this.turns.add(() => this.options.registry.expect(name, addresses));
    await readBackLater(() => this.load(), this.options.clock);
    this.tell();
  }

  /** At which hosts main and the Workers of the fleet answer: what a stranger reports keeps no host from an app. */
  fleetHosts(addresses: Addresses): FleetHosts {
    const addressesOf = (name: string) => {
      const { url, proxyUrl } = this.registrationOf(name) ?? {};
      return [url, proxyUrl, this.addressOf(name)].filter((address) => typeof address === 'string');
    };
    return fleetHosts(
      addresses,
      this.names()
        .filter((name) => this.isAdmitted(name))
        .map((name) => [name, addressesOf(name)] as const),
    );
  }

  /** Reads the database: other Supervisors also add, forget and cordon environments. */
  load(): Promise<void> {
    return this.turns.add(() => this.loadNow());
  }

  private async loadNow(): Promise<void> {
    const { registry, observer, keyring } = this.options;
    const rows = new Map((await registry.all()).map((row) => [row.name, row]));
    // Through another Supervisor. An environment that is missing in an older copy of the database was not forgotten.
    const isNewer = ({ name, floor }: EnvironmentState) => (rows.get(name)?.floor ?? 0) > floor;
    const gone = [...this.rows.values()].filter((row) => row.isRemoved || isNewer(row));
    const shown = this.shown();
    this.rows = rows;
    for (const { name, floor, registration } of rows.values()) {
      keyring?.raise(name, floor);
      if (registration) observer.remember(name, registration);
    }
    for (const { name } of gone) if (!this.get(name)) observer.forget(name);
    // One that could not be stored when it was found.
    await this.rememberNow(new Set(observer.names()));
    if (this.shown() !== shown) this.changes.emit();
  }

  /** What other Supervisors may have changed of what is shown. */
  private shown(): string {
    return this.names()
      .map((name) => {
        const { cordoned, away, proxyUrls } = this.get(name) ?? {};
        return `${name} ${cordoned} ${JSON.stringify([away, proxyUrls])}`;
      })
      .join();
  }

  /**
   * Stores what the observer has found. Never rejects.
   * @returns whether one of them was new or has changed
   */
  remember(names: Set<string>): Promise<boolean> {
    return this.turns.add(() => this.rememberNow(names));
  }

  /** Never rejects. */
  private rememberNow(names: Set<string>): Promise<boolean> {
    return this.store(names).catch((error) => {
      this.options.log.warn(`Environments could not be remembered: ${messageOf(error)}`);
      return false;
    });
  }

  private async store(names: Set<string>): Promise<boolean> {
    const { observer, registry, clock } = this.options;
    let isNew = false;
    for (const name of names) {
      const registration = observer.environment(name)?.registration;
      const row = this.rows.get(name);
      if (row?.isRemoved) continue;
      // What variables of the Supervisor name stays admitted when they do not name it any more.
      const named = this.options.addressesOf?.(name) ?? [];
      const isNamedNow = named.length > 0 && row?.proxyUrls?.length === 0;
      if (!registration || (isDeepStrictEqual(row?.registration, registration) && !isNamedNow)) continue;
      const now = clock.now().wall;
      const proxyUrls = await registry.remember(registration, now, named);
      const stored = { floor: 0, ...row, name, registration, lastSeenAt: now, proxyUrls };
      this.rows.set(name, completeIn(ENVIRONMENT, 'table', stored));
      isNew = true;
    }
    return isNew;
  }

  /** @throws AppSupervisorError UNKNOWN_ENVIRONMENT, also if another Supervisor has had it forgotten */
  async change(name: string, settings: EnvironmentSettings): Promise<void> {
    const isChanged = await this.turns.add(async () => {
      const { floor } = this.known(name);
      const isStored = await this.options.registry.change(name, floor, settings);
      const row = this.rows.get(name);
      // What follows decides by it, also where it cannot be read now.
      if (row && isStored) this.rows.set(name, { ...row, ...settings });
      return isStored;
    });
    await readBackLater(() => this.load(), this.options.clock);
    if (!isChanged) throw new AppSupervisorError('UNKNOWN_ENVIRONMENT', { environment: name });
    this.tell();
  }

  /** Here and in the other Supervisors, of which one leads. */
  private tell(): void {
    this.changes.emit();
    this.options.bus.notify('definitions', []);
  }

  /**
   * The environment will not come back: what waits for it ends, and its apps are no longer assigned to it. Should it
   * come back nevertheless, its Worker reads in Redis that it starts empty. The database decides; what of it cannot be written
   * to Redis now, the leader writes.
   * @throws AppSupervisorError UNKNOWN_ENVIRONMENT, ENVIRONMENT_ALIVE, REDIS_UNREACHABLE; then nothing has changed
   */
  async forget(name: string): Promise<void> {
    const { observer, registry, keyring, clock, log } = this.options;
    await this.assertForgettable(name);
    const floor = await this.turns.add(async () => {
      const found = await registry.forget(name, clock.now().wall);
      if (found === null) throw new AppSupervisorError('UNKNOWN_ENVIRONMENT', { environment: name });
      // It is forgotten, also if that cannot be read now.
      await this.loadNow().catch(() => {
        keyring?.raise(name, found);
        const row = this.rows.get(name);
        if (row) this.rows.set(name, { ...row, registration: null, proxyUrls: [], floor: found, isRemoved: true });
      });
      return found;
    });
    await this.clear(name, floor).catch((error) => {
      log.warn(
        `Redis still has environment ${name}, which was forgotten; the leading Supervisor removes it: ${messageOf(error)}`,
        {
          environment: name,
        },
      );
    });
    observer.forget(name);
    this.tell();
  }

  /** @throws AppSupervisorError UNKNOWN_ENVIRONMENT, ENVIRONMENT_ALIVE, REDIS_UNREACHABLE */
  async assertForgettable(name: string): Promise<void> {
    await this.settled();
    this.known(name);
    const health = this.options.observer.environment(name)?.health;
    const isAlive = health === 'online' || health === 'suspect' || health === 'stopping';
    if (isAlive || (await this.isLeased(name)))
      throw new AppSupervisorError('ENVIRONMENT_ALIVE', { environment: name });
  }

  private async clear(name: string, floor: number): Promise<void> {
    const { stores, leadership } = this.options;
    await stores.fleet.forget(name, floor, await leadership.newestTerm());
  }

  /** Whether it is held now: what this process has observed may be old. @throws AppSupervisorError REDIS_UNREACHABLE */
  private async isLeased(name: string): Promise<boolean> {
    const { stores, observer, log } = this.options;
    const left = await stores.leases.left([name]).catch((error) => {
      log.warn(`Environment ${name} could not be forgotten: ${messageOf(error)}`, { environment: name });
      throw new AppSupervisorError('REDIS_UNREACHABLE');
    });
    // One that takes no changes would still have its records when its Worker returns.
    if (!(await observer.poll())) throw new AppSupervisorError('REDIS_UNREACHABLE');
    return (left.get(name) ?? 0) > 0;
  }

  /**
   * Before the transaction of a request that places an app: an environment that was just found for the first time has its row then. Not
   * in it: what is waited for needs a connection of the pool, too.
   */
  settled(): Promise<void> {
    return this.turns.add(() => Promise.resolve());
  }

  /**
   * For the transaction of a request that places an app.
   * @throws AppSupervisorError UNKNOWN_ENVIRONMENT if one of them is not known, or was forgotten through any Supervisor; NOT_ADMITTED
   */
  async assertStored(names: string[], field: string, transaction: Transaction): Promise<void> {
    for (const name of names) {
      if (!(await this.options.registry.has(name, transaction)))
        throw new AppSupervisorError('UNKNOWN_ENVIRONMENT', { environment: name }, field);
      if (!this.isAdmitted(name)) throw new AppSupervisorError('NOT_ADMITTED', { environment: name }, field);
    }
  }

  private known(name: string): StoredEnvironment {
    const known = this.get(name);
    if (!known) throw new AppSupervisorError('UNKNOWN_ENVIRONMENT', { environment: name });
    return known;
  }
}
