import { randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock, Timer } from '../clock';
import type { Random } from '../random';

/** The clock of this machine. */
export const systemClock: Clock = {
  now: () => ({ mono: performance.now(), wall: Date.now() }),
  timeout(ms, work): Timer {
    const timer = setTimeout(work, ms).unref();
    return { cancel: () => clearTimeout(timer) };
  },
  interval(ms, work): Timer {
    const timer = setInterval(work, ms).unref();
    return { cancel: () => clearInterval(timer) };
  },
  sleep: (ms) => sleep(ms),
};

/** The random generator of this machine. */
export const systemRandom: Random = {
  id: () => randomUUID(),
  hex: (bytes) => randomBytes(bytes).toString('hex'),
  fraction: () => Math.random(),
};
