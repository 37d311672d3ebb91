import { statfs } from 'node:fs/promises';
import os from 'node:os';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import type { Lease, Pressure, Pressures } from '../../shared/messages';

/** How near a process is to the end of its memory, and of the disk that its apps write to. */

/** In bytes, what was used and what there is at most; null if that is not known. */
export interface MemoryReading {
  heap: { used: number; limit: number };
  /** Of the container; absent: it has no limit. */
  container?: { used: number; limit: number };
  machine: { used: number; limit: number };
}

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
    ...(limit > 0 && limit < total ? { container: { used: process.memoryUsage.rss(), limit } } : {}),
    machine: { used: total - os.freemem(), limit: total },
  };
}

/** Memory, event-loop delay and what is near its limit in this process, read with each heartbeat and reported in its lease. */
export class Vitals {
  private readonly delay = monitorEventLoopDelay({ resolution: 20 });
  private readonly memory: Pressure[] = [];
  private disk: Pressure | null = null;
  private isReading = false;

  /** @param folder to which apps write; null: its disk is not looked at */
  constructor(private readonly folder: string | null) {}

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
    return { memory: process.memoryUsage.rss(), eventLoopDelay, pressures: this.readPressures() };
  }

  private readPressures(): Pressures {
    this.memory.push(nearestLimit(readMemory()));
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
