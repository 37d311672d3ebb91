import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Applied,
  type Decision,
  decide,
  type Hosted,
  MAX_UNFINISHED_BOOTS,
  pendingChanges,
  retryAfter,
} from '../../src/server/worker/apps/decide';
import { say } from '../../src/shared/message';
import type { AppRecord } from '../../src/shared/messages';
import { recordOf } from '../support/fixtures';

const appliedOf = (values: Partial<Applied> = {}): Applied => ({
  uid: 'uid-1',
  generation: 10,
  bootGeneration: 10,
  unfinished: null,
  version: null,
  failure: null,
  ...values,
});
const hostedOf = (values: Partial<Hosted> = {}): Hosted => ({
  state: 'absent',
  status: values.state === 'running' ? 'running' : 'waiting',
  retryAt: null,
  generation: 0,
  claimed: null,
  failedWork: null,
  ...values,
});
const poison = { bootGeneration: 10, count: MAX_UNFINISHED_BOOTS };

interface Case {
  record?: Partial<AppRecord>;
  applied?: Partial<Applied> | null;
  coreApps?: Partial<Hosted>;
  mono?: number;
  visited?: boolean;
}

const decideOn = ({ record = {}, applied = {}, coreApps = {}, mono = 1_000, visited = false }: Case): Decision =>
  decide(recordOf(record), applied && appliedOf(applied), hostedOf(coreApps), mono, visited);

const failedAlone = { state: 'running', status: 'error' } as const;

const nothing: Decision = { do: 'nothing' };
const boot = (how: 'start' | 'restart' | 'upgrade' = 'start'): Decision => ({ do: 'boot', how });
const stopped: Decision = { do: 'rest', as: 'stopped' };
const dormant: Decision = { do: 'rest', as: 'dormant' };

describe('an app that should run', () => {
  it.each<[string, Case, Decision]>([
    ['new here', { applied: null }, boot()],
    ['new here, and here already', { applied: null, coreApps: { state: 'running' } }, nothing],
    ['after a restart of the worker', {}, boot()],
    ['running', { coreApps: { state: 'running' } }, nothing],
    ['stopped before', { coreApps: { state: 'stopped' } }, boot()],
    ['dormant before', { coreApps: { state: 'dormant' } }, boot()],
    ['with an older boot applied', { applied: { bootGeneration: 9 } }, boot()],
    ['a start of what runs', { applied: { bootGeneration: 9 }, coreApps: { state: 'running' } }, nothing],
    ['a start of what failed by itself', { applied: { bootGeneration: 9 }, coreApps: failedAlone }, boot()],
    [
      'a start of what stopped by itself',
      { applied: { bootGeneration: 9 }, coreApps: { ...failedAlone, status: 'stopped' } },
      boot(),
    ],
    ['failed by itself, and nobody starts it', { coreApps: failedAlone }, nothing],
    [
      'a restart of what runs',
      {
        record: { boot: { generation: 10, how: 'restart' } },
        applied: { bootGeneration: 9 },
        coreApps: { state: 'running' },
      },
      boot('restart'),
    ],
    [
      'a restart that was applied',
      { record: { boot: { generation: 10, how: 'restart' } }, coreApps: { state: 'running' } },
      nothing,
    ],
    [
      'a restart that was applied, after one of the worker',
      { record: { boot: { generation: 10, how: 'restart' } } },
      boot('start'),
    ],
    [
      'an upgrade',
      {
        record: { boot: { generation: 10, how: 'upgrade' } },
        applied: { bootGeneration: 9 },
        coreApps: { state: 'running' },
      },
      boot('upgrade'),
    ],
    [
      'a change that is no boot',
      { record: { generation: 12, boot: { generation: 10, how: 'start' } }, coreApps: { state: 'running' } },
      nothing,
    ],
    ['failed, not due yet', { coreApps: { state: 'error', retryAt: 1_001 } }, nothing],
    ['failed, and due', { coreApps: { state: 'error', retryAt: 1_000 } }, boot()],
    ['failed for good', { coreApps: { state: 'error' } }, nothing],
    ['failed for good, and visited', { coreApps: { state: 'error' }, visited: true }, nothing],
    ['failed for good, and started anew', { applied: { bootGeneration: 9 }, coreApps: { state: 'error' } }, boot()],
    ['another incarnation here', { applied: { uid: 'uid-0' } }, { do: 'replace' }],
    [
      'another incarnation here, running',
      { applied: { uid: 'uid-0' }, coreApps: { state: 'running' } },
      { do: 'replace' },
    ],
  ])('%s', (_, given, expected) => {
    expect(decideOn(given)).toEqual(expected);
  });
});

describe('an app that waits for a visit', () => {
  const record = { desired: 'onDemand' } as const;
  it.each<[string, Case, Decision]>([
    ['after a restart of the worker', {}, dormant],
    ['dormant', { coreApps: { state: 'dormant' } }, nothing],
    ['visited', { coreApps: { state: 'dormant' }, visited: true }, boot()],
    ['running', { coreApps: { state: 'running' } }, nothing],
    ['new here: the step that made it starts it', { applied: null }, boot()],
    ['started anew', { applied: { bootGeneration: 9 }, coreApps: { state: 'dormant' } }, boot()],
    ['stopped before', { coreApps: { state: 'stopped' } }, dormant],
    ['failed, and due', { coreApps: { state: 'error', retryAt: 1 } }, boot()],
    ['failed, and not due', { coreApps: { state: 'error', retryAt: 2_000 } }, nothing],
    ['failed, not due, and visited', { coreApps: { state: 'error', retryAt: 2_000 }, visited: true }, nothing],
  ])('%s', (_, given, expected) => {
    expect(decideOn({ ...given, record })).toEqual(expected);
  });
});

describe('an app that should be stopped', () => {
  const record = { desired: 'stopped' } as const;
  it.each<[string, Case, Decision]>([
    ['running', { coreApps: { state: 'running' } }, stopped],
    ['after a restart of the worker: before anybody asks', {}, stopped],
    ['new here', { applied: null }, stopped],
    ['failed', { coreApps: { state: 'error', retryAt: 1 } }, stopped],
    ['stopped', { coreApps: { state: 'stopped' } }, nothing],
    ['stopped, and visited', { coreApps: { state: 'stopped' }, visited: true }, nothing],
    [
      'stopped, with a boot that was never applied',
      { applied: { bootGeneration: 9 }, coreApps: { state: 'stopped' } },
      nothing,
    ],
    ['another incarnation here', { applied: { uid: 'uid-0' }, coreApps: { state: 'running' } }, { do: 'replace' }],
  ])('%s', (_, given, expected) => {
    expect(decideOn({ ...given, record })).toEqual(expected);
  });
});

describe('an app that was removed', () => {
  it.each<[string, Case, Decision]>([
    ['running', { coreApps: { state: 'running', generation: 9 } }, { do: 'remove', data: 'keep' }],
    ['never here', { applied: null }, { do: 'remove', data: 'keep' }],
    ['with its data', { record: { data: 'drop' }, coreApps: { generation: 9 } }, { do: 'remove', data: 'drop' }],
    ['and released', { record: { data: 'release' }, coreApps: { generation: 9 } }, { do: 'remove', data: 'release' }],
    ['removed', { applied: null, coreApps: { generation: 10 } }, nothing],
    [
      'removed, and dropped after it',
      { record: { generation: 11, data: 'drop' }, applied: null, coreApps: { generation: 10 } },
      { do: 'remove', data: 'drop' },
    ],
  ])('%s', (_, given, expected) => {
    expect(decideOn({ ...given, record: { desired: 'removed', ...given.record } })).toEqual(expected);
  });
});

describe('an app that has stopped the loop of a process', () => {
  const failure = { code: 'APP_STOPS_LOOP', params: {} };
  const paused = { environment: 'env_b', boot: 10, cause: failure };
  it.each<[string, Case, Decision]>([
    ['of this environment is kept out', { applied: { failure } }, { do: 'keepOut', because: 'loop' }],
    ['is not woken by a visit', { applied: { failure }, coreApps: { state: 'error' }, visited: true }, nothing],
    ['starts when an operator starts it', { applied: { failure, bootGeneration: 9 } }, boot()],
    ['of another environment is kept out', { record: { paused } }, { do: 'keepOut', because: 'paused' }],
    [
      'is kept out of one that it moves to',
      { record: { paused }, applied: { bootGeneration: 9 } },
      { do: 'keepOut', because: 'paused' },
    ],
    ['is not tried again', { record: { paused }, coreApps: { state: 'error', retryAt: 1 } }, nothing],
    ['runs on where it runs', { record: { paused }, coreApps: { state: 'running' } }, nothing],
    [
      'is stopped where it runs',
      { record: { paused, desired: 'stopped' }, coreApps: { state: 'running' } },
      { do: 'rest', as: 'stopped' },
    ],
  ])('%s', (_, given, expected) => {
    expect(decideOn(given)).toEqual(expected);
  });
});

describe('a running app whose record', () => {
  const places = { environments: ['env_a', 'env_b', 'env_c'] };
  const all = recordOf({ ...places, hosts: places.environments });
  const claimed = (hosts: string[] | undefined, left: string[] = [], environments = places.environments) =>
    decideOn({ record: { environments, hosts, left }, coreApps: { state: 'running', claimed: all } }).do;
  it('lets fewer environments host it is claimed again, and only then', () => {
    expect(claimed(['env_a', 'env_b'])).toBe('claim');
    expect(claimed(places.environments, ['env_d'])).toBe('claim');
    expect([claimed(places.environments), claimed(['env_a', 'env_b', 'env_c', 'env_d'])]).toEqual([
      'nothing',
      'nothing',
    ]);
    // From a Supervisor that does not say so.
    expect([claimed(undefined), claimed(undefined, [], ['env_a'])]).toEqual(['nothing', 'claim']);
  });

  it('names an environment as left that was cut off before is left alone', () => {
    const before = recordOf({ ...places, hosts: ['env_a', 'env_b'], left: ['env_c'] });
    const record = { ...places, hosts: ['env_a', 'env_b'], left: ['env_c'] };
    expect(decideOn({ record, coreApps: { state: 'running', claimed: before } })).toEqual(nothing);
    expect(decideOn({ record, coreApps: { state: 'running', claimed: null } })).toEqual(nothing);
  });
});

describe('an app that crashes its worker', () => {
  it.each<[string, Case, Decision]>([
    ['twice is tried again', { applied: { bootGeneration: 9, unfinished: { ...poison, count: 2 } } }, boot()],
    [
      'three times is kept out',
      { applied: { bootGeneration: 9, unfinished: poison } },
      { do: 'keepOut', because: 'crashes' },
    ],
    ['also after it once ran', { applied: { unfinished: poison } }, { do: 'keepOut', because: 'crashes' }],
    ['is left alone then', { applied: { unfinished: poison }, coreApps: { state: 'error' } }, nothing],
    [
      'is not woken by a visit',
      { applied: { unfinished: poison }, coreApps: { state: 'error' }, visited: true },
      nothing,
    ],
    [
      'is stopped when asked to',
      { record: { desired: 'stopped' }, applied: { unfinished: poison }, coreApps: { state: 'error' } },
      stopped,
    ],
    [
      'is tried again when somebody starts it anew',
      { record: { generation: 11 }, applied: { unfinished: poison }, coreApps: { state: 'error' } },
      boot(),
    ],
  ])('%s', (_, given, expected) => {
    expect(decideOn(given)).toEqual(expected);
  });
});

describe('work on data', () => {
  const work = { generation: 12, kind: 'password' as const };
  const failedWork = { generation: 12, error: say('NO_CAUSE'), retryAt: 2_000 };
  it.each<[string, Case, Decision]>([
    ['of an app that runs', { coreApps: { state: 'running' } }, { do: 'work' }],
    ['of one that rests', { record: { desired: 'stopped' }, coreApps: { state: 'stopped' } }, { do: 'work' }],
    [
      'of one that waits for a visit',
      { record: { desired: 'onDemand' }, coreApps: { state: 'dormant' } },
      { do: 'work' },
    ],
    ['of one that does not start', { coreApps: { state: 'error' } }, { do: 'work' }],
    ['after what is to be booted', {}, boot()],
    ['that was done', { applied: { work: 12 }, coreApps: { state: 'running' } }, nothing],
    ['newer than what was done', { applied: { work: 11 }, coreApps: { state: 'running' } }, { do: 'work' }],
    ['that has failed', { coreApps: { state: 'running', failedWork } }, nothing],
    ['that has failed a while ago', { coreApps: { state: 'running', failedWork }, mono: 2_000 }, { do: 'work' }],
    [
      'newer than what has failed',
      { coreApps: { state: 'running', failedWork: { ...failedWork, generation: 11 } } },
      { do: 'work' },
    ],
    ['of an app that is removed', { record: { desired: 'removed' }, coreApps: { generation: 20 } }, nothing],
  ])('%s', (_, { record, ...given }, expected) => {
    expect(decideOn({ ...given, record: { ...record, work } })).toEqual(expected);
  });
});

describe('failed boots', () => {
  it('are retried with growing delays, and then no more', () => {
    const waits = [1, 2, 3, 4, 5, 6].map(retryAfter);
    expect(waits).toEqual([5_000, 15_000, 45_000, 135_000, null, null]);
  });
});

describe('changes that a running app does not have yet', () => {
  it.each<[string, Partial<AppRecord>, string[]]>([
    ['none', {}, []],
    ['a title', { title: 'Sales' }, []],
    ['a connection', { database: { dbConnType: 'new_database', database: 'crm', host: 'x' } }, ['options.database']],
    ['a secret', { jwtSecret: 'x' }, ['jwtSecret']],
    [
      'a password of its own role, which its pool takes',
      { database: { dbConnType: 'new_database', database: 'crm', password: 'x', nextPassword: 'y' } },
      [],
    ],
    [
      'a password that somebody has entered',
      { database: { dbConnType: 'new_connection', database: 'crm', password: 'x' } },
      ['options.database'],
    ],
    ['sign-in by the main app, which is in force at once', { sso: { enabled: true } }, []],
  ])('%s', (_, change, expected) => {
    expect(pendingChanges(recordOf(), recordOf(change), String)).toEqual(expected);
    expect(pendingChanges(null, recordOf(change), String)).toEqual([]);
  });

  it('do not include a secret that was only sealed again', () => {
    const sealedWith = (key: string) =>
      recordOf({ jwtSecret: `${key}:s`, database: { dbConnType: 'new_connection', password: `${key}:p` } });
    const reveal = (sealed: string) => sealed.split(':')[1] ?? '';
    expect(pendingChanges(sealedWith('old'), sealedWith('new'), reveal)).toEqual([]);
    const another = recordOf({ ...sealedWith('new'), jwtSecret: 'new:other' });
    expect(pendingChanges(sealedWith('old'), another, reveal)).toEqual(['jwtSecret']);
  });

  it('do not include a secret that is not stored yet', () => {
    expect(pendingChanges(recordOf({ jwtSecret: 's' }), recordOf({ jwtSecret: null }), String)).toEqual([]);
  });
});

describe('repeated decisions', () => {
  const generation = fc.integer({ min: 8, max: 12 });
  const record = fc
    .record({
      uid: fc.constantFrom('uid-1', 'uid-2'),
      generation,
      desired: fc.constantFrom('running' as const, 'onDemand' as const, 'stopped' as const, 'removed' as const),
      boot: fc.record({ generation, how: fc.constantFrom('start' as const, 'restart' as const, 'upgrade' as const) }),
      data: fc.constantFrom('keep' as const, 'drop' as const, 'release' as const),
      work: fc.option(fc.record({ generation, kind: fc.constant('password' as const) }), { nil: undefined }),
    })
    .map(recordOf);
  const applied = fc.option(
    fc
      .record({
        uid: fc.constantFrom('uid-1', 'uid-2'),
        generation,
        bootGeneration: generation,
        unfinished: fc.option(fc.record({ bootGeneration: generation, count: fc.integer({ min: 1, max: 4 }) })),
      })
      .map(appliedOf),
  );
  const coreApps = fc.record({
    status: fc.constantFrom('waiting' as const, 'running' as const, 'stopped' as const, 'error' as const),
    state: fc.constantFrom(
      'absent' as const,
      'dormant' as const,
      'stopped' as const,
      'running' as const,
      'error' as const,
    ),
    failures: fc.integer({ min: 0, max: 6 }),
    claimed: fc.constantFrom(null, recordOf({ environments: ['env_z'] })),
    failedWork: fc.option(
      fc.record({ generation, error: fc.constant(say('NO_CAUSE')), retryAt: fc.constantFrom(500, 5_000) }),
    ),
    retryAt: fc.option(fc.integer({ min: 0, max: 2_000 })),
    generation,
  });

  /** As the converger carries them out; `fails` says of each boot whether it does. */
  function carryOut(decision: Decision, record: AppRecord, applied: Applied | null, coreApps: Hosted, fails: boolean) {
    switch (decision.do) {
      case 'replace':
        return { applied: null, coreApps: hostedOf() };
      case 'rest':
        return { applied, coreApps: { ...coreApps, state: decision.as } };
      case 'remove':
        return { applied: null, coreApps: { ...coreApps, state: 'absent' as const, generation: record.generation } };
      case 'keepOut':
        return { applied, coreApps: { ...coreApps, state: 'error' as const, retryAt: null } };
      case 'boot': {
        const bootGeneration = Math.max(record.boot.generation, applied?.bootGeneration ?? 0);
        const state: Hosted['state'] = fails ? 'error' : 'running';
        return {
          applied: appliedOf({ uid: record.uid, generation: record.generation, bootGeneration }),
          coreApps: { ...coreApps, state, status: state, retryAt: fails ? 1_000_000 : null },
        };
      }
      case 'claim':
        return { applied, coreApps: { ...coreApps, claimed: record } };
      case 'work':
        return { applied: appliedOf({ ...applied, uid: record.uid, work: record.work?.generation }), coreApps };
      case 'nothing':
        return { applied, coreApps };
    }
  }

  it('invariant 3: end in the desired state from any state, whether boots succeed or fail', () => {
    fc.assert(
      fc.property(record, applied, coreApps, fc.boolean(), fc.boolean(), (wish, had, was, visited, fails) => {
        let now: { applied: Applied | null; coreApps: Hosted } = { applied: had, coreApps: was };
        let boots = 0;
        for (let step = 0; ; step++) {
          const decision = decide(wish, now.applied, now.coreApps, 1_000, visited && boots === 0);
          if (decision.do === 'nothing') break;
          // The converger's own bound.
          expect(step).toBeLessThan(8);
          if (decision.do === 'boot') boots++;
          now = carryOut(decision, wish, now.applied, now.coreApps, fails);
        }
        expect(boots).toBeLessThanOrEqual(1);
        const { state } = now.coreApps;
        if (wish.desired === 'stopped') expect(state).toBe('stopped');
        if (wish.desired === 'removed') expect(now.coreApps.generation).toBeGreaterThanOrEqual(wish.generation);
        if (wish.desired === 'running') expect(['running', 'error']).toContain(state);
        if (wish.desired === 'onDemand') expect(['running', 'error', 'dormant']).toContain(state);
        if (boots && now.applied && wish.desired !== 'removed') expect(now.applied.uid).toBe(wish.uid);
      }),
      { numRuns: 500 },
    );
  });

  it('invariant 9: only a removal that says so affects data', () => {
    fc.assert(
      fc.property(record, applied, coreApps, fc.boolean(), (wish, had, was, visited) => {
        const decision = decide(wish, had, was, 1_000, visited);
        if (decision.do !== 'remove') return;
        expect(wish.desired).toBe('removed');
        expect(decision.data).toBe(wish.data);
      }),
      { numRuns: 300 },
    );
  });
});
