import PQueue from 'p-queue';
import type { Registration, StatusEntry } from '../../../shared/messages';
import type { Health } from '../../../shared/types';
import type { Clock, Now } from '../../clock';
import { messageOf } from '../../errors';
import { Feed } from '../../feed';
import type { Log } from '../../log';
import {
  absenceUntil,
  afterPoll,
  DISCONNECTED_AFTER,
  discountOutage,
  doubtfulSince,
  healthOf,
  isAlive,
  lostAt,
  type StoreObservation,
  silenceOf,
} from '../../protocol/health';
import type { Stores } from '../../protocol/stores';
import { changesBetween } from '../../protocol/stores/statuses';
import { HealthReports } from './health-reports';
import {
  type EnvironmentView,
  type Found,
  ObservedEnvironment,
  ObservedEnvironments,
  troubleOf,
} from './observed-environment';

/** A poll under way. */
interface Poll extends Record<'changed' | 'apps', Set<string>> {
  now: Now;
  /** Of each, what is new. Listed only after the listeners that store it were notified: a user who sees it may send a request about it. */
  announced: Map<ObservedEnvironment, Partial<ObservedEnvironment>>;
}

const nothingFound = (): Pick<Poll, 'changed' | 'apps'> => ({ changed: new Set(), apps: new Set() });

/** Maximum number of reads of a poll at the same time: one after the other, they would take too long with a slow store. */
const READS = 32;

/** How long it waits before it reads a missing registration again, in ms. */
const READ_AGAIN = 30_000;

/** An app of which environments report. */
type Reported = Record<'name' | 'uid', string> & { environments: readonly string[] };

/** The changes that a poll found. */
export interface ObservedChange {
  /** Environments whose apps or health changed. */
  environments: Set<string>;
  /** Apps whose report changed, is no longer valid, or is valid again. */
  apps: Set<string>;
}

/**
 * What this process knows about all environments: polled once a second and on every notification, at a cost that grows
 * with the number of changes. In memory only; every Supervisor process has its own, fed from the same store.
 */
export class FleetObserver {
  /** The changes of each poll that found any. */
  readonly changes = new Feed<ObservedChange>();
  /** The store has lost its content. */
  readonly flushes = new Feed<void>();
  private readonly environments = new ObservedEnvironments();
  private readonly observer: StoreObservation = { asksSince: null, lastPoll: null, resumed: null };
  private polling: Promise<boolean> | null = null;
  private again = false;
  private readonly reports = new HealthReports();
  /** What polls have found since the last report. */
  private found = nothingFound();
  private cutOff: { at: number; version: number; since: number } | null = null;
  /** The fleet id in the store at the last poll that read all, or that found another fleet's; null after a flush. */
  private fleet: string | null = null;
  /** Increases with everything that may change what is shown. */
  version = 0;

  constructor(
    private readonly stores: Pick<Stores, 'fleet' | 'leases' | 'statuses'>,
    private readonly clock: Clock,
    private readonly log: Log,
    /** This fleet's id; null until it has been read from the database. */
    private readonly ownFleet: () => string | null,
  ) {}

  /** Polls now; calls during a poll are merged into one more. Returns whether the store was read, and takes changes. Never rejects. */
  poll(): Promise<boolean> {
    if (this.polling) {
      this.again = true;
      // The one under way may take long.
      this.reportTime();
      return this.polling;
    }
    this.polling = this.pollUntilQuiet().finally(() => {
      this.polling = null;
    });
    return this.polling;
  }

  /** Whether the store belongs to another fleet: none of its content is ours. */
  get foreign(): boolean {
    return this.isOthers(this.fleet);
  }

  private isOthers(fleet: string | null): boolean {
    const own = this.ownFleet();
    return fleet !== null && own !== null && fleet !== own;
  }

  /** Whether the last successful poll is recent enough to prove anything. */
  get sees(): boolean {
    const { lastPoll } = this.observer;
    return lastPoll !== null && this.clock.now().mono - lastPoll.mono <= DISCONNECTED_AFTER;
  }

  /** As in `protocol/health`. Called for each environment of each app of a list, so it is computed once a second. */
  private doubtfulSince(now: Now): number {
    if (this.cutOff === null || now.mono - this.cutOff.at >= 1_000 || this.cutOff.version !== this.version) {
      this.cutOff = { at: now.mono, version: this.version, since: doubtfulSince(this.environments.values(), now) };
    }
    return this.cutOff.since;
  }

  names(): string[] {
    return [...this.environments.keys()];
  }

  /** The environments whose last holder has reported an app. */
  placesOf(app: string): string[] {
    return this.environments.placesOf(app);
  }

  environment(name: string): EnvironmentView | null {
    const seen = this.environments.get(name);
    if (!seen) return null;
    const now = this.clock.now();
    const judged = this.judge(seen, now);
    const isRefusing = judged.health === 'online' && seen.unreachableSince !== null;
    const { health, since } = isRefusing ? { health: 'suspect' as const, since: seen.unreachableSince! } : judged;
    const alive = health === 'online' || health === 'suspect' || health === 'stopping';
    return {
      name,
      health,
      since,
      lastsFor: this.reports.show(name, health, now.mono),
      lease: alive ? seen.observation.lease : null,
      held: seen.held,
      released: seen.observation.releasedAt !== null,
      registration: seen.registration,
      standby: seen.standby,
      isForeign: seen.isForeign,
      trouble: alive ? null : troubleOf(seen),
      unreachableSince: seen.unreachableSince,
      lastHeartbeatAt: seen.observation.lastBeat?.wall ?? null,
    };
  }

  /** By its lease alone. */
  private judge(seen: ObservedEnvironment, now: Now): ReturnType<typeof healthOf> {
    const judged = healthOf(seen.observation, this.observer, now);
    const lost = lostAt(seen.observation);
    const isCutOff = lost !== null && lost >= this.doubtfulSince(now);
    // A Worker that is outdated lives, although nothing that it says is believed.
    const isDoubtful = judged.health === 'down' && (isCutOff || troubleOf(seen) === 'OUTDATED');
    return isDoubtful ? { health: 'unknown', since: judged.since } : judged;
  }

  /** The report of the lease's holder about an app, and when it was last known to be true. */
  observed(environment: string, app: string): { entry: StatusEntry; at: number } | null {
    const seen = this.environments.get(environment);
    const entry = seen?.entries.get(app);
    return entry && seen?.observation.lastBeat ? { entry, at: seen.observation.lastBeat.wall } : null;
  }

  /** What the environments of an app have last reported of it. */
  reportsOf({ name, uid, environments }: Reported): Array<{ environment: string; entry: StatusEntry }> {
    return environments.flatMap((environment) => {
      const entry = this.observed(environment, name)?.entry;
      return entry?.uid === uid ? [{ environment, entry }] : [];
    });
  }

  /** When somebody last visited an app, as far as its environments report it, or it was written down before it left others. */
  lastVisitOf(app: Reported & { lastVisitAt: number | null }): number | null {
    const reported = this.reportsOf(app).map(({ entry }) => entry.lastVisitAt ?? 0);
    return Math.max(app.lastVisitAt ?? 0, ...reported) || null;
  }

  /**
   * What is known about an environment by its lease, and about an app in it only under a live one. A Worker that refuses visitors may
   * work nevertheless.
   */
  evidence(environment: string, app: string): { health: Health; entry: StatusEntry | null } {
    const seen = this.environments.get(environment);
    if (!seen) return { health: this.sees ? 'down' : 'unknown', entry: null };
    const { health } = this.judge(seen, this.clock.now());
    // What its holder says is not read yet.
    const isFormer = ((seen.held ?? seen.observation.lease)?.epoch ?? 0) > (seen.epoch ?? 0);
    const isKnown = isAlive(health) && !isFormer;
    return { health, entry: isKnown ? (this.observed(environment, app)?.entry ?? null) : null };
  }

  entries(environment: string): IterableIterator<StatusEntry> {
    return (this.environments.get(environment)?.entries ?? new Map<string, StatusEntry>()).values();
  }

  forget(environment: string): void {
    this.environments.delete(environment);
    this.reports.forget(environment);
    this.version++;
  }

  /** Whether connections to an environment's Worker can be established: one that refuses them is not online, whatever its lease says. */
  noteReach(environment: string, isReached: boolean): void {
    const seen = this.environments.get(environment);
    if (!seen || (seen.unreachableSince === null) === isReached) return;
    seen.unreachableSince = isReached ? null : this.clock.now().wall;
    this.report(new Set([environment]), new Set());
  }

  private async pollUntilQuiet(): Promise<boolean> {
    let isRead: boolean;
    do {
      this.again = isRead = false;
      try {
        isRead = await this.pollOnce().catch((error) => {
          (this.log.rooms.fleet ?? this.log.debug)(`A poll of the fleet failed: ${messageOf(error)}`);
          return false;
        });
        this.reportFound();
      } catch (error) {
        this.log.warn(`A change of the fleet could not be handled: ${messageOf(error)}`);
      }
    } while (this.again);
    return isRead;
  }

  /** Also what a poll has found that failed after it: whoever reads is shown it. */
  private reportFound(): void {
    if (!this.observer.lastPoll) return;
    const { changed, apps } = this.found;
    this.found = nothingFound();
    this.report(changed, apps);
  }

  /** That time passes without a heartbeat, or without a poll, is no event: nothing that is read reports it. */
  private reportTime(): void {
    if (this.observer.lastPoll) this.report(new Set(), new Set());
  }

  /**
   * Reports everything that has changed since the last report. Health also changes by time alone: a missing heartbeat is
   * no event.
   *
   * @param apps whose entries have changed; the apps of environments whose health changed are added
   */
  private report(environments: Set<string>, apps: Set<string>): void {
    for (const name of this.names()) {
      const health = this.environment(name)?.health;
      if (health === undefined || !this.reports.take(name, health, this.clock.now().mono)) continue;
      this.log.rooms.fleet?.('The health of an environment changed', { environment: name, to: health });
      environments.add(name);
      for (const app of this.environments.get(name)?.entries.keys() ?? []) apps.add(app);
    }
    if (!environments.size) return;
    this.log.rooms.fleet?.('Found changes', { environments: [...environments], apps: [...apps] });
    this.version++;
    this.changes.emit({ environments, apps });
  }

  private async pollOnce(): Promise<boolean> {
    this.observer.asksSince ??= this.clock.now();
    const { fleet, isNew, environments } = await this.stores.fleet.poll();
    // Another fleet's environments are not ours to show: this counts as a failed poll.
    if (this.isOthers(fleet)) {
      this.fleet = fleet;
      return false;
    }
    const now = this.clock.now();
    const absence = absenceUntil(now, this.observer);
    if (absence) {
      this.observer.resumed = { at: now.mono, after: absence };
      for (const seen of this.environments.values()) seen.observation = discountOutage(seen.observation, absence, now);
    }
    // A heartbeat that arrived while nobody polled may be its holder's last one, from long ago.
    const late = isNew || this.observer.lastPoll === null || absence > 0;
    const leased = [...environments].flatMap(([name, { lease }]) => (lease ? [name] : []));
    const left = late ? await this.stores.leases.left(leased) : null;
    const flushed = fleet === null;
    const lostNow = flushed && this.fleet !== null;

    const names = new Set([...environments.keys(), ...this.environments.keys()]);
    const poll: Poll = { ...this.found, now, announced: new Map() };
    const reads = [...names].flatMap((name) => {
      const found: Found = environments.get(name) ?? { lease: null, statusVersion: 0, standby: null };
      const silence = found.lease && left ? silenceOf(found.lease, left.get(name) ?? 0) : 0;
      // A name disappears from the store only through a flush, which another Supervisor may already have repaired.
      return this.observe(name, found, { lost: flushed || !environments.has(name), silence, late }, poll);
    });
    const queue = new PQueue({ concurrency: READS });
    const results = await Promise.allSettled(reads.map((read) => queue.add(read)));
    for (const result of results) if (result.status === 'rejected') throw result.reason;
    for (const [seen, registration] of poll.announced) Object.assign(seen, registration);
    this.observer.lastPoll = this.clock.now();
    this.fleet = fleet;
    if (lostNow) this.flushes.emit();
    return true;
  }

  /**
   * Takes over what a poll found of an environment.
   * @param how.lost whether a missing lease means nothing
   * @param how.silence as in `afterPoll`
   * @param how.late as in `afterPoll`
   * @returns what has to be read in addition
   */
  private observe(
    name: string,
    found: Found,
    { lost, silence, late }: { lost: boolean; silence: number; late: boolean },
    { now, changed, apps, announced }: Poll,
  ): Array<() => Promise<void>> {
    const { fleet, statuses } = this.stores;
    const seen = this.environments.get(name) ?? this.introduce(name);
    const { lease, statusVersion, standby, isForeign = false, doubt } = this.inOrder(name, found, seen);
    const reads: Array<() => Promise<void>> = [];
    seen.held = lease;
    const isLost = lost || doubt !== undefined;
    const observation = afterPoll(seen.observation, lease, this.observer, isLost, now, silence, late);
    if (seen.standby !== standby || seen.isForeign !== isForeign || seen.doubt !== (doubt ?? null)) changed.add(name);
    Object.assign(seen, { standby, isForeign, doubt: doubt ?? null });
    const isNew = lease !== null && lease.epoch !== seen.observation.lease?.epoch;
    const newEpoch = lease !== null && lease.epoch !== seen.epoch;
    // The number alone does not tell two processes apart.
    const isRead = seen.read?.epoch === lease?.epoch && seen.read?.registered === lease?.registered;
    // A new holder is not listed before its registration is read: visitors would be sent to its predecessor.
    const isHidden = isNew && seen.registration !== null && seen.registration.epoch !== lease.epoch;
    if (!isHidden) seen.observation = observation;
    if (lease !== null && !(isRead && now.mono < seen.read!.until))
      reads.push(async () => {
        const { epoch, registered } = lease;
        const read = (until: number) => ({ epoch, registered, until });
        const registration = await fleet.readRegistration(name);
        // One that is not believed changes nothing.
        if (!registration) {
          if (!isHidden) seen.read = read(now.mono + READ_AGAIN);
          return;
        }
        // Refused meanwhile by the same process: that stays.
        const arrival = isNew ? { observation, unreachableSince: null } : {};
        announced.set(seen, { registration, read: read(Number.POSITIVE_INFINITY), ...arrival });
        changed.add(name);
      });
    if (isNew && isRead) seen.unreachableSince = null;
    if (newEpoch || (statusVersion !== seen.statusVersion && statusVersion !== 0))
      reads.push(async () => {
        const entries = new Map((await statuses.read(name)).map((entry) => [entry.name, entry]));
        const changedApps = changesBetween(seen.entries, entries);
        // What another holder says is news, even if it is the same.
        for (const app of newEpoch ? [...changedApps, ...entries.keys()] : changedApps) apps.add(app);
        this.environments.place(name, entries);
        Object.assign(seen, { entries, statusVersion, ...(newEpoch ? { epoch: lease.epoch } : {}) });
        if (newEpoch || changedApps.length) changed.add(name);
      });
    return reads;
  }

  /** A lease that is older than the newest registration was true once, and is no more. */
  private inOrder(name: string, found: Found, { registration, doubt }: ObservedEnvironment): Found {
    const { lease } = found;
    if (!lease || lease.epoch >= (registration?.epoch ?? 0)) return found;
    if (doubt !== 'replayed')
      this.log.warn(`The lease of ${name} in Redis is older than its registration; it is ignored.`, {
        environment: name,
      });
    return { ...found, lease: null, doubt: 'replayed' };
  }

  /** Adds what the database knows about an environment, so that one that is down is still listed. */
  remember(name: string, registration: Registration): void {
    const seen = this.environments.get(name) ?? this.introduce(name);
    seen.registration ??= registration;
  }

  private introduce(name: string): ObservedEnvironment {
    const seen = new ObservedEnvironment(this.clock.now());
    this.environments.set(name, seen);
    return seen;
  }
}
