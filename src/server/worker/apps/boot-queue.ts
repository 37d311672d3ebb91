import PQueue from 'p-queue';
import { type Clock, within } from '../../clock';
import type { BootstrapConfig } from '../../config';
import { BOOT } from '../../timing';

/** How long work may keep its place in the queue, in ms: as long as an install or an upgrade may take. */
export const BOOT_LIMIT = BOOT;

export interface Place {
  /** Told while it waits, and again whenever its place changed; 1 is next. */
  onPlace(place: number): void;
  /** The work has taken too long: others go on beside it, and it is still waited for. */
  onLate(): void;
  /** Whether it goes before those that have not begun anything yet. */
  isNext: boolean;
  /** Ends the waiting; what has begun goes on. */
  signal: AbortSignal;
}

/**
 * Limits how many apps boot at the same time and how fast they begin (`SUBAPP_BOOTSTRAP_*`), and reports their position
 * to those that wait.
 */
export class BootQueue {
  /** Its own timers pace boots where `SUBAPP_BOOTSTRAP_INTERVAL` is set; they decide nothing else. */
  private readonly queue: PQueue;
  private readonly waiting: Place[] = [];

  constructor(
    { concurrency, interval, intervalCap }: BootstrapConfig,
    private readonly clock: Clock,
  ) {
    this.queue = new PQueue({ concurrency, ...(interval > 0 ? { interval, intervalCap } : {}) });
  }

  /** From now on only one app boots at a time. */
  oneByOne(): void {
    this.queue.concurrency = 1;
  }

  /**
   * Runs the work when its turn comes.
   * @returns null when the signal came first
   */
  add<T>(work: () => Promise<T>, place: Place): Promise<T | null> {
    return new Promise((resolve, reject) => {
      let begun = false;
      const turn = async () => {
        if (begun || place.signal.aborted) return resolve(null);
        begun = true;
        this.leave(place);
        const working = work();
        working.then(resolve, reject);
        const ended = working.then(
          () => true,
          () => true,
        );
        if (!(await within(this.clock, BOOT_LIMIT, ended, false))) place.onLate();
      };
      void this.queue.add(turn, { priority: place.isNext ? 1 : 0 });
      // What need not wait has begun within `add`.
      if (begun || place.signal.aborted) return;
      const index = place.isNext ? this.waiting.findIndex((other) => !other.isNext) : -1;
      this.waiting.splice(index < 0 ? this.waiting.length : index, 0, place);
      this.tellFrom(index < 0 ? this.waiting.length - 1 : index);
      place.signal.addEventListener('abort', () => {
        if (begun) return;
        this.leave(place);
        resolve(null);
      });
    });
  }

  private leave(place: Place): void {
    const index = this.waiting.indexOf(place);
    if (index < 0) return;
    this.waiting.splice(index, 1);
    this.tellFrom(index);
  }

  private tellFrom(index: number): void {
    for (const [place, { onPlace }] of [...this.waiting].entries()) if (place >= index) onPlace(place + 1);
  }
}
