import { monitorEventLoopDelay } from 'node:perf_hooks';

/** How this process fares, as its lease says. */
export class Vitals {
  private readonly delay = monitorEventLoopDelay({ resolution: 20 });

  start(): void {
    this.delay.enable();
  }

  stop(): void {
    this.delay.disable();
  }

  /** In bytes and ms; the delay is that since the last time. */
  read(): { memory: number; eventLoopDelay: number } {
    const eventLoopDelay = Math.round(this.delay.percentile(99) / 1e6) || 0;
    this.delay.reset();
    return { memory: process.memoryUsage.rss(), eventLoopDelay };
  }
}
