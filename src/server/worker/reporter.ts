import type { StatusEntry } from '../../shared/messages';
import type { Clock, Timer } from '../clock';
import { messageOf } from '../errors';
import type { Log } from '../log';
import type { MessageBus } from '../protocol/bus';
import type { StatusStore } from '../protocol/stores/statuses';

/** Least time between two writes, in ms: a boot changes its message about 340 times. */
const SPACING = 100;

export interface ReporterOptions {
  environment: string;
  instance: string;
  statuses: StatusStore;
  bus: MessageBus;
  clock: Clock;
  log: Log;
  /** The lease under which to write; null while there is none, then all is told when there is one again. */
  epoch(): number | null;
  entries(names: string[] | 'all'): StatusEntry[];
  /** The store refused: the lease has to be asked for again. */
  onRefused(): void;
}

/** Tells the store what this worker's apps are, under its lease. What could not be told is told later, as it is then. */
export class StatusReporter {
  private readonly dirty = new Set<string>();
  /** What the store has, by name, as text. */
  private told = new Map<string, string>();
  private complete = true;
  private version = 0;
  private timer: Timer | null = null;
  private writing = false;
  private closed = false;

  constructor(private readonly options: ReporterOptions) {}

  report(names: string[]): void {
    for (const name of names) this.dirty.add(name);
    this.schedule(SPACING);
  }

  /**
   * Looks whether the store has what is here, every 30 s: what has changed without a word (a visit), or was lost there, is
   * told. Never rejects.
   */
  async check(): Promise<void> {
    const { environment, statuses, epoch, entries, log } = this.options;
    if (epoch() === null || this.writing || this.complete) {
      this.schedule(0);
      return;
    }
    const now = new Map(entries('all').map((entry) => [entry.name, JSON.stringify(entry)]));
    for (const [name, text] of now) if (this.told.get(name) !== text) this.dirty.add(name);
    for (const name of this.told.keys()) if (!now.has(name)) this.dirty.add(name);
    const { version } = this;
    const count = this.told.size;
    try {
      const mark = await statuses.mark(environment);
      // Of what was written meanwhile it says nothing.
      if (this.version === version && (mark.version !== version || mark.count !== count)) this.complete = true;
    } catch (error) {
      (log.rooms.records ?? log.debug)(`Statuses could not be compared: ${messageOf(error)}`);
    }
    if (this.dirty.size || this.complete) this.schedule(0);
  }

  /** The store is to hold exactly what is here: after taking the lease, after a flush. */
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
    try {
      written = await statuses.write({
        environment,
        instance,
        epoch: current,
        entries: found,
        removed: names.filter((name) => !texts.has(name)),
        version: this.version,
        complete,
      });
      log.rooms.records?.('Reported', {
        epoch: current,
        apps: found.map(({ name, status }) => `${name}: ${status}`),
        complete,
        written,
      });
      if (!written) onRefused();
    } catch (error) {
      (log.rooms.records ?? log.debug)(`Statuses could not be written, they are told later: ${messageOf(error)}`);
    }
    this.writing = false;
    if (written) {
      if (complete) this.told = texts;
      for (const name of names) this.told.delete(name);
      for (const [name, text] of texts) this.told.set(name, text);
      bus.notify('supervisors', names);
    } else {
      this.complete ||= complete;
      for (const name of names) this.dirty.add(name);
      this.schedule(1_000);
      return;
    }
    if (this.dirty.size || this.complete) this.schedule(SPACING);
  }
}
