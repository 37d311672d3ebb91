import { setTimeout as sleep } from 'node:timers/promises';
import type { Part } from './part';

const LONGEST_DELAY = 60_000;
/** A part that ran this long resets the count of consecutive exits. */
const LASTED = 60_000;

/** Delay before a part is restarted, in ms. @param ends number of consecutive exits @param first the delay after one */
export const restartDelay = (ends: number, first: number): number => Math.min(first * 2 ** (ends - 1), LONGEST_DELAY);

export interface KeepOptions {
  /** False: a part that has ended stays down. */
  restart: boolean;
  print(line: string): void;
  /** Ends the restarts. */
  signal: AbortSignal;
  pause?(ms: number, signal: AbortSignal): Promise<unknown>;
}

/** Restarts a part whenever it exits by itself. */
export async function keep(part: Part, options: KeepOptions): Promise<void> {
  try {
    for (let ends = 0; ; ) ends = await keepOnce(part, ends, options);
  } catch (error) {
    if (!options.signal.aborted) throw error;
  }
}

const sleepUntil = (ms: number, signal: AbortSignal) => sleep(ms, undefined, { signal });

/** Returns when the part has ended and runs again. @returns number of consecutive exits */
async function keepOnce(part: Part, before: number, { restart, print, signal, pause = sleepUntil }: KeepOptions) {
  const since = performance.now();
  const rest = (ms: number) => pause(ms, signal);
  while (!part.lost) await rest(200);

  let ends = performance.now() - since < LASTED ? before + 1 : 1;
  let what = `ended (${await part.howItEnded()})`;
  if (!restart) {
    print(`${part.name} ${what}; it stays down (--no-restart)`);
    while (part.lost) await rest(200);
    return 0;
  }
  for (; ; ends++) {
    const delay = restartDelay(ends, part.restartAfter);
    const often = ends > 1 ? `, ${ends} times in a row` : '';
    print(`${part.name} ${what}${often}; starting it again in ${delay / 1_000} s`);
    await rest(delay);
    try {
      // Another process may have started it.
      if (!part.running) await part.start();
      print(`${part.name} runs again`);
      return ends;
    } catch (error) {
      signal.throwIfAborted();
      print((error as Error).message);
      what = 'did not start';
    }
  }
}
