/**
 * Two clocks: decisions use differences of `mono` (ms, `performance.now()`), people are shown `wall` (ms since 1970).
 */
export interface Now {
  mono: number;
  wall: number;
}
export type Clock = () => Now;
export const systemClock: Clock = () => ({ mono: performance.now(), wall: Date.now() });
