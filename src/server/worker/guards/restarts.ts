/** How often an app's administrator may start it again within `PERIOD` ms: every start keeps the whole process busy. */
const MOST = 6;
const PERIOD = 60_000;

/** Actions that start the app again. */
const RESTARTING = new Set([
  'app:restart',
  'app:refresh',
  'pm:enable',
  'pm:disable',
  'pm:add',
  'pm:update',
  'pm:remove',
]);

export const restarts = (resource: string, action: string): boolean => RESTARTING.has(`${resource}:${action}`);

/**
 * @param earlier times in ms, oldest first
 * @returns the times to remember, or the whole seconds to wait
 */
export function restartAt(earlier: readonly number[], now: number): { times: number[] } | { wait: number } {
  const times = earlier.filter((time) => now - time < PERIOD);
  if (times.length < MOST) return { times: [...times, now] };
  return { wait: Math.ceil((times[0] + PERIOD - now) / 1000) };
}
