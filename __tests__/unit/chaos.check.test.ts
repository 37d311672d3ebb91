import { describe, expect, it } from 'vitest';
import { check, RULES, type Rule } from '../../scripts/chaos/check';
import type { Asked, Harmed, History, Life, Look, Sample } from '../../scripts/chaos/history';
import { defaultsIn } from '../../src/shared/fields';
import { OPERATION } from '../../src/shared/operation';
import type { OperationRow } from '../../src/shared/types';

/** Whether the checker of chaos runs finds what is planted in a history in which nothing is wrong. */

/** Times are in seconds here. */
const s = (seconds: number) => seconds * 1000;

const boot = (app: string, added: number, running: number | null, gone: number | null = null) => ({
  app,
  addedAt: s(added),
  runningAt: running === null ? null : s(running),
  leavingAt: gone === null ? null : s(gone),
  goneAt: gone === null ? null : s(gone),
});

const life = (part: string, boots: Life['boots'], values: Partial<Life> = {}): Life => ({
  part,
  pid: 1,
  begunAt: 0,
  boots,
  crashes: [],
  exit: null,
  endedAt: null,
  ended: false,
  ...values,
});

const asked = (at: number, app: string, action: Asked['action'], values: Partial<Asked> = {}): Asked => ({
  at: s(at),
  app,
  action,
  environments: null,
  startMode: null,
  id: `${action}-${app}-${at}`,
  refusal: null,
  ...values,
});

const recorded = (change: Asked, finished: number | null, values: Partial<OperationRow> = {}): OperationRow => ({
  ...defaultsIn(OPERATION, 'row'),
  id: change.id!,
  appName: change.app,
  action: change.action,
  state: 'succeeded',
  generation: 1,
  progress: [],
  createdAt: change.at,
  finishedAt: finished === null ? null : s(finished),
  ...values,
});

const sample = (at: number, shown: Sample['shown']): Sample => ({ from: s(at), to: s(at) + 100, shown });
const poll = (at: number, shown: Sample['shown'], answered: Look['answered']): Look => ({
  ...sample(at, shown),
  answered,
});
const cutLock = (at: number, app: string, environment: string): Harmed => ({
  target: 'locks',
  harm: 'cut',
  from: s(at),
  to: s(at),
  locks: [{ app, environment }],
});
const froze = (target: string, from: number, to: number): Harmed => ({
  target,
  harm: 'freeze',
  from: s(from),
  to: s(to),
});

/**
 * `crm` is created in two environments, env_b is killed and comes back, `crm` is restarted; `shop` is created in env_a and
 * stopped. Then all is quiet.
 */
function history(): History {
  const createCrm = asked(0, 'crm', 'create', { environments: ['env_a', 'env_b'], startMode: 'withMain' });
  const createShop = asked(0, 'shop', 'create', { environments: ['env_a'], startMode: 'withMain' });
  const restart = asked(60, 'crm', 'restart');
  const stop = asked(60, 'shop', 'stop');
  return {
    seed: 1,
    begunAt: 0,
    endedAt: s(120),
    asked: [createCrm, createShop, restart, stop],
    recorded: [recorded(createCrm, 30), recorded(createShop, 20), recorded(restart, 70), recorded(stop, 61)],
    processes: [
      life('supervisor', []),
      life('env_a', [boot('crm', 1, 10, 62), boot('shop', 1, 10, 61), boot('crm', 62, 64)]),
      life('env_b', [boot('crm', 11, 20)], { pid: 2, endedAt: s(40), ended: true }),
      life('env_b', [boot('crm', 55, 57, 65), boot('crm', 65, 67)], { pid: 3, begunAt: s(50) }),
    ],
    harms: [{ target: 'env_b', harm: 'kill', from: s(40), to: s(54) }],
    samples: [
      sample(30, { crm: { env_a: 'running', env_b: 'running' }, shop: { env_a: 'running' } }),
      sample(56, { crm: { env_a: 'running', env_b: 'unknown' }, shop: { env_a: 'running' } }),
      sample(63, { crm: { env_a: 'preparing', env_b: 'running' }, shop: { env_a: 'stopped' } }),
    ],
    settlings: [
      {
        healedAt: s(69),
        operationsEndedAt: s(70),
        looks: [
          poll(
            75,
            { crm: { env_a: 'running', env_b: 'running' }, shop: { env_a: 'stopped' } },
            { crm: { env_a: '200', env_b: '200' }, shop: { env_a: '503 APP_STOPPED' } },
          ),
        ],
        locks: [],
      },
    ],
    visits: [],
    requests: [{ through: 'supervisor', asked: 100, failed: [], slowest: 10 }],
  };
}

/** The rules that a change of the good history breaks. */
function broken(plant: (history: History) => void): Rule[] {
  const planted = history();
  plant(planted);
  return [...new Set(check(planted).map(({ rule }) => rule))].sort();
}
/** The restart of `crm` loses its lock in env_a. */
function failByLock(found: History): true {
  Object.assign(operation(found, 'restart', 'crm'), structuredClone(lostLock));
  return true;
}

const lostLock: Partial<OperationRow> = {
  state: 'failed',
  progress: [{ environment: 'env_a', of: 'boot', state: 'failed', error: { code: 'LOCK_LOST' } }],
};

/** One more restart of `crm` is superseded at once, by a rename that ends at `until`. */
function supersede(found: History, until: number): true {
  const restart = asked(68, 'crm', 'restart');
  const rename = asked(69, 'crm', 'update');
  found.asked.push(restart, rename);
  found.recorded.push(recorded(restart, 69, { state: 'cancelled' }), recorded(rename, until));
  return true;
}

/** `crm` is to go from env_a to env_c, loses its lock there, and a move brings it back: of env_b, where it stays, that says nothing. */
function bringBack(found: History, values: Partial<OperationRow> = {}): true {
  const update = asked(66, 'crm', 'update', { environments: ['env_b', 'env_c'] });
  const error = { code: 'LOCK_LOST' as const };
  const failed = [{ environment: 'env_c', of: 'boot' as const, state: 'failed' as const, error }];
  const back = [
    { environment: 'env_a', of: 'boot' as const, state: 'succeeded' as const },
    { environment: 'env_c', of: 'leave' as const, state: 'succeeded' as const },
  ];
  found.asked.push(update);
  found.harms.push(cutLock(66, 'crm', 'env_c'));
  found.recorded.push(recorded(update, 67, { state: 'failed', progress: failed }));
  found.recorded.push(recorded(asked(68, 'crm', 'update'), 69, { action: 'move', progress: back, ...values }));
  return true;
}

const operation = (found: History, action: Asked['action'], app: string) =>
  found.recorded.find((one) => one.action === action && one.appName === app)!;

describe('the checker of chaos runs', () => {
  it('finds nothing in a correct history', () => {
    expect(check(history())).toEqual([]);
  });

  it('has a test for every rule', () => {
    expect(Object.keys(RULES).sort()).toEqual(Object.keys(PLANTED).sort());
  });

  const PLANTED: Record<Rule, Array<[string, (history: History) => void]>> = {
    lost: [
      ['accepted, and not on record', (found) => found.recorded.splice(2, 1)],
      [
        'never ended',
        (found) => Object.assign(operation(found, 'restart', 'crm'), { state: 'running', finishedAt: null }),
      ],
      [
        'brought back and started, without its effect where it was to stay',
        (found) => {
          bringBack(found);
          const start = asked(68.5, 'crm', 'start');
          found.asked.push(start);
          found.recorded.push(recorded(start, 68.9));
          found.processes[3].boots[1] = boot('crm', 65, 67, 68);
        },
      ],
      ['cancelled by nobody', (found) => Object.assign(operation(found, 'restart', 'crm'), { state: 'cancelled' })],
      [
        'ended well without its effect',
        (found) => {
          found.processes[3].boots[1] = boot('crm', 65, 67, 68);
          const [quiet] = found.settlings;
          quiet.looks[0].shown.crm.env_b = 'error';
        },
      ],
    ],
    refused: [
      [
        'without a code',
        (found) =>
          found.asked.push(asked(65, 'crm', 'stop', { id: null, refusal: { code: null, answer: '404 Not Found' } })),
      ],
      [
        "by a code of the core's",
        (found) => {
          const refusal = { code: 'APP_NOT_FOUND', answer: '404' };
          found.asked.push(asked(65, 'crm', 'stop', { id: null, refusal }));
        },
      ],
    ],
    failed: [
      ['by itself', (found) => Object.assign(operation(found, 'stop', 'shop'), { state: 'failed' })],
      [
        "by a lost lock, where another environment's was cut",
        (found) => failByLock(found) && found.harms.push(cutLock(63, 'crm', 'env_b')),
      ],
      [
        'by a lock that was lost to a change before, which had ended',
        (found) => failByLock(found) && found.harms.push(cutLock(25, 'crm', 'env_a')),
      ],
      [
        'by a database out of reach, long after the lock was cut',
        (found) => {
          found.harms.push(cutLock(60, 'crm', 'env_a'));
          failByLock(found);
          const late = operation(found, 'restart', 'crm');
          late.finishedAt = s(76);
          Object.assign(late.progress[0], { error: { code: 'DATABASE_UNREACHABLE' }, finishedAt: s(76) });
        },
      ],
      [
        'by a lock that was cut only after that',
        (found) => {
          found.harms.push(cutLock(63, 'crm', 'env_a'));
          failByLock(found);
          operation(found, 'restart', 'crm').progress[0].finishedAt = s(62);
        },
      ],
    ],
    twice: [
      [
        'restarted twice by one restart',
        (found) => found.processes[1].boots.push(boot('crm', 64.5, 66, 68), boot('crm', 68, 69)),
      ],
      [
        'booted by nothing',
        (found) => found.processes[3].boots.splice(1, 1, boot('crm', 65, 66, 67), boot('crm', 67, 69)),
      ],
      [
        "booted again after another app's lock was cut",
        (found) => bootAgain(found, 66.1) && found.harms.push(cutLock(65.5, 'shop', 'env_b')),
      ],
      [
        "booted again after another environment's lock was cut",
        (found) => bootAgain(found, 66.1) && found.harms.push(cutLock(65.5, 'crm', 'env_a')),
      ],
      [
        'booted again twice after its lock was cut once',
        (found) => {
          bootAgain(found, 66.1);
          found.harms.push(cutLock(65.5, 'crm', 'env_b'));
          found.processes[3].boots.splice(2, 1, boot('crm', 71, 72, 72.1), boot('crm', 77, 78));
        },
      ],
      [
        'booted again though it had gone on without its lock',
        (found) => bootAgain(found, 90) && found.harms.push(cutLock(65.9, 'crm', 'env_b')),
      ],
      [
        'booted by a restart that was superseded, long after what took its place',
        (found) => supersede(found, 70) && bootAgain(found, 200, 201),
      ],
    ],
    doubleBoot: [
      ['in two environments', (found) => Object.assign(found.processes[3].boots[1], { addedAt: s(63) })],
      [
        'in two processes of one environment',
        (found) =>
          Object.assign(found.processes[2], {
            endedAt: s(56),
            boots: [boot('crm', 11, 20, 30), boot('crm', 54, null)],
          }),
      ],
      [
        "where another app's lock was cut",
        (found) => {
          found.harms.push(cutLock(63, 'shop', 'env_a'));
          Object.assign(found.processes[3].boots[1], { addedAt: s(63) });
        },
      ],
      [
        'after the boot whose lock was cut',
        (found) => {
          found.harms.push(cutLock(60, 'crm', 'env_a'));
          found.processes[1].boots.splice(2, 1, boot('crm', 59, 60.5, 61), boot('crm', 66, 68));
        },
      ],
    ],
    misplaced: [
      ['moved away, and back by somebody whose request nobody knows', (found) => bringBack(found, { createdBy: '1' })],
      ['moved away, and back by a failover', (found) => bringBack(found, { cause: 'failover' })],
      [
        'moved away, with a move back after another change',
        (found) => {
          const rename = asked(69.2, 'crm', 'update');
          found.asked.push(rename);
          found.recorded.push(recorded(rename, 69.4));
          return bringBack(found, { createdAt: s(69.6) });
        },
      ],
      ['moved away, with a move back that was before', (found) => bringBack(found, { createdAt: s(66.5) })],
      ['stopped', (found) => Object.assign(found.processes[1].boots[1], { leavingAt: null, goneAt: null })],
      [
        'deleted',
        (found) => {
          const destroy = asked(65, 'crm', 'destroy');
          found.asked.push(destroy);
          found.recorded.push(recorded(destroy, 66));
        },
      ],
      [
        'moved away',
        (found) => {
          const move = asked(65, 'crm', 'update', { environments: ['env_b'] });
          found.asked.push(move);
          found.recorded.push(recorded(move, 66));
        },
      ],
    ],
    lie: [
      [
        'running, and dead',
        (found) => found.samples.push(sample(63, { crm: { env_b: 'running' } }), sample(39, {})) && killB(found),
      ],
      [
        'running, and frozen',
        (found) =>
          found.harms.push(froze('env_a', 20, 55)) && found.samples.push(sample(48, { shop: { env_a: 'running' } })),
      ],
      ['stopped, and running', (found) => found.samples.push(sample(50, { shop: { env_a: 'stopped' } }))],
      ['dormant, and running', (found) => found.samples.push(sample(50, { shop: { env_a: 'dormant' } }))],
    ],
    late: [
      ['shown otherwise', (found) => Object.assign(found.settlings[0].looks[0].shown.shop, { env_a: 'unknown' })],
      [
        'not what its environment says',
        (found) => Object.assign(found.settlings[0].looks[0].answered.crm, { env_b: '503 APP_STOPPED' }),
      ],
      ['too late', (found) => Object.assign(found.settlings[0].looks[0], { from: s(91), to: s(92) })],
      ['not shown at all', (found) => delete found.settlings[0].looks[0].shown.crm.env_b],
    ],
    request: [
      ['through the Supervisor', (found) => found.requests[0].failed.push({ from: s(5), to: s(6), why: '502' })],
      [
        'at its Worker, the Supervisor being away',
        (found) => {
          found.harms.push({ target: 'supervisor', harm: 'kill', from: s(4), to: s(8) });
          found.requests.push({
            through: 'env_c',
            asked: 1,
            failed: [{ from: s(5), to: s(6), why: '502' }],
            slowest: 1,
          });
        },
      ],
    ],
    crash: [
      ['a rejection', (found) => found.processes[1].crashes.push({ at: s(5), message: 'unhandledRejection: no' })],
    ],
    gone: [['by itself', (found) => Object.assign(found.processes[2], { ended: false })]],
    lock: [
      ['held in the quiet', (found) => found.settlings[0].locks.push('somebody holds "nocobase lock: crm by env_a"')],
    ],
  };

  /** Its second process never came, so that what is shown of it later is of nothing. */
  function killB(found: History): void {
    found.processes.splice(3, 1);
  }

  /** The last boot of `crm` in env_b ends at `gone`, and is done once more. */
  function bootAgain(found: History, gone: number, again = gone + 5): true {
    found.processes[3].boots.splice(1, 1, boot('crm', 65, 66, gone), boot('crm', again, again + 1));
    return true;
  }

  for (const [rule, cases] of Object.entries(PLANTED)) {
    it.each(cases)(`finds a violation of ${rule}: %s`, (_, plant) => {
      expect(broken(plant)).toContain(rule);
    });
  }
});

describe('the checker of chaos runs excuses', () => {
  it('requests through a Supervisor that is down', () => {
    expect(
      broken((found) => {
        found.harms.push({ target: 'supervisor', harm: 'kill', from: s(4), to: s(8) });
        found.requests[0].failed.push({ from: s(7), to: s(7.5), why: 'ECONNREFUSED' });
      }),
    ).toEqual([]);
  });

  it('a change that was refused for a reason', () => {
    const refusal = { code: 'OPERATION_BEGUN', answer: '409' };
    expect(broken((found) => found.asked.push(asked(65, 'crm', 'stop', { id: null, refusal })))).toEqual([]);
  });

  it('a change that a newer one superseded', () => {
    expect(
      broken((found) => {
        const stop = asked(50, 'crm', 'stop');
        found.asked.splice(2, 0, stop);
        found.recorded.push(recorded(stop, 60, { state: 'cancelled' }));
      }),
    ).toEqual([]);
  });

  it.each(['LOCK_LOST', 'DATABASE_UNREACHABLE'] as const)(
    'a boot that failed with %s because its lock was cut, and the boot that overlapped with it',
    (code) => {
      expect(
        broken((found) => {
          found.harms.push(cutLock(63, 'crm', 'env_a'));
          Object.assign(found.processes[3].boots[1], { addedAt: s(63) });
          failByLock(found);
          // It ends long after that elsewhere.
          const late = operation(found, 'restart', 'crm');
          late.finishedAt = s(80);
          Object.assign(late.progress[0], { error: { code }, finishedAt: s(64) });
        }),
      ).toEqual([]);
    },
  );

  it('a change of its environments that has failed, and was undone by the Supervisor', () => {
    expect(broken((found) => bringBack(found))).toEqual([]);
    const start = asked(67.5, 'crm', 'start');
    expect(
      broken((found) => {
        bringBack(found);
        found.processes.push(life('env_c', []));
        found.asked.push(start);
        // Asked before the move, accepted after it.
        found.recorded.push(recorded(start, 68.9, { createdAt: s(68.2) }));
      }),
    ).toEqual([]);
  });

  it('a change that continues with the boot of a superseded one, whose lock was cut', () => {
    expect(
      broken((found) => {
        found.harms.push(cutLock(63, 'crm', 'env_a'));
        const rename = asked(63.5, 'crm', 'update');
        found.asked.push(rename);
        Object.assign(operation(found, 'restart', 'crm'), { state: 'cancelled' });
        found.recorded.push(recorded(rename, 70, lostLock));
      }),
    ).toEqual([]);
  });

  it.each([
    ['while it went on', 65.5],
    ['before there was anything of the app', 64.9],
    ['when it had run already', 66.05],
  ])('one more boot of an app that was given up because its lock was cut %s', (_, at) => {
    expect(
      broken((found) => {
        found.harms.push(cutLock(at, 'crm', 'env_b'));
        const boots = [boot('crm', 55, 57, 64.5), boot('crm', 65, 66, 66.1), boot('crm', 71, 72)];
        Object.assign(found.processes[3], { boots });
      }),
    ).toEqual([]);
  });

  it('a remaining boot of a restart that a rename superseded', () => {
    expect(
      broken((found) => {
        supersede(found, 200);
        found.processes[3].boots.splice(1, 1, boot('crm', 65, 66, 198), boot('crm', 198.5, 199));
      }),
    ).toEqual([]);
  });

  it('a dormant app that a visit starts', () => {
    expect(
      broken((found) => {
        found.visits.push({ at: s(64), app: 'crm' });
        found.processes[3].boots[1] = boot('crm', 65, 66, 67);
        found.processes[3].boots.push(boot('crm', 67, 68));
      }),
    ).toEqual([]);
  });
});
