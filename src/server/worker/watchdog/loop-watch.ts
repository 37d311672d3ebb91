import { Worker } from 'node:worker_threads';
import type { Clock } from '../../clock';
import { NO_WORK_LOG, type WorkLog, WorkMarks } from './busy-with';
import { look, type ThreadData, watchLoop, writeOver } from './thread';

/** How often the loop shows that it turns, and how often that is looked at, in ms. */
const EVERY = 1_000;

export interface LoopWatchOptions {
  /** How long the loop may not turn, in ms; null: nothing starts the process again, and so nothing ends it. */
  limit: number | null;
  /** As `loopFileOf`. */
  file: string;
  clock: Clock;
}

/**
 * Has a thread watch the event loop of this process, and end the process if the loop does not turn any more: nothing in the
 * loop can do that then.
 */
export function watchOwnLoop({ limit, file, clock }: LoopWatchOptions): WorkLog {
  if (limit === null) return NO_WORK_LOG;
  const shared = new Int32Array(new SharedArrayBuffer(8));
  const workerData: ThreadData = { shared, limit, every: EVERY, file };
  // tsx wraps functions in a call of `__name`.
  const text = `const __name = (named) => named; (${watchLoop})(require, ${look}, ${writeOver})`;
  const thread = new Worker(text, { eval: true, workerData, env: {}, execArgv: [] });
  thread.unref();
  clock.interval(EVERY, () => Atomics.add(shared, 1, 1));
  return new WorkMarks(shared, (note) => thread.postMessage(note));
}
