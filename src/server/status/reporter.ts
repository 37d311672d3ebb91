import type { StatusEntry } from '../../shared/messages';
import { messageOf } from '../errors';
import type { Log } from '../log';
import type { Bus, StateStore } from '../wire/wire';

/** Least time between two writes, in ms: a boot changes its message about 340 times. */
const SPACING = 100;

export interface ReporterOptions {
  environment: string;
  instance: string;
  state: StateStore;
  bus: Bus;
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
  private complete = true;
  private version = 0;
  private timer: NodeJS.Timeout | null = null;
  private writing = false;
  private closed = false;

  constructor(private readonly options: ReporterOptions) {}

  report(names: string[]): void {
    for (const name of names) this.dirty.add(name);
    this.schedule(SPACING);
  }

  /** The store is to hold exactly what is here: after taking the lease, after a flush, every 30 s. */
  reportAll(): void {
    this.complete = true;
    this.schedule(0);
  }

  close(): void {
    this.closed = true;
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
  }

  private schedule(wait: number): void {
    if (this.writing || this.closed) return;
    this.timer ??= setTimeout(() => {
      this.timer = null;
      void this.write();
    }, wait);
  }

  private async write(): Promise<void> {
    const { environment, instance, state, bus, log, epoch, entries, onRefused } = this.options;
    const current = epoch();
    if (current === null || this.writing) return;
    const { complete } = this;
    const names = [...this.dirty];
    this.dirty.clear();
    this.complete = false;
    this.writing = true;
    this.version = Math.max(this.version + 1, Date.now());
    const found = entries(complete ? 'all' : names);
    const present = new Set(found.map(({ name }) => name));
    let written = false;
    try {
      written = await state.writeStatuses({
        environment,
        instance,
        epoch: current,
        entries: found,
        removed: names.filter((name) => !present.has(name)),
        version: this.version,
        complete,
      });
      if (!written) onRefused();
    } catch (error) {
      log.debug(`Statuses could not be written, they are told later: ${messageOf(error)}`);
    }
    this.writing = false;
    if (written) {
      bus.wake('supervisors', names);
    } else {
      this.complete ||= complete;
      for (const name of names) this.dirty.add(name);
      this.schedule(1_000);
      return;
    }
    if (this.dirty.size || this.complete) this.schedule(SPACING);
  }
}
