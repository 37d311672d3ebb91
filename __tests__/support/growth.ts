/**
 * Tells work that grows with its input from work that grows faster, by the time that a long input takes and the one that as many
 * characters take in short inputs, of which a share is read. Linear work takes as long for both, quadratic work `LONG / SHORT` times
 * as long for the long one, whatever the machine.
 */

/** In characters, seven doublings apart. Node takes no more than 16 KB of headers. */
const SHORT = 128;
const LONG = 16_384;
/** How many short inputs are read. */
const SHARE = 16;

/** Far above what noise makes of 1, far below the 128 of quadratic work. */
const BOUND = 16;
/** A busy machine disturbs some rounds. Each is judged by itself: the engine may compile the work between two of them. */
const ROUNDS = 12;

/** A pause among the short inputs makes any work look linear, and ends the rounds. */
const TRIES = 4;

const filled = (unit: string, length: number) => unit.repeat(Math.ceil(length / unit.length)).slice(0, length);

function timeOf(work: () => void): number {
  const begun = performance.now();
  work();
  return performance.now() - begun;
}

/**
 * Whether `read` does work beyond linear on an input that repeats `unit`.
 *
 * @param rounds fewer do for work that is known to grow faster
 */
export function growsFaster(read: (input: string) => unknown, unit: string, rounds = ROUNDS): boolean {
  const [short, long] = [filled(unit, SHORT), filled(unit, LONG)];
  const many = () => {
    for (let i = 0; i < SHARE; i++) read(short);
  };
  for (let round = 0; round < rounds; round++) {
    const quickest = Math.min(...Array.from({ length: TRIES }, () => timeOf(many)));
    if (timeOf(() => read(long)) < ((quickest * LONG) / SHORT / SHARE) * BOUND) return false;
  }
  return true;
}
