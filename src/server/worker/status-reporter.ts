import type { StatusEntry } from '../../shared/messages';
import type { Clock, Timer } from '../clock';
import { messageOf } from '../errors';
import type { Log } from '../log';
import type { MessageBus } from '../protocol/bus';
import { changeIn, type StatusStore } from '../protocol/stores/statuses';

/** Minimum time between two writes, in ms: a boot changes its message about 340 times. */
const SPACING = 100;
/** Minimum time between two reports of visits, in ms: every Supervisor reads all statuses of the environment after each. */
const VISITS_EVERY = 120_000;

export interface ReporterOptions {
  environment: string;
  instance: string;
  statuses: StatusStore;
  bus: MessageBus;
  clock: Clock;
  log: Log;
  /**
   * The epoch of the lease under which to write; null while there is none: everything is then reported with the next
   * lease.
   */
  epoch(): number | null;
  entries(names: string[] | 'all'): StatusEntry[];
  /** The store refused the write: the lease has to be taken again. */
  onRefused(): void;
}

/**
 * Writes the statuses of this worker's apps to the store, under its lease. A failed write is repeated later with the
 * then current statuses.
 */
export class StatusReporter {
  private readonly dirty = new Set<string>();
  /** The content of the store, by name: the change as text (`changeIn`), and the last visit. */
  private written = new Map<string, { change: string; lastVisitAt: number | null }>();
  /** When visits were last reported, by the monotonic clock. */
  private visitsAt = Number.NEGATIVE_INFINITY;
  private complete = true;
  private version = 0;
  /** The version of the last write that was confirmed. */
  private confirmed = 0;
  private timer: Timer | null = null;
  private writing = false;
  private closed = false;

  constructor(private readonly options: ReporterOptions) {}

  report(names: string[]): void {
    for (const name of names) this.dirty.add(name);
    this.schedule(SPACING);
  }

  /**
   * Compares the store with the current statuses, every 30 s: reports silent changes, visits every two minutes, and statuses that
   * the store has lost. Never rejects.
   */
  async check(): Promise<void> {
    const { environment, statuses, epoch, entries, clock, log } = this.options;
    if (epoch() === null || this.writing || this.complete) {
      this.schedule(0);
      return;
    }
    const now = new Map(entries('all').map((entry) => [entry.name, writtenOf(entry)]));
    const areVisitsDue = clock.now().mono - this.visitsAt >= VISITS_EVERY;
    for (const [name, { change, lastVisitAt }] of now) {
      const stored = this.written.get(name);
      const isVisited = stored?.lastVisitAt !== lastVisitAt;
      if (stored?.change !== change || (isVisited && areVisitsDue)) this.dirty.add(name);
    }
    if (areVisitsDue) this.visitsAt = clock.now().mono;
    for (const name of this.written.keys()) if (!now.has(name)) this.dirty.add(name);
    const { version } = this;
    const count = this.written.size;
    try {
      const mark = await statuses.mark(environment);
      // The comparison does not cover what was written meanwhile.
      if (this.version === version && (mark.version !== version || mark.count !== count)) this.complete = true;
    } catch (error) {
      (log.rooms.records ?? log.debug)(`Statuses could not be compared: ${messageOf(error)}`);
    }
    if (this.dirty.size || this.complete) this.schedule(0);
  }

  /** The store must contain exactly the current statuses: after taking the lease, after a flush. */
  reportAll(): void {
    this.complete = true;
    this.schedule(0);
  }

  close(): void {
    this.closed = true;
    this.timer?.cancel();
    this.timer = null;
  }

  private schedule(wait: number): void {
    if (this.writing || this.closed) return;
    this.timer ??= this.options.clock.timeout(wait, () => {
      this.timer = null;
      void this.write();
    });
  }

  private async write(): Promise<void> {
    const { environment, instance, statuses, bus, clock, log, epoch, entries, onRefused } = this.options;
    const current = epoch();
    if (current === null || this.writing) return;
    const { complete } = this;
    const names = [...this.dirty];
    this.dirty.clear();
    this.complete = false;
    this.writing = true;
    this.version = Math.max(this.version + 1, clock.now().wall);
    const found = entries(complete ? 'all' : names);
    const now = new Map(found.map((entry) => [entry.name, writtenOf(entry)]));
    const isChanged = (name: string) => this.written.get(name)?.change !== now.get(name)?.change;
    let written = false;
    let isRefused = false;
    try {
      written = await statuses.write({
        environment,
        instance,
        epoch: current,
        entries: found,
        removed: names.filter((name) => !now.has(name)),
        version: this.version,
        from: complete ? null : this.confirmed,
      });
      log.rooms.records?.('Reported', {
        epoch: current,
        apps: found.map(({ name, status }) => `${name}: ${status}`),
        complete,
        written,
      });
      isRefused = !written;
      if (isRefused) onRefused();
    } catch (error) {
      (log.rooms.records ?? log.debug)(`Statuses could not be written, they are told later: ${messageOf(error)}`);
    }
    this.writing = false;
    if (written) {
      this.confirmed = this.version;
      const changes = names.filter(isChanged);
      if (complete) this.written = now;
      for (const name of names) this.written.delete(name);
      for (const [name, entry] of now) this.written.set(name, entry);
      if (complete || changes.length) bus.notify('supervisors', changes);
    } else {
      // Whoever holds the lease refuses a change of what the store does not have.
      this.complete ||= complete || isRefused;
      for (const name of names) this.dirty.add(name);
      this.schedule(1_000);
      return;
    }
    if (this.dirty.size || this.complete) this.schedule(SPACING);
  }
}

const writtenOf = (entry: StatusEntry) => ({ change: changeIn(entry), lastVisitAt: entry.lastVisitAt });
