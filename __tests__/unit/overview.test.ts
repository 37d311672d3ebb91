import { describe, expect, it } from 'vitest';
import { AppTraffic } from '../../src/server/observability/app-traffic';
import { Traffic } from '../../src/server/observability/traffic';
import { AppLoadHistory } from '../../src/server/supervisor/overview/app-load-history';
import { type AttentionApp, attentionOf } from '../../src/server/supervisor/overview/attention';
import { LoadHistory } from '../../src/server/supervisor/overview/load-history';
import { type ProblemApp, type ProblemFacts, problemsOf } from '../../src/server/supervisor/overview/problems';
import { LOAD_POINTS, LOAD_STEP } from '../../src/server/supervisor/overview/series-history';
import { say } from '../../src/shared/message';
import type { ShownStatus, Status } from '../../src/shared/types';
import { MemoryFleet } from '../support/memory-fleet';

const NOW = 1_800_000_000_000;
const HOUR = 3_600_000;

const shown = (status: Status, values: Partial<ShownStatus> = {}): ShownStatus => ({
  status,
  since: 7,
  observedAt: 8,
  ...values,
});
const app = (
  name: string,
  statuses: Record<string, Status>,
  { desired = 'running', ...values }: Partial<ProblemApp & ProblemApp['app']> = {},
): ProblemApp => ({
  app: { name, title: name.toUpperCase(), environments: Object.keys(statuses), desired },
  statuses: Object.entries(statuses).map(([environment, status]) => [environment, shown(status)]),
  operation: null,
  ...values,
});
const place = (name: string, health: ProblemFacts['environments'][number]['health'] = 'online', values = {}) => ({
  name,
  health,
  since: 5,
  warnings: [],
  ...values,
});
const problems = (environments: ProblemFacts['environments'], apps: ProblemApp[], to: string | null = 'env_b') =>
  problemsOf({ environments, apps, doors: [], placeFor: () => to }, NOW);
const briefly = (...args: Parameters<typeof problems>) =>
  problems(...args).map(({ level, message, remedies }) => [
    level,
    message.code,
    remedies.map(({ kind }) => kind).join(),
  ]);

describe('problems, each with its remedies', () => {
  it('an environment that is down cuts off apps that are nowhere else: they can be moved', () => {
    const apps = [
      app('crm', { env_a: 'unknown' }),
      app('wiki', { env_a: 'unknown', env_b: 'running' }),
      app('old', { env_a: 'unknown' }, { desired: 'stopped' }),
    ];
    expect(problems([place('env_a', 'down'), place('env_b')], apps)).toEqual([
      {
        level: 'red',
        message: say('PROBLEM_APPS_CUT_OFF', { environment: 'env_a', count: 1 }),
        since: 5,
        remedies: [
          { kind: 'move', environment: 'env_a', to: 'env_b' },
          { kind: 'why', environment: 'env_a' },
        ],
      },
    ]);
    expect(briefly([place('env_a', 'down')], apps.slice(0, 1), null)).toEqual([
      ['red', 'PROBLEM_APPS_CUT_OFF', 'addEnvironment,why'],
    ]);
    expect(briefly([place('env_a', 'down'), place('env_b')], apps.slice(1))).toEqual([
      ['yellow', 'PROBLEM_ENVIRONMENT_DOWN', 'why,environments'],
    ]);
  });

  it('a Supervisor that observes nothing says so once', () => {
    const both = [place('env_a', 'unknown'), place('env_b', 'unknown')];
    expect(briefly(both, [app('crm', { env_a: 'unknown' })])).toEqual([['yellow', 'PROBLEM_UNOBSERVED', '']]);
    expect(briefly([place('env_a', 'unknown'), place('env_b')], [])).toEqual([
      ['yellow', 'PROBLEM_ENVIRONMENT_UNKNOWN', 'why'],
    ]);
  });

  it('an app without an environment can be assigned to one', () => {
    const [problem] = problems([place('env_a')], [app('crm', {}), app('old', {}, { desired: 'stopped' })]);
    expect(problem).toMatchObject({ level: 'red', message: { params: { apps: 'CRM', count: 1 } } });
    expect(problem.remedies).toEqual([
      { kind: 'assign', apps: ['crm'] },
      { kind: 'list', filter: 'no_environment' },
    ]);
  });

  it('an app that failed is red where it runs nowhere, and several are one problem', () => {
    const found = briefly([], [app('crm', { env_a: 'error', env_b: 'running' }), app('wiki', { env_a: 'error' })]);
    expect(found).toEqual([
      ['red', 'PROBLEM_APP_FAILED', 'restart,log'],
      ['yellow', 'PROBLEM_APP_FAILED', 'restart,log'],
    ]);
    const unreachable = app('crm', { env_a: 'error' });
    unreachable.statuses[0][1].error = { code: 'DATABASE_UNREACHABLE' };
    expect(briefly([], [unreachable])).toEqual([['red', 'PROBLEM_APP_FAILED', 'open,log']]);
    const offered = ['LOCK_LOST', 'APP_CRASH_LOOP', 'FAILED', 'NO_CAUSE', 'APP_STUCK', 'DATABASE_MISSING'].map(
      (code) => {
        unreachable.statuses[0][1].error = { code };
        return problems([], [unreachable])[0].remedies[0].kind;
      },
    );
    expect(offered).toEqual(['restart', 'restart', 'restart', 'restart', 'open', 'open']);
    const many = ['a', 'b', 'c', 'd'].map((name) => app(name, { env_a: 'error' }));
    expect(problems([], many)).toMatchObject([
      {
        message: say('PROBLEM_APPS_FAILED', { apps: 'A, B, C, …', count: 4 }),
        remedies: [{ kind: 'list', filter: 'error' }],
      },
    ]);
  });

  it('an operation that waits is a problem after two minutes', () => {
    const waits = (createdAt: number, waitingFor: ReturnType<typeof say> | null = say('NO_CAUSE')) =>
      app('crm', { env_a: 'running' }, { operation: { action: 'stop', waitingFor, createdAt } });
    expect(briefly([], [waits(NOW - 121_000)])).toEqual([['yellow', 'PROBLEM_OPERATION_WAITS', 'open']]);
    expect(briefly([], [waits(NOW - 119_000), waits(0, null)])).toEqual([]);
  });

  it('the same warning of several environments is one problem', () => {
    const warnings = [say('NO_CAUSE')];
    const all = [place('env_a', 'online', { warnings }), place('env_b', 'online', { warnings })];
    expect(problems(all, [])).toMatchObject([{ message: { params: { environments: 'env_a, env_b' } } }]);
  });
});

describe('what needs attention', () => {
  const used = (values: Partial<AttentionApp>): AttentionApp => ({
    name: 'crm',
    title: 'CRM',
    statuses: ['running'],
    version: '2.2.15',
    environmentVersions: ['2.2.15'],
    isDomainUnverified: false,
    lastUsedAt: NOW,
    ...values,
  });
  const kinds = (values: Partial<AttentionApp>, red = 0) =>
    attentionOf([used(values)], red, NOW).map(({ kind }) => kind);

  it('is what failed, is outdated or idle, and the red rows of the checklist', () => {
    expect(kinds({})).toEqual([]);
    expect(kinds({ statuses: ['error'] })).toEqual(['failed']);
    expect(kinds({ environmentVersions: ['2.3.0'] })).toEqual(['outdated']);
    expect(kinds({ version: null, environmentVersions: ['2.3.0'] })).toEqual([]);
    expect(kinds({ lastUsedAt: NOW - 31 * 24 * HOUR })).toEqual(['idle']);
    expect(kinds({ lastUsedAt: NOW - 31 * 24 * HOUR, statuses: ['dormant'] })).toEqual([]);
    expect(kinds({}, 2)).toEqual(['security']);
    expect(kinds({ isDomainUnverified: true })).toEqual(['domain']);
  });
});

describe('the history of load', () => {
  const sample = (value: number | null) => ({
    memory: value,
    cpu: value,
    delay: value,
    requests: value,
    errors: value,
  });
  const memory = (history: LoadHistory, now: number) => history.of('env_a', now).memory;

  it('is the last hour, with gaps where nothing is known', () => {
    const history = new LoadHistory();
    history.add('env_a', sample(1), NOW);
    history.add('env_a', sample(2), NOW + LOAD_STEP);
    history.add('env_a', sample(3), NOW + 3 * LOAD_STEP);
    expect(memory(history, NOW + 3 * LOAD_STEP).slice(-5)).toEqual([null, 1, 2, null, 3]);
    expect(memory(history, NOW + 3 * LOAD_STEP)).toHaveLength(LOAD_POINTS);
    history.add('env_a', sample(4), NOW + (LOAD_POINTS + 1) * LOAD_STEP);
    expect(memory(history, NOW + (LOAD_POINTS + 1) * LOAD_STEP).slice(0, 3)).toEqual([null, 3, null]);
  });

  it('begins again after a longer gap, and when the clock was set back', () => {
    const history = new LoadHistory();
    history.add('env_a', sample(1), NOW);
    history.add('env_a', sample(2), NOW + 10 * HOUR);
    expect(memory(history, NOW + 10 * HOUR).filter((value) => value !== null)).toEqual([2]);
    history.add('env_a', sample(3), NOW);
    expect(memory(history, NOW).filter((value) => value !== null)).toEqual([3]);
  });

  it('survives a restart coarsely', () => {
    const before = new LoadHistory();
    for (let index = 0; index < LOAD_POINTS; index++) before.add('env_a', sample(index), NOW + index * LOAD_STEP);
    const end = NOW + (LOAD_POINTS - 1) * LOAD_STEP;
    const stored = JSON.parse(JSON.stringify(before.coarse('env_a', end)));
    const after = new LoadHistory();
    after.restore('env_a', stored, end + 10 * LOAD_STEP);
    const values = memory(after, end + 10 * LOAD_STEP);
    expect(values.slice(0, 3)).toEqual([14.5, 14.5, 14.5]);
    expect(values.slice(-11)).toEqual([114.5, ...Array(10).fill(null)]);
    // What is of more than an hour ago is not shown as of now.
    const late = new LoadHistory();
    late.restore('env_a', stored, end + 2 * HOUR);
    expect(memory(late, end + 2 * HOUR).every((value) => value === null)).toBe(true);
  });

  it('takes fixed memory', () => {
    const history = new LoadHistory();
    for (let index = 0; index < 600; index++) history.add(`env_${index}`, sample(1), NOW);
    expect(history.of('env_499', NOW).memory.at(-1)).toBe(1);
    expect(history.of('env_500', NOW).memory.at(-1)).toBeNull();
    history.keep((name) => name === 'env_1');
    expect(history.of('env_499', NOW).memory.at(-1)).toBeNull();
  });
});

it('requests are counted by environment, those that failed too', () => {
  const traffic = new Traffic();
  for (const result of ['2xx', '4xx', 'ABORTED', '5xx', 'ENVIRONMENT_DOWN']) traffic.note('env_a', result);
  traffic.note('', '5xx');
  expect([...traffic.totals()]).toEqual([['env_a', { requests: 5, errors: 2 }]]);
});

describe('the history of an app', () => {
  const counted = (traffic: Record<string, number>) => {
    const all = new AppTraffic();
    for (const [app, requests] of Object.entries(traffic))
      for (let index = 0; index < requests; index++) all.note(app, '2xx', 10);
    return all.take();
  };
  /** A sample for each, one after the other. @returns the time of the last one */
  const record = (history: AppLoadHistory, ...samples: Array<Record<string, number>>) => {
    for (const [index, traffic] of samples.entries())
      history.sample(counted(traffic), LOAD_STEP, NOW + index * LOAD_STEP);
    return NOW + (samples.length - 1) * LOAD_STEP;
  };

  it('is what came a second, and within which time 95 % of the answers began', () => {
    const history = new AppLoadHistory();
    const all = new AppTraffic();
    for (let index = 0; index < 100; index++) all.note('crm', index < 3 ? '5xx' : '2xx', index < 94 ? 10 : 1_000);
    all.note('crm', 'UPSTREAM_TIMEOUT', null);
    // Nobody is to reach it, or its visitors wait for it, or have left.
    for (const result of ['APP_STOPPED', 'APP_PREPARING', 'APP_MOVING', 'ABORTED']) all.note('crm', result, null);
    all.note('', 'APP_NOT_FOUND', null);
    history.sample(all.take(), LOAD_STEP, NOW);
    expect(all.take().size).toBe(0);
    const { requests, errors, latency } = history.of('crm', NOW);
    expect(requests.at(-1)).toBeCloseTo(105 / 30, 2);
    expect(errors.at(-1)).toBeCloseTo(4 / 30, 2);
    // At most 19 % too high.
    expect(latency.at(-1)).toBeGreaterThanOrEqual(1_000);
    expect(latency.at(-1)).toBeLessThan(1_190);
  });

  it('is 0 where nobody came since the first sample, and not known before', () => {
    const history = new AppLoadHistory();
    expect(history.of('crm', NOW).requests.every((value) => value === null)).toBe(true);
    const now = record(history, {}, {}, { crm: 30 }, {});
    expect(history.of('crm', now)).toMatchObject({ isKept: true, end: now });
    expect(history.of('crm', now).requests.slice(-5)).toEqual([null, 0, 0, 1, 0]);
    expect(history.of('crm', now).latency.slice(-2)).toEqual([expect.any(Number), null]);
    expect(history.of('idle', now).requests.slice(-5)).toEqual([null, 0, 0, 0, null]);
  });

  it('is kept of the busiest only, and of none that nobody visits', () => {
    const history = new AppLoadHistory(2);
    let now = record(history, { one: 10, other: 5 }, { one: 10, third: 3 });
    expect(['one', 'other', 'third'].map((uid) => history.of(uid, now).isKept)).toEqual([true, true, false]);
    expect(history.of('third', now).requests.every((value) => value === null)).toBe(true);
    for (let index = 0; index < 60; index++) {
      now += LOAD_STEP;
      history.sample(counted({ one: 10, third: 3 }), LOAD_STEP, now);
    }
    expect(['one', 'other', 'third'].map((uid) => history.of(uid, now).isKept)).toEqual([true, false, true]);
    now += LOAD_POINTS * LOAD_STEP;
    history.sample(new Map(), LOAD_STEP, now);
    expect(history.of('other', now).isKept).toBe(true);
  });

  it('is of 1,000 apps at most, however many there are', () => {
    const history = new AppLoadHistory();
    const many = Object.fromEntries(Array.from({ length: 1_200 }, (_, index) => [`app_${index}`, 1 + (index % 2)]));
    const now = record(history, many);
    const kept = Object.keys(many).filter((uid) => history.of(uid, now).requests.some((value) => value !== null));
    expect(kept).toHaveLength(1_000);
    expect(Object.keys(many).filter((uid) => many[uid] === 2 && !kept.includes(uid))).toEqual([]);
  });
});

describe('the summary of a fleet', () => {
  it('counts each app once, by its worst status, and finds the problem and its remedy', async () => {
    const fleet = new MemoryFleet();
    const supervisor = await fleet.supervisor();
    const { part } = supervisor;
    for (const name of ['env_a', 'env_b']) await fleet.environment(name);
    await fleet.runningApp(supervisor, 'crm', ['env_a']);
    await fleet.runningApp(supervisor, 'wiki', ['env_b']);
    await fleet.runningApp(supervisor, 'docs', ['env_b', 'env_a']);
    await fleet.run(1_000, 'env_a', 'env_b');
    expect(part.parts.summary.get()).toMatchObject({
      total: 3,
      counts: { running: 3 },
      problems: [],
      environments: [
        { name: 'env_a', health: 'online', apps: { running: 2 } },
        { name: 'env_b', apps: { running: 2 } },
      ],
    });
    await fleet.run(40_000, 'env_b');
    const { problems, counts } = part.parts.summary.get();
    expect(problems).toMatchObject([
      {
        level: 'red',
        message: { code: 'PROBLEM_APPS_CUT_OFF' },
        remedies: [{ kind: 'move', to: 'env_b' }, { kind: 'why' }],
      },
    ]);
    expect(counts).toEqual({ running: 1, unknown: 2 });
  });

  it('has its load, also after a restart of the Supervisor', async () => {
    const fleet = new MemoryFleet();
    const { part } = await fleet.supervisor();
    await fleet.environment('env_a');
    await fleet.run(320_000, 'env_a');
    const [{ memory }] = part.parts.load.load().environments;
    expect(memory.filter((value) => value !== null).length).toBeGreaterThan(8);
    await part.prepareToLeave();
    part.stop();
    const second = await fleet.supervisor();
    const [after] = second.part.parts.load.load().environments;
    expect(after.memory.filter((value) => value !== null).length).toBeGreaterThan(8);
  });
});
