import PQueue from 'p-queue';
import { type Clock, within } from '../../clock';
import type { BootstrapConfig } from '../../config';
import { BOOT } from '../../timing';

/** A boot that waits for its turn. */
export interface Waiting {
  /** Told while it waits, and again whenever its place changed; 1 is next. */
  onPlace(place: number): void;
  /** It has taken too long: others go on beside it. */
  onLate(): void;
  /** Whether it goes before those that have not begun anything yet. */
  isNext: boolean;
  /** Ends the waiting; what has begun goes on. */
  signal: AbortSignal;
}

/** Among those that boot. */
export interface Turn {
  /** Lets the next one begin. A second call does nothing. */
  end(): void;
}

/**
 * Limits how many apps boot at the same time and how fast they begin (`SUBAPP_BOOTSTRAP_*`), and reports their position
 * to those that wait.
 */
export class BootQueue {
  /** Its own timers pace boots where `SUBAPP_BOOTSTRAP_INTERVAL` is set; they decide nothing else. */
  private readonly queue: PQueue;
  private readonly waiting: Waiting[] = [];

  constructor(
    private readonly settings: BootstrapConfig,
    private readonly clock: Clock,
  ) {
    const { concurrency, interval, intervalCap } = settings;
    this.queue = new PQueue({ concurrency, ...(interval > 0 ? { interval, intervalCap } : {}) });
  }

  /** Whether only one app boots at a time. */
  set isOneByOne(isOneByOne: boolean) {
    this.queue.concurrency = isOneByOne ? 1 : this.settings.concurrency;
  }

  /** @returns null when the signal came first */
  turn(waiting: Waiting): Promise<Turn | null> {
    return new Promise((resolve) => {
      if (waiting.signal.aborted) return resolve(null);
      let begun = false;
      const run = async () => {
        if (begun || waiting.signal.aborted) return resolve(null);
        begun = true;
        this.leave(waiting);
        const ended = new Promise<boolean>((end) => resolve({ end: () => end(true) }));
        if (!(await within(this.clock, BOOT, ended, false))) waiting.onLate();
      };
      void this.queue.add(run, { priority: waiting.isNext ? 1 : 0 });
      // What need not wait has begun within `add`.
      if (begun) return;
      const index = waiting.isNext ? this.waiting.findIndex((other) => !other.isNext) : -1;
      this.waiting.splice(index < 0 ? this.waiting.length : index, 0, waiting);
      this.tellFrom(index < 0 ? this.waiting.length - 1 : index);
      waiting.signal.addEventListener('abort', () => {
        if (begun) return;
        this.leave(waiting);
        resolve(null);
      });
    });
  }

  private leave(waiting: Waiting): void {
    const index = this.waiting.indexOf(waiting);
    if (index < 0) return;
    this.waiting.splice(index, 1);
    this.tellFrom(index);
  }

  private tellFrom(index: number): void {
    for (const [place, { onPlace }] of [...this.waiting].entries()) if (place >= index) onPlace(place + 1);
  }
}
