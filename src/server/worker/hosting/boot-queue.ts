import PQueue from 'p-queue';
import type { BootstrapConfig } from '../../config';

/** Bounds how many apps boot at once and how fast they begin (`SUBAPP_BOOTSTRAP_*`), and tells those that wait their place. */
export class BootQueue {
  /** Its own timers pace boots where `SUBAPP_BOOTSTRAP_INTERVAL` is set; they decide nothing else. */
  private readonly queue: PQueue;
  private readonly waiting: Array<(place: number) => void> = [];

  constructor({ concurrency, interval, intervalCap }: BootstrapConfig) {
    this.queue = new PQueue({ concurrency, ...(interval > 0 ? { interval, intervalCap } : {}) });
  }

  /** From now on no two boot at once. */
  oneByOne(): void {
    this.queue.concurrency = 1;
  }

  /**
   * Does the work when its turn has come.
   * @param onPlace told while it waits, and again whenever its place changed; 1 is next
   */
  add<T>(work: () => Promise<T>, onPlace: (place: number) => void): Promise<T> {
    let begun = false;
    const result = this.queue.add(() => {
      begun = true;
      this.leave(onPlace);
      return work();
    });
    // What need not wait has begun within `add`.
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
