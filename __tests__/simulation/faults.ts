import type { FaultKind, PlannedEvent } from './plan';
import type { DatabaseServer } from './processes';
import type { AnySlot, World } from './world';

/** What breaks. Everything that a fault began is over by the time the quiet begins (`endFaults`). */
export const FAULT_WORKS: Record<FaultKind, (world: World, event: PlannedEvent) => void> = {
  kill: (world, event) => world.kill(slotOf(world, event), event.ms),
  terminate: (world, event) => world.terminate(slotOf(world, event), event.ms),
  freeze: (world, event) => freeze(world, slotOf(world, event), event.ms),
  // A process that is starved gets short moments only.
  slow: (world, event) => {
    const slot = slotOf(world, event);
    const end = world.scheduler.now + event.ms;
    const next = () => {
      if (world.scheduler.now >= end || world.isQuiet) return;
      freeze(world, slot, 200 + (event.choice % 800));
      world.scheduler.after(300 + (event.choice % 800), next);
    };
    next();
  },
  partition: (world, event) => {
    const slot = slotOf(world, event);
    setCut(slot, true);
    world.scheduler.after(event.ms, () => setCut(slot, false));
  },
  flush: (world) => world.redis.flush(),
  failOver: (world, event) => world.redis.failOver(event.ms),
  readOnly: (world, event) => {
    world.redis.isReadOnly = true;
    world.scheduler.after(event.ms, () => {
      world.redis.isReadOnly = false;
    });
  },
  redisAway: (world, event) => {
    world.redis.isAway = true;
    world.scheduler.after(event.ms, () => {
      world.redis.isAway = false;
    });
  },
  redisFrozen: (world, event) => {
    world.redis.frozenUntil = world.scheduler.now + event.ms;
  },
  databaseSlow: (world, event) => {
    const database = databaseOf(world, event);
    database.slower = 100 + (event.choice % 1_500);
    world.scheduler.after(event.ms, () => {
      database.slower = 0;
    });
  },
  databaseCut: (world, event) => databaseOf(world, event).cut(),
  databaseAway: (world, event) => {
    const database = databaseOf(world, event);
    database.isAway = true;
    database.cut();
    world.scheduler.after(event.ms, () => {
      database.isAway = false;
    });
  },
  clockJump: (world, event) => {
    slotOf(world, event).timepiece.offset += (event.choice % 2 ? 1 : -1) * event.ms * 10;
  },
};

const slotOf = (world: World, { which }: PlannedEvent): AnySlot => world.slots[which % world.slots.length];

function databaseOf(world: World, { which }: PlannedEvent): DatabaseServer {
  const all = [world.database, ...world.environments.map(({ database }) => database)];
  return all[which % all.length];
}

function freeze(world: World, slot: AnySlot, ms: number): void {
  const { process } = slot;
  if (!process || process.machine.isFrozen) return;
  process.machine.freeze();
  world.scheduler.after(ms, () => process.machine.thaw());
}

function setCut(slot: AnySlot, isCut: boolean): void {
  slot.isCut = isCut;
  if (slot.process) slot.process.link.isCut = isCut;
}

export function endFaults(world: World): void {
  const { redis } = world;
  Object.assign(redis, { isAway: false, isReadOnly: false, frozenUntil: 0 });
  for (const database of [world.database, ...world.environments.map((one) => one.database)])
    Object.assign(database, { isAway: false, slower: 0 });
  for (const slot of world.slots) {
    setCut(slot, false);
    if (slot.process?.machine.isFrozen) slot.process.machine.thaw();
    world.start(slot);
  }
}
