import { monitorEventLoopDelay } from 'node:perf_hooks';

/** Memory and event-loop delay of this process, as reported in its lease. */
export class Vitals {
  private readonly delay = monitorEventLoopDelay({ resolution: 20 });

  start(): void {
    this.delay.enable();
  }

  stop(): void {
    this.delay.disable();
  }

  /** In bytes and ms; the delay since the previous call. */
  read(): { memory: number; eventLoopDelay: number } {
    const eventLoopDelay = Math.round(this.delay.percentile(99) / 1e6) || 0;
    this.delay.reset();
    return { memory: process.memoryUsage.rss(), eventLoopDelay };
  }
}
