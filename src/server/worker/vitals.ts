import { readFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import os from 'node:os';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import type { Lease, Pressure, Pressures, Usage } from '../../shared/messages';

/** How near a process is to the end of its memory, and of the disk that its apps write to. */

/** In bytes, what was used and what there is at most. */
export type MemoryReading = Omit<Usage, 'cpu'>;

/** The limit that is nearest: that of the JavaScript heap, of the container, or of the machine if the container has none. */
export function nearestLimit({ heap, container, machine }: MemoryReading): Pressure {
  const all: Pressure[] = [
    { of: 'heap', ...heap },
    container ? { of: 'container', ...container } : { of: 'machine', ...machine },
  ];
  return all.reduce((nearest, one) => (shareOf(one) > shareOf(nearest) ? one : nearest));
}

const shareOf = ({ used, limit }: Pressure): number => (limit > 0 ? used / limit : 0);

/** The least of some readings: memory that the next garbage collection frees is no pressure. */
export function lasting(readings: readonly Pressure[]): Pressure | null {
  return readings.length ? readings.reduce((least, one) => (shareOf(one) < shareOf(least) ? one : least)) : null;
}

/** How many readings are looked at: of half a minute, with the usual heartbeat. */
const READINGS = 6;

function readMemory(): MemoryReading {
  const { used_heap_size, heap_size_limit } = getHeapStatistics();
  const total = os.totalmem();
  const limit = process.constrainedMemory();
  return {
    heap: { used: used_heap_size, limit: heap_size_limit },
    // Without a limit the system reports 0, or more than there is.
    container: limit > 0 && limit < total ? { used: process.memoryUsage.rss(), limit } : null,
    machine: { used: total - os.freemem(), limit: total },
  };
}

/** Of a container's file `cpu.max`, how many processors it may use; null: as many as there are. */
export function processorsOf(quota: string): number | null {
  const [most, period] = quota.trim().split(' ').map(Number);
  return most > 0 && period > 0 ? most / period : null;
}

function readProcessors(): number {
  const all = os.availableParallelism();
  try {
    return Math.min(all, processorsOf(readFileSync('/sys/fs/cgroup/cpu.max', 'utf8')) ?? all);
  } catch {
    return all;
  }
}

/** Memory, event-loop delay and what is near its limit in this process, read with each heartbeat and reported in its lease. */
export class Vitals {
  private readonly delay = monitorEventLoopDelay({ resolution: 20 });
  private readonly memory: Pressure[] = [];
  private disk: Pressure | null = null;
  private isReading = false;
  private readonly processors = readProcessors();
  /** When processor time was last read, by the monotonic clock, and how much that was until then, in ms. */
  private last: { mono: number; spent: number } | null = null;

  /** @param folder to which apps write; null: its disk is not looked at */
  constructor(private readonly folder: string | null) {}

  start(): void {
    this.delay.enable();
  }

  stop(): void {
    this.delay.disable();
  }

  /** In bytes and ms; the delay and the processor time since the previous call. @param mono by the monotonic clock, in ms */
  read(mono: number): Pick<Lease, 'memory' | 'eventLoopDelay' | 'pressures' | 'usage'> {
    const eventLoopDelay = Math.round(this.delay.percentile(99) / 1e6) || 0;
    this.delay.reset();
    const memory = readMemory();
    const usage = { ...memory, cpu: { used: this.processorsSince(mono), limit: this.processors } };
    return { memory: process.memoryUsage.rss(), eventLoopDelay, pressures: this.pressuresOf(memory), usage };
  }

  private processorsSince(mono: number): number {
    const { user, system } = process.cpuUsage();
    const now = { mono, spent: (user + system) / 1_000 };
    const before = this.last ?? { mono: mono - process.uptime() * 1_000, spent: 0 };
    this.last = now;
    return Math.round((100 * (now.spent - before.spent)) / Math.max(1, mono - before.mono)) / 100;
  }

  private pressuresOf(reading: MemoryReading): Pressures {
    this.memory.push(nearestLimit(reading));
    if (this.memory.length > READINGS) this.memory.shift();
    void this.readDisk();
    const memory = this.memory.length === READINGS ? lasting(this.memory) : null;
    return { memory, disk: this.disk };
  }

  /** For the next reading: a disk in the network may not answer. Never rejects. */
  private async readDisk(): Promise<void> {
    if (this.folder === null || this.isReading) return;
    this.isReading = true;
    try {
      const { blocks, bavail, bsize } = await statfs(this.folder);
      this.disk = { of: 'disk', used: (blocks - bavail) * bsize, limit: blocks * bsize };
    } catch {
      this.disk = null;
    } finally {
      this.isReading = false;
    }
  }
}
