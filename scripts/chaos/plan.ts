import { Random } from './random';

/**
 * The steps of a run, which its seed determines before anything begins: two runs with the same seed and size request
 * the same changes and cause the same disturbances in the same order. The timing of each step, and the number of steps
 * in a round, depend on the machine.
 */

export interface PlannedApp {
  name: string;
  environments: string[];
  startMode: 'withMain' | 'onVisit';
}

export const CHANGES = ['start', 'stop', 'restart', 'upgrade', 'rename', 'move', 'visit', 'recreate'] as const;
export type Change = (typeof CHANGES)[number];

/** One change of one app. */
export interface PlannedChange {
  /** Time after the answer to the previous one, in ms. */
  pause: number;
  app: string;
  change: Change;
  /** Of `move` and `recreate`. */
  environments: string[];
}

/** `cut` resets sockets: all of Redis, those that hold locks of apps' boots, or those of visitors. */
export const HARMS = ['kill', 'freeze', 'stop', 'flush', 'cut'] as const;
export type Harm = (typeof HARMS)[number];

/** One disturbance of one part. */
export interface PlannedHarm {
  /** Time after the part worked again, in ms. */
  pause: number;
  /** `supervisor`, `redis`, `locks`, `visitors`, or an environment. */
  target: string;
  harm: Harm;
  /** How long it stays dead or frozen, in ms. */
  lasts: number;
}

/** The steps until the round's time is up, for each app and each part. */
export interface Round {
  changes: PlannedChange[];
  harms: PlannedHarm[];
}

export interface PlanSize {
  seed: number;
  rounds: number;
  /** Duration of one round, in ms. */
  lasting: number;
  apps: number;
  /** Environments that are disturbed. */
  harmed: string[];
  /** Environments that host the apps. */
  hosting: string[];
  /** Pauses between two changes of one app, in ms. */
  changePause: [number, number];
  /** Pauses between two disturbances of one part, in ms. */
  harmPause: [number, number];
  /** The same for the Supervisor, without which no change can be requested. */
  supervisorPause: [number, number];
  /** Maximum time for which a part stays dead or frozen, in ms. */
  longest: number;
}

/** Size of the run in `npm test`, on a fleet of two Workers, of which the second is left alone. */
export const shortSize = (seed: number): PlanSize => ({
  seed,
  rounds: 1,
  lasting: 15_000,
  apps: 2,
  harmed: ['env_a'],
  hosting: ['env_a', 'env_b'],
  changePause: [500, 2_500],
  harmPause: [1_000, 5_000],
  supervisorPause: [8_000, 10_000],
  longest: 5_000,
});

export interface Plan {
  apps: PlannedApp[];
  /** Duration of one round, in ms. */
  lasting: number;
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
  redis: { kill: 5, freeze: 2, flush: 2, cut: 2 },
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
  return {
    apps,
    lasting: size.lasting,
    rounds: Array.from({ length: size.rounds }, () => makeRound(random, size, apps)),
  };
}

function makeRound(random: Random, size: PlanSize, apps: PlannedApp[]): Round {
  const targets = [...size.harmed, 'supervisor', 'redis', 'locks', 'visitors'];
  return {
    changes: apps.flatMap(({ name }) =>
      pauses(random, size.lasting, size.changePause).map((pause): PlannedChange => {
        const change = random.weighted(CHANGE_WEIGHTS);
        const places = change === 'move' || change === 'recreate';
        return { pause, app: name, change, environments: places ? random.some(size.hosting, 2) : [] };
      }),
    ),
    harms: targets.flatMap((target) =>
      pauses(random, size.lasting, target === 'supervisor' ? size.supervisorPause : size.harmPause).map(
        (pause): PlannedHarm => {
          const weights = HARM_WEIGHTS[target] ?? HARM_WEIGHTS.worker;
          const harm = random.weighted(weights as Record<Harm, number>);
          return { pause, target, harm, lasts: lasting(random, harm, size.longest) };
        },
      ),
    ),
  };
}

/** As many as fit into a round; the first one has any length, so that not everything begins at the same time. */
function pauses(random: Random, lasting: number, [least, most]: [number, number]): number[] {
  const found = [random.between(0, most)];
  for (let total = found[0]; total < lasting; total += found[found.length - 1]) found.push(random.between(least, most));
  return found;
}

const SHORT = 6_000;
/** From here on a lease expires. */
const LONG = 12_000;

/** Short ones that nobody may notice, and some that are longer than a lease. */
function lasting(random: Random, harm: Harm, longest: number): number {
  if (harm === 'flush' || harm === 'cut') return 0;
  const long = random.weighted({ short: 3, long: 1 }) === 'long' && longest > LONG;
  return long ? random.between(LONG, longest) : random.between(0, Math.min(SHORT, longest));
}
