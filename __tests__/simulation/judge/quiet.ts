import { isDeepStrictEqual } from 'node:util';
import type {
  AppDefinition,
  DeletedApp,
  Published,
  Tombstone,
} from '../../../src/server/supervisor/definitions/repository';
import type { Applied } from '../../../src/server/worker/apps/decide';
import type { Event } from '../../../src/shared/event';
import type { AppRecord } from '../../../src/shared/messages';
import type { Operation } from '../../../src/shared/operation';
import type { SupervisorProcess, WorkerProcess } from '../processes';
import { routeOf } from '../visitors';
import type { EnvironmentOfWorld, World } from '../world';
import { checkFailovers } from './failovers';
import { ATTEMPTS, CRASHES, eventKey, faultOf, isAsTold, isStillToBoot, lastingOf } from './oracle';
import { passwordToldTo } from './secrets';

/** What must be true when nothing has been broken or asked for during some minutes. */

type Say = (what: string) => void;

export interface Sight {
  world: World;
  apps: AppDefinition[];
  tombstones: Tombstone[];
  operations: Operation[];
  /** Of each environment that is alive, its holder. */
  holders: Map<string, WorkerProcess>;
  /** Names of apps that hang somewhere: that process says that it has to be restarted, and until then others wait for their database. */
  stuck: Set<string>;
  leader: SupervisorProcess;
  say: Say;
}

export function checkQuiet(world: World): void {
  const say: Say = (what) => world.violate(`After quiet: ${what}`);
  const leaders = world.supervisors.flatMap(({ process }) => (process?.leads ? [process] : []));
  if (leaders.length !== 1) {
    say(`${leaders.length} Supervisors lead.`);
    return;
  }
  const rows = <T>(table: string) => world.database.database.visible(table) as T[];
  // A Supervisor died before it answered: only the database knows.
  const known = rows<{ name: string; registration: object }>('appEnvironments');
  for (const name of world.forgetting)
    if (!known.some((row) => row.name === name && Object.keys(row.registration).length))
      world.forgotten.set(name, world.scheduler.now);
  const sight: Sight = {
    world,
    apps: rows('apps'),
    // One that has ended is kept, so that its app can be restored.
    tombstones: rows<DeletedApp>('appTombstones').filter(({ endedAt }) => endedAt === null),
    operations: rows('appOperations'),
    holders: new Map(),
    stuck: new Set(),
    leader: leaders[0],
    say,
  };
  for (const environment of world.environments) findHolder(environment, sight);
  checkOperations(sight);
  checkFailovers(sight);
  for (const app of sight.apps) checkApp(app, sight);
  checkEnds(sight);
  checkIndex(sight);
  checkTombstones(sight);
  checkRecords(sight);
  checkEvents(rows<Event>('appEvents'), sight);
  for (const [environment, holder] of sight.holders) checkHosted(environment, holder, sight);
  for (const environment of world.environments) checkVisits(environment, sight);
  checkGrowth(sight);
}

function findHolder({ name, slots }: EnvironmentOfWorld, { holders, stuck, say }: Sight): void {
  const alive = slots.flatMap(({ process }) => process ?? []);
  if (!alive.length) return;
  const [holder, ...others] = alive.filter(({ part }) => part.isAnnounced);
  if (!holder || others.length)
    say(`${name} is held by ${others.length + (holder ? 1 : 0)} of ${alive.length} processes.`);
  if (holder) holders.set(name, holder);
  // Also one that was displaced has its database until it ends.
  for (const { part } of alive) for (const app of part.controller?.apps.stuck() ?? []) stuck.add(app);
  for (const other of alive)
    if (other !== holder && other.host.running.size) say(`${other.name} runs apps and is ${other.part.role}.`);
}

/** What is not over names what it waits for, and that holds. */
function checkOperations({ world, operations, holders, stuck, say }: Sight): void {
  for (const { id, appName, action, finishedAt, state, waitingFor, progress } of operations) {
    if (finishedAt !== null || stuck.has(appName)) continue;
    const waits = typeof waitingFor === 'string' ? JSON.parse(waitingFor) : waitingFor;
    const environment = waits?.code === 'WAITS_FOR_RETURN' ? waits.params.environment : null;
    const isTrue = environment !== null && !holders.has(environment) && !world.forgotten.has(environment);
    if (!isTrue)
      say(
        `${action} of ${appName} (${id}) is ${state}, ` +
          `${waits ? `waits for ${waits.code}` : 'and names nothing that it waits for'}: ${progressOf(progress)}.`,
      );
  }
}

/** No operation ended in a way that is not so. */
function checkEnds({ world, operations, holders, stuck, say }: Sight): void {
  const { makers } = world.ground;
  for (const { appUid, appName, data, state } of operations)
    if (data === 'drop' && state === 'succeeded' && makers.has(appUid)) say(`the data of ${appName} are still there.`);
  for (const { appName, action, state, progress, generation, createdById } of operations) {
    if (!progress.length && state === 'succeeded' && createdById && (action === 'start' || action === 'restart'))
      say(`${action} of ${appName} did nothing and succeeded.`);
    if (action !== 'start' && action !== 'restart') continue;
    for (const [environment, { host }] of holders) {
      const item = progress.find((one) => one.environment === environment);
      const isOver = item?.state === 'failed' || item?.state === 'succeeded';
      if (isOver && !stuck.has(appName) && generation > (host.failed.get(appName) ?? Number.POSITIVE_INFINITY))
        say(`${action} of ${appName} did not start it in ${environment}, where it had ended by itself.`);
    }
  }
}

/** Every Worker knows every app of the fleet. */
function checkIndex({ apps, holders, say }: Sight): void {
  const wanted = apps.map(({ name }) => name).sort();
  for (const [environment, { part }] of holders) {
    const known = part.appIndex.all().map(({ name }) => name);
    if (!isDeepStrictEqual(known.sort(), wanted)) say(`${environment} knows the apps ${known}; there are ${wanted}.`);
  }
}

const progressOf = (progress: Operation['progress']): string =>
  progress.map(({ environment, of, state }) => `${environment} ${of} ${state}`).join(', ');

function checkApp(app: AppDefinition, sight: Sight): void {
  const { say, operations, holders, stuck } = sight;
  if (stuck.has(app.name)) return;
  for (const [environment, wish] of Object.entries(app.published)) {
    const holder = holders.get(environment);
    if (holder) checkPlace(app, environment, wish, holder, sight);
  }
  const mine = operations.filter(({ appUid }) => appUid === app.uid);
  const newest = mine.sort((a, b) => b.generation - a.generation)[0];
  for (const environment of app.environments) {
    const isAwaited = app.published[environment] || mine.some(({ finishedAt }) => finishedAt === null);
    if (!isAwaited && sight.leader.part.statusIn(app, environment)?.status === 'waiting')
      say(`${app.name} is shown as waiting in ${environment}, for nothing.`);
  }
  checkProvision(app, sight);
  checkRole(app, sight);
  checkReturn(app, newest, sight);
  checkCopies(app, sight);
  checkAsked(app, newest, sight);
  for (const environment of app.environments) {
    const place = app.placements[environment];
    const wish = app.published[environment];
    // What was cancelled before it had begun is wanted nowhere; what is under way is looked at above.
    if (!place && !wasCancelled(mine, environment) && !isLeaving(app, environment, newest))
      say(`${app.name} is wanted nowhere in ${environment}.`);
    if (!place || wish?.desired === place.want || isLeftFor(app, environment, sight)) continue;
    say(`${app.name} should be ${place.want} in ${environment}; published is ${wish?.desired ?? 'nothing'}.`);
  }
  // An app with several leaves a place when it runs where it is new; what is under way or has failed says so.
  const isAwaited = app.environments.length > 1 && newest?.state !== 'succeeded';
  const mayStay = (name: string) => isAwaited && app.previous?.environments.includes(name);
  const surplus = Object.keys(app.published).filter(
    (name) => !app.environments.includes(name) && holders.has(name) && !mayStay(name),
  );
  if (surplus.length) say(`${app.name} is still published in ${surplus}.`);
}

/** What an app that runs has once made is not made again: whoever drops its database by hand gets an error, and no empty app. */
function checkProvision({ name, uid, provision, published }: AppDefinition, { holders, say }: Sight): void {
  const runs = Object.keys(published).some((one) => holders.get(one)?.host.running.get(name)?.uid === uid);
  if (runs && provision !== 'none') say(`${name} runs, and may still ${provision} its database.`);
}

/** Whoever has the app can sign in, and nobody who has left it: the password that was made last is that of the role, and no work is left. */
function checkRole(app: AppDefinition, { world, operations, holders, say }: Sight): void {
  const { name, uid, database, environments, placements, published, previous, paused, provision } = app;
  const now = world.ground.server.users.get(database.username ?? '');
  if (!database.username || now === undefined || world.ground.ownerOf(database.database ?? name) !== uid) return;
  // A password that the Supervisors' database has lost is replaced when all places of the app are there.
  const isLost = world.fellBackAt > 0 && !environments.every((one) => holders.has(one));
  for (const pool of world.ground.pools)
    if (pool.uid === uid && pool.refusedAt === null && !pool.knows(now) && !isLost)
      say(`${name} has no password for its database in ${pool.machine.name}.`);
  const isSettled =
    environments.every((one) => placements[one] && holders.has(one) && isAsTold(uid, published[one], entryIn(one))) &&
    Object.keys(published).every((one) => environments.includes(one) || !holders.has(one)) &&
    operations.every(({ appUid, finishedAt }) => appUid !== uid || finishedAt !== null);
  if (!isSettled || !environments.length || previous || paused || provision !== 'none') return;
  if (database.nextPassword || database.renewsPassword) say(`the role of ${name} is still to get another password.`);
  // Where the Supervisors' database has lost it, the next boot sets the one that is stored.
  const runs = environments.some((one) => holders.get(one)?.host.running.has(name));
  if (now !== database.password && (runs || world.fellBackAt < 0))
    say(`the role of ${name} has not the password that is stored.`);
  // A database that fell back does not know where the app was.
  const left = world.fellBackAt > 0 ? [] : world.environments.filter((one) => !environments.includes(one.name));
  for (const one of left)
    if (!published[one.name] && passwordToldTo(world, one.name, uid) === now)
      say(`${one.name}, which ${name} has left, knows the password of its role.`);

  function entryIn(environment: string) {
    return holders.get(environment)?.part.controller?.apps.entry(name) ?? null;
  }
}

/**
 * Whether what was last asked for in an environment was cancelled.
 * @param operations of the app, the newest first; the database may have lost those that name it
 */
function wasCancelled(operations: Operation[], environment: string): boolean {
  const named = operations.flatMap(({ progress }) => progress.find((one) => one.environment === environment) ?? []);
  return !named.length || named[0].state === 'cancelled';
}

/** Whether an app stays where it is until its uploads are copied to where it goes: it is wanted there by then. */
const isLeaving = ({ previous, placements }: AppDefinition, environment: string, newest: Operation | undefined) =>
  newest?.finishedAt === null && previous?.environments.includes(environment) && Object.keys(placements).length > 0;

/** What the newest request has asked for is wanted: no pass has changed its mind. */
function checkAsked(app: AppDefinition, newest: Operation | undefined, { say }: Sight): void {
  if (newest?.state !== 'succeeded' || !newest.createdById) return;
  const { action, progress } = newest;
  for (const { environment, of } of progress) {
    const want = app.placements[environment]?.want;
    if (!app.environments.includes(environment)) continue;
    if (action === 'stop' && want !== 'stopped')
      say(`${app.name} was stopped, and should be ${want} in ${environment}.`);
    if (of === 'boot' && action !== 'stop' && (want ?? 'stopped') === 'stopped')
      say(`${app.name} was to ${action}, and should be ${want ?? 'nothing'} in ${environment}.`);
  }
}

/** Whether an environment is left for when the app, whose boot has failed elsewhere, is well there, which it is not; or for one that is away. */
function isLeftFor(app: AppDefinition, environment: string, { holders, operations }: Sight): boolean {
  if (!isStillToBoot(app, environment)) return false;
  if (operations.some(({ appUid, finishedAt }) => appUid === app.uid && finishedAt === null)) return true;
  const { paused, published, uid, name } = app;
  const failed = paused?.environment ?? '';
  const entry = holders.get(failed)?.part.controller?.apps.entry(name) ?? null;
  return paused !== null && !(published[failed] && isAsTold(uid, published[failed], entry));
}

/** Where an app does not go any more, nothing is kept of it. */
function checkCopies({ name, uid, environments, published }: AppDefinition, { operations, holders, say }: Sight): void {
  if (operations.some((one) => one.appUid === uid && one.finishedAt === null)) return;
  for (const [environment, { uploads }] of Object.entries(published))
    if (uploads?.ahead && !environments.includes(environment) && holders.has(environment))
      say(`the uploads of ${name} are still copied ahead to ${environment}.`);
}

/**
 * A move that failed is undone: an app does not stay where it does not start while it could run where it came from. Where it has several
 * environments, it may never have been where it was to come from.
 */
function checkReturn(
  { name, environments, published }: AppDefinition,
  newest: Operation | undefined,
  { holders, say }: Sight,
) {
  if (newest?.action !== 'move' || newest.state !== 'failed' || !(newest.createdById || newest.cause)) return;
  const place = newest.progress.find(({ of }) => of !== 'leave');
  const failed = place?.of === 'boot' && place.state === 'failed' ? place.environment : '';
  const left = newest.progress.find(({ of, state }) => of === 'leave' && state !== 'failed')?.environment ?? '';
  const isBetween = environments.includes(failed) && !environments.includes(left);
  const couldReturn = isBetween && holders.has(left) && (environments.length === 1 || published[left]);
  const host = holders.get(failed)?.host;
  // It may have started since, and have ended by itself, from where nobody takes it.
  if (couldReturn && host && !host.running.has(name) && !host.failed.has(name))
    say(`${name} does not start in ${failed}, and did not return to ${left}.`);
}

/** An app is what was published, or an error that names its cause; and both are shown. */
function checkPlace(app: AppDefinition, environment: string, wish: Published, holder: WorkerProcess, sight: Sight) {
  const { say, leader } = sight;
  const running = holder.host.running.get(app.name);
  const entry = holder.part.controller?.apps.entry(app.name);
  // The database fell back behind the end of this app and the creation of another one of its name, which a warning names.
  if (running && running.uid !== app.uid && sight.world.hasLostApps) return;
  const is = `${app.name} in ${environment}, which should be ${wish.desired},`;
  const mayRest = wish.desired !== 'running' && (wish.desired !== 'onDemand' || entry?.status === 'dormant');
  if (!running && !mayRest && !isExplained(holder, app)) say(`${is} is ${entry?.status ?? 'unknown'}.`);
  checkDoors(app, wish, sight);
  if ((wish.desired === 'stopped' || wish.desired === 'removed') && running) say(`${is} runs.`);
  if (running && running.uid !== app.uid) say(`${is} is another incarnation.`);
  const shown = leader.part.statusIn(app, environment)?.status;
  if (entry && app.environments.includes(environment) && shown !== entry.status)
    say(`${is} is ${entry.status} and is shown as ${shown}.`);
}

/** Visitors get to where the app runs; one that starts when it is visited was visited a while ago. */
function checkDoors(app: AppDefinition, { desired }: Published, sight: Sight): void {
  const { world, holders, say } = sight;
  // A stop that was cancelled before it was published: visitors are told that it is stopped.
  if (app.desired === 'stopped') return;
  if (desired !== 'running' && desired !== 'onDemand') return;
  // A change of its environments that was cancelled: it is shown as not deployed where it belongs.
  if (!app.environments.some((name) => app.placements[name])) return;
  const there = app.environments.flatMap((name) => holders.get(name) ?? []);
  // A former app of its name, of which the database knows nothing any more, may run where it could not start.
  const runs = (holder: WorkerProcess | undefined) => holder?.host.running.get(app.name)?.uid === app.uid;
  const isWell = there.some(runs);
  if (!isWell) {
    const isAsked = (name: string) => app.placements[name] && !isLeftFor(app, name, sight);
    const asked = app.environments.filter(isAsked).flatMap((name) => holders.get(name) ?? []);
    if (asked.length && !asked.some((holder) => isExplained(holder, app)))
      say(`${app.name} was visited and runs nowhere.`);
    return;
  }
  for (const { process } of world.supervisors) {
    if (!process) continue;
    const chosen = routeOf(process, app.name);
    if (!chosen || !runs(holders.get(chosen.name)))
      say(`${process.name} sends visitors of ${app.name} to ${chosen?.name ?? 'nobody'}, where it does not run.`);
  }
}

/** It was tried as often as it is tried, and says why it failed: an app that would start by now is no error. */
function isExplained(holder: WorkerProcess, { name, environments }: AppDefinition): boolean {
  if (holder.host.failed.has(name)) return true;
  const held = holder.part.controller?.apps.get(name);
  if (held?.status !== 'error' || !held.error) return false;
  // It says that it starts when it is assigned again, and nobody has to ask for what is asked for already. From elsewhere it will be removed.
  if (held.error.code === 'HOSTING_TAKEN') return !environments.includes(holder.environment);
  if (held.late === 'work') return true;
  return held.failures >= ATTEMPTS || (held.applied?.unfinished?.count ?? 0) >= CRASHES;
}

function checkTombstones({ world, tombstones, holders, operations, stuck, say }: Sight): void {
  for (const { name, uid, environments } of tombstones) {
    const missing = environments.filter(
      (environment) => !holders.has(environment) && !world.forgotten.has(environment),
    );
    if (missing.length || stuck.has(name)) continue;
    // A drop that failed has failed with its cause, and can be asked for again.
    if (operations.some(({ appUid, state, action }) => appUid === uid && action === 'destroy' && state !== 'succeeded'))
      continue;
    say(`the tombstone of ${name} waits for ${environments.length ? environments : 'nobody'}.`);
  }
}

/** What Redis holds is what the database says. */
function checkRecords({ world, apps, tombstones, say }: Sight): void {
  const { environments } = world.redis.stores.records as unknown as {
    environments: Map<string, { byUid: Map<string, AppRecord> }>;
  };
  const wanted = new Map<string, { app: AppDefinition; wish: Published }>();
  for (const { definition: app, environments } of tombstones)
    for (const environment of environments)
      if (app.published[environment])
        wanted.set(`${app.name} in ${environment}`, { app, wish: app.published[environment] });
  for (const app of apps)
    for (const [environment, wish] of Object.entries(app.published))
      wanted.set(`${app.name} in ${environment}`, { app, wish });
  for (const [environment, { byUid }] of environments) {
    for (const record of byUid.values()) {
      const key = `${record.name} in ${environment}`;
      const { app, wish } = wanted.get(key) ?? {};
      const fault = app && wish ? faultOf(record, app, wish) : 'all';
      if (fault)
        say(`the record of ${key} says ${fault} of generation ${record.generation}, and is of ${wish?.generation}.`);
      wanted.delete(key);
    }
  }
  for (const key of wanted.keys()) say(`there is no record of ${key}.`);
}

const keyOf = ({ kind, environment, appUid }: Event): string => eventKey(kind, environment, appUid);

/** What the table says to last is once in it, and true. */
function checkEvents(events: Event[], { world, holders, apps, say }: Sight): void {
  const lasting = events.filter(({ endedAt }) => endedAt === null).map(keyOf);
  const wanted = new Set<string>();
  /** Nobody knows: an app whose environment is down, or that waits for a visit after it failed. */
  const open = new Set<string>();
  for (const { name } of world.environments) {
    const holder = holders.get(name);
    if (!holder && !world.forgotten.has(name)) wanted.add(eventKey('health', name, null));
    for (const { uid: appUid, name: app, published } of apps) {
      if (!published[name]) continue;
      const entry = holder?.part.controller?.apps.entry(app);
      const condition = entry?.uid === appUid ? lastingOf(entry) : null;
      if (condition === 'well') continue;
      if (condition) wanted.add(eventKey(condition, name, appUid));
      else for (const kind of ['failure', 'crash']) open.add(eventKey(kind, name, appUid));
    }
  }
  for (const [i, key] of lasting.entries()) {
    if (lasting.indexOf(key) !== i) say(`"${key}" lasts twice.`);
    if (!wanted.has(key) && !open.has(key)) say(`"${key}" does not last any more.`);
  }
  for (const key of wanted) if (!lasting.includes(key)) say(`"${key}" lasts, and is not recorded.`);
}

/** Nothing runs that nobody asked for. */
function checkHosted(environment: string, { host }: WorkerProcess, { world, apps, leader, say }: Sight): void {
  for (const [name, { uid, generation }] of host.running) {
    const app = apps.find((one) => one.uid === uid);
    const wish = app?.published[environment];
    // The database fell back behind its creation: the environment's warning names it. Or behind its start, where it belongs: it is shown.
    const isShown = () => leader.part.statusIn(app!, environment)?.status === 'running';
    if (world.hasLostApps && (!app || (app.environments.includes(environment) && isShown()))) continue;
    if (!wish) say(`${name} runs in ${environment} as of generation ${generation}, and nobody asked for it.`);
  }
}

/** How long after a visit the next process has to know of it, in ms: see `saveVisits` in worker/apps/snapshot-writes.ts. */
const VISITS_SAVED = 150_000;

/** Visits outlive their process. */
function checkVisits({ name, database }: EnvironmentOfWorld, { world, holders, say }: Sight): void {
  const holder = holders.get(name);
  const rows = database.database.visible('appSnapshots') as Array<{ name: string; applied: Applied | null }>;
  for (const [app, visit] of holder?.firstVisited ?? []) {
    if (!holder?.host.running.has(app) || world.scheduler.now - visit.true < VISITS_SAVED) continue;
    // It was removed there since.
    if (!holder.host.coreApps.lastSeenAt.has(app)) continue;
    const known = rows.find((row) => row.name === app)?.applied?.lastVisitAt ?? 0;
    if (known < visit.at * 1_000) say(`the visits of ${app} in ${name} are not written.`);
  }
}

/** What is kept in memory is about what there is. */
function checkGrowth({ world, apps, leader, say }: Sight): void {
  for (const { process } of world.slots) {
    const timers = process?.machine.timers ?? 0;
    if (timers > 20 + 2 * apps.length) say(`${process?.name} has ${timers} timers.`);
  }
  const { environments, queue } = leader.part.parts as unknown as {
    environments: { unnotified: Map<string, unknown> };
    queue: { failures: Map<string, unknown>; waiting: Map<string, unknown> };
  };
  if (environments.unnotified.size) say(`environments are still to be woken: ${[...environments.unnotified.keys()]}.`);
  if (queue.failures.size) say(`passes still fail: ${[...queue.failures.keys()]}.`);
  if (queue.waiting.size) say(`somebody waits for a pass: ${[...queue.waiting.keys()]}.`);
}
