import { Random } from './random';

/**
 * What a run does, decided by its seed before anything begins: two runs with the same seed and size ask for the same changes
 * and do the same harm in the same order. When each comes depends on the machine.
 */

export interface PlannedApp {
  name: string;
  environments: string[];
  startMode: 'withMain' | 'onVisit';
}

export const CHANGES = ['start', 'stop', 'restart', 'upgrade', 'rename', 'move', 'visit', 'recreate'] as const;
export type Change = (typeof CHANGES)[number];

/** One change of one app, so many ms after the round's begin, or as soon as the one before it was answered. */
export interface PlannedChange {
  at: number;
  app: string;
  change: Change;
  /** Of `move` and `recreate`. */
  environments: string[];
}

/** `cut` resets sockets: all of Redis, those that hold locks of apps' boots, or visitors'. */
export const HARMS = ['kill', 'freeze', 'stop', 'flush', 'cut'] as const;
export type Harm = (typeof HARMS)[number];

/** One harm to one part, from so many ms after the round's begin, or as soon as the one before it is over. */
export interface PlannedHarm {
  at: number;
  /** `supervisor`, `redis`, `locks`, `visitors`, or an environment. */
  target: string;
  harm: Harm;
  /** How long it stays dead or frozen, in ms. */
  lasts: number;
}

export interface Round {
  changes: PlannedChange[];
  harms: PlannedHarm[];
}

export interface PlanSize {
  seed: number;
  rounds: number;
  /** Of one round, in ms. */
  lasting: number;
  apps: number;
  /** Environments that are harmed. */
  harmed: string[];
  /** Environments that host the apps. */
  hosting: string[];
  /** Pause between two changes of one app, in ms. */
  changeEvery: [number, number];
  /** Pause between two harms to one part, in ms. */
  harmEvery: [number, number];
  /** How long a part stays dead or frozen at most, in ms. */
  longest: number;
}

export interface Plan {
  apps: PlannedApp[];
  rounds: Round[];
}

const CHANGE_WEIGHTS: Record<Change, number> = {
  stop: 24,
  start: 24,
  restart: 24,
  rename: 8,
  move: 8,
  visit: 6,
  upgrade: 4,
  recreate: 2,
};
const HARM_WEIGHTS: Record<string, Partial<Record<Harm, number>>> = {
  worker: { kill: 7, freeze: 2, stop: 1 },
  supervisor: { kill: 7, freeze: 2, stop: 1 },
  redis: { kill: 3, freeze: 3, flush: 2, cut: 2 },
  locks: { cut: 1 },
  visitors: { cut: 1 },
};

export function makePlan(size: PlanSize): Plan {
  const random = new Random(size.seed);
  const apps = Array.from(
    { length: size.apps },
    (_, index): PlannedApp => ({
      name: `chaos${index + 1}`,
      environments: random.some(size.hosting, 2),
      startMode: index % 4 === 3 ? 'onVisit' : 'withMain',
    }),
  );
  return { apps, rounds: Array.from({ length: size.rounds }, () => makeRound(random, size, apps)) };
}

function makeRound(random: Random, size: PlanSize, apps: PlannedApp[]): Round {
  const targets = [...size.harmed, 'supervisor', 'redis', 'locks', 'visitors'];
  const byTime = (a: { at: number }, b: { at: number }) => a.at - b.at;
  return {
    changes: apps
      .flatMap(({ name }) =>
        moments(random, size.lasting, size.changeEvery).map((at): PlannedChange => {
          const change = random.weighted(CHANGE_WEIGHTS);
          const places = change === 'move' || change === 'recreate';
          return { at, app: name, change, environments: places ? random.some(size.hosting, 2) : [] };
        }),
      )
      .sort(byTime),
    harms: targets
      .flatMap((target) =>
        moments(random, size.lasting, size.harmEvery).map((at): PlannedHarm => {
          const weights = HARM_WEIGHTS[target] ?? HARM_WEIGHTS.worker;
          const harm = random.weighted(weights as Record<Harm, number>);
          return { at, target, harm, lasts: lasting(random, harm, size.longest) };
        }),
      )
      .sort(byTime),
  };
}

function moments(random: Random, until: number, [least, most]: [number, number]): number[] {
  const found: number[] = [];
  for (let at = random.between(0, most); at < until; at += random.between(least, most)) found.push(at);
  return found;
}

const SHORT = 6_000;
/** From here on a lease runs out. */
const LONG = 12_000;

/** Short ones that nobody may notice, and some that outlive a lease. */
function lasting(random: Random, harm: Harm, longest: number): number {
  if (harm === 'flush' || harm === 'cut') return 0;
  const long = random.weighted({ short: 3, long: 1 }) === 'long' && longest > LONG;
  return long ? random.between(LONG, longest) : random.between(0, Math.min(SHORT, longest));
}
