import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Fleet, type PostgresServer } from '../../scripts/fleet';
import { recorderEnv } from '../../scripts/fleet/process-recorder';
import { startPostgres } from '../setup/services';
import { bootsOf } from '../support/boots';
import { FaultyPostgres, POSTGRES_FAULTS } from '../support/faulty-postgres';
import { ask } from '../support/http';
import { Manager, signInTo } from '../support/manager';
import { stopwatch } from '../support/measure';
import { allIsTrueAgain } from '../support/truth';
import { endUnharmed } from '../support/verdict';
import { until } from '../support/wait';

/**
 * NocoBase's own processes, with a PostgreSQL each for the Supervisor, for one of two Workers, and for one app, which fail
 * one after the other. Visitors of the other apps notice nothing.
 */

const LASTS = 10_000;
const WITHIN = 30_000;
const NAME = 'databases';
/** Of each environment, an app whose data are on a server that never fails. */
const UNTOUCHED = { steady_a: 'env_a', steady_b: 'env_b' };
const VICTIM = 'victim';
const APPS = [...Object.keys(UNTOUCHED), VICTIM];
/** Whose database fails, and the name of that database. */
const PARTS = { supervisor: 'nocobase_supervisor', env_a: 'nocobase_worker_a', [VICTIM]: VICTIM };

let fleet: Fleet;
let manager: Manager;
const servers = new Map<string, FaultyPostgres>();
const closing: Array<() => Promise<unknown>> = [];
let visited: Visit[];
let victimHeaders: Record<string, string>;
let visiting: NodeJS.Timeout | undefined;

interface Visit {
  url: string;
  path: string;
  headers: Record<string, string>;
}

const ownDatabase = ({ host, port, user: username, password }: PostgresServer, database: string) => ({
  dbConnType: 'new_connection',
  database: { dialect: 'postgres', host, port, username, password, database },
});

beforeAll(async () => {
  const safe = await startPostgres();
  closing.push(() => safe.stop());
  const instanceEnv: Record<string, Record<string, string>> = {};
  for (const [part, database] of Object.entries(PARTS)) {
    const postgres = await FaultyPostgres.start();
    closing.push(() => postgres.stop());
    servers.set(part, postgres);
    if (part === VICTIM) continue;
    await postgres.createDatabase(database);
    const { port, user, password } = postgres.server;
    instanceEnv[part] = { DB_PORT: String(port), DB_USER: user, DB_PASSWORD: password };
  }
  const env = recorderEnv(NAME);
  fleet = await Fleet.start({ name: NAME, port: 'free', reset: true, postgres: safe.server, env, instanceEnv });
  manager = await Manager.of(fleet);
  const app = (name: string, environment: string, server: PostgresServer) =>
    manager.create({ name, environments: [environment], startMode: 'withMain', options: ownDatabase(server, name) });
  for (const [name, environment] of Object.entries(UNTOUCHED)) await app(name, environment, safe.server);
  await app(VICTIM, 'env_a', servers.get(VICTIM)!.server);
  victimHeaders = await signedIn(VICTIM, 'env_a');
  visited = (
    await Promise.all(Object.entries(UNTOUCHED).map(([name, environment]) => visitsOf(name, environment)))
  ).flat();
}, 15 * 60_000);

afterEach(() => clearInterval(visiting));

afterAll(async () => {
  try {
    if (fleet) await endUnharmed(fleet);
  } finally {
    for (const close of closing.reverse()) await close();
  }
});

async function signedIn(app: string, environment: string) {
  const { token } = await signInTo(fleet.worker(environment), app);
  return { Authorization: `Bearer ${token}`, 'X-Authenticator': 'basic' };
}

/** Through the Supervisor and at the Worker itself, signed in and not; the second one reads the app's database. */
async function visitsOf(app: string, environment: string): Promise<Visit[]> {
  const headers = await signedIn(app, environment);
  return [fleet.supervisor, fleet.worker(environment)].flatMap(({ url }) => [
    { url, path: `/api/__app/${app}/systemSettings:get`, headers: {} },
    { url, path: `/api/__app/${app}/users:list`, headers },
  ]);
}

/** Every visit twice a second, whether or not the one before was answered. */
function visitors() {
  const failures: string[] = [];
  const took: number[] = [];
  const going: Array<Promise<void>> = [];
  const begun = performance.now();
  const visit = async ({ url, path, headers }: Visit) => {
    const from = performance.now();
    const answer = await ask(url, path, { headers, timeout: 30_000 }).catch(({ message }: Error) => ({
      status: 0,
      text: message,
    }));
    took.push(performance.now() - from);
    if (answer.status === 200) return;
    failures.push(`after ${Math.round(from - begun)} ms, ${url}${path}: ${answer.status} ${answer.text.slice(0, 200)}`);
  };
  visiting = setInterval(() => going.push(...visited.map(visit)), 500);
  return {
    async end(during: string): Promise<string[]> {
      clearInterval(visiting);
      await Promise.all(going);
      const slowest = (Math.max(...took) / 1000).toFixed(2);
      console.log(
        `measured: ${during}: ${took.length} visits of other apps, ${failures.length} failed, slowest ${slowest} s`,
      );
      return failures;
    },
  };
}

/** Asks what reads the failing database. @returns the answers */
async function askThere(part: string, during: string): Promise<string[]> {
  const answers = new Map<string, number>();
  const took: number[] = [];
  const [url, path] = {
    supervisor: [fleet.supervisor.url, '/api/systemSettings:get'],
    env_a: [fleet.worker('env_a').url, '/api/systemSettings:get'],
    [VICTIM]: [fleet.worker('env_a').url, `/api/__app/${VICTIM}/systemSettings:get`],
  }[part]!;
  for (const end = performance.now() + LASTS; performance.now() < end; await sleep(500)) {
    const from = performance.now();
    const { status, code = '' } = await ask(url, path, { timeout: 90_000 });
    took.push(performance.now() - from);
    const answer = `${status} ${code}`.trim();
    answers.set(answer, (answers.get(answer) ?? 0) + 1);
  }
  const told = [...answers].map(([answer, times]) => `${answer} (${times} times)`).join(', ');
  console.log(`measured: ${during}: what reads it answers ${told}, slowest ${(Math.max(...took) / 1000).toFixed(2)} s`);
  return [...answers.keys()];
}

/** Pids of all processes, and how often each app was booted. */
const processes = () => ({
  pids: fleet.instances.map(({ pid }) => pid),
  boots: APPS.map((app) => bootsOf(fleet, app).length),
});

/** Nothing of what the Supervisor answers is asked before it answers again. */
async function works(after: string): Promise<void> {
  const took = stopwatch();
  const title = `After ${after}`;
  const { data } = await until(
    'A change to be accepted',
    () => manager.api.post(`apps:update?filterByTk=${VICTIM}`, { title }).catch(() => null),
    WITHIN,
  );
  await manager.succeeded(data.operation, WITHIN);
  const { url } = fleet.worker('env_a');
  const answers = async () =>
    (await ask(url, `/api/__app/${VICTIM}/users:list`, { headers: victimHeaders })).status === 200;
  await until('The app to answer', answers, WITHIN);
  await allIsTrueAgain(fleet, manager, APPS, after);
  expect((await manager.app(VICTIM)).title).toBe(title);
  expect(took(`${after}: changes work, and the app on it answers`)).toBeLessThan(WITHIN);
}

describe.each(Object.entries(PARTS))(
  'visitors of other apps notice nothing while the PostgreSQL of %s',
  (part, database) => {
    const postgres = () => servers.get(part)!;

    it.each(POSTGRES_FAULTS)('$what', async ({ what, isGone, begins, ends }) => {
      const fault = `PostgreSQL of ${part} ${what}`;
      const before = processes();
      const visits = visitors();
      await begins(postgres());
      const answers = await askThere(part, fault).finally(() => ends(postgres()));
      if (isGone) expect(answers).not.toContain('200');
      await works(fault);
      expect(await visits.end(fault)).toEqual([]);
      expect(processes()).toEqual(before);
    });

    it('fails over to an older copy', async () => {
      const fault = `PostgreSQL of ${part} fails over to an older copy`;
      const before = processes();
      const visits = visitors();
      const failOver = await postgres().copy(database);
      await until('A change', () => manager.update(VICTIM, { title: 'Newer than the copy' }).catch(() => null), WITHIN);
      await failOver();
      await askThere(part, fault);
      await works(fault);
      expect(await visits.end(fault)).toEqual([]);
      expect(processes()).toEqual(before);
    });
  },
);
