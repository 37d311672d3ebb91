/**
 * All durations that decide who hosts an environment, in ms; docs/architecture.md, "Which process holds an environment". The check
 * refuses another one in the Worker's files of coordination.
 */

/** How often a Worker renews its lease and announces itself; `ENVIRONMENT_HEARTBEAT_INTERVAL` replaces it. */
export const INTERVAL = 5_000;
/** How often the leading Supervisor renews its lead. */
export const LEADER_INTERVAL = 2_000;
/** How long a lease or an announcement lasts that is not renewed. */
export const expiryOf = (interval: number): number => Math.max(3 * interval, 10_000);
/** How long records at a start, an answer of a database, or the end of sessions are waited for. */
export const PATIENCE = 10_000;
/** How often everything is compared once more. */
export const COMPARE = 30_000;
/** How long one app may take to end. */
export const STOP = 60_000;
/** How long one boot may take, without its time in the queue. */
export const BOOT = 900_000;
