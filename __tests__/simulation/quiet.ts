import { isDeepStrictEqual } from 'node:util';
import { choose } from '../../src/server/proxy/choose';
import type { AppDefinition, Published, Tombstone } from '../../src/server/supervisor/apps/repository';
import { desiredOf } from '../../src/server/supervisor/apps/repository';
import { isDone, type Operation } from '../../src/server/supervisor/control/rollout';
import { decisionOn, hasSkipped } from '../../src/server/supervisor/control/unfinished';
import { conditionOf, keyOf } from '../../src/server/supervisor/events/decide';
import { recordFor } from '../../src/server/supervisor/rollout/record';
import { type Applied, MAX_FAILURES, MAX_UNFINISHED_BOOTS } from '../../src/server/worker/apps/decide';
import type { Event } from '../../src/shared/event';
import type { AppRecord } from '../../src/shared/messages';
import { checkFailovers } from './failovers';
import type { SupervisorProcess, WorkerProcess } from './processes';
import type { EnvironmentOfWorld, World } from './world';

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
    tombstones: rows('appTombstones'),
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
  for (const { id, appName, action, finishedAt, state, waitingFor, steps } of operations) {
    if (finishedAt !== null || stuck.has(appName)) continue;
    const waits = typeof waitingFor === 'string' ? JSON.parse(waitingFor) : waitingFor;
    const environment = waits?.code === 'WAITS_FOR_RETURN' ? waits.params.environment : null;
    const isTrue = environment !== null && !holders.has(environment) && !world.forgotten.has(environment);
    if (!isTrue)
      say(
        `${action} of ${appName} (${id}) is ${state}, ` +
          `${waits ? `waits for ${waits.code}` : 'and names nothing that it waits for'}: ${stepsOf({ steps })}.`,
      );
  }
}

/** No operation ended in a way that is not so. */
function checkEnds({ operations, holders, stuck, say }: Sight): void {
  for (const { appName, action, state, steps, generation, createdById } of operations) {
    if (!steps.length && state === 'succeeded' && createdById && (action === 'start' || action === 'restart'))
      say(`${action} of ${appName} did nothing and succeeded.`);
    // Nothing here takes as long as a boot may take.
    const late = steps.find(({ kind, error }) => kind === 'boot' && error?.code === 'DEADLINE');
    if (late && !stuck.has(appName)) say(`${action} of ${appName} failed by its deadline in ${late.environment}.`);
    if (action !== 'start' && action !== 'restart') continue;
    for (const [environment, { host }] of holders) {
      const step = steps.find((one) => one.environment === environment);
      const isOver = step?.state === 'failed' || step?.state === 'succeeded';
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

const stepsOf = ({ steps }: Pick<Operation, 'steps'>): string =>
  steps.map(({ environment, kind, state }) => `${environment} ${kind} ${state}`).join(', ');

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
  checkReturn(app, newest, sight);
  checkCopies(app, sight);
  // What failed or was cancelled says so; what is under way is looked at above.
  if (newest?.state !== 'succeeded') return;
  for (const environment of app.environments) {
    const wish = app.published[environment];
    if (wish?.desired === desiredOf(app) || wasCancelled(mine, environment)) continue;
    if (!isLeftFor(app, environment, mine, holders))
      say(`${app.name} should be ${desiredOf(app)} in ${environment}; published is ${wish?.desired ?? 'nothing'}.`);
  }
  const surplus = Object.keys(app.published).filter((name) => !app.environments.includes(name) && holders.has(name));
  if (surplus.length) say(`${app.name} is still published in ${surplus}.`);
}

/**
 * Whether a person cancelled what was asked for in an environment, which stays so until something else is asked for there.
 * @param operations of the app, the newest first
 */
const wasCancelled = (operations: Operation[], environment: string): boolean =>
  decisionOn(operations, environment)?.steps.some(
    (step) => step.environment === environment && step.message?.code === 'CANCELLED',
  ) ?? false;

/**
 * Whether a start that failed elsewhere has left an environment for when the app is well in the others, and it is not.
 * @param operations of the app, the newest first
 */
function isLeftFor(
  { name, uid, environments, published }: AppDefinition,
  environment: string,
  operations: Operation[],
  holders: Sight['holders'],
): boolean {
  if (!hasSkipped(operations, environment)) return false;
  const isWell = (one: string): boolean => {
    const entry = holders.get(one)?.part.controller?.apps.entry(name);
    return entry?.uid === uid && published[one] && isDone('boot', entry, published[one].boot.generation);
  };
  return environments.some((one) => !hasSkipped(operations, one) && !isWell(one));
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
  const place = newest.steps.find(({ kind }) => kind !== 'copy');
  const failed = place?.kind === 'boot' && place.state === 'failed' ? place.environment : '';
  const left = newest.steps.find(({ kind, state }) => kind === 'remove' && state !== 'failed')?.environment ?? '';
  const isBetween = environments.includes(failed) && !environments.includes(left);
  const couldReturn = isBetween && holders.has(left) && (environments.length === 1 || published[left]);
  if (couldReturn && holders.has(failed) && !holders.get(failed)?.host.running.has(name))
    say(`${name} does not start in ${failed}, and did not return to ${left}.`);
}

/** An app is what was published, or an error that names its cause; and both are shown. */
function checkPlace(app: AppDefinition, environment: string, wish: Published, holder: WorkerProcess, sight: Sight) {
  const { say, leader } = sight;
  const running = holder.host.running.get(app.name);
  const entry = holder.part.controller?.apps.entry(app.name);
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
function checkDoors(app: AppDefinition, { desired }: Published, { world, holders, operations, say }: Sight): void {
  // A stop that was cancelled before it was published: visitors are told that it is stopped.
  if (app.desired === 'stopped') return;
  if (desired !== 'running' && desired !== 'onDemand') return;
  // A change of its environments that was cancelled: it is shown as not deployed where it belongs.
  const isDeployed = app.environments.some((name) => app.published[name]);
  const isCancelled = ({ appUid, generation, state }: Operation) =>
    appUid === app.uid && generation === app.generation && state === 'cancelled';
  if (!isDeployed && operations.some(isCancelled)) return;
  const there = app.environments.flatMap((name) => holders.get(name) ?? []);
  const isWell = there.some(({ host }) => host.running.has(app.name));
  if (!isWell) {
    const own = operations.filter(({ appUid }) => appUid === app.uid).sort((a, b) => b.generation - a.generation);
    const isAsked = (name: string) => !isLeftFor(app, name, own, holders);
    const asked = app.environments.filter(isAsked).flatMap((name) => holders.get(name) ?? []);
    if (asked.length && !asked.some((holder) => isExplained(holder, app)))
      say(`${app.name} was visited and runs nowhere.`);
    return;
  }
  for (const { process } of world.supervisors) {
    if (!process) continue;
    const { table, quarantine } = process.door;
    const route = table.app(app.name);
    const chosen =
      route && choose(route, (one) => table.environment(one), null, quarantine, process.machine.now().mono);
    const host = chosen && holders.get(chosen.name)?.host;
    if (!host?.running.has(app.name))
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
  if (held.isStuck) return true;
  return held.failures >= MAX_FAILURES || (held.applied?.unfinished?.count ?? 0) >= MAX_UNFINISHED_BOOTS;
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
    environments: Map<string, { byName: Map<string, AppRecord> }>;
  };
  const wanted = new Map<string, AppRecord>();
  for (const { definition, environments } of tombstones)
    for (const environment of environments)
      if (definition.published[environment])
        wanted.set(`${definition.name} in ${environment}`, recordFor(definition, definition.published[environment]));
  for (const app of apps)
    for (const [environment, wish] of Object.entries(app.published))
      wanted.set(`${app.name} in ${environment}`, recordFor(app, wish));
  for (const [environment, { byName }] of environments) {
    for (const [name, record] of byName) {
      const key = `${name} in ${environment}`;
      if (!isDeepStrictEqual(record, wanted.get(key)))
        say(`the record of ${key} is generation ${record.generation}; it should be ${wanted.get(key)?.generation}.`);
      wanted.delete(key);
    }
  }
  for (const key of wanted.keys()) say(`there is no record of ${key}.`);
}

/** What the table says to last is once in it, and true. */
function checkEvents(events: Event[], { world, holders, apps, say }: Sight): void {
  const lasting = events.filter(({ endedAt }) => endedAt === null).map(keyOf);
  const wanted = new Set<string>();
  /** Nobody knows: an app whose environment is down, or that waits for a visit after it failed. */
  const open = new Set<string>();
  for (const { name } of world.environments) {
    const holder = holders.get(name);
    if (!holder && !world.forgotten.has(name)) wanted.add(keyOf({ kind: 'health', environment: name, appUid: null }));
    for (const { uid: appUid, name: app, published } of apps) {
      if (!published[name]) continue;
      const entry = holder?.part.controller?.apps.entry(app);
      const condition = entry?.uid === appUid ? conditionOf(name, entry, 0) : null;
      if (condition === 'well') continue;
      if (condition) wanted.add(keyOf(condition));
      else for (const kind of ['failure', 'crash'] as const) open.add(keyOf({ kind, environment: name, appUid }));
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

/** How long after a visit the next process has to know of it, in ms: see `saveVisits` in worker/apps/controller.ts. */
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
  const {
    apps: reconciler,
    environments,
    queue,
  } = leader.part.parts as unknown as {
    apps: { timer: { apps: Map<string, unknown> } };
    environments: { unnotified: Map<string, unknown> };
    queue: { failures: Map<string, unknown>; waiting: Map<string, unknown> };
  };
  const open = leader.part.parts.active.all().length;
  if (reconciler.timer.apps.size > open)
    say(`steps of ${reconciler.timer.apps.size} apps are timed, of ${open} operations.`);
  if (environments.unnotified.size) say(`environments are still to be woken: ${[...environments.unnotified.keys()]}.`);
  if (queue.failures.size) say(`passes still fail: ${[...queue.failures.keys()]}.`);
  if (queue.waiting.size) say(`somebody waits for a pass: ${[...queue.waiting.keys()]}.`);
}
