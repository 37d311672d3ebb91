import type { AppDefinition } from '../../../src/shared/app';
import type { AppRecord } from '../../../src/shared/messages';
import type { Operation } from '../../../src/shared/operation';
import type { SupervisorProcess, WorkerProcess } from '../processes';
import type { EnvironmentOfWorld, World } from '../world';
import { shouldLeave } from './oracle';
import { processWellSince, redisWellSince } from './wellness';

/**
 * What is promised in time, looked at every second. Each bound counts from when nothing was in the way any more, and has some seconds on top
 * for latencies, clocks that run slowly, and the second between two looks.
 */

/** In ms, as docs/invariants.md has them in its table "How soon"; a test compares the two. */
export const BOUNDS = {
  leads: 12_000,
  handsOver: 2_000,
  takesOver: 20_000,
  down: 20_000,
  failsOver: 15_000,
  restored: 30_000,
  woken: 3_000,
  goesOn: 10_000,
} as const;

/** In ms. */
const SLACK = 3_000;
/** Between two looks, in ms. */
const LOOK = 1_000;
/** Within which time a process finds what it was not told of, if a message was lost and the connection was not, in ms. */
const UNHEARD = 30_000;
/** How long without a wake-up each of the few messages of a request may take, in ms in all. */
const UNWOKEN = 100_000;
/** By an announcement of three intervals, an environment is down, in ms. */
const ANNOUNCED_FOR = 15_000;

/** What was seen first when, by what it is about. */
class Since {
  private readonly times = new Map<unknown, number>();

  /** @returns for how long it has been so, in ms; 0 if it is not */
  lasts(key: unknown, isSo: boolean, now: number, from = 0): number {
    if (!isSo) this.times.delete(key);
    else if (!this.times.has(key)) this.times.set(key, now);
    return isSo ? now - Math.max(this.times.get(key)!, from) : 0;
  }
}

interface Sight {
  world: World;
  since: Since;
  now: number;
  /** Since when Redis and each Supervisor that serves are well; those that are not are left out. */
  redis: number;
  supervisors: Map<SupervisorProcess, number>;
}

const sinces = new WeakMap<World, Since>();

export function checkBounds(world: World): void {
  const since = sinces.get(world) ?? new Since();
  sinces.set(world, since);
  const supervisors = new Map(
    world.supervisors.flatMap(({ process }) => {
      const at = process?.part.loaded ? processWellSince(process) : Number.POSITIVE_INFINITY;
      return process && Number.isFinite(at) ? [[process, at] as const] : [];
    }),
  );
  const sight = { world, since, now: world.scheduler.now, redis: redisWellSince(world), supervisors };
  checkLead(sight);
  for (const environment of world.environments) {
    checkTakeover(environment, sight);
    checkDown(environment, sight);
  }
  checkFailover(sight);
  checkRestored(sight);
  checkProgress(sight);
}

/** The term of the lead at the last look. */
const terms = new WeakMap<World, number>();

/** A Supervisor that is well leads: soon where the last leader could hand over. */
function checkLead(sight: Sight): void {
  const { world, since, now, supervisors } = sight;
  const [row] = rows<{ term: number }>(world, 'appSupervisorLeaders');
  // Also one that has taken the lead since the last look, and died.
  const hasBegun = row !== undefined && (terms.get(world) ?? row.term) !== row.term;
  if (row) terms.set(world, row.term);
  const isLedNow = world.supervisors.some(
    ({ process }) => process?.isLeader && !process.isLeaving && process.machine.wasUpSince(now - LOOK),
  );
  const isLed = isLedNow || hasBegun;
  const askedAt = handoverAt(sight);
  for (const [process, wellSince] of supervisors) {
    const unled = since.lasts(process, !isLed, now, wellSince);
    const isReady = askedAt !== null && wellSince < askedAt - BOUNDS.leads;
    const isAlone = isReady && since.lasts('unled', !isLed, now, 0) >= now - askedAt - LOOK;
    const ago = isAlone ? now - askedAt : 0;
    if (unled > BOUNDS.leads + SLACK)
      world.violate(`nobody leads for ${seconds(unled)} s, although ${process.name} is well`);
    if (!isLed && ago > BOUNDS.handsOver + SLACK)
      world.violate(
        `nobody leads ${seconds(ago)} s after the leader was asked to end, although ${process.name} is well`,
      );
  }
  since.lasts('unled', !isLed, now, 0);
}

/** When a leader was last well, in true ms. */
const readyLeaders = new WeakMap<World, number>();

/** When the last leader was asked to end that could hand over: nothing had troubled it for long, or has since. */
function handoverAt({ world, now, supervisors }: Sight): number | null {
  const { askedLeader, database } = world;
  if ([...supervisors].some(([{ leads }, wellSince]) => leads && wellSince < now - BOUNDS.leads))
    readyLeaders.set(world, now);
  if (!askedLeader) return null;
  const { at, hasEnded } = askedLeader;
  const { machine, link } = askedLeader.process;
  // A write that waits for a stalled Redis holds the lead.
  const isFree = database.troubledAt < at && link.stalledUntil < at;
  const wasReady = (readyLeaders.get(world) ?? 0) > at - LOOK && isFree;
  return wasReady && (hasEnded || machine.isUp) && machine.thawedAt < at ? at : null;
}

/** A process that is well holds its environment when no other one does. */
function checkTakeover({ name, slots }: EnvironmentOfWorld, { world, since, now }: Sight): void {
  const processes = slots.flatMap(({ process }) => process ?? []);
  // One that was asked to end has it until it gives it back: it may wait for Redis before that, until it is killed.
  const isHeldNow = processes.some(({ isHost, machine }) => isHost && machine.wasUpSince(now - LOOK));
  // Also one that has taken it since the last look, and died.
  const isHeld = isHeldNow || (world.diedAt.get(name) ?? 0) > now - LOOK;
  for (const process of processes) {
    const wellSince = process.part.role === 'challenger' ? processWellSince(process) : Number.POSITIVE_INFINITY;
    const isMissing = !isHeld && Number.isFinite(wellSince);
    const unheld = since.lasts(process, isMissing, now, Number.isFinite(wellSince) ? wellSince : now);
    if (unheld > BOUNDS.takesOver + SLACK)
      world.violate(`nobody holds ${name} for ${seconds(unheld)} s, although ${process.name} is well`);
  }
}

/** Whoever sees the fleet shows as down what has no process any more. */
function checkDown({ name, slots }: EnvironmentOfWorld, sight: Sight): void {
  const { world, since, now, supervisors } = sight;
  const isDead = slots.every(({ process }) => !process);
  if (!isDead || isMostGone(sight)) {
    since.lasts(name, false, now);
    return;
  }
  const dead = since.lasts(name, true, now, sight.redis);
  for (const [process, wellSince] of supervisors) {
    const health = process.part.parts.observer.environment(name)?.health;
    // Another Supervisor has been asked to forget it, or it has never been seen. The database may fall back to before it was forgotten.
    const isKnown = health !== undefined && process.part.parts.environmentCache.get(name) !== undefined;
    const known = since.lasts(`${process.name} knows ${name}`, isKnown, now);
    if (health !== 'down' && Math.min(dead, known, now - wellSince) > BOUNDS.down + SLACK)
      world.violate(`${process.name} shows ${name} as ${health}, which is dead for ${seconds(dead)} s`);
  }
}

/** When most of a fleet was last gone, which had been there, in true ms; absent before most of it has been there. */
const mostGoneAt = new WeakMap<World, number>();

/** More than half of the fleet is silent, or was in the last minutes: it may be the Supervisor that is cut off. */
function isMostGone({ world, now }: Sight): boolean {
  const isHeard = ({ machine, link, part }: WorkerProcess) => machine.isUp && !link.isCut && part.isAnnounced;
  const gone = world.environments.filter(({ slots }) => !slots.some(({ process }) => process && isHeard(process)));
  const isMost = 2 * gone.length > world.environments.length;
  const before = mostGoneAt.get(world);
  if (!isMost && before === undefined) mostGoneAt.set(world, Number.NEGATIVE_INFINITY);
  if (isMost && before !== undefined) mostGoneAt.set(world, now);
  return isMost || now - (before ?? now) < 200_000;
}

/** An app leaves an environment that is down, if another one can have it. */
function checkFailover(sight: Sight): void {
  const { world, since, now, supervisors } = sight;
  const leader = [...supervisors].find(([process]) => process.leads);
  const ledSince = since.lasts('leader', Boolean(leader), now);
  for (const app of rows<AppDefinition>(world, 'apps')) {
    const [only] = app.environments;
    const environment = world.environments.find(({ name }) => name === only);
    const isDead = environment?.slots.every(({ process }) => !process) && shouldLeave(app, only);
    // Where the Supervisors' database fell back, it may know apps whose data have been released or dropped since.
    const hasData = world.fellBackAt < 0 || world.ground.ownerOf(app.database.database ?? app.name) === app.uid;
    const mayLeave = isDead && hasData && leader && !isMostGone(sight) && hasPlace(world, app, leader[0]);
    const from = Math.max(sight.redis, leader?.[1] ?? now, now - ledSince);
    const leaving = (name: string) => `failover of ${app.uid} from ${name}`;
    for (const { name } of world.environments) if (name !== only) since.lasts(leaving(name), false, now);
    const stays = since.lasts(leaving(only), Boolean(mayLeave), now, from);
    const delay = ANNOUNCED_FOR + app.failoverDelay * 1_000 * 1.05;
    if (stays > delay + BOUNDS.failsOver + SLACK)
      world.violate(
        `${app.name} stays in ${only}, which is dead for ${seconds(stays)} s, with a delay of ${app.failoverDelay} s`,
      );
  }
}

/** Whether an environment is well that agrees with the one that an app leaves, and nothing says that it could not have it. */
function hasPlace(
  world: World,
  { environments: [only], published }: AppDefinition,
  { part }: SupervisorProcess,
): boolean {
  const { environmentCache, observer } = part.parts;
  const stored = rows<{ name: string; cordoned: boolean }>(world, 'appEnvironments');
  const takesApps = (name: string) => stored.some((row) => row.name === name && !row.cordoned);
  const release = (name: string) => environmentCache.registrationOf(name)?.appVersion;
  return world.environments.some(({ name, slots }) => {
    const isWell = slots.some(({ process }) => process?.isHost && Number.isFinite(processWellSince(process)));
    const isOnline = observer.environment(name)?.health === 'online';
    return (
      name !== only && takesApps(name) && isWell && isOnline && release(name) === release(only) && !published[name]
    );
  });
}

/** What follows from the database is in Redis. */
function checkRestored({ world, since, now, redis, supervisors }: Sight): void {
  const leader = [...supervisors].find(([process]) => process.leads);
  const environments = rows<{ name: string; isRemoved: boolean }>(world, 'appEnvironments');
  // Apps are taken from it one after the other.
  const forgotten = new Set(environments.flatMap(({ name, isRemoved }) => (isRemoved ? name : [])));
  for (const { name, uid, published } of rows<AppDefinition>(world, 'apps'))
    for (const [environment, { generation }] of Object.entries(published)) {
      const stored = storedIn(world, environment).get(uid)?.generation;
      const isLost = leader !== undefined && stored === undefined && !forgotten.has(environment);
      const lost = since.lasts(`${environment} ${uid}`, isLost, now, Math.max(redis, leader?.[1] ?? now));
      if (lost > BOUNDS.restored + SLACK)
        world.violate(
          `${name} is published in ${environment} as of ${generation}, and not in Redis for ${seconds(lost)} s`,
        );
    }
}

/** A Worker that is woken acts on what is published. @param environment for which records were written */
export function checkWoken(world: World, environment: string, records: readonly AppRecord[]): void {
  const { scheduler, plan } = world;
  const at = scheduler.now;
  if (plan.lost > 0) return;
  const holder = holderOf(world, environment);
  // Whoever has published wakes it.
  const publisher = world.supervisors.find(({ process }) => process?.leads)?.process;
  const isUndisturbed = () => {
    const isSent = publisher && processWellSince(publisher) < at;
    const since = holder && isSent ? Math.max(redisWellSince(world), processWellSince(holder)) : at;
    return holder === holderOf(world, environment) && since < at;
  };
  if (!holder || !isUndisturbed() || at - holder.startedAt < BOUNDS.takesOver) return;
  scheduler.after(BOUNDS.woken, () => {
    if (!isUndisturbed()) return;
    for (const { name, uid, generation, desired } of records) {
      // Something newer has come since.
      if (storedIn(world, environment).get(uid)?.generation !== generation) continue;
      const known = holder.part.controller?.apps.get(name)?.record;
      const isReached = known !== undefined && known.generation >= generation;
      // The Supervisors' database has gone back to a former app of that name: its Worker goes by the newer one until the leader counts on.
      const isOfFormer = world.hasLostApps && isReached;
      const isKnown = known?.uid === uid ? isReached : desired === 'removed' || isOfFormer;
      if (!isKnown)
        world.violate(
          `${holder.name} does not know generation ${generation} of ${name} ${seconds(BOUNDS.woken)} s after it was published`,
        );
    }
  });
}

const holderOf = ({ workers }: World, environment: string): WorkerProcess | undefined =>
  workers.find((worker) => worker.environment === environment && worker.part.role === 'holder');

/** While all is well, an operation ends, goes on, or waits for a boot or an end of its app. */
function checkProgress({ world, since, now, redis, supervisors }: Sight): void {
  const isCalm = world.slots.every(({ process }) => process && Number.isFinite(processWellSince(process)));
  const isServed = [...supervisors].some(([process]) => process.leads && isSeen(world, process));
  const wellSince = isCalm ? Math.max(redis, ...world.slots.map(({ process }) => processWellSince(process!))) : now;
  const within = world.plan.lost === 0 ? BOUNDS.goesOn : UNWOKEN;
  // Whoever was asked tells the leader, which finds what it was not told of with its next round.
  const askers = [...supervisors.keys()].map(({ link }) => link.missedAt + UNHEARD);
  const startedAt = Math.max(...[...supervisors.keys()].map((each) => each.startedAt));
  const open = rows<Operation>(world, 'appOperations').filter(({ finishedAt }) => finishedAt === null);
  for (const { id, appName, action, progress } of open) {
    const isIdle = isCalm && isServed && !isWorkedOn(world, appName);
    const told = progress.map(({ environment }) => missedAt(world, environment) + UNHEARD);
    // What was lost, or was tried too often meanwhile, is found with the next comparison.
    const lostAt = Math.max(world.fellBackAt, world.redis.wentBackAt, world.redis.frozenUntil);
    // Whoever was asked may have ended before it told the leader.
    const openedAt = now - since.lasts(`open ${id}`, true, now);
    const untold = openedAt <= startedAt + LOOK ? openedAt + UNHEARD : 0;
    const heard = [lostAt + BOUNDS.restored, untold, ...askers, ...told];
    // What it has come to: a step forward is progress.
    const stays = since.lasts(`${id} ${JSON.stringify(progress)}`, isIdle, now, Math.max(wellSince, ...heard));
    if (stays > within + SLACK) world.violate(`${action} of ${appName} does nothing for ${seconds(stays)} s`);
  }
}

/** When whoever holds an environment last missed what it does not know of, in true ms. */
const missedAt = (world: World, environment: string): number =>
  holderOf(world, environment)?.link.missedAt ?? Number.NEGATIVE_INFINITY;

/** Whether a Supervisor shows each environment as it is: online. */
const isSeen = ({ environments }: World, { part }: SupervisorProcess): boolean =>
  environments.every(({ name }) => part.parts.observer.environment(name)?.health === 'online');

const BUSY = new Set<string>(['waiting', 'preparing', 'initializing', 'commanding']);

function isWorkedOn({ workers }: World, name: string): boolean {
  return workers.some(({ host, part }) => {
    const status = part.controller?.apps.entry(name)?.status ?? '';
    return host.ending.has(name) || BUSY.has(status) || part.controller?.apps.stuck().includes(name);
  });
}

function storedIn({ redis }: World, environment: string): Map<string, { generation: number }> {
  const { environments } = redis.stores.records as unknown as {
    environments: Map<string, { byUid: Map<string, { generation: number }> }>;
  };
  return environments.get(environment)?.byUid ?? new Map();
}

const rows = <T>({ database }: World, table: string): T[] => database.database.visible(table) as T[];
const seconds = (ms: number): number => Math.floor(ms / 1_000);
