import type { Operation } from '../../../src/shared/operation';
import type { World } from '../world';
import { hasJustReturned, shouldLeave, shouldReturn } from './oracle';
import type { Sight } from './quiet';

/** Apps that fail over: when they move, and where they are in the end. */

/** How long at least an environment is silent before it is shown as down, in ms: its last beat was up to one interval before its end. */
const DOWN_AFTER = 10_000;
/** How long after another one a beat comes at most, in ms. */
const BEAT = 6_000;
/** How long after it every Supervisor knows that an environment takes no apps, in ms. */
const KNOWN_TO_ALL = 35_000;
/** How much faster the clock of a Supervisor may run than the true one. */
const SHARE = 0.95;

/** When an environment was last seen to be well, in true ms. */
const wellAt = new WeakMap<World, Map<string, number>>();
/** Since when a process holds its environment, and answers, in true ms. */
const servesSince = new WeakMap<World['workers'][number], number>();
/** Operations that were looked at; those that brought an app home from an environment that was down, as a failover. */
const seen = new WeakMap<World, Set<string>>();
const forced = new WeakMap<World, Set<string>>();

const all = (world: World): Operation[] =>
  (world.database.database.visible('appOperations') as unknown as Operation[]).filter(({ cause }) => cause !== null);

/** Operations that were looked at. */
const placed = new WeakMap<World, Set<string>>();

/** Called every second: nobody moves an app to where none are taken. */
export function checkCordons(world: World): void {
  const operations = world.database.database.visible('appOperations') as unknown as Operation[];
  const known = placed.get(world) ?? new Set<string>();
  placed.set(world, known);
  const bootIn = ({ progress }: Operation) => progress.find(({ of }) => of === 'boot')?.environment;
  // One that could not read the database goes by what it knew until its next comparison. What moves by itself, the leader decides.
  const readAt = (byLeader: boolean) =>
    world.supervisors.flatMap(({ process }) =>
      process && (process.isLeader || !byLeader) ? [process.partedAt, process.database.troubledAt] : [],
    );
  for (const operation of operations) {
    const { id, action, appUid, appName, createdById, cause, generation } = operation;
    if (known.has(id)) continue;
    known.add(id);
    const to = bootIn(operation) ?? '';
    const cordonedAt = world.cordoned.get(to) ?? world.scheduler.now;
    // Otherwise the database may have lost it.
    const isKnown =
      world.scheduler.now - Math.max(cordonedAt, ...readAt(cause !== null)) > KNOWN_TO_ALL &&
      world.fellBackAt < cordonedAt;
    // What failed there may be asked for anew, and what failed elsewhere comes back.
    const isNew = operations.every(
      (one) => one.appUid !== appUid || one.generation >= generation || bootIn(one) !== to,
    );
    if (isKnown && action === 'move' && (createdById || cause) && isNew)
      world.violate(`${appName} moves to ${to}, which takes no apps`);
  }
}

/**
 * Called every second: no app is moved out of an environment that is well, or was until just now.
 * @param isHealthy whether a process has been well for some time
 */
export function checkMoves(world: World, isHealthy: (process: World['workers'][number]) => boolean): void {
  const { now } = world.scheduler;
  const well = wellAt.get(world) ?? new Map<string, number>();
  wellAt.set(world, well);
  const known = seen.get(world) ?? new Set<string>();
  seen.set(world, known);
  for (const worker of world.workers) {
    if (!worker.isHost || !worker.machine.isUp) servesSince.delete(worker);
    else if (!servesSince.has(worker)) servesSince.set(worker, now);
  }
  for (const operation of all(world)) {
    const { id, appName, cause, createdById } = operation;
    if (known.has(id)) continue;
    known.add(id);
    const from = leftBy(world, operation);
    const app = (world.database.database.visible('apps') as Array<{ name: string; failoverDelay: number }>).find(
      ({ name }) => name === appName,
    );
    const address = addressOf(world, from);
    const isServing = (worker: World['workers'][number]) =>
      worker.url === address && worker.environment === from && now - (servesSince.get(worker) ?? now) > ANSWERS;
    const serving = world.plan.failover === 'probed' && world.workers.find(isServing);
    if (cause === 'failover' && !createdById && serving)
      world.violate(`${appName} leaves ${from}, where ${serving.name} says that it hosts`);
    const silentFor = now - (well.get(from) ?? Number.NEGATIVE_INFINITY);
    if (silentFor > DOWN_AFTER) forcedIn(world).add(id);
    if (cause !== 'failover' || createdById || !app) continue;
    const isReleased = (world.releasedAt.get(from) ?? Number.NEGATIVE_INFINITY) >= (well.get(from) ?? 0) - 2_000;
    // It died before its next beat after Redis went back: a Supervisor that starts knows only a beat that is as old as a lease can be.
    const isOlder = world.redis.wentBackAt > (well.get(from) ?? 0) - BEAT;
    if (silentFor < ((isReleased || isOlder ? 0 : DOWN_AFTER) + app.failoverDelay * 1_000) * SHARE)
      world.violate(`${appName} leaves ${from}, which was well ${Math.floor(silentFor / 1_000)} s ago`);
  }
  for (const process of world.workers) if (isHealthy(process)) well.set(process.environment, now);
}

/** How long a process must have held its environment before whoever asks it hears so, in ms: two questions and their answers. */
const ANSWERS = 15_000;

/** The environment that a move takes an app out of: it may still be leaving one from which it was moved before. */
function leftBy({ database }: World, { appUid, generation, progress }: Operation): string {
  const left = progress.flatMap(({ of, environment }) => (of === 'leave' ? environment : []));
  const before = (database.database.visible('appOperations') as unknown as Operation[])
    .filter((one) => one.appUid === appUid && one.generation < generation)
    .sort((one, other) => other.generation - one.generation);
  const places = before.flatMap((one) => one.progress.find(({ of }) => of !== 'leave')?.environment ?? []);
  return left.find((name) => name === places[0]) ?? left[0] ?? '';
}

/** Where the leader sends visitors of an environment: nobody reaches a process that has taken it over, and could not say where it is. */
function addressOf({ supervisors }: World, environment: string): string | null | undefined {
  const leader = supervisors.find(({ process }) => process?.leads)?.process;
  return leader?.part.parts.environmentCache.addressOf(environment);
}

function forcedIn(world: World): Set<string> {
  const ids = forced.get(world) ?? new Set<string>();
  forced.set(world, ids);
  return ids;
}

/** Whether an environment takes no apps, and should take none. */
function isCordoned(world: World, name: string): boolean {
  const stored = world.database.database.visible('appEnvironments') as Array<{ name: string; cordoned: boolean }>;
  return world.cordoned.has(name) && stored.some((row) => row.name === name && row.cordoned);
}

/** After quiet: what should have left has left, and what should have returned is at home. */
export function checkFailovers({ world, apps, operations, holders, stuck, leader, say }: Sight): void {
  const { environmentCache } = leader.part.parts;
  const agree = (one: string, other: string) =>
    environmentCache.registrationOf(one)?.appVersion === environmentCache.registrationOf(other)?.appVersion;
  for (const app of apps) {
    const own = operations.filter(({ appUid }) => appUid === app.uid);
    const returns = own.filter(
      ({ id, cause, createdById }) => cause === 'failback' && !createdById && !forcedIn(world).has(id),
    );
    if (returns.length > 1 && !world.hasLostApps) say(`${app.name} returned by itself ${returns.length} times.`);
    if (stuck.has(app.name) || own.some(({ finishedAt }) => finishedAt === null)) continue;
    const [only] = app.environments;
    const places = [...holders.keys()].filter((name) => name !== only && agree(name, only));
    if (!holders.has(only) && shouldLeave(app, only) && places.length)
      say(`${app.name} stays in ${only}, which is down, although ${places} could have it.`);
    const { home } = app;
    const isBack = home !== null && holders.has(home) && !isCordoned(world, home);
    const mayReturn = isBack && shouldReturn(app) && holders.has(only);
    // It was deleted, and the database fell back: its data are not there any more, or not known to be its own.
    const hasData = world.ground.ownerOf(app.database.database ?? app.name) === app.uid;
    const isRecent = own.some(({ cause, createdAt }) => cause === 'failback' && isLessAgo(createdAt, leader));
    if (mayReturn && agree(home, only) && !isRecent && hasData) say(`${app.name} did not return to ${home}.`);
  }
}

const isLessAgo = (at: number, { machine }: Sight['leader']): boolean => hasJustReturned(machine.now().wall - at);
