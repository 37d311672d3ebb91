import { mkdirSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import Redis from 'ioredis';
import { Fleet, freePort, query, Redis as RedisServer } from '../../scripts/fleet';
import { terminalProgress } from '../../scripts/fleet/progress';
import { ROOT } from '../../scripts/lib/root.mjs';
import { environmentsOf, nameOf, type Size, writeApps } from './data';
import { SupervisorDatabase } from './lead';
import { watch } from './measure';
import { missed, tableOf } from './report';
import {
  type Bench,
  changes,
  type Found,
  flushes,
  lists,
  memoryOf,
  rest,
  restarts,
  statementsOfAPage,
  storms,
  untilWhole,
  visits,
} from './scenario';
import { Simulation } from './simulation';
import { SlowRedis } from './slow-redis';

/**
 * `npm run bench:scale`: a real Supervisor (NocoBase, Redis, PostgreSQL) with simulated Workers, which are the plugin's
 * own Worker code on the real protocol, without the apps. Sizes take turns, so that compared results come from the same
 * run.
 *
 * `-- --sizes 50x1000,200x10000` (environments, apps, and with a third number the environments of each app),
 * `--latency MS` (of each Redis command, there and back: half of it each way), `--visits N` (a second, spread over all
 * apps), `--rounds 2`, `--rest SECONDS`, `--json FILE`, `--profile FOLDER` (of the Supervisor, for Chromium's developer tools).
 */

const SIZES = '50x1000,200x10000,50x1000x50';
/** Two of the comparisons that every process makes. */
const REST = '60';
const PROFILE = path.join(ROOT, 'bench/scale/profile.cjs');

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      sizes: { type: 'string', default: SIZES },
      rounds: { type: 'string', default: '2' },
      json: { type: 'string', default: path.join(ROOT, '.fleet', 'bench-scale.json') },
      rest: { type: 'string', default: REST },
      latency: { type: 'string', default: '0' },
      visits: { type: 'string', default: '0' },
      profile: { type: 'string' },
    },
  });
  const sizes = values.sizes.split(',').map((text): Size => {
    const [environments, apps, spread = 1] = text.split('x').map(Number);
    return { environments, apps, spread };
  });
  const found: Found[] = [];
  const bench = await begin(Number(values.latency), values.profile);
  try {
    for (let round = 1; round <= Number(values.rounds); round++) {
      for (const size of sizes) {
        console.log(`Round ${round}: ${nameOf(size)}`);
        found.push(await measure(bench, size, Number(values.rest) * 1_000, Number(values.visits)));
      }
    }
  } finally {
    await bench.end();
  }
  const machine = { cpu: os.cpus()[0]?.model, cores: os.cpus().length, memoryGb: Math.round(os.totalmem() / 2 ** 30) };
  const versions = { node: process.version, nocobase: '2.2.15', kernel: os.release() };
  mkdirSync(path.dirname(values.json), { recursive: true });
  writeFileSync(
    values.json,
    JSON.stringify(
      { at: new Date().toISOString(), machine, versions, latency: Number(values.latency), found },
      null,
      2,
    ),
  );
  console.log(tableOf(found));
  const problems = missed(found);
  for (const problem of problems) console.log(`Missed: ${problem}`);
  if (problems.length) process.exitCode = 1;
}

async function begin(latency: number, profile?: string): Promise<Bench & { end(): Promise<void> }> {
  const ends: Array<() => unknown> = [];
  const end = async () => {
    for (const one of ends.reverse()) await one();
  };
  try {
    const slow = latency > 0 ? await startSlowRedis(latency, ends) : null;
    const fleet = await startFleet(slow?.supervisor.url, profile);
    ends.push(() => fleet.stop());
    const simulation = new Simulation();
    ends.push(() => simulation.end());
    const { env, database } = fleet.supervisor;
    const { rows } = await query(
      fleet.postgresServer,
      database,
      'SELECT name, version FROM "applicationPlugins" WHERE enabled AND "builtIn"',
    );
    const setup = {
      redisUrl: slow?.workers.url ?? (fleet.redisUrl as string),
      postgres: fleet.postgresServer,
      database: 'postgres',
      appKey: String(env.APP_KEY),
      aesKey: String(env.APP_SUPERVISOR_AES_SECRET_KEY),
      appVersion: '2.2.15',
      plugins: rows,
    };
    await simulation.ask({ do: 'setup', setup });
    const redis = new Redis(slow?.url ?? (fleet.redisUrl as string));
    ends.push(() => redis.disconnect());
    const supervisorDatabase = await SupervisorDatabase.open(fleet.postgresServer, database);
    ends.push(() => supervisorDatabase.end());
    return { fleet, simulation, redis, api: await fleet.supervisor.signIn(), database: supervisorDatabase, slow, end };
  } catch (error) {
    await end();
    throw error;
  }
}

async function startSlowRedis(latency: number, ends: Array<() => unknown>) {
  const port = await freePort();
  const server = new RedisServer({ port, dataDir: null, logFile: path.join(ROOT, '.fleet', 'bench-scale-redis.log') });
  await server.start();
  ends.push(() => server.stop());
  const [supervisor, workers] = [await SlowRedis.start(port, latency), await SlowRedis.start(port, latency)];
  ends.push(() => supervisor.end());
  ends.push(() => workers.end());
  return { supervisor, workers, url: server.url };
}

function startFleet(redisUrl?: string, profile?: string): Promise<Fleet> {
  const supervisor = {
    // A Redis of ours, which no other fleet uses.
    APP_SUPERVISOR_KEY_PREFIX: 'app-supervisor',
    ...(profile
      ? { NODE_OPTIONS: `--preserve-symlinks --require ${PROFILE}`, BENCH_PROFILE: path.resolve(profile) }
      : {}),
  };
  const size = { name: 'bench-scale', port: 'free', workers: 0, reset: true, durable: false } as const;
  return Fleet.start({ ...size, redisUrl, instanceEnv: { supervisor } }, terminalProgress());
}

/** All results of one size, on a fleet that starts again with it. */
async function measure(bench: Bench, size: Size, restMs: number, perSecond: number): Promise<Found> {
  const { fleet, redis, simulation, database } = bench;
  await simulation.ask({ do: 'stop' });
  await fleet.supervisor.stop();
  await redis.flushall();
  await writeApps(fleet.postgresServer, fleet.supervisor.database, size);
  await fleet.supervisor.start();
  await simulation.ask({ do: 'start', environments: environmentsOf(size), pace: 'instant' });
  await untilWhole(bench, size);
  const restart = await restarts(bench, size);
  const endOfLead = database.watchLead();
  // The work after a start does not count as idle.
  await watch(redis, fleet.supervisor.pid as number, 15_000);
  const atRest = await rest(bench, restMs);
  const memory = memoryOf(bench);
  console.log(JSON.stringify({ restart, rest: atRest, memory }));
  const visited = perSecond ? await visits(bench, perSecond, restMs) : null;
  if (visited) console.log(JSON.stringify({ visited }));
  const list = await lists(bench, size);
  const statements = await statementsOfAPage(bench);
  console.log(JSON.stringify({ list, statements }));
  const change = size.spread === 1 ? await changes(bench, size) : null;
  const flush = await flushes(bench, size);
  // One machine cannot simulate the boots of a larger size.
  const storm = size.apps <= 1_000 && size.spread === 1 ? await storms(bench, size) : null;
  const lead = endOfLead();
  console.log(JSON.stringify({ change, flush, lead }));
  return { size, restart, rest: atRest, visited, lead, memory, list, statements, change, flush, storm };
}

await main();
