import { isDeepStrictEqual } from 'node:util';
import type { SupervisorProcess, WorkerProcess } from '../processes';
import type { World } from '../world';

/** What people see. A page reads statuses when it is told of a change, and at no other time. */

/** How long what pages show may differ from what is known, in ms. */
const TOLD_WITHIN = 3_000;
/** How long before the end nothing changes but that apps are visited, in ms. */
export const ONLY_VISITS = 30_000;
/** How often pages may read again meanwhile: of each environment, what the round of every 30 s finds. */
const READS = 5;
/** How many people list the apps on a Worker's own page at one time. */
const LISTS = 10;

const staleSince = new WeakMap<SupervisorProcess, number>();

/** Time alone pushes changes, too. */
export function checkPages(world: World, wasStopped: (process: SupervisorProcess) => boolean): void {
  const { now } = world.scheduler;
  for (const { process } of world.supervisors) {
    if (!process) continue;
    const isJudged = process.machine.isUp && process.part.loaded && !process.isLeaving && !wasStopped(process);
    if (!isJudged || process.page === process.statuses) staleSince.delete(process);
    else if (!staleSince.has(process)) staleSince.set(process, now);
    else if (now - Math.max(staleSince.get(process)!, process.readAt) > TOLD_WITHIN)
      world.violate(`pages of ${process.name} are not told that ${differenceOf(process.page, process.statuses)}`);
  }
}

function differenceOf(page: string, known: string): string {
  const shown = new Set(page.split('\n'));
  return known.split('\n').find((line) => !shown.has(line)) ?? 'something is gone';
}

/** A visit is no change. */
export function checkReads(world: World, before: Map<SupervisorProcess, number>): void {
  for (const [process, reads] of before)
    if (process.reads - reads > READS + 2 * world.environments.length)
      world.violate(`pages of ${process.name} read ${process.reads - reads} times while nothing changed`);
}

/** How long the app index in Redis may lack something while somebody leads who reaches Redis, in ms: two rounds. */
const INDEXED_WITHIN = 70_000;
const unindexedSince = new WeakMap<World, number>();

/** What Workers read of the apps of the fleet becomes what there is, whatever copy Redis has gone back to. */
export function checkStoredIndex(world: World): void {
  const { redis, database, supervisors, scheduler } = world;
  const { entries } = redis.stores.appIndex as unknown as { entries: Map<string, unknown> };
  const stored = [...entries.keys()].filter((field) => !field.startsWith(':')).sort();
  const wanted = database.database.visible('apps').map(({ uid }) => uid as string);
  const isRight = isDeepStrictEqual(stored, wanted.sort());
  const isServed = !redis.isAway && !redis.isReadOnly && redis.frozenUntil < scheduler.now;
  const leads = supervisors.some(({ process }) => process?.leads && !process.link.isCut && !process.isOffDatabase);
  if (isRight || !isServed || !leads) unindexedSince.delete(world);
  else if (!unindexedSince.has(world)) unindexedSince.set(world, scheduler.now);
  else if (scheduler.now - unindexedSince.get(world)! > INDEXED_WITHIN)
    world.violate(`the app index has ${stored}, and there are ${wanted}`);
}

/** A list on a Worker is of its own environment, and no look at the fleet. */
export function list(world: World, worker: WorkerProcess): void {
  const before = worker.link.polls;
  for (let i = 0; i < LISTS; i++) worker.part.statuses();
  const polls = worker.link.polls - before;
  if (polls) world.violate(`${worker.name} looks at the fleet ${polls} times for ${LISTS} lists`);
}
