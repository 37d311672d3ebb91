import { type Message, say } from '../../../shared/message';
import type { AppRecord } from '../../../shared/messages';
import type { Clock } from '../../clock';
import type { FetchProgress } from './fetch';

/** How copies of uploads wait, and what they say meanwhile. */

/** An app waits for its uploads as long as something of them arrives at least so often, in ms. */
export const PATIENCE = 20_000;
/** How long it waits between two attempts, in ms, and how many there are at most: each may end after something has arrived. */
export const AGAIN = 1_000;
export const ATTEMPTS = 30;
/** The least time between two reports of progress, in ms. */
const REPORTED_EVERY = 1_000;

/** Shows progress, and not more often than is of use. */
export function reportedEvery(
  clock: Clock,
  show: (progress: FetchProgress) => void,
): (progress: FetchProgress) => void {
  let reported = Number.NEGATIVE_INFINITY;
  return (progress) => {
    const { mono } = clock.now();
    if (mono - reported < REPORTED_EVERY) return;
    reported = mono;
    show(progress);
  };
}

export function progressText({ uploads }: AppRecord, { files, ofFiles, bytes, ofBytes }: FetchProgress): Message {
  const percent = ofBytes ? Math.floor((100 * bytes) / ofBytes) : 0;
  return say('COPYING_UPLOADS', { environment: uploads?.from ?? '-', files, of: ofFiles, percent });
}

/** @param signal ends it sooner */
export const pause = (clock: Clock, ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const end = () => {
      timer.cancel();
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = clock.timeout(ms, end);
    signal.addEventListener('abort', end);
    if (signal.aborted) end();
  });
