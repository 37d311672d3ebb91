import { createHash } from 'node:crypto';
import { BOOT } from '../../src/server/timing';
import { copiedAt, databaseOf, endFaults, FAULT_WORKS, nameOfApp } from './faults';
import { installChecks } from './judge/checks';
import { checkReads, ONLY_VISITS } from './judge/pages';
import { checkQuiet } from './judge/quiet';
import { act } from './operators';
import { isFault, type Plan, type PlannedEvent } from './plan';
import { letVisitorsIn, visit } from './visitors';
import { World } from './world';

/** How long nothing is broken or asked for before everything has to be true, in ms; apps that failed try again for 200 s. */
const QUIET = 330_000;
/** How long before the end everybody visits each app, in ms. */
const LAST_VISIT = 60_000;
/** How often Redis keeps a copy, to which it may fail over. */
const COPY_EVERY = 5_000;

export interface Outcome {
  violation: { at: number; what: string } | null;
  journal: string[];
  events: number;
  /** Of the journal: two runs of one plan have the same. */
  digest: string;
}

/** Lets a fleet live through a plan. */
export async function run(plan: Plan): Promise<Outcome> {
  const world = new World(plan);
  const { scheduler } = world;
  installChecks(world);
  for (const [i, slot] of world.slots.entries()) scheduler.at(i * 37, () => world.start(slot));
  for (const event of plan.events) {
    const at = copiedAt(event);
    if (event.do === 'databaseFailOver') scheduler.at(at, () => databaseOf(world, event).copy(at));
    if (event.do === 'appDatabaseFailOver') scheduler.at(at, () => world.ground.copy(nameOfApp(world, event), at));
    scheduler.at(event.at, () => play(world, event));
  }
  letVisitorsIn(world);
  scheduler.at(endOf(plan) - LAST_VISIT, () => visitAll(world));
  scheduler.at(endOf(plan) - ONLY_VISITS, () => watchReads(world));
  const copy = () => {
    world.redis.copy();
    if (!world.isQuiet) scheduler.after(COPY_EVERY, copy);
  };
  // A copy costs as much as everything else in that time.
  if (plan.events.some((event) => event.do === 'failOver')) copy();
  scheduler.at(plan.quietAt, () => {
    world.note('quiet begins');
    endFaults(world);
  });
  await scheduler.run(endOf(plan), () => world.violation !== null);
  if (!world.violation) checkQuiet(world);
  world.close();
  const digest = createHash('sha256').update(world.journal.join('\n')).digest('hex').slice(0, 16);
  return { violation: world.violation, journal: world.journal, events: scheduler.events, digest };
}

/** From now on apps are visited, and nothing else happens. */
function watchReads(world: World): void {
  const reads = new Map(
    world.supervisors.flatMap(({ process }) => (process ? [[process, process.reads] as const] : [])),
  );
  world.scheduler.at(endOf(world.plan) - 1, () => checkReads(world, reads));
  const next = () => {
    for (const worker of world.workers) for (const name of worker.host.running.keys()) worker.visit(name);
    world.scheduler.after(1_000, next);
  };
  next();
}

/** What hangs is given up late. */
const endOf = ({ quietAt, hanging }: Plan): number => quietAt + QUIET + (hanging ? BOOT : 0);

/** Whoever visits an app now has it in the end. */
function visitAll(world: World): void {
  for (const { process } of world.supervisors)
    for (const { name } of process?.part.apps() ?? []) if (process) visit(world, process, name);
}

function play(world: World, event: PlannedEvent): void {
  if (!isFault(event.do)) {
    act(world, event);
    return;
  }
  world.note(`fault: ${event.do} which=${event.which} ms=${event.ms}`);
  FAULT_WORKS[event.do](world, event);
}

/** Leaves out of a plan what it fails without. The violation may become another one; a plan that fails is what is wanted. */
export async function shrink(plan: Plan, tries = 120): Promise<Plan> {
  let best = plan;
  const attempt = async (candidate: Plan): Promise<boolean> => {
    if (tries-- <= 0 || !(await run(candidate)).violation) return false;
    best = candidate;
    return true;
  };
  for (let size = Math.ceil(best.events.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let i = 0; i < best.events.length; ) {
      const events = best.events.filter((_, index) => index < i || index >= i + size);
      if (!(await attempt({ ...best, events }))) i += size;
    }
  }
  return best;
}
