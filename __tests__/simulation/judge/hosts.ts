import type { HostRow } from '../../../src/server/databases';
import type { AppRecord } from '../../../src/shared/messages';
import type { WorkerProcess } from '../processes';
import type { Machine } from '../scheduler';
import type { EnvironmentOfWorld, World } from '../world';

/** Who hosts an environment, and who acts on an app's database. */

/** How long ago a process may have lost its lease when a boot of it begins, in ms: it asked the server shortly before. */
const JUST_LOST = 2_000;
/** How long before a boot begins its claim may have been, in ms. */
const JUST_CLAIMED = 2_000;
/** How long a process whose connection was refused may take to end the app, in ms. */
const ENDS_WITHIN = 12_000;
/** After how long a process has read its records that can read them, in ms: a round, and the latencies. */
const READS_RECORDS = 35_000;
/** How long an environment may have no host while a process of it is well, in ms: its lease, two beats, and the latencies. */
const UNHOSTED = 50_000;
/** How long a boot that hangs may keep a displaced process, in ms: 15 minutes for the boot and one for its end. */
const HANGS = 960_000;

/** Since when a process does not have the lease of its environment. */
const lostSince = new WeakMap<Machine, number>();

/** Whoever boots an app holds its environment, and has its row in the app's database. */
export function checkHost(
  world: World,
  machine: Machine,
  environment: string,
  { name, uid, generation }: AppRecord,
  row: HostRow | undefined,
): void {
  // Its rows may have gone back after its claim: the first connection of the app finds that out.
  const isRestored =
    world.scheduler.now - (world.ground.restoredAt.get(uid) ?? Number.NEGATIVE_INFINITY) < JUST_CLAIMED;
  if ((row?.holder !== machine.name || row.uid !== uid) && !isRestored)
    world.violate(`${name} boots in ${machine.name}, while its row of ${environment} names ${row?.holder}`);
  const left = world.ground.left.get(`${environment} ${uid}`) ?? 0;
  if (left >= generation)
    world.violate(`${name} boots in ${machine.name} as of generation ${generation}, and has left it in ${left}`);
  // A tenure that its database has just lost may have begun since the last look.
  const mayBeHeld = ({ database, name }: EnvironmentOfWorld) =>
    database.holderOf(name) === machine.name ||
    (name === environment && world.scheduler.now - database.fellBackAt < JUST_LOST);
  const isHeld = world.environments.some(mayBeHeld);
  const lost = isHeld ? undefined : lostSince.get(machine);
  if (lost !== undefined && world.scheduler.now - lost > JUST_LOST)
    world.violate(
      `${name} boots in ${machine.name}, which lost its environment ${Math.floor((world.scheduler.now - lost) / 1_000)} s ago`,
    );
}

/** Where an app has one environment, nobody else can reach its data when it boots there. */
export function checkOnlyHost(world: World, environment: string, { name, uid, environments }: AppRecord): void {
  if (environments.length !== 1 || environments[0] !== environment) return;
  for (const pool of world.ground.pools) {
    if (pool.uid !== uid || pool.authority.environment === environment) continue;
    if (pool.refusedAt === null)
      world.violate(`${name} boots in ${environment}, while ${pool.machine.name} can still write to its database`);
  }
}

/** Notes who does not have the lease of its environment. */
function noteLeases(world: World): void {
  for (const { database, slots, name } of world.environments) {
    for (const { process } of slots) {
      if (!process) continue;
      if (database.holderOf(name) === process.name) lostSince.delete(process.machine);
      else if (!lostSince.has(process.machine)) lostSince.set(process.machine, world.scheduler.now);
    }
  }
}

/** An app that was taken over ends where it ran. One whose role does not sign in there ends by its record. */
export function checkRefused(world: World): void {
  noteLeases(world);
  const { redis, scheduler } = world;
  for (const { machine, app, refusedAt, isShutOut } of world.ground.pools) {
    if (!machine.isUp || refusedAt === null || world.plan.hanging) continue;
    const upSince = upAt.get(machine) ?? 0;
    const link = world.workers.find((worker) => worker.machine === machine)?.link;
    const readsSince = Math.max(redis.troubledAt, redis.unreachableAt, link?.troubledAt ?? 0) + READS_RECORDS;
    if (scheduler.now - Math.max(refusedAt, upSince, isShutOut ? readsSince : 0) > ENDS_WITHIN)
      world.violate(`${app} runs on in ${machine.name}, which was refused its database`);
  }
}

/** How long a process that was displaced may take to end what it ran, in ms: sooner than its successor takes it over. */
const STANDS_DOWN = 5_000;
/** Since when a process that does not hold its environment has been seen to run an app, without a freeze in between. */
const runsSince = new WeakMap<WorkerProcess, number>();

/** A process that was displaced ends all its apps, also those that its successor does not start. */
export function checkStoodDown(world: World): void {
  const { now } = world.scheduler;
  for (const process of world.workers) {
    const { machine, host } = process;
    const runs = [...host.running.keys()].filter((name) => !host.ending.has(name));
    if (process.isHost || process.part.role === undefined || !machine.isUp || !runs.length) runsSince.delete(process);
    else if (!runsSince.has(process)) runsSince.set(process, now);
    else if (now - runsSince.get(process)! > STANDS_DOWN && !world.plan.hanging)
      world.violate(`${runs[0]} runs on in ${process.name}, which does not hold its environment`);
  }
}

/** When each machine was last seen frozen. */
const upAt = new WeakMap<Machine, number>();
/** Since when an environment has no host although a process of it is well. */
const unhosted = new WeakMap<EnvironmentOfWorld, number>();
/** When each process was last seen to be unwell. */
const unwellAt = new WeakMap<WorkerProcess, number>();

/** One that was displaced waits for a boot that hangs, and is spent at the limit of that. */
function waitsForBoot({ part, host }: WorkerProcess, now: number): boolean {
  if (part.role === 'spent') return host.hangsSince.size > 0;
  return part.role === 'ending' && [...host.hangsSince.values()].some((since) => now - since < HANGS);
}

/** An environment with a process that is well has a host before long. */
export function checkHosted(world: World): void {
  const { now } = world.scheduler;
  const { redis } = world;
  const isRedisWell =
    !redis.isAway && !redis.isReadOnly && redis.frozenUntil < now && now - redis.troubledAt > UNHOSTED;
  for (const environment of world.environments) {
    const processes = environment.slots.flatMap(({ process }) => process ?? []);
    for (const process of processes) {
      const { machine, link, isOffDatabase } = process;
      if (machine.isFrozen) upAt.set(machine, now);
      if (!machine.isUp || link.isCut || isOffDatabase || environment.database.isAway || environment.database.slower)
        unwellAt.set(process, now);
      if (waitsForBoot(process, now)) unwellAt.set(process, now);
    }
    // One that is cut off from Redis alone keeps its environment: its apps serve.
    const isHosted = processes.some(({ isHost, machine }) => machine.isUp && isHost);
    const isWell = (process: WorkerProcess) =>
      now - Math.max(unwellAt.get(process) ?? 0, process.startedAt) > UNHOSTED && process.part.role !== undefined;
    if (isHosted || !isRedisWell) unhosted.delete(environment);
    else if (!unhosted.has(environment)) unhosted.set(environment, now);
    else if (now - unhosted.get(environment)! > UNHOSTED && processes.some(isWell))
      world.violate(`nobody hosts ${environment.name}, although ${processes.find(isWell)?.name} is well`);
  }
}
