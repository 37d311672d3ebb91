import type { Plan, PlannedEvent } from './plan';

/**
 * One plan for each fault after which who hosts has to be decided anew, with what its journal has to show and what it may not. The table in
 * docs/simulation.md names each, with a test on real servers.
 */
export interface FaultPlan {
  plan: Plan;
  /** In this order. */
  shows: RegExp[];
  never?: RegExp;
}

type Settings = Partial<Omit<Plan, 'events'>>;
type Event = Partial<Omit<PlannedEvent, 'at' | 'do'>>;

const planned = (
  settings: Settings,
  events: Array<[seconds: number, kind: PlannedEvent['do'], event?: Event]>,
): Plan => ({
  seed: 1,
  supervisors: 1,
  environments: [1, 1],
  apps: 1,
  latency: 5,
  lost: 0,
  doubled: 0,
  failing: 0,
  crashing: 0,
  hanging: 0,
  skew: 0,
  all: false,
  quietAt: 240_000,
  ...settings,
  events: events.map(([at, kind, event]) => ({ at: at * 1_000, do: kind, which: 0, ms: 500, choice: 0, ...event })),
});

/** An app that starts with its Worker: in `env_a` or `env_b` of two environments, or in both. */
const [A, B, BOTH] = [2, 1, 7].map((choice) => ({ choice }));
/** Slots after one Supervisor. */
const WORKER_A = { which: 1 };

export const FAULT_PLANS: Record<string, FaultPlan> = {
  'frozen in a boot': {
    plan: planned({ environments: [2] }, [
      [20, 'create', A],
      [20.5, 'freeze', { ...WORKER_A, ms: 60_000 }],
    ]),
    shows: [/env_a-1#1 boots app1/, /fault: freeze/, /env_a-2#1 boots app1/, /env_a-2#1 runs app1/],
    never: /env_a-1#1 runs app1/,
  },
  'the main database of a Worker is away': {
    plan: planned({}, [
      [6, 'create', A],
      [40, 'databaseAway', { ...WORKER_A, ms: 60_000 }],
      [50, 'restart'],
    ]),
    shows: [
      /env_a-1#1 runs app1/,
      /fault: databaseAway/,
      /restart app1 .*accepted/,
      /^1\d\d\.\d+ env_a-1#1 boots app1 restart/,
    ],
    never: /^[4-9]\d\.\d+ env_a-1#1 (boots|ends) app1/,
  },
  'Redis is away, and a Worker starts': {
    plan: planned({}, [
      [6, 'create', A],
      [40, 'redisAway', { ms: 60_000 }],
      [45, 'kill', { ...WORKER_A, ms: 1_000 }],
    ]),
    shows: [/fault: redisAway/, /env_a-1#1 dies/, /^[5-9]\d\.\d+ env_a-1#2 runs app1/],
  },
  'a Worker loses Redis alone': {
    plan: planned({ environments: [1, 1, 1], failover: 'probed' }, [
      [6, 'create', { choice: 1 }],
      [60, 'partition', { which: 2, ms: 90_000 }],
    ]),
    shows: [/env_b-1#1 runs app1/, /fault: partition/],
    never: /(env_a|env_c)-1#1 boots app1|env_b-1#1 ends app1/,
  },
  'Redis is flushed, and goes back to an older copy': {
    plan: planned({}, [
      [6, 'create', BOTH],
      [50, 'flush'],
      [80, 'failOver', { ms: 30_000 }],
    ]),
    shows: [/env_b-1#1 runs app1/, /env_a-1#1 runs app1/, /fault: flush/, /fault: failOver/],
    never: /(ends app1|boots app1 restart)/,
  },
  'the Supervisors’ database goes back': {
    plan: planned({}, [
      [6, 'create', A],
      [40, 'restart'],
      [55, 'databaseFailOver', { ms: 20_000 }],
    ]),
    shows: [/boots app1 restart/, /fault: databaseFailOver/],
    never: /^(5[6-9]|[6-9]\d|\d{3})\.\d+ env_.* (boots|ends) app1/,
  },
  'the main database of a Worker goes back': {
    plan: planned({}, [
      [6, 'create', A],
      [40, 'move', B],
      [70, 'redisAway', { ms: 60_000 }],
      [71, 'databaseFailOver', { ...WORKER_A, ms: 20_000 }],
      [72, 'kill', { ...WORKER_A, ms: 1_000 }],
    ]),
    shows: [/env_a-1#1 runs app1/, /env_b-1#1 runs app1/, /env_a-1#2 starts/],
    never: /env_a-1#2 boots app1|env_b-1#1 ends app1/,
  },
  'the database of an app goes back': {
    plan: planned({}, [
      [6, 'create', A],
      [40, 'move', B],
      [56, 'appDatabaseFailOver', { ms: 20_000 }],
    ]),
    shows: [
      /env_b-1#1 runs app1/,
      /fault: appDatabaseFailOver/,
      /env_b-1#1 finds no row of its own in the database of app1/,
    ],
    never: /env_b-1#1 ends app1/,
  },
  'the database of an app goes back in a boot': {
    plan: planned({}, [
      [6, 'create', A],
      [40, 'restart'],
      [40.5, 'appDatabaseFailOver', { ms: 100 }],
    ]),
    shows: [
      /env_a-1#1 boots app1 restart/,
      /fault: appDatabaseFailOver/,
      /env_a-1#1 error: App app1: The connection that held the lock/,
      /env_a-1#1 boots app1/,
      /env_a-1#1 runs app1/,
    ],
  },
  'a forgotten environment returns': {
    plan: planned({}, [
      [6, 'create', BOTH],
      [60, 'forget', { which: 0, ms: 5_000, choice: 1 }],
    ]),
    shows: [/env_a-1#1 runs app1/, /env_a-1#1 dies/, /forgets env_a: accepted/, /env_a-1#2 starts/],
    never: /env_a-1#2 boots app1/,
  },
  'a name is created again': {
    plan: planned({}, [
      [6, 'create', A],
      [40, 'kill', { ...WORKER_A, ms: 30_000 }],
      [45, 'destroyKeep'],
      [50, 'create', B],
      // Its data belong to nobody by then.
      [150, 'create', B],
    ]),
    shows: [
      /env_a-1#1 runs app1/,
      /destroyKeep app1 .*accepted/,
      /create app1 .*accepted/,
      /env_a-1#2 releases app1/,
      /env_b-1#1 error: App app1: .* contains data that does not belong to/,
      /create app1 .*accepted/,
      /env_b-1#1 runs app1/,
    ],
    never: /env_a-1#2 boots app1/,
  },
  'stopped while its Worker is down, and Redis is away at its start': {
    plan: planned({}, [
      [6, 'create', A],
      [40, 'kill', { ...WORKER_A, ms: 30_000 }],
      [45, 'stop'],
      [60, 'redisAway', { ms: 60_000 }],
    ]),
    shows: [/env_a-1#1 dies/, /stop app1 .*accepted/, /env_a-1#2 runs app1/, /^12\d\.\d+ env_a-1#2 ends app1/],
  },
  'the leader dies in a move': {
    plan: planned({ supervisors: 2 }, [
      [6, 'create', A],
      [40, 'move', B],
      [40.2, 'kill', { which: 0, ms: 60_000 }],
    ]),
    shows: [/move app1 .*accepted/, /supervisor-1#1 dies/, /env_a-1#1 ends app1/, /env_b-1#1 runs app1/],
  },
};
