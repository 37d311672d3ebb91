import { mkdirSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import Redis from 'ioredis';
import { Fleet, query } from '../../scripts/fleet';
import { terminalProgress } from '../../scripts/fleet/progress';
import { ROOT } from '../../scripts/lib/root.mjs';
import { environmentsOf, nameOf, type Size, writeApps } from './data';
import { watch } from './measure';
import { missed, tableOf } from './report';
import {
  type Bench,
  changes,
  type Found,
  flushes,
  lists,
  memoryOf,
  restarts,
  statementsOfAPage,
  storms,
  untilWhole,
} from './scenario';
import { Simulation } from './simulation';

/**
 * `npm run bench:scale`: a real Supervisor (NocoBase, Redis, PostgreSQL) with simulated Workers, which are the plugin's
 * own Worker code on the real protocol, without the apps. Sizes take turns, so that compared results come from the same
 * run.
 *
 * `-- --sizes 50x1000,200x10000` (environments, apps, and with a third number the environments of each app),
 * `--rounds 2`, `--rest SECONDS`, `--json FILE`, `--profile FOLDER` (of the Supervisor, by Node.js).
 */

const SIZES = '50x1000,200x10000,50x1000x50';
/** Two of the comparisons that every process makes. */
const REST = '60';

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      sizes: { type: 'string', default: SIZES },
      rounds: { type: 'string', default: '2' },
      json: { type: 'string', default: path.join(ROOT, '.fleet', 'bench-scale.json') },
      rest: { type: 'string', default: REST },
      profile: { type: 'string' },
    },
  });
  const sizes = values.sizes.split(',').map((text): Size => {
    const [environments, apps, spread = 1] = text.split('x').map(Number);
    return { environments, apps, spread };
  });
  const found: Found[] = [];
  const bench = await begin(values.profile);
  try {
    for (let round = 1; round <= Number(values.rounds); round++) {
      for (const size of sizes) {
        console.log(`Round ${round}: ${nameOf(size)}`);
        found.push(await measure(bench, size, Number(values.rest) * 1_000));
      }
    }
  } finally {
    bench.simulation.end();
    bench.redis.disconnect();
    await bench.fleet.stop();
  }
  const machine = { cpu: os.cpus()[0]?.model, cores: os.cpus().length, memoryGb: Math.round(os.totalmem() / 2 ** 30) };
  const versions = { node: process.version, nocobase: '2.2.15', kernel: os.release() };
  mkdirSync(path.dirname(values.json), { recursive: true });
  writeFileSync(values.json, JSON.stringify({ at: new Date().toISOString(), machine, versions, found }, null, 2));
  console.log(tableOf(found));
  const problems = missed(found);
  for (const problem of problems) console.log(`Missed: ${problem}`);
  if (problems.length) process.exitCode = 1;
}

async function begin(profile?: string): Promise<Bench> {
  const options = profile ? ` --cpu-prof --cpu-prof-dir=${profile}` : '';
  const fleet = await Fleet.start(
    {
      name: 'bench-scale',
      port: 'free',
      workers: 0,
      reset: true,
      durable: false,
      ...(profile ? { instanceEnv: { supervisor: { NODE_OPTIONS: `--preserve-symlinks${options}` } } } : {}),
    },
    terminalProgress(),
  );
  const simulation = new Simulation();
  try {
    const { env, database } = fleet.supervisor;
    const { rows } = await query(
      fleet.postgresServer,
      database,
      'SELECT name, version FROM "applicationPlugins" WHERE enabled AND "builtIn"',
    );
    const setup = {
      redisUrl: fleet.redisUrl as string,
      postgres: fleet.postgresServer,
      database: 'postgres',
      appKey: String(env.APP_KEY),
      aesKey: String(env.APP_SUPERVISOR_AES_SECRET_KEY),
      appVersion: '2.2.15',
      plugins: rows,
    };
    await simulation.ask({ do: 'setup', setup });
    return { fleet, simulation, redis: new Redis(fleet.redisUrl as string), api: await fleet.supervisor.signIn() };
  } catch (error) {
    simulation.end();
    await fleet.stop();
    throw error;
  }
}

/** All results of one size, on a fleet that starts again with it. */
async function measure(bench: Bench, size: Size, restMs: number): Promise<Found> {
  const { fleet, redis, simulation } = bench;
  await simulation.ask({ do: 'stop' });
  await fleet.supervisor.stop();
  await redis.flushall();
  await writeApps(fleet.postgresServer, fleet.supervisor.database, size);
  await fleet.supervisor.start();
  await simulation.ask({ do: 'start', environments: environmentsOf(size), pace: 'instant' });
  await untilWhole(bench, size);
  const restart = await restarts(bench, size);
  // The work after a start does not count as idle.
  await watch(redis, fleet.supervisor.pid as number, 15_000);
  const rest = await watch(redis, fleet.supervisor.pid as number, restMs);
  const memory = memoryOf(bench);
  console.log(JSON.stringify({ restart, rest, memory }));
  const list = await lists(bench, size);
  const statements = await statementsOfAPage(bench);
  console.log(JSON.stringify({ list, statements }));
  const change = size.spread === 1 ? await changes(bench, size) : null;
  const flush = await flushes(bench, size);
  console.log(JSON.stringify({ change, flush }));
  // One machine cannot simulate the boots of a larger size.
  const storm = size.apps <= 1_000 && size.spread === 1 ? await storms(bench, size) : null;
  return { size, restart, rest, memory, list, statements, change, flush, storm };
}

await main();
