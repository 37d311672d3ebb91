import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort, HOST, Postgres, Redis } from '../../scripts/fleet';
import { waitForHttp } from '../../scripts/fleet/wait';
import { ROOT } from '../../scripts/lib/root.mjs';
import { type Env, INSTANCES, makeKeys, makeRoles, services } from '../support/compose';
import { ask } from '../support/http';
import { Installation } from '../support/installation';
import { Manager, signInTo, statusIn } from '../support/manager';

/**
 * What `docker compose up --build` brings up, without an engine of containers: the image's plugin by the Dockerfile's own
 * steps, and the services as processes with the very environments of docker-compose.yml. Only hosts, ports and folders are
 * others. The tests follow one another.
 */

const run = promisify(execFile);
const folder = fs.mkdtempSync(path.join(tmpdir(), 'app-supervisor-compose-'));
const dockerfile = fs.readFileSync(path.join(ROOT, 'Dockerfile'), 'utf8');
const NAMES = Object.keys(INSTANCES) as (keyof typeof INSTANCES)[];
/** Three instances one after the other, the first time with an installation. */
const MINUTES = 10 * 60_000;
const PLUGIN = 'node_modules/@nocobase/plugin-app-supervisor';

let postgres: Postgres;
let redis: Redis;
let installations: Record<string, Installation>;
let manager: Manager;

beforeAll(async () => {
  makeKeys(folder);
  expect(services.postgres.environment).toEqual({
    POSTGRES_USER: 'postgres',
    POSTGRES_PASSWORD_FILE: '/postgres/password',
  });
  postgres = new Postgres({
    port: await freePort(),
    password: fs.readFileSync(path.join(folder, 'postgres/password'), 'utf8'),
    dataDir: path.join(folder, 'postgres-data'),
    logFile: path.join(folder, 'postgres.log'),
    durable: false,
  });
  const users = path.join(folder, 'redis/users.acl');
  redis = new Redis({
    port: await freePort(),
    password: fs.readFileSync(path.join(folder, 'redis/default'), 'utf8'),
    users: Object.fromEntries(
      [...fs.readFileSync(users, 'utf8').matchAll(/^user (?!default)(\S+) (.*)$/gm)].map(([, name, rules]) => [
        name,
        rules,
      ]),
    ),
    dataDir: path.join(folder, 'redis-data'),
    logFile: path.join(folder, 'redis.log'),
  });
  await Promise.all([postgres.start(), redis.start()]);
});

afterAll(async () => {
  await Promise.all(Object.values(installations ?? {}).map((installation) => installation.remove()));
  await Promise.all([postgres?.stop(), redis?.stop()]);
  fs.rmSync(folder, { recursive: true, force: true });
});

it('the Dockerfile builds the plugin out of what it copies', async () => {
  const [build] = dockerfile.match(/^FROM .* AS build$.*?(?=^FROM )/ms)!;
  const source = path.join(folder, 'plugin');
  // .dockerignore leaves out everything and lets these in again.
  const taken = [...fs.readFileSync(path.join(ROOT, '.dockerignore'), 'utf8').matchAll(/^!(.+)$/gm)];
  for (const [, name] of taken) fs.cpSync(path.join(ROOT, name), path.join(source, name), { recursive: true });
  // What `npm ci` makes of the same lock file.
  expect(build).toContain('RUN npm ci --ignore-scripts\n');
  fs.symlinkSync(path.join(ROOT, 'node_modules'), path.join(source, 'node_modules'));
  const [, steps] = build.match(/^RUN (npm run build (?:.*\\\n)*.*)$/m)!;
  const inFolder = steps.replaceAll('/tmp', folder).replaceAll('/package', path.join(folder, 'package'));
  await run('sh', ['-euc', inFolder], { cwd: source });
  expect(fs.readdirSync(path.join(folder, 'package')).sort()).toEqual(
    expect.arrayContaining(['client-v2.js', 'client.js', 'dist', 'package.json', 'server.js']),
  );
  expect(dockerfile).toContain(`COPY --from=build /package /app/nocobase/${PLUGIN}\n`);
});

it('makes the roles and databases by its script, at each start', () => {
  const { entrypoint, volumes } = services.roles;
  expect(entrypoint).toEqual(['sh', '/scripts/database-roles.sh']);
  expect(volumes).toContain('./docker:/scripts:ro');
  for (let time = 0; time < 2; time++) makeRoles(folder, postgres.server);
});

it('starts in the file’s order, each when the one before it is healthy by its own check', {
  timeout: MINUTES,
}, async () => {
  installations = Object.fromEntries(await Promise.all(NAMES.map(async (name) => [name, await Installation.create()])));
  for (const name of NAMES) {
    const installation = installations[name];
    fs.cpSync(path.join(folder, 'package'), path.join(installation.folder, PLUGIN), { recursive: true });
    configure(name);
    const needs = Object.keys(services[name].depends_on ?? {}).filter((need) => need in installations);
    for (const need of needs) await expectHealthy(need);
    await installation.nocobase.start();
  }
  for (const name of NAMES) await expectHealthy(name);
});

describe('what has come up', () => {
  it('is one fleet without a warning, whose addresses all answer', async () => {
    const { url } = installations.supervisor;
    manager = new Manager(await installations.supervisor.signIn());
    for (const name of ['env_a', 'env_b']) {
      const row = await manager.untilEnvironment(name, ({ health }) => health === 'online', { what: 'is online' });
      expect(row.warnings).toEqual([]);
      const { data } = await manager.api.get('appEnvironments:check', { filterByTk: name });
      expect(data).toMatchObject({ web: { ok: true }, ws: { ok: true } });
    }
    expect((await ask(url, '/api/__live')).status).toBe(200);
  });

  // What lies in one alone shows whether that one is where the file says.
  it.each([
    ['composed', ['env_a', 'env_b']],
    ['only_a', ['env_a']],
    ['only_b', ['env_b']],
  ])('hosts an app, %s, in %s, which is entered through the Supervisor', async (name, environments) => {
    const app = await manager.create({ name, environments });
    for (const environment of environments) expect(statusIn(app, environment)).toBe('running');
    const api = await signInTo(installations.supervisor, name);
    expect((await api.get('app:getInfo')).data).toMatchObject({ name });
  });

  it('has the same again after a restart of all three', { timeout: MINUTES }, async () => {
    for (const name of NAMES) await installations[name].nocobase.restart();
    manager = new Manager(await installations.supervisor.signIn());
    await startByVisit(installations.supervisor.url);
    await signInTo(installations.supervisor, 'composed');
  });
});

/** As the container of a service: what the image sets, what the file sets, and the keys that the command reads. */
function configure(name: string): void {
  const { keys, password, worker } = makeKeys(folder);
  const isSupervisor = name === 'supervisor';
  const read = isSupervisor ? { ...keys, ...password } : worker(INSTANCES[name as keyof typeof INSTANCES]);
  const first: Record<string, string> = isSupervisor ? {} : { INIT_ROOT_PASSWORD: randomBytes(12).toString('hex') };
  const image = { APP_ENV: 'production', APP_LAUNCH_MODE: 'node' };
  installations[name].configure({ ...image, ...here({ ...services[name].environment, ...read }), ...first });
}

/** With the hosts and ports of this machine for those of the network of containers. */
function here({ DB_HOST, DB_PORT, ...env }: Env): Record<string, string> {
  expect([DB_HOST, DB_PORT]).toEqual(['postgres', '5432']);
  const { worker_a, worker_b } = installations;
  const places: [from: RegExp, to: string][] = [
    [/@redis:6379\//, `@${HOST}:${redis.port}/`],
    [/^http:\/\/(localhost:15000|worker_a)$/, worker_a.url],
    [/^http:\/\/(localhost:16000|worker_b)$/, worker_b.url],
  ];
  const moved = (value = '') => places.reduce((text, [from, to]) => text.replace(from, to), value);
  return {
    ...Object.fromEntries(Object.entries(env).map(([name, value]) => [name, moved(value)])),
    DB_HOST: postgres.server.host,
    DB_PORT: String(postgres.server.port),
  };
}

/** An app that starts on its first visit answers when it has. */
const startByVisit = (url: string) => waitForHttp(`${url}/api/__app/composed/app:getInfo`, { timeout: 240_000 });

/** By the command of its health check, which ends with 0 once it is. */
async function expectHealthy(name: string): Promise<void> {
  const [kind, program, ...args] = services[name].healthcheck!.test;
  expect([kind, program]).toEqual(['CMD', 'node']);
  const command = args.map((arg) => arg.replace('http://127.0.0.1:13000', installations[name].url));
  await expect
    .poll(
      () =>
        run(process.execPath, command).then(
          () => 'healthy',
          (error) => `ended with ${error.code}`,
        ),
      {
        timeout: 60_000,
        interval: 1_000,
      },
    )
    .toBe('healthy');
}
