import type { SupervisorProcess, WorkerProcess } from '../processes';
import type { World } from '../world';

/** Since when nothing has troubled what is judged, in true ms; infinite where something does now. */

const TROUBLED = Number.POSITIVE_INFINITY;

export function redisWellSince({ redis, scheduler }: World): number {
  const isOff = redis.isAway || redis.isReadOnly || redis.frozenUntil > scheduler.now;
  return isOff ? TROUBLED : Math.max(0, redis.troubledAt, redis.frozenUntil, redis.wentBackAt);
}

/** Of a process, its link to Redis and its database; not of Redis. */
export function processWellSince(process: SupervisorProcess | WorkerProcess): number {
  const { machine, link, database, startedAt, partedAt, isLeaving } = process;
  const isOff = !machine.isUp || link.isCut || process.isOffDatabase || database.isAway || database.slower > 0;
  if (isOff || isLeaving) return TROUBLED;
  return Math.max(startedAt, partedAt, machine.thawedAt, link.troubledAt, database.troubledAt);
}
