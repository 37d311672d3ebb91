import { messageOf } from '../../src/server/errors';
import { createInput, parseInput } from '../../src/server/supervisor/definitions/input';
import { nameOfApp as nameOf } from './faults';
import { list } from './judge/pages';
import { isWellIn, noteMove } from './judge/uploads';
import type { ActionKind, PlannedEvent } from './plan';
import type { SupervisorProcess } from './processes';
import type { EnvironmentOfWorld, World } from './world';

type Action = (world: World, supervisor: SupervisorProcess, event: PlannedEvent) => Promise<unknown>;

/** What operators ask for, of any Supervisor that is there. */
const ACTION_WORKS: Record<ActionKind, Action> = {
  async create(world, { part }, event) {
    const input = parseInput(createInput, {
      name: nameOf(world, event),
      title: 'An app',
      startMode: event.choice % 3 ? 'withMain' : 'onVisit',
      ...placesOf(world, event),
    });
    // What was kept of a deleted app of that name belongs to nobody, and is taken over.
    const isKept = world.ground.ownerOf(nameOf(world, event)) === '';
    if (isKept && part.apps().some(({ name }) => name === input.name))
      return part.parts.service.adoptInstead(nameOf(world, event), '1');
    return part.parts.service.create({ ...input, initialAdmin: null }, '1', isKept ? 'adopt' : 'create');
  },
  start: (world, { part }, event) => part.parts.service.command(nameOf(world, event), 'start', '1'),
  stop: (world, { part }, event) => part.parts.service.command(nameOf(world, event), 'stop', '1'),
  restart: (world, { part }, event) => part.parts.service.command(nameOf(world, event), 'restart', '1'),
  change: (world, { part }, event) =>
    part.parts.service.update(nameOf(world, event), { environments: environmentsOf(world, event) } as never, '1'),
  async move(world, { part }, event) {
    const name = nameOf(world, event);
    const [to] = environmentsOf(world, event);
    const from = isWellIn(world, name);
    const operation = await part.parts.service.move(name, { to }, '1');
    if (from !== null) noteMove(world, from, to, operation);
    return operation;
  },
  destroyKeep: (world, { part }, event) => part.parts.service.destroy(nameOf(world, event), 'keep', '1'),
  async destroyDrop(world, { part }, event) {
    const name = nameOf(world, event);
    world.drops.add(name);
    const operation = await part.parts.service.destroy(name, 'drop', '1');
    world.dropped.add(operation.appUid);
    return operation;
  },
  async cancel(_world, { part }, event) {
    const all = part.parts.active.all();
    if (all.length) await part.parts.service.cancel(all[event.choice % all.length].id);
  },
  async retry(_world, { part }, event) {
    const failed = await ended(part);
    const newest = failed.filter(({ isNewest }) => isNewest);
    if (newest.length) await part.parts.service.retry(newest[event.choice % newest.length].id, '1');
  },
  async retryOld(world, { part }, event) {
    const failed = await ended(part);
    if (!failed.length) return;
    const { id, isNewest } = failed[event.choice % failed.length];
    await part.parts.service.retry(id, '1');
    // What a newer one has undone or done is not asked for again.
    if (!isNewest && !world.hasLostApps) world.violate(`an operation is retried after a newer one: ${id}`);
  },
  async visit(world, _supervisor, event) {
    const workers = world.workers.filter(({ machine }) => machine.isUp);
    workers[event.choice % workers.length]?.visit(nameOf(world, event));
  },
  async list(world, _supervisor, event) {
    const workers = world.workers.filter(({ machine, part }) => machine.isUp && part.controller);
    if (workers.length) list(world, workers[event.choice % workers.length]);
  },
  async fail(world, _supervisor, event) {
    const name = nameOf(world, event);
    const [worker] = world.workers.filter(({ machine, host }) => machine.isUp && host.running.has(name));
    const known = worker?.part.controller?.apps.get(name);
    if (known) worker.host.fail(name, known.record.generation);
  },
  async command(world, _supervisor, event) {
    const name = nameOf(world, event);
    const [worker] = world.workers.filter(({ machine, host }) => machine.isUp && host.running.has(name));
    await worker?.host.command(name, event.ms);
  },
  async cordon(world, { part }, event) {
    const { name } = world.environments[event.which % world.environments.length];
    await part.parts.environmentCache.change(name, { cordoned: true });
    world.uncordoned.delete(name);
    world.cordoned.set(name, world.scheduler.now);
    world.scheduler.after(event.ms, () => uncordon(world, name, event));
  },
  async forget(world, _supervisor, event) {
    const environment = world.environments[event.which % world.environments.length];
    letIn(world, environment.name);
    for (const slot of environment.slots) {
      slot.isGone = true;
      world.kill(slot, 0);
    }
    world.scheduler.after(20_000 + event.ms, () => forget(world, environment, event));
  },
};

/** How long somebody waits who is told that it cannot be done now, in ms. */
const ASKS_AGAIN = 10_000;

/** Somebody wants it to take apps again. */
function letIn(world: World, name: string): void {
  if (world.cordoned.delete(name)) world.uncordoned.set(name, Number.POSITIVE_INFINITY);
}

/** He is told that it does, unless the database has fallen back meanwhile. */
function isLetIn(world: World, name: string): void {
  if (world.uncordoned.has(name)) world.uncordoned.set(name, world.scheduler.now);
}

/** Somebody lets it take apps again, and does not give up before it does. */
function uncordon(world: World, name: string, event: PlannedEvent): void {
  letIn(world, name);
  const asked = supervisorOf(world, event);
  const again = () => world.scheduler.after(ASKS_AGAIN, () => uncordon(world, name, event));
  if (!asked) {
    again();
    return;
  }
  const done = asked.part.parts.drains.uncordon(name, false, '1').then(
    () => isLetIn(world, name),
    (error) => {
      if (error.code !== 'UNKNOWN_ENVIRONMENT') again();
      throw error;
    },
  );
  settle(world, `uncordons ${name}`, done);
}

/** Somebody has it forgotten, and does not give up before it is. */
function forget(world: World, environment: EnvironmentOfWorld, event: PlannedEvent): void {
  const { name } = environment;
  const again = () => world.scheduler.after(ASKS_AGAIN, () => forget(world, environment, event));
  const asked = supervisorOf(world, event);
  if (!asked) {
    again();
    return;
  }
  const since = world.scheduler.now;
  const isForgotten = () => {
    // Only the database knows what it has lost of that since.
    if (world.fellBackAt > since) world.forgetting.add(name);
    else world.forgotten.set(name, world.scheduler.now);
  };
  world.forgetting.add(name);
  // It takes apps again if it comes back.
  letIn(world, name);
  const forgetting = asked.part.forget(name).then(
    () => {
      world.forgetting.delete(name);
      isForgotten();
      isLetIn(world, name);
      if (event.choice % 2) comeBack(world, environment, event.ms);
    },
    (error) => {
      world.forgetting.delete(name);
      // It came back for so short a time that nobody has seen it.
      if (error.code === 'UNKNOWN_ENVIRONMENT') isForgotten();
      if (error.code === 'REDIS_UNREACHABLE') again();
      throw error;
    },
  );
  settle(world, `forgets ${name}`, forgetting);
}

/** It was not gone for good. */
function comeBack(world: World, environment: EnvironmentOfWorld, after: number): void {
  world.scheduler.after(after, () => {
    world.note(`${environment.name} comes back`);
    world.forgotten.delete(environment.name);
    // It stays forgotten if it is gone again before anybody has seen it, which only the database knows.
    world.forgetting.add(environment.name);
    for (const slot of environment.slots) {
      slot.isGone = false;
      world.start(slot);
    }
  });
}

/** Operations that failed or were cancelled, and whether each is the newest of its app. */
async function ended({ parts }: SupervisorProcess['part']): Promise<Array<{ id: string; isNewest: boolean }>> {
  // Not by the time: the clocks of Supervisors differ.
  const [all] = await parts.operations.page({}, ['-generation'], 1, 200);
  const seen = new Set<string>();
  return all.flatMap(({ id, appUid, state }) => {
    const isNewest = !seen.has(appUid);
    seen.add(appUid);
    return state === 'failed' || state === 'cancelled' ? [{ id, isNewest }] : [];
  });
}

export function act(world: World, event: PlannedEvent): void {
  const supervisor = supervisorOf(world, event);
  if (!supervisor) return;
  const kind = event.do as ActionKind;
  const isOfApp = kind !== 'forget' && kind !== 'cordon';
  const what = `${kind} ${isOfApp ? nameOf(world, event) : ''} by ${supervisor.name}`;
  settle(world, what, ACTION_WORKS[kind](world, supervisor, event));
}

function settle(world: World, what: string, work: Promise<unknown>): void {
  world.note(`operator: ${what}`);
  work.then(
    () => world.note(`operator: ${what}: accepted`),
    (error) => {
      world.note(`operator: ${what}: ${messageOf(error)}`);
      if (error instanceof TypeError || error instanceof ReferenceError) world.violate(String(error.stack));
    },
  );
}

/** Where an app runs. Where apps fail over, most do, from one environment, and half of them return by themselves. */
function placesOf(world: World, event: PlannedEvent) {
  const { choice } = event;
  const { failover = 'none' } = world.plan;
  const environments = environmentsOf(world, event);
  if (failover === 'none' || choice % 4 === 0) return { environments };
  const failback = choice % 2 ? ('automatic' as const) : ('manual' as const);
  return {
    environments: environments.slice(0, 1),
    failover: 'automatic' as const,
    failoverDelay: 10 + (choice % 10),
    failback,
  };
}

/** One, two or three of them. */
function environmentsOf(world: World, { choice }: PlannedEvent): string[] {
  // What is gone for good is no place for an app.
  const environments = world.environments.filter(({ slots }) => slots.some(({ isGone }) => !isGone));
  if (!environments.length) return ['env_none'];
  const first = choice % environments.length;
  const count = 1 + (Math.floor(choice / 7) % Math.min(3, environments.length));
  return Array.from({ length: count }, (_, i) => environments[(first + i) % environments.length].name);
}

function supervisorOf(world: World, { choice }: PlannedEvent): SupervisorProcess | null {
  const usable = world.supervisors.flatMap(({ process }) =>
    process?.machine.isUp && process.part.loaded ? process : [],
  );
  return usable[choice % usable.length] ?? null;
}
