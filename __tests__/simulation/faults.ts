import type { FaultKind, PlannedEvent } from './plan';
import type { DatabaseServer } from './processes';
import type { AnySlot, World } from './world';

/** How long a rolling upgrade takes for each process, in ms. */
const UPGRADE_SPACING = 8_000;

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
    loseMessages(slot, { out: true, in: true });
    world.scheduler.after(event.ms, () => loseMessages(slot, NOTHING));
  },
  // One direction only: what was carried out is not known to be, or is not heard of.
  halfOpen: (world, event) => {
    const slot = slotOf(world, event);
    const isOut = event.choice % 2 === 0;
    loseMessages(slot, { out: isOut, in: !isOut });
    world.scheduler.after(event.ms, () => loseMessages(slot, NOTHING));
  },
  databaseFailOver: (world, event) => {
    const database = troubled(world, event);
    database.failOver(copiedAt(event));
    database.fellBackAt = world.scheduler.now;
    if (database !== world.database) return;
    world.hasLostApps = true;
    for (const [name, at] of world.forgotten) {
      if (at <= copiedAt(event)) continue;
      world.forgotten.delete(name);
      // The copy may be from between the request and its answer, which only the database knows.
      world.forgetting.add(name);
    }
    for (const [name, at] of world.uncordoned)
      if (at > copiedAt(event) && world.uncordoned.delete(name)) world.cordoned.set(name, world.scheduler.now);
    // It wins over what was published since.
    world.redis.onLoss();
  },
  // Its sessions end, and it is as it was: with the rows of who hosted the app then.
  appDatabaseFailOver: (world, event) => world.ground.restore(nameOfApp(world, event), copiedAt(event)),
  databasePartition: (world, event) => {
    const slot = slotOf(world, event);
    partDatabase(slot, true);
    world.scheduler.after(event.ms, () => partDatabase(slot, false));
  },
  upgrade: (world) => upgrade(world),
  stall: (world, event) => stallLeader(world, event),
  flush: (world) => world.redis.flush(),
  failOver: (world, event) => world.redis.failOver(event.ms),
  readOnly: (world, event) => {
    change(world, { isReadOnly: true });
    world.scheduler.after(event.ms, () => change(world, { isReadOnly: false }));
  },
  redisAway: (world, event) => {
    change(world, { isAway: true });
    world.scheduler.after(event.ms, () => change(world, { isAway: false }));
  },
  redisFrozen: (world, event) => {
    world.redis.frozenUntil = Math.max(world.redis.frozenUntil, world.scheduler.now + event.ms);
  },
  databaseSlow: (world, event) => {
    const database = troubled(world, event);
    database.slower = 100 + (event.choice % 1_500);
    world.scheduler.after(event.ms, () => {
      troubled(world, event).slower = 0;
    });
  },
  databaseCut: (world, event) => troubled(world, event).cut(),
  databaseAway: (world, event) => {
    const database = troubled(world, event);
    database.isAway = true;
    database.cut();
    world.scheduler.after(event.ms, () => {
      troubled(world, event).isAway = false;
    });
  },
  // All processes of an environment, for good; nobody forgets it.
  gone: (world, event) => {
    const environment = world.environments.find(({ slots }) => slots.some((slot) => slot === slotOf(world, event)));
    for (const slot of environment?.slots ?? []) {
      slot.isGone = true;
      world.kill(slot, 0);
    }
  },
  clockJump: (world, event) => {
    slotOf(world, event).timepiece.offset += (event.choice % 2 ? 1 : -1) * event.ms * 10;
  },
};

/** From then on the Supervisors' database has the id of the fleet, in ms: an older copy would be another fleet's. */
const FLEET_EXISTS = 3_000;

/** When a replica stopped to follow, to which a database fails over with an event. */
export const copiedAt = ({ at, ms }: PlannedEvent): number =>
  Math.max(at - Math.min(ms, 20_000), Math.min(at, FLEET_EXISTS));

/** The app, and its database, that an event is about. */
export const nameOfApp = ({ plan }: World, { which }: PlannedEvent): string => `app${(which % plan.apps) + 1}`;

const slotOf = (world: World, { which }: PlannedEvent): AnySlot => world.slots[which % world.slots.length];

export function databaseOf(world: World, { which }: PlannedEvent): DatabaseServer {
  const all = [world.database, ...world.environments.map(({ database }) => database)];
  return all[which % all.length];
}

/** The database of a fault that begins or ends. */
function troubled(world: World, event: PlannedEvent): DatabaseServer {
  const database = databaseOf(world, event);
  database.troubledAt = world.scheduler.now;
  return database;
}

/** A fault of Redis begins or ends. */
function change(world: World, state: Partial<Pick<World['redis'], 'isAway' | 'isReadOnly'>>): void {
  const { redis, scheduler } = world;
  const isBack = redis.isAway && state.isAway === false;
  redis.troubledAt = scheduler.now;
  Object.assign(redis, state);
  const links = world.slots.flatMap(({ process }) => process?.link ?? []);
  if (isBack) for (const link of links) if (!link.lost.in && !link.lost.out) link.connect();
}

function freeze(world: World, slot: AnySlot, ms: number): void {
  const { process } = slot;
  if (!process || process.machine.isFrozen) return;
  process.machine.freeze();
  world.scheduler.after(ms, () => process.machine.thaw());
}

/** Long enough for another one to take the lead, in ms. */
const STALLS_FOR = 15_000;

/** What the leader writes next, and all after it, is held up on the way for so long that another one may lead by then. */
function stallLeader(world: World, { ms }: PlannedEvent): void {
  const leader = world.supervisors.find(({ process }) => process?.leads)?.process;
  if (!leader) return;
  leader.machine.trap = () => {
    world.note(`${leader.name} is stalled`);
    leader.link.stalledUntil = Math.max(leader.link.stalledUntil, world.scheduler.now + STALLS_FOR + ms / 2);
  };
}

const NOTHING = { out: false, in: false };

function loseMessages(slot: AnySlot, lost: AnySlot['lost']): void {
  slot.lost = lost;
  if (slot.process) slot.process.link.lost = lost;
}

function partDatabase(slot: AnySlot, isOff: boolean): void {
  slot.isOffDatabase = isOff;
  if (slot.process) slot.process.isOffDatabase = isOff;
}

/** To the next release, one process after the other: Supervisors first. */
function upgrade(world: World): void {
  world.slots.forEach((slot, i) => {
    world.scheduler.after(i * UPGRADE_SPACING, () => {
      slot.version++;
      world.note(`${slot.name} is upgraded`);
      world.terminate(slot, 1_000);
    });
  });
}

/** But for what is frozen or stalled: commands that wait there are on their way until then. */
export function endFaults(world: World): void {
  change(world, { isAway: false, isReadOnly: false });
  for (const database of [world.database, ...world.environments.map((one) => one.database)])
    Object.assign(database, { isAway: false, slower: 0, troubledAt: world.scheduler.now });
  for (const slot of world.slots) {
    loseMessages(slot, NOTHING);
    partDatabase(slot, false);
    if (slot.process) Object.assign(slot.process.machine, { trap: null });
    if (slot.process?.machine.isFrozen) slot.process.machine.thaw();
    world.start(slot);
  }
}
