/**
 * Tells work that grows with its input from work that grows faster. The same number of characters is handed over twice: in
 * many short inputs and in one long one. Linear work takes as long for both, quadratic work `LONG / SHORT` times as long for
 * the long one, whatever the machine.
 */

/** In characters, seven doublings apart. Node takes no more than 16 KB of headers. */
const SHORT = 128;
const LONG = 16_384;

/** Far above what noise makes of 1, far below the 128 of quadratic work. */
const BOUND = 16;
/** A machine that is busy disturbs some rounds; only the fastest of each kind counts. */
const ROUNDS = 12;

const filled = (unit: string, length: number) => unit.repeat(Math.ceil(length / unit.length)).slice(0, length);

function timeOf(work: () => void): number {
  const begun = performance.now();
  work();
  return performance.now() - begun;
}

/**
 * Whether `read` does work beyond linear on an input that repeats `unit`.
 *
 * @param rounds fewer do for work that is known to grow faster: noise does not make it look linear
 */
export function growsFaster(read: (input: string) => unknown, unit: string, rounds = ROUNDS): boolean {
  const [short, long] = [filled(unit, SHORT), filled(unit, LONG)];
  let [quickest, quickestLong] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let round = 0; round < rounds; round++) {
    const many = () => {
      for (let i = 0; i < LONG / SHORT; i++) read(short);
    };
    quickest = Math.min(quickest, timeOf(many));
    quickestLong = Math.min(
      quickestLong,
      timeOf(() => read(long)),
    );
    if (quickestLong < quickest * BOUND) return false;
  }
  return true;
}
