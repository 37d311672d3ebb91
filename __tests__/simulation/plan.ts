import { randomFor } from './scheduler';

/** What a seed decides before anything happens: which processes there are, what breaks, and what operators ask for. */
export interface Plan {
  seed: number;
  supervisors: number;
  /** By environment, how many processes it has: the second is a standby. */
  environments: number[];
  apps: number;
  /** Of Redis and the database, each way, in ms at most. */
  latency: number;
  lost: number;
  doubled: number;
  /** Shares of boots that fail, and that take their process down. */
  failing: number;
  crashing: number;
  /** Share of boots that never end, and of ends of apps that take long. */
  hanging: number;
  /**
   * Whether apps fail over by themselves. `cutOff`: nothing passes between a Supervisor and a Worker that is cut off from Redis, and so
   * nobody knows that it still hosts. Absent: none do.
   */
  failover?: 'none' | 'probed' | 'cutOff';
  /** Whether apps have database roles of their own, which get other passwords. Absent: they have none. */
  roles?: boolean;
  /** How far clocks are off: rate and wall. */
  skew: number;
  /** Whether what is held back is played, too. */
  all: boolean;
  /** When all faults are over, in ms. */
  quietAt: number;
  events: PlannedEvent[];
}

export interface PlannedEvent {
  at: number;
  do: FaultKind | ActionKind;
  /** Which process, environment or app; taken modulo how many there are. */
  which: number;
  /** How long, or how far, in ms. */
  ms: number;
  /** Environments of an app, a choice of operation, and the like. */
  choice: number;
}

const FAULTS = {
  kill: 5,
  terminate: 2,
  freeze: 3,
  slow: 2,
  partition: 3,
  halfOpen: 2,
  flush: 2,
  failOver: 2,
  readOnly: 1,
  redisAway: 2,
  redisFrozen: 1,
  databaseSlow: 2,
  databaseCut: 3,
  databaseAway: 2,
  databasePartition: 2,
  databaseFailOver: 1,
  clockJump: 2,
  upgrade: 1,
  stall: 2,
  /** Only as an outage. */
  gone: 0,
  /** Only beside changes. */
  appDatabaseFailOver: 0,
} as const;
const ACTIONS = {
  create: 4,
  start: 4,
  stop: 4,
  restart: 4,
  change: 3,
  move: 5,
  destroyKeep: 1,
  destroyDrop: 2,
  cancel: 2,
  retry: 2,
  retryOld: 1,
  visit: 3,
  command: 1,
  fail: 1,
  list: 1,
  forget: 1,
  /** Drawn apart. */
  cordon: 0,
} as const;
export type FaultKind = keyof typeof FAULTS;
export type ActionKind = keyof typeof ACTIONS;

/**
 * What is left out, because the product is known not to stand it yet, with the check that it breaks. Each line goes with its defect;
 * `npm run simulate -- --all` plays it all the same.
 */
export const HELD_BACK: Array<{
  what: ReadonlyArray<FaultKind | ActionKind>;
  /** Only in fleets in which an environment has a standby. */
  withStandby: boolean;
  /** What lasts longer is cut short to this, in ms; 0: it is not played at all. */
  longest: number;
  why: string;
}> = [];

const FAULTY_FOR = 240_000;
/** What is played beside changes: what falls back to an older copy as often as all else together. */
const BESIDE_CHANGES = [
  ...(['databaseFailOver', 'workerDatabaseFailOver', 'appDatabaseFailOver'] as const),
  ...(['kill', 'freeze', 'partition', 'failOver', 'flush', 'databaseCut', 'terminate'] as const),
];
/** What is asked of an app, and takes effect in its environments. */
const CHANGES: readonly string[] = [
  'create',
  'start',
  'stop',
  'restart',
  'change',
  'move',
  'destroyKeep',
  'destroyDrop',
];

/** What takes a Worker away, for long enough that its apps leave. */
const OUTAGES = ['kill', 'freeze', 'partition'] as const;

export const isFault = (kind: string): kind is FaultKind => kind in FAULTS;

export interface PlanOptions {
  /** Plays also what is held back. */
  all?: boolean;
}

export function planOf(seed: number, { all = false }: PlanOptions = {}): Plan {
  const random = randomFor(seed, 'plan');
  const below = (max: number) => Math.floor(random.fraction() * max);
  const oneOf = <T>(values: readonly T[]): T => values[below(values.length)];
  const supervisors = oneOf([1, 1, 2, 2, 3]);
  const environments = Array.from({ length: 1 + below(4) }, () => (random.fraction() < 0.25 ? 2 : 1));
  if (random.fraction() < 0.15) while (environments.length < 6) environments.push(1);
  const apps = random.fraction() < 0.1 ? 10 + below(31) : 1 + below(8);
  const calm = random.fraction() < 0.1;
  const hasStandby = environments.some((processes) => processes > 1);
  const longestOf = (kind: FaultKind | ActionKind): number => {
    const one = HELD_BACK.find(({ what, withStandby }) => what.includes(kind) && (hasStandby || !withStandby));
    return one && !all ? one.longest : Number.POSITIVE_INFINITY;
  };
  const pick = <K extends FaultKind | ActionKind>(weights: Record<K, number>): K => {
    const usable = (Object.keys(weights) as K[]).filter((kind) => longestOf(kind) > 0);
    return oneOf(usable.flatMap((kind) => Array<K>(weights[kind]).fill(kind)));
  };
  const event = (kind: FaultKind | ActionKind, at: number): PlannedEvent => ({
    at: Math.floor(at),
    do: kind,
    which: below(1_000),
    ms: Math.min(Math.floor(500 * 2 ** (random.fraction() * 7)), longestOf(kind)),
    choice: below(1_000),
  });
  const creations = Array.from({ length: apps }, (_, i) => ({
    ...event('create', 6_000 + random.fraction() * 10_000 + (apps > 8 ? i * 200 : 0)),
    which: i,
  }));
  const faults = Array.from({ length: calm ? 0 : 1 + below(10) }, () =>
    event(pick(FAULTS), 2_000 + random.fraction() * (FAULTY_FOR - 10_000)),
  );
  const actions = Array.from({ length: 2 + below(apps > 8 ? 24 : 14) }, () =>
    event(pick(ACTIONS), 15_000 + random.fraction() * (FAULTY_FOR - 20_000)),
  );
  const settings = {
    seed,
    supervisors,
    environments,
    apps,
    latency: oneOf([2, 5, 20, 60]),
    lost: oneOf([0, 0.05, 0.5]),
    doubled: oneOf([0, 0.1]),
    failing: oneOf([0, 0, 0.1, 0.3]),
    crashing: oneOf([0, 0, 0.03]),
    hanging: oneOf([0, 0, 0, 0, 0, 0, 0, 0, 0, 0.1]),
    skew: oneOf([0, 0.01, 0.02]),
    all,
    quietAt: FAULTY_FOR,
  };
  // Drawn after all others, which do not depend on it.
  const failover = oneOf(['none', 'none', 'none', 'none', 'probed', 'cutOff'] as const);
  // There is a place to go to, and most of the fleet is well.
  if (failover !== 'none') while (environments.length < 3) environments.push(1);
  /** The first process of the environment that an app is created in. */
  const placeOf = ({ choice }: PlannedEvent) =>
    environments.slice(0, choice % environments.length).reduce((sum, processes) => sum + processes, supervisors);
  const outages = Array.from({ length: failover === 'none' ? 0 : 1 + below(3) }, (_, i) => ({
    // One environment at most is gone for good: of two, nobody could tell whether the Supervisor is cut off.
    ...event(
      oneOf(i === 0 ? [...OUTAGES, 'gone' as const] : OUTAGES),
      30_000 + random.fraction() * (FAULTY_FOR - 130_000),
    ),
    which: placeOf(oneOf(creations)),
    ms: 45_000 + below(50_000),
  }));
  const drawn = [...creations, ...faults, ...actions, ...outages];
  const beside = calm
    ? []
    : besideChanges(
        seed,
        drawn.filter(({ do: kind }) => CHANGES.includes(kind)),
        { supervisors, environments: environments.length },
      );
  const events = [...drawn, ...beside].sort((a, b) => a.at - b.at);
  const roles = randomFor(seed, 'roles').fraction() < 0.5;
  return { ...settings, failover, ...(roles ? { roles } : {}), events };
}

/** Faults in the seconds around changes, and environments that take no apps for a while: of a stream of their own. */
function besideChanges(
  seed: number,
  changes: PlannedEvent[],
  { supervisors, environments }: { supervisors: number; environments: number },
): PlannedEvent[] {
  const random = randomFor(seed, 'beside changes');
  const below = (max: number) => Math.floor(random.fraction() * max);
  const faults = Array.from({ length: below(4) }, (): PlannedEvent => {
    const { at, which } = changes[below(changes.length)];
    const kind = BESIDE_CHANGES[below(BESIDE_CHANGES.length)];
    const moment = { at: Math.max(4_000, at + below(6_000) - 1_000), ms: 500 * 2 ** below(6), choice: below(1_000) };
    switch (kind) {
      case 'databaseFailOver':
        return { ...moment, do: kind, which: 0 };
      case 'workerDatabaseFailOver':
        return { ...moment, do: 'databaseFailOver', which: 1 + below(4) };
      case 'appDatabaseFailOver':
        return { ...moment, do: kind, which };
      default:
        return { ...moment, do: kind, which: random.fraction() < 0.3 ? below(supervisors) : below(1_000) };
    }
  });
  const cordons = random.fraction() < 0.3 ? cordoned(environments, below) : [];
  return [...faults, ...cordons];
}

/** An environment takes no apps for a while, and somebody wants to move one there when everybody knows that. */
function cordoned(environments: number, below: (max: number) => number): PlannedEvent[] {
  const at = 20_000 + below(FAULTY_FOR - 80_000);
  const which = below(environments);
  const choice = which + environments * below(50);
  return [
    { at, do: 'cordon', which, ms: 50_000 + below(10_000), choice: below(1_000) },
    { at: at + 38_000 + below(10_000), do: 'move', which: below(1_000), ms: 500, choice },
  ];
}

/** In few lines, for people. */
export function describePlan(plan: Plan): string {
  const { events, environments, ...rest } = plan;
  const settings = Object.entries({ ...rest, environments: `[${environments}]` });
  const lines = events.map(
    ({ at, do: what, which, ms, choice }) =>
      `  ${(at / 1000).toFixed(3)} s  ${what} which=${which} ms=${ms} choice=${choice}`,
  );
  return [settings.map(([name, value]) => `${name}=${value}`).join(' '), ...lines].join('\n');
}
