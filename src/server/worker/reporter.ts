import type { StatusEntry } from '../../shared/messages';
import type { Clock, Timer } from '../clock';
import { messageOf } from '../errors';
import type { Log } from '../log';
import type { MessageBus } from '../protocol/bus';
import type { StatusStore } from '../protocol/stores/statuses';

/** Minimum time between two writes, in ms: a boot changes its message about 340 times. */
const SPACING = 100;

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
  /** The store refused the write: the lease has to be claimed again. */
  onRefused(): void;
}

/**
 * Writes the statuses of this worker's apps to the store, under its lease. A failed write is repeated later with the
 * then current statuses.
 */
export class StatusReporter {
  private readonly dirty = new Set<string>();
  /** The content of the store, by name, as text. */
  private written = new Map<string, string>();
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
   * Compares the store with the current statuses, every 30 s: reports silent changes (a visit), and statuses that the
   * store has lost. Never rejects.
   */
  async check(): Promise<void> {
    const { environment, statuses, epoch, entries, log } = this.options;
    if (epoch() === null || this.writing || this.complete) {
      this.schedule(0);
      return;
    }
    const now = new Map(entries('all').map((entry) => [entry.name, JSON.stringify(entry)]));
    for (const [name, text] of now) if (this.written.get(name) !== text) this.dirty.add(name);
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
    const texts = new Map(found.map((entry) => [entry.name, JSON.stringify(entry)]));
    let written = false;
    let isRefused = false;
    try {
      written = await statuses.write({
        environment,
        instance,
        epoch: current,
        entries: found,
        removed: names.filter((name) => !texts.has(name)),
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
      if (complete) this.written = texts;
      for (const name of names) this.written.delete(name);
      for (const [name, text] of texts) this.written.set(name, text);
      bus.notify('supervisors', names);
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
