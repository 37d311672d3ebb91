import type { RecordsWrite } from '../../../src/server/protocol/stores/records';
import type { AppDefinition, Published, Tombstone } from '../../../src/server/supervisor/definitions/repository';
import type { AppRecord } from '../../../src/shared/messages';
import type { MemoryTransaction } from '../../support/memory-database';
import { changedByLoop } from '../loop-writes';
import type { SupervisorProcess, WorkerProcess } from '../processes';
import { termOfTransaction, watchTerms } from '../terms';
import type { EnvironmentOfWorld, World } from '../world';
import { checkBounds, checkWoken } from './bounds';
import { checkCordons, checkMoves } from './failovers';
import { checkHost, checkHosted, checkOnlyHost, checkRefused, checkStoodDown } from './hosts';
import { MOST_ARE_SILENT } from './oracle';
import { checkPages, checkStoredIndex } from './pages';
import { checkSecrets, notePlaced } from './secrets';
import { checkSuspicion } from './suspicion';
import { checkUploads } from './uploads';

/** What must never be, looked at with every event that could bring it about. */

/** How long after a death a Worker may be shown as alive, in ms: its lease, two looks, and a clock that is off. */
const DEATH_SHOWS = 15_000 + 3_000;
/** How long a process that was displaced may take to hear of it and to end what it runs, in ms: a beat, and one time-out of Redis. */
const STANDS_DOWN = 12_000;

export function installChecks(world: World): void {
  watchTerms();
  world.database.database.onCommit = (transaction) => {
    checkTerm(world, transaction);
    notePlaced(world, transaction);
  };
  checkStore(world);
  checkBoots(world);
  const everySecond = () => {
    checkShown(world);
    checkHolders(world);
    checkTaken(world);
    checkDisplaced(world);
    checkRefused(world);
    checkStoodDown(world);
    checkHosted(world);
    checkMoves(world, (process) => wellFor(world, process) > IS_HEALTHY);
    checkCordons(world);
    checkPages(world, ({ name }) => wasStopped(world, name));
    checkSuspicion(world, (process) => isJudged(world, process));
    checkDefinitionReads(world);
    checkStoredIndex(world);
    checkBounds(world);
    world.scheduler.after(1_000, everySecond);
  };
  everySecond();
}

/** A leader's write is of the term that is on record when it is committed. */
function checkTerm(world: World, transaction: MemoryTransaction): void {
  const own = termOfTransaction(transaction);
  const tables = own ? [] : changedByLoop(transaction);
  if (tables.length) world.violate(`the control loop changes ${tables} without a term`);
  if (!own) return;
  const [leader] = world.database.database.visible('appSupervisorLeaders');
  if (leader?.holder === own.instance && leader.term === own.term) return;
  world.violate(`${own.instance} writes in term ${own.term}, while ${leader?.holder} leads in term ${leader?.term}`);
}

/** How often a Supervisor reads what there is, in ms. */
const COMPARES_EVERY = 30_000;

/** No record is replaced by an older one, and nobody reports under a lease that another one has. */
function checkStore(world: World): void {
  const { redis } = world;
  let newest = new Map<string, number>();
  let newestTerm = 0;
  let epochs = new Map<string, number>();
  redis.onLoss = () => {
    redis.troubledAt = world.scheduler.now;
    newest = new Map();
    newestTerm = 0;
    epochs = new Map();
  };
  redis.onCommand = (method, args, result) => {
    const term = termOf(method, args);
    if (term < newestTerm) world.violate(`${method} in term ${term}, after term ${newestTerm} has written`);
    else if (Number.isFinite(term)) newestTerm = term;
    const written = writtenRecords(method, args, result);
    if (written) {
      const { environment, records } = written;
      checkSecrets(world, environment, records);
      checkWoken(world, environment, records);
      for (const { name, uid, generation } of records) {
        const key = `${environment} ${name} ${uid}`;
        // A database that fell back to an older copy wins, also by what a leader has just read of it.
        const isLost = world.scheduler.now - world.fellBackAt < COMPARES_EVERY;
        const isAsked =
          isLost || (world.hasLostApps && publishedIn(world, environment, uid)?.generation === generation);
        if (generation < (newest.get(key) ?? 0) && !isAsked)
          world.violate(`${name} in ${environment}: generation ${generation} is published over ${newest.get(key)}`);
        newest.set(key, generation);
      }
    }
    if (method === 'fleet.forget' && result === true)
      for (const map of [newest, epochs])
        for (const key of map.keys()) if (key.startsWith(`${args[0]}`)) map.delete(key);
    if (method === 'statuses.write' && result === true) {
      const { environment, epoch, instance } = args[0] as { environment: string; epoch: number; instance: string };
      if (epoch < (epochs.get(environment) ?? 0))
        world.violate(`${instance} reports for ${environment} in epoch ${epoch}, after ${epochs.get(environment)}`);
      epochs.set(environment, epoch);
    }
  };
}

/** Of a leader's write to Redis; infinite for any other command, and for one that writes nothing. */
function termOf(method: string, args: unknown[]): number {
  switch (method) {
    case 'records.write':
      return (args[1] as RecordsWrite).term;
    case 'fleet.forget':
      return args[2] as number;
    case 'appIndex.write':
      return (args[0] as { term: number }).term;
    default:
      return Number.POSITIVE_INFINITY;
  }
}

/** What is published of an app by the Supervisor's database as it is now. */
function publishedIn({ database }: World, environment: string, uid: string): Published | undefined {
  const rows = <T>(table: string) => database.database.visible(table) as T[];
  const deleted = rows<Tombstone>('appTombstones').map(({ definition }) => definition);
  return [...rows<AppDefinition>('apps'), ...deleted].find((app) => app.uid === uid)?.published[environment];
}

/** What a command has written for an environment; undefined if it is another command, or has written nothing. */
function writtenRecords(method: string, args: unknown[], result: unknown) {
  if (method !== 'records.write' || result === null) return undefined;
  const [environment, write] = args as [string, RecordsWrite];
  return { environment, ...write };
}

const storedRecords = ({ redis }: World) =>
  (redis.stores.records as unknown as { environments: StoredRecords }).environments;
type StoredRecords = Map<string, { floor: number; byUid: Map<string, AppRecord> }>;

function storedRecord(world: World, environment: string, name: string): AppRecord | undefined {
  const { byUid } = storedRecords(world).get(environment) ?? {};
  return [...(byUid?.values() ?? [])].find((record) => record.name === name);
}

const livingIn = ({ slots }: EnvironmentOfWorld) => slots.flatMap(({ process }) => process ?? []);

/** No app of an environment is shown as running when its last process died longer ago than its lease lasts. */
function checkShown(world: World): void {
  const { now } = world.scheduler;
  // Also before anything counts as dead, which is some time after it has died.
  for (const { process } of world.supervisors) if (process && isExcused(world, process)) excusedAt.set(process, now);
  // What a frozen Redis carries out when it goes on may be the last beat of a process that is dead by then.
  const { frozenUntil } = world.redis;
  const dead = world.environments.filter(
    (environment) =>
      !livingIn(environment).length &&
      environment.slots.every(({ endedAt }) => now - Math.max(endedAt, frozenUntil) > DEATH_SHOWS),
  );
  if (!dead.length) return;
  for (const { process } of world.supervisors) {
    if (!process?.machine.isUp || !process.part.loaded || wasStopped(world, process.name)) continue;
    // It does not look at the fleet any more, and pages ask another one.
    if (process.isLeaving) continue;
    checkDead(world, process, dead);
    for (const app of process.part.apps()) {
      for (const { name } of dead) {
        if (app.environments.includes(name) && process.part.statusIn(app, name)?.status === 'running')
          world.violate(`${process.name} shows ${app.name} as running in ${name}, which is dead`);
      }
    }
  }
}

/** For how long nothing may have troubled a Supervisor before it has to know that an environment is down, in ms. */
const KNOWS_AFTER = 35_000;

/** When each Supervisor last had not loaded, so that it has seen nothing, or most environments that it knows were gone. */
const excusedAt = new WeakMap<SupervisorProcess, number>();
/** Of each Supervisor, the environments that it knows and that are gone, and since when they are these. */
const goneSince = new WeakMap<SupervisorProcess, { names: string; at: number }>();

/** Whether a Supervisor cannot know now what is down. */
function isExcused(world: World, process: SupervisorProcess): boolean {
  const { environments, scheduler } = world;
  const { part } = process;
  if (!part.loaded) return true;
  const known = environments.filter(({ name }) => part.parts.environmentCache.get(name) !== undefined);
  // A standby is not heard before it holds the environment of one that is frozen.
  const isHeard = ({ machine, link, part }: WorkerProcess) => machine.isUp && !link.isCut && part.isAnnounced;
  const gone = known.filter((environment) => !livingIn(environment).some(isHeard));
  const names = gone.map(({ name }) => name).join();
  if (goneSince.get(process)?.names !== names) goneSince.set(process, { names, at: scheduler.now });
  // Most of a fleet at once: it may be the Supervisor that is cut off, for a while.
  const since = Math.max(goneSince.get(process)!.at, troubledAt(world, process));
  return 2 * gone.length > known.length && scheduler.now - since < MOST_ARE_SILENT + DEATH_SHOWS;
}

/** When a Supervisor last could not see what there is, in true ms. */
const troubledAt = (world: World, { name, link, startedAt }: SupervisorProcess): number =>
  Math.max(world.redis.troubledAt, link.troubledAt, startedAt, frozenAt.get(world)?.get(name) ?? 0);

/** What died is shown as down, and not as unknown, by whoever could see it. */
function checkDead(world: World, process: SupervisorProcess, dead: EnvironmentOfWorld[]): void {
  const { scheduler } = world;
  // It may know an environment again of which it has observed nothing.
  const knownAgainAt = world.fellBackAt + COMPARES_EVERY;
  if (scheduler.now - Math.max(troubledAt(world, process), excusedAt.get(process) ?? 0, knownAgainAt) < KNOWS_AFTER)
    return;
  for (const { name } of dead) {
    const isKnown = process.part.parts.environmentCache.get(name) !== undefined;
    if (isKnown && process.part.parts.observer.environment(name)?.health === 'unknown')
      world.violate(`${process.name} shows ${name} as unknown, which is dead`);
  }
}

/** When each process was last seen frozen: what it shows before its first look after that is what it knew. */
const frozenAt = new WeakMap<World, Map<string, number>>();

function wasStopped(world: World, name: string): boolean {
  const at = frozenAt.get(world)?.get(name);
  return at !== undefined && world.scheduler.now - at < 3_000;
}

/** Whether what a Supervisor shows can be up to date. */
const isJudged = (world: World, { machine, part, name, link }: SupervisorProcess): boolean =>
  machine.isUp && part.loaded && !link.isCut && !wasStopped(world, name);

/** When two processes of one environment were first seen to run something at once. */
const doubledSince = new WeakMap<World, Map<string, number>>();

/** Of the processes of one environment, one at most runs apps; one that was displaced ends them as soon as it can hear of it. */
function checkHolders(world: World): void {
  const { now } = world.scheduler;
  const frozen = frozenAt.get(world) ?? new Map<string, number>();
  frozenAt.set(world, frozen);
  for (const { process } of world.slots) if (process?.machine.isFrozen) frozen.set(process.name, now);
  const since = doubledSince.get(world) ?? new Map<string, number>();
  doubledSince.set(world, since);
  for (const environment of world.environments) {
    const acting = livingIn(environment).filter(
      ({ machine, link, host, name }) =>
        machine.isUp && !link.isCut && host.running.size > host.ending.size && !wasStopped(world, name),
    );
    const { isAway, isReadOnly, frozenUntil } = world.redis;
    // Then nobody can hear of it.
    if (acting.length < 2 || isAway || isReadOnly || frozenUntil > now - 3_000) since.delete(environment.name);
    else if (!since.has(environment.name)) since.set(environment.name, now);
    else if (now - since.get(environment.name)! > STANDS_DOWN)
      world.violate(`${acting.map(({ name }) => name).join(' and ')} both host apps of ${environment.name}`);
  }
}

/**
 * How often a Supervisor may read all definitions in a minute while it does not lead: its round, and one after a wake-up of many. Whenever it
 * has Redis again it reads once more, since it has heard nothing meanwhile.
 */
const READS_A_MINUTE = 4;
const MINUTE = 60_000;
/** When each Supervisor read all definitions, when it had Redis again, and since when it does not lead. */
const definitionReads = new WeakMap<SupervisorProcess, { at: number[]; returnedAt: number[]; followsSince: number }>();

/** What Workers report costs a Supervisor that does not lead no read of the definitions. */
function checkDefinitionReads(world: World): void {
  const { now } = world.scheduler;
  for (const { process } of world.supervisors) {
    if (!process?.part.loaded) continue;
    const seen = definitionReads.get(process) ?? { at: [], returnedAt: [], followsSince: now };
    if (!definitionReads.has(process)) {
      definitionReads.set(process, seen);
      const { appCache } = process.part.parts;
      const load = appCache.load.bind(appCache);
      process.link.returns.listen(() => seen.returnedAt.push(world.scheduler.now));
      appCache.load = () => {
        // It may have led between two looks.
        if (process.part.parts.leadership.leads) seen.followsSince = world.scheduler.now;
        seen.at.push(world.scheduler.now);
        return load();
      };
    }
    if (process.leads) seen.followsSince = now;
    const [reads, returned] = [seen.at, seen.returnedAt].map((times) => times.filter((at) => at > now - MINUTE));
    Object.assign(seen, { at: reads, returnedAt: returned });
    if (now - seen.followsSince > MINUTE && reads.length > READS_A_MINUTE + returned.length)
      world.violate(`${process.name} does not lead, and read all definitions ${reads.length} times in a minute`);
  }
}

/** When each process was last in trouble of its own, or was seen not to hold its environment. */
const healthySince = new WeakMap<object, number>();
/** How long a holder has to be well before nothing may take its environment from it, in ms. */
const IS_HEALTHY = 25_000;

/** A holder that reaches Redis and its database keeps its environment. */
function checkDisplaced(world: World): void {
  const { redis, scheduler } = world;
  const { now } = scheduler;
  if (redis.isAway || redis.frozenUntil > now) redis.unreachableAt = now;
  if (redis.isReadOnly || redis.unreachableAt === now) redis.troubledAt = now;
  for (const { process } of world.slots) if (process?.link.isCut) process.link.troubledAt = now;
  for (const process of world.workers) {
    const { part, machine, link, name } = process;
    const { database } = world.environments.find((one) => one.name === process.environment)!;
    // One whose database does not answer is no healthy host.
    const isOff = link.isCut || process.isOffDatabase || database.isAway || database.slower > 0;
    const isWell = machine.isUp && !isOff && now - redis.troubledAt > IS_HEALTHY;
    const hasLost = part.role === 'ending' || part.role === 'challenger';
    if (hasLost && isWell && now - (healthySince.get(process) ?? now) > IS_HEALTHY)
      world.violate(`${name} was well, and lost its environment`);
    if (!process.isHost || !isWell) healthySince.delete(process);
    else if (!healthySince.has(process)) healthySince.set(process, now);
  }
}

/** For how long a holder has been well, in ms; 0 if it is not. */
const wellFor = ({ scheduler }: World, process: WorkerProcess): number =>
  healthySince.has(process) ? scheduler.now - healthySince.get(process)! : 0;

/** How long ago a record was published that a process must have read by now, in ms: a round, and the latency of all on the way. */
const RECORD_ARRIVES = 35_000;
/** How long after Redis or its link to it works again a process may go on as one that cannot read, in ms: the time-out of a beat, and the next beat. */
const LINK_IS_BACK = 10_000;

/** Nothing boots where the newest record that its process could have read says otherwise. */
function checkBoots(world: World): void {
  /** Since when Redis says that an app is not to run somewhere: an older copy does not before a leader has compared it (`bounds.ts`). */
  const since = new Map<string, number>();
  const keyOf = (environment: string, { name, uid }: AppRecord) => `${environment} ${name} ${uid}`;
  /** Where an app was wanted when it had several environments, and has been ever since. */
  const stands = new Set<string>();
  /** By environment, when the store heard that it was forgotten, and the apps that were published for it since. */
  const assigned = new Map<string, { at: number; uids: Set<string> }>();
  /** By environment, the floor that its stored records are for. */
  let floors = new Map<string, number>();
  const { onCommand: publish, onLoss } = world.redis;
  world.redis.onLoss = () => {
    onLoss();
    assigned.clear();
    floors = new Map([...storedRecords(world)].map(([name, { floor }]) => [name, floor]));
    for (const key of since.keys()) {
      const [environment, name, uid] = key.split(' ');
      const record = storedRecord(world, environment, name);
      if (record?.uid !== uid || isWanted(record)) since.delete(key);
    }
  };
  world.redis.onCommand = (method, args, result) => {
    publish(method, args, result);
    const isForgotten = method === 'fleet.forget' && result === true;
    if (isForgotten) assigned.set(args[0] as string, { at: world.scheduler.now, uids: new Set() });
    const written = writtenRecords(method, args, result);
    if (!written) return;
    const { environment, records, floor } = written;
    // An older copy of Redis does not know it before a leader has said so again.
    if (floor > 0 && floors.get(environment) !== floor && !assigned.has(environment))
      assigned.set(environment, { at: world.scheduler.now, uids: new Set() });
    floors.set(environment, floor);
    for (const { uid } of records) assigned.get(environment)?.uids.add(uid);
    for (const record of records) {
      const key = keyOf(environment, record);
      if (isWanted(record) && record.environments.length > 1) stands.add(key);
      if (!isWanted(record)) stands.delete(key);
      if (isWanted(record)) since.delete(key);
      else if (!since.has(key)) since.set(key, world.scheduler.now);
    }
  };
  world.onBoot = (machine, environment, record, row) => {
    checkHost(world, machine, environment, record, row);
    const at = since.get(keyOf(environment, record)) ?? Number.POSITIVE_INFINITY;
    const worker = world.workers.find((one) => one.machine === machine);
    const link = worker?.link;
    checkNewest(world, worker, record);
    checkUploads(world, environment, record);
    if (!stands.has(keyOf(environment, record))) checkAlone(world, environment, record);
    // What stands may boot by a record that was made before the others were asked to leave: it names them.
    const isShared = stands.has(keyOf(environment, record)) && (record.hosts ?? []).length > 1;
    if (!isShared) checkOnlyHost(world, environment, record);
    if (worker && at < worker.startedAt && couldRead(world, worker))
      world.violate(`${record.name} boots in ${machine.name}, from which it was taken before that started`);
    const { redis, scheduler } = world;
    const isCut = redis.isAway || redis.frozenUntil > scheduler.now || link?.isCut;
    const cutAt = Math.max(redis.unreachableAt, link?.troubledAt ?? Number.NEGATIVE_INFINITY);
    const wasCut = scheduler.now - cutAt < LINK_IS_BACK;
    if (isCut || wasCut) return;
    const forgotten = assigned.get(environment);
    // One that runs already has to hear of it.
    const hasHeard = ({ at: since }: { at: number }) =>
      !worker || worker.startedAt > since || scheduler.now - since > RECORD_ARRIVES;
    if (forgotten && hasHeard(forgotten) && !forgotten.uids.has(record.uid))
      world.violate(`${record.name} boots in ${machine.name}, which was forgotten meanwhile`);
    if (world.scheduler.now - at > RECORD_ARRIVES)
      world.violate(
        `${record.name} boots in ${machine.name}, from which it was taken ${Math.floor((world.scheduler.now - at) / 1000)} s ago`,
      );
  };
}

const isWanted = ({ desired }: AppRecord): boolean => desired === 'running' || desired === 'onDemand';

/** A process that started when its records could be read has read them before it boots anything. */
const couldRead = ({ redis }: World, { startedAt, link }: WorkerProcess): boolean =>
  !redis.isAway && !link.isCut && Math.max(redis.troubledAt, redis.frozenUntil, link.troubledAt) < startedAt;

/** What a process boots is the newest that it has read. */
function checkNewest(world: World, worker: WorkerProcess | undefined, { name, uid, generation }: AppRecord): void {
  const known = worker?.part.controller?.apps.get(name)?.record;
  if (known?.uid === uid && known.generation > generation)
    world.violate(`${name} boots in ${worker?.name} as of generation ${generation}, which knows ${known.generation}`);
}

/**
 * An app with one environment starts there only when it has ended everywhere else, as far as that can be known. What was requested there when it
 * had several stands: it may have run in all of them.
 */
function checkAlone(world: World, environment: string, { name, uid, environments }: AppRecord): void {
  if (environments.length !== 1 || environments[0] !== environment) return;
  // A database that fell back does not know where the app was.
  if (world.plan.events.some(({ do: kind }) => kind === 'databaseFailOver' || kind === 'failOver')) return;
  const now = world.scheduler.now;
  for (const process of world.workers) {
    const { host, machine, name: other } = process;
    const isWell = healthySince.has(process) && now - healthySince.get(process)! > IS_HEALTHY && machine.isUp;
    if (process.environment === environment || !isWell || host.running.get(name)?.uid !== uid) continue;
    // It was cut off from the database long before, while it was frozen, and takes long to end.
    const isCutOff = [...world.ground.pools].some(
      (pool) =>
        pool.machine === machine && pool.app === name && pool.refusedAt !== null && now - pool.refusedAt > 1_000,
    );
    if (isCutOff && host.ending.has(name)) continue;
    world.violate(`${name} boots in ${environment}, and still runs in ${other}`);
  }
}

/** By process, incarnation of an app: the newest generation that it has taken over, and when, in true ms. */
const takenOver = new WeakMap<object, Map<string, { generation: number; at: number }>>();

/** No process replaces a record by an older one of the same incarnation, unless the database with its snapshot went back. */
function checkTaken(world: World): void {
  for (const process of world.workers) {
    const newest = takenOver.get(process) ?? new Map<string, { generation: number; at: number }>();
    takenOver.set(process, newest);
    for (const [name, { record }] of process.part.controller?.apps.all() ?? []) {
      const key = `${name} ${record.uid}`;
      const known = newest.get(key);
      if (known?.generation === record.generation) continue;
      // It was seen up to a second after it was taken over.
      if (known && record.generation < known.generation && process.database.fellBackAt < known.at - 1_000)
        world.violate(
          `${process.name} goes back to generation ${record.generation} of ${name}, from ${known.generation}`,
        );
      newest.set(key, { generation: record.generation, at: world.scheduler.now });
    }
  }
}
