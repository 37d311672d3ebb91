import type Redis from 'ioredis';
import { type Api, type Fleet, query, waitFor } from '../../scripts/fleet';
import { Keys } from '../../src/server/protocol/redis-keys';
import { appName, environmentsOf, pairsOf, type Size } from './data';
import type { Lead, SupervisorDatabase } from './lead';
import { type Load, round, type Spread, spreadOf, timed, vitalsOf, watch } from './measure';
import { sharedNow } from './messages';
import type { Simulation } from './simulation';
import type { SlowRedis } from './slow-redis';

const keys = new Keys('app-supervisor');

export interface Bench {
  fleet: Fleet;
  redis: Redis;
  simulation: Simulation;
  api: Api;
  database: SupervisorDatabase;
  /** Between the Supervisor and Redis, and between the Workers and Redis. Null for a Redis without latency. */
  slow: { supervisor: SlowRedis; workers: SlowRedis } | null;
}

/** A fleet at rest. */
export interface Rest extends Load {
  /** Transactions of the Supervisor a second. */
  transactions: number;
  /** Redis commands of the Supervisor a second; null without latency. */
  own: number | null;
}

/** The results of one size; times in ms unless they say otherwise. */
export interface Found {
  size: Size;
  list: Record<'first page' | 'last page' | 'filtered by status' | 'filtered by text' | 'environments', Spread>;
  /** SQL statements on the apps' table for one page. */
  statements: number;
  rest: Rest;
  /** The same with this many visits a second, spread over all apps; null if none were asked for. */
  visited: (Rest & { perSecond: number }) | null;
  lead: Lead;
  /** Resident memory of the Supervisor, in MB. */
  memory: number;
  restart: { answers: number; truth: number };
  flush: number;
  /** Null if each app has many environments: they restart one after the other, each leaving routing first. */
  change: { begins: Spread; seen: Spread; perSecond: number } | null;
  storm: (Load & { list: Spread; seconds: number }) | null;
}

/** How long the work on all apps may take, and how often is asked whether it is done, in ms: each answer counts all of them. */
const patienceFor = (size: Size) => ({
  timeout: 180_000 + 30 * pairsOf(size),
  interval: Math.max(100, pairsOf(size) / 50),
});

type Shown = Array<{ name: string; health: string; apps: { running?: number } }>;

/** Waits until everything is shown as running: the Supervisor's own count, in each environment. @returns how long it took, in ms */
export async function untilWhole({ api }: Pick<Bench, 'api'>, size: Size): Promise<number> {
  const begun = performance.now();
  let shown: Shown = [];
  const isWhole = async () => {
    shown = (await api.get('appEnvironments:list').catch(() => ({ data: [] }))).data;
    const running = shown.map(({ health, apps }) => (health === 'online' ? (apps.running ?? 0) : 0));
    return running.reduce((sum, count) => sum + count, 0) === pairsOf(size);
  };
  await waitFor(isWhole, { ...patienceFor(size), what: 'All apps being shown as running' }).catch((error) => {
    for (const { name, health, apps } of shown.slice(0, 5)) console.error(name, health, JSON.stringify(apps));
    throw error;
  });
  return performance.now() - begun;
}

export async function lists({ api }: Bench, size: Size): Promise<Found['list']> {
  const page = (params: object) => () => api.get('apps:list', { pageSize: 20, ...params });
  return {
    'first page': await timed(30, page({})),
    'last page': await timed(30, page({ page: Math.ceil(size.apps / 20) })),
    'filtered by status': await timed(30, page({ filter: { status: 'error' } })),
    'filtered by text': await timed(30, (i) => page({ filter: { title: { $includes: `number ${40 + i}` } } })()),
    environments: await timed(30, () => api.get('appEnvironments:list')),
  };
}

/** Number of SQL statements on the table of apps for ten requests of a page, from the server's own log. */
export async function statementsOfAPage({ fleet, api }: Bench): Promise<number> {
  const set = async (what: string) => {
    await query(fleet.postgresServer, 'postgres', `ALTER SYSTEM SET log_statement = '${what}'`);
    await query(fleet.postgresServer, 'postgres', 'SELECT pg_reload_conf()');
  };
  await set('all');
  await waitFor(
    async () => {
      const { rows } = await query(fleet.postgresServer, 'postgres', 'SHOW log_statement');
      return rows[0].log_statement === 'all';
    },
    { timeout: 5_000, what: 'The log of statements' },
  );
  const count = () =>
    (fleet.postgres?.logTail(1_000_000) ?? []).filter((line) => /FROM ("public"\.)?"apps"/.test(line)).length;
  const before = count();
  for (let i = 0; i < 10; i++) await api.get('apps:list', { pageSize: 20 });
  const made = count() - before;
  await set('none');
  return made / 10;
}

export async function restarts(bench: Bench, size: Size): Promise<Found['restart']> {
  const { fleet } = bench;
  await fleet.supervisor.stop();
  const begun = performance.now();
  await fleet.supervisor.start();
  const answers = performance.now() - begun;
  await untilWhole(bench, size);
  return { answers: round(answers), truth: round(performance.now() - begun) };
}

/**
 * From the loss of all content of Redis until everything is restored: the Supervisor's records and the Workers'
 * statuses.
 */
export async function flushes(bench: Bench, size: Size): Promise<number> {
  const { redis } = bench;
  await redis.flushall();
  const begun = performance.now();
  const stored = async () => {
    const counts = await Promise.all(
      environmentsOf(size).flatMap((name) => [redis.hlen(keys.records(name)), redis.hlen(keys.statuses(name))]),
    );
    return counts.reduce((sum, count) => sum + count, 0);
  };
  // In addition to the records, each environment has their count.
  const whole = 2 * pairsOf(size) + size.environments;
  await waitFor(async () => (await stored()) === whole, {
    ...patienceFor(size),
    what: 'All records and statuses being back',
  });
  await untilWhole(bench, size);
  return round(performance.now() - begun);
}

/**
 * One change after the other: when the Worker begins, from the answer, and when the list shows that it is done
 * everywhere.
 */
export async function changes(bench: Bench, size: Size): Promise<NonNullable<Found['change']>> {
  const { api, simulation } = bench;
  const begins: number[] = [];
  const seen: number[] = [];
  await simulation.ask({ do: 'begun' });
  for (let i = 1; i <= 30; i++) {
    const app = appName(i * Math.floor(size.apps / 31));
    const asked = performance.now();
    const { data } = await api.post(`apps:restart?filterByTk=${app}`);
    const accepted = sharedNow();
    const isOver = async () =>
      (await api.get('appOperations:get', { filterByTk: data[0].id })).data.finishedAt !== null;
    await waitFor(isOver, { timeout: 60_000, interval: 2, what: `The restart of ${app}` });
    seen.push(performance.now() - asked);
    const { begun = [] } = await simulation.ask({ do: 'begun' });
    const first = Math.min(...begun.filter((one) => one.app === app).map(({ at }) => at));
    begins.push(Math.max(0, first - accepted));
  }
  return { begins: spreadOf(begins), seen: spreadOf(seen), perSecond: await changesPerSecond(bench, size) };
}

/** Up to 200 changes of different apps, 16 at a time, until the last one is done. */
async function changesPerSecond({ api }: Bench, size: Size): Promise<number> {
  const begun = performance.now();
  let next = 0;
  const count = Math.min(200, size.apps - 1);
  const step = Math.floor(size.apps / (count + 1));
  const one = async () => {
    while (next < count) await api.post(`apps:restart?filterByTk=${appName(++next * step)}`);
  };
  await Promise.all(Array.from({ length: 16 }, one));
  const open = { state: { $in: ['queued', 'running'] } };
  await waitFor(async () => (await api.get('appOperations:list', { filter: open, pageSize: 1 })).meta.count === 0, {
    timeout: 300_000,
    interval: 50,
    what: 'The end of all changes',
  });
  return round(count / ((performance.now() - begun) / 1_000));
}

/** All Workers start at the same time, and boot all their apps with the duration and the messages of real ones. */
export async function storms(bench: Bench, size: Size): Promise<NonNullable<Found['storm']>> {
  const { redis, simulation, fleet, api } = bench;
  await simulation.ask({ do: 'stop' });
  await simulation.ask({ do: 'start', environments: environmentsOf(size), pace: 'real' });
  const begun = performance.now();
  let over = false;
  const whole = untilWhole(bench, size).finally(() => {
    over = true;
  });
  const listed: number[] = [];
  const lists = (async () => {
    while (!over) {
      const asked = performance.now();
      await api.get('apps:list', { pageSize: 20 });
      listed.push(performance.now() - asked);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  })();
  const load = await watch(redis, fleet.supervisor.pid as number, whole);
  await lists;
  const seconds = round((performance.now() - begun) / 1_000);
  await simulation.ask({ do: 'stop' });
  await simulation.ask({ do: 'start', environments: environmentsOf(size), pace: 'instant' });
  await untilWhole(bench, size);
  return { ...load, list: spreadOf(listed), seconds };
}

/** The load for this many ms. */
export async function rest({ redis, fleet, database, slow }: Bench, ms: number): Promise<Rest> {
  const counts = async () => [await database.transactions(), (await slow?.supervisor.commands()) ?? null] as const;
  const before = await counts();
  const begun = performance.now();
  const load = await watch(redis, fleet.supervisor.pid as number, ms);
  const after = await counts();
  const perSecond = (count: number) => round((count * 1_000) / (performance.now() - begun));
  const own = after[1] === null || before[1] === null ? null : perSecond(after[1] - before[1]);
  return { ...load, transactions: perSecond(after[0] - before[0]), own };
}

/** The load for this many ms, with visits to apps. */
export async function visits(bench: Bench, perSecond: number, ms: number): Promise<NonNullable<Found['visited']>> {
  await bench.simulation.ask({ do: 'visit', perSecond });
  // The first visits of all apps do not count.
  await rest(bench, 15_000);
  const found = await rest(bench, ms);
  await bench.simulation.ask({ do: 'visit', perSecond: 0 });
  return { ...found, perSecond };
}

export const memoryOf = ({ fleet }: Bench): number => vitalsOf(fleet.supervisor.pid as number).rssMb;
