import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Lease } from '../../shared/messages';
import { PressureGauge } from './pressure';

/** Memory, event-loop delay and what is near its limit in this process, as reported in its lease. */
export class Vitals {
  private readonly delay = monitorEventLoopDelay({ resolution: 20 });
  private readonly pressure: PressureGauge;

  /** @param storagePath folder to which apps write; null: its disk is not looked at */
  constructor(storagePath: string | null) {
    this.pressure = new PressureGauge(storagePath);
  }

  start(): void {
    this.delay.enable();
  }

  stop(): void {
    this.delay.disable();
  }

  /** In bytes and ms; the delay since the previous call. */
  read(): Pick<Lease, 'memory' | 'eventLoopDelay' | 'pressures'> {
    const eventLoopDelay = Math.round(this.delay.percentile(99) / 1e6) || 0;
    this.delay.reset();
    return { memory: process.memoryUsage.rss(), eventLoopDelay, pressures: this.pressure.read() };
  }
}
