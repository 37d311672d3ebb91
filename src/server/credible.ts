/** How far a clock may be ahead, in ms. */
const AHEAD = 86_400_000;

/**
 * Whether an epoch or a generation that an app's database or a Worker names can be one: they are times, in ms. Whoever administers the
 * app or its Worker can write any number.
 *
 * @param wall now
 */
export const isCredible = (value: number, wall: number): boolean =>
  Number.isSafeInteger(value) && value <= wall + AHEAD;
