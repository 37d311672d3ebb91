import PQueue from 'p-queue';
import type { BootstrapConfig } from '../../config';

/**
 * Limits how many apps boot at the same time and how fast they begin (`SUBAPP_BOOTSTRAP_*`), and reports their position
 * to those that wait.
 */
export class BootQueue {
  /** Its own timers pace boots where `SUBAPP_BOOTSTRAP_INTERVAL` is set; they decide nothing else. */
  private readonly queue: PQueue;
  private readonly waiting: Array<(place: number) => void> = [];

  constructor({ concurrency, interval, intervalCap }: BootstrapConfig) {
    this.queue = new PQueue({ concurrency, ...(interval > 0 ? { interval, intervalCap } : {}) });
  }

  /** From now on only one app boots at a time. */
  oneByOne(): void {
    this.queue.concurrency = 1;
  }

  /**
   * Runs the work when its turn comes.
   * @param onPlace called while it waits, and again whenever its position changes; 1 is next
   */
  add<T>(work: () => Promise<T>, onPlace: (place: number) => void): Promise<T> {
    let begun = false;
    const result = this.queue.add(() => {
      begun = true;
      this.leave(onPlace);
      return work();
    });
    // Work that does not need to wait has begun within `add`.
    if (!begun) onPlace(this.waiting.push(onPlace));
    return result;
  }

  private leave(onPlace: (place: number) => void): void {
    const index = this.waiting.indexOf(onPlace);
    if (index < 0) return;
    this.waiting.splice(index, 1);
    for (const [place, tell] of [...this.waiting].entries()) if (place >= index) tell(place + 1);
  }
}
