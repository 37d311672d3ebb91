import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { ROOT } from '../../scripts/lib/root.mjs';
import { parseConfig, type SupervisorConfig, supervisorConfig } from '../../src/server/config';
import type { Env } from '../../src/server/config/variables';
import { keyringOf } from '../../src/server/core/wire';
import { AppSupervisorError } from '../../src/server/errors';
import { doorPasswordOf, environmentKeyOf, fleetKeyOf, Keyring } from '../../src/server/protocol/keyring';
import { parseInput } from '../../src/server/supervisor/definitions/input';
import { checkReach, probe } from '../../src/server/supervisor/fleet/reachability';
import { filesOf } from '../../src/server/supervisor/joining/files';
import { joinInput } from '../../src/server/supervisor/joining/join-input';
import { type ArrivalFacts, arrivalOf } from '../../src/server/supervisor/joining/joined-worker';
import { EnvironmentJoins, type EnvironmentJoinsOptions } from '../../src/server/supervisor/joining/joins';
import { keyFilesOf } from '../../src/server/supervisor/joining/key-files';
import { doorAcl, supervisorAcl, workerAcl } from '../../src/server/supervisor/joining/redis-user';
import { type JoinFacts, settingsFor } from '../../src/server/supervisor/joining/worker-settings';
import type { Event } from '../../src/shared/event';
import type { JoinRequest } from '../../src/shared/join';
import { FakeClock } from '../support/clock';
import { services } from '../support/compose';
import { registrationOf } from '../support/fixtures';
import { SeededRandom } from '../support/random';

/** How a Worker joins: what it is started with, and what is said of it until it is there. */

const START = { command: 'start', isMainThread: true };
const AES = 'ab'.repeat(32);
const REQUEST: JoinRequest = { name: 'env_b', url: 'http://localhost:16000' };

function facts(variables: Env = {}): JoinFacts {
  const env = {
    APP_MODE: 'supervisor',
    APP_DISCOVERY_ADAPTER: 'remote',
    APP_PROCESS_ADAPTER: 'remote',
    APP_COMMAND_ADAPTER: 'redis',
    APP_SUPERVISOR_REDIS_URL: 'redis://:pass@redis:6379/0',
    APP_COMMAND_REDIS_URL: 'redis://:pass@redis:6379/0',
    APP_SUPERVISOR_AES_SECRET_KEY: AES,
    APP_KEY: 'of the Supervisor',
    APP_SUPERVISOR_WORKER_NETWORK: 'nocobase-fleet_nocobase',
    APP_SUPERVISOR_WORKER_DB_USER: 'nocobase_worker',
    APP_SUPERVISOR_WORKER_DB_PASSWORD: 'of Workers',
    TZ: 'Asia/Shanghai',
    ...variables,
  };
  const config = parseConfig(env, START) as SupervisorConfig;
  const database = { dialect: 'postgres' as const, host: 'postgres', port: 5432 };
  return { ...config, fleetKey: keyringOf(config).fleetKey!, floor: 0, database };
}

const variablesOf = (given: JoinFacts, request: JoinRequest = REQUEST) =>
  Object.fromEntries(settingsFor(given, request).variables) as Record<string, string>;
const files = (given: JoinFacts, request: JoinRequest = REQUEST) => filesOf(settingsFor(given, request), 'first');

describe('the variables of a new environment', () => {
  it('are those of a Worker, with the key of its environment and no other secret of the fleet', () => {
    const variables = variablesOf(facts());
    const config = parseConfig({ ...variables, ENVIRONMENT_URL: REQUEST.url }, START);
    expect(config).toMatchObject({ part: 'worker', environment: { name: 'env_b' }, warnings: [] });
    expect(keyringOf(config).of('env_b')?.id).toBe(
      new Keyring({ fleetKey: facts().fleetKey, environment: null, atRest: null }).of('env_b')?.id,
    );
    expect(keyringOf(config).of('env_a')).toBeNull();
    const all = JSON.stringify(variables);
    for (const secret of [AES, 'of the Supervisor']) expect(all).not.toContain(secret);
    expect(variables.APP_SUPERVISOR_ENVIRONMENT_KEY).toBe(environmentKeyOf(facts().fleetKey, 'env_b').toString('hex'));
    expect(variables).toMatchObject({ DB_USER: 'nocobase_worker', DB_PASSWORD: 'of Workers', TZ: 'Asia/Shanghai' });
  });

  it('are the same for an equal request, and others for another name', () => {
    expect(variablesOf(facts())).toEqual(variablesOf(facts()));
    expect(variablesOf(facts()).APP_KEY).not.toBe(variablesOf(facts(), { ...REQUEST, name: 'env_c' }).APP_KEY);
  });

  it('are others once the environment was forgotten', () => {
    const supervisor = {
      APP_SUPERVISOR_AES_SECRET_KEY: AES,
      APP_SUPERVISOR_REDIS_URL: 'redis://supervisor:of-main@redis:6379/0',
      APP_COMMAND_REDIS_URL: 'redis://supervisor:of-main@redis:6379/0',
    };
    const [before, now] = [0, 100].map((floor) => ({ ...facts(supervisor), floor }));
    const changed = Object.entries(variablesOf(now)).filter(([name, value]) => variablesOf(before)[name] !== value);
    expect(changed.map(([name]) => name)).toEqual([
      'APP_SUPERVISOR_ENVIRONMENT_KEY',
      'APP_KEY',
      'APP_SUPERVISOR_REDIS_URL',
      'APP_COMMAND_REDIS_URL',
    ]);
    expect(settingsFor(now, REQUEST).steps).not.toEqual(settingsFor(before, REQUEST).steps);
    const own = files(now).shell.match(/APP_SUPERVISOR_ENVIRONMENT_KEY='(\w+)'/)?.[1];
    expect(own).toBe(environmentKeyOf(now.fleetKey, 'env_b', 100).toString('hex'));
    expect(files(now).kubernetes).toContain('ENVIRONMENT_FLOOR=100');
    expect(keyFilesOf(supervisorConfig(supervisor), ['env_b=100']).files.env_b).toContain(own);
  });

  it('have the settings in which the Supervisor differs from the defaults', () => {
    const own = {
      APP_SUPERVISOR_KEY_PREFIX: 'second',
      APP_PUBLIC_PATH: '/portal/',
      API_BASE_PATH: '/portal/rest/',
      WS_PATH: '/portal/ws',
      PLUGIN_STATICS_PATH: '/portal/static/plugins/',
      APP_MODERN_CLIENT_PREFIX: 'modern',
      APP_CLIENT_ENTRY_MODE: 'modern-only',
    };
    const variables = variablesOf(facts(own));
    expect(variables).toMatchObject({
      APP_SUPERVISOR_KEY_PREFIX: 'second',
      APP_PUBLIC_PATH: '/portal/',
      API_BASE_PATH: '/portal/rest/',
      APP_MODERN_CLIENT_PREFIX: 'modern',
      APP_CLIENT_ENTRY_MODE: 'modern-only',
    });
    // Follow from APP_PUBLIC_PATH.
    expect(variables).not.toHaveProperty('WS_PATH');
    for (const name of ['APP_SUPERVISOR_KEY_PREFIX', 'APP_MODERN_CLIENT_PREFIX', 'APP_CLIENT_ENTRY_MODE'])
      expect(variablesOf(facts())).not.toHaveProperty(name);
  });

  it('name Redis and the database server as the Worker reaches them', () => {
    const request = { ...REQUEST, redis: 'r.example.com:7000', database: '[fd00::1]:6000' };
    expect(variablesOf(facts(), request)).toMatchObject({
      APP_SUPERVISOR_REDIS_URL: 'redis://:pass@r.example.com:7000/0',
      DB_HOST: 'fd00::1',
      DB_PORT: '6000',
    });
    // The Supervisor itself makes the database where it reaches the server.
    expect(settingsFor(facts(), request).database.host).toBe('postgres');
    const local = { ...facts({ APP_SUPERVISOR_REDIS_URL: 'redis://127.0.0.1/0' }) };
    expect(settingsFor(local, REQUEST).warnings.map(({ code }) => code)).toEqual(['JOIN_LOOPBACK']);
    expect(settingsFor(local, request).warnings).toEqual([]);
  });

  it('have a Redis user of their own where the Supervisor has one, which an administrator makes', () => {
    const address = 'redis://fleet-supervisor:of-the-supervisor@redis:6379/0';
    const sentinels = JSON.stringify({
      sentinels: [{ host: 's' }],
      name: 'm',
      username: 'fleet-supervisor',
      password: 'of-the-supervisor',
    });
    const given = facts({ APP_SUPERVISOR_REDIS_URL: address, APP_COMMAND_REDIS_URL: sentinels });
    const variables = variablesOf(given);
    expect(JSON.stringify(variables)).not.toContain('of-the-supervisor');
    const { username, password } = new URL(variables.APP_SUPERVISOR_REDIS_URL);
    expect(JSON.parse(variables.APP_COMMAND_REDIS_URL)).toMatchObject({ username, password, name: 'm' });
    expect(settingsFor(given, REQUEST).steps).toEqual([
      { kind: 'redis', commands: expect.stringContaining(`ACL SETUSER ${username} on resetpass >${password} `) },
    ]);
    expect(settingsFor(facts(), REQUEST).steps).toEqual([]);
  });

  it('allow in Redis what docs/redis.md says', () => {
    const docs = fs.readFileSync(path.join(ROOT, 'docs/redis.md'), 'utf8');
    const user = { name: 'fleet-worker', password: 'WORKER-PASSWORD' };
    expect(docs).toContain(`\n${workerAcl(user, 'app-supervisor', 'env_a')}\n`);
    const supervisor = { name: 'fleet-supervisor', password: 'SUPERVISOR-PASSWORD' };
    expect(docs).toContain(`\n${supervisorAcl(supervisor, 'app-supervisor')}\n`);
    const door = { name: 'fleet-door', password: 'DOOR-PASSWORD' };
    expect(docs).toContain(`\n${doorAcl(door, 'app-supervisor')}\n`);
  });

  it.each([
    ['postgres', 'CREATE ROLE nocobase_env_b LOGIN CREATEDB CREATEROLE PASSWORD'],
    ['mariadb', "CREATE USER 'nocobase_env_b'@'%' IDENTIFIED BY"],
  ] as const)(
    'name a database role of their own on %s, which an administrator makes, where Workers share none',
    (dialect, sql) => {
      const given = facts({ APP_SUPERVISOR_WORKER_DB_USER: '' });
      given.database.dialect = dialect;
      const { DB_USER, DB_PASSWORD, DB_DATABASE } = variablesOf(given);
      expect([DB_USER, DB_DATABASE]).toEqual(['nocobase_env_b', 'nocobase_env_b']);
      const [{ kind, commands }] = settingsFor(given, REQUEST).steps;
      expect([kind, commands.includes(`${sql} '${DB_PASSWORD}';`)]).toEqual(['database', true]);
    },
  );
});

describe('the files', () => {
  it('start a service like those of docker-compose.yml, beside them', () => {
    const { services: made, volumes, networks } = parse(files(facts()).compose);
    const { 'worker-env-b': service } = made;
    const { depends_on, environment, command, networks: _, ...like } = services.worker_b as Record<string, any>;
    expect({ ...service, depends_on: undefined, environment: undefined, networks: undefined }).toEqual({
      ...like,
      container_name: 'worker-env-b',
      command: ['/app/start.sh', '/keys/worker.env'],
      volumes: ['keys:/keys:ro', 'storage:/app/nocobase/storage'],
    });
    expect(networks).toEqual({ fleet: { external: true, name: 'nocobase-fleet_nocobase' } });
    expect(volumes).toEqual({ keys: null, storage: null });
    const { TZ, ENVIRONMENT_PROXY_URL, DB_DATABASE, ...same } = environment;
    expect(service.environment).toMatchObject({ ...same, ENVIRONMENT_PROXY_URL: 'http://worker-env-b' });
  });

  /** What the container of a Worker is started with: `start.sh` reads the file, the rest is in its configuration. */
  const read = (file: string) => {
    const script = 'set -a; eval "$(cat)"; exec "$1" -e "console.log(JSON.stringify(process.env))"';
    const { PWD, SHLVL, _, ...all } = JSON.parse(
      execFileSync('sh', ['-c', script, '-', process.execPath], { env: {}, input: file, encoding: 'utf8' }),
    );
    return all;
  };

  it.each([undefined, "it's $HOME `id` \\ 100%"])('give the secrets by a file alone (a password %s)', (password) => {
    const given = facts(password === undefined ? {} : { APP_SUPERVISOR_WORKER_DB_PASSWORD: password });
    const { services: made, configs } = parse(files(given).compose);
    const open = made['worker-env-b'].environment as Record<string, string>;
    // As Compose interpolates it.
    const secrets = read(configs.secrets.content.replaceAll('$$', '$'));
    const { ENVIRONMENT_URL, ENVIRONMENT_PROXY_URL, APP_SUPERVISOR_RESTARTED, ...others } = open;
    expect(APP_SUPERVISOR_RESTARTED).toBe('true');
    expect({ ...secrets, ...others }).toEqual(variablesOf(given));
    expect(Object.keys(secrets).sort()).toEqual([
      'APP_COMMAND_REDIS_URL',
      'APP_KEY',
      'APP_SUPERVISOR_ENVIRONMENT_KEY',
      'APP_SUPERVISOR_REDIS_URL',
      'DB_PASSWORD',
    ]);
    for (const secret of Object.values(secrets)) expect(JSON.stringify(made)).not.toContain(secret);
  });

  it('run a container with the same options', () => {
    const folder = fs.mkdtempSync('/tmp/docker-run-');
    // The second one is that of the Worker.
    const program = `#!/bin/sh
cd ${folder}
if [ -f arguments ]; then mv arguments first-arguments; mv variables secrets; fi
printf '%s\\n' "$@" > arguments
cat /dev/stdin > variables
`;
    fs.writeFileSync(path.join(folder, 'docker'), program, { mode: 0o755 });
    execFileSync('bash', ['-c', files(facts()).docker], { env: { PATH: `${folder}:${process.env.PATH}` } });
    const args = fs.readFileSync(path.join(folder, 'arguments'), 'utf8').trim().split('\n');
    const given = (option: string) => args[args.indexOf(option) + 1];
    const { services: made } = parse(files(facts()).compose);
    const service = made['worker-env-b'];
    expect([given('--network'), given('--publish'), ...args.slice(-3)]).toEqual([
      'nocobase-fleet_nocobase',
      service.ports[0],
      service.image,
      ...service.command,
    ]);
    expect([given('--memory'), given('--pids-limit'), given('--log-driver')]).toEqual(['4096m', '512', 'json-file']);
    expect([given('--restart'), given('--stop-timeout'), given('--security-opt'), args.includes('--init')]).toEqual([
      'always',
      '60',
      service.security_opt[0],
      true,
    ]);
    const all = (option: string) => args.filter((_, index) => args[index - 1] === option);
    expect([all('--cap-drop'), all('--tmpfs'), args.includes('--read-only')]).toEqual([
      service.cap_drop ?? [],
      service.tmpfs ?? [],
      service.read_only ?? false,
    ]);
    expect(given('--health-cmd')).toBe(`node -e "${service.healthcheck.test[3]}"`);
    const lines = fs.readFileSync(path.join(folder, 'variables'), 'utf8').trim().split('\n');
    expect(lines).toEqual(Object.entries(service.environment).map(([name, value]) => `${name}=${value}`));
    const first = fs.readFileSync(path.join(folder, 'first-arguments'), 'utf8');
    const secrets = fs.readFileSync(path.join(folder, 'secrets'), 'utf8');
    expect({ ...read(secrets), ...service.environment }).toMatchObject(variablesOf(facts()));
    for (const secret of Object.values(read(secrets))) expect(`${first}${args.join('\n')}`).not.toContain(secret);
    expect([all('--volume'), first.includes('\nworker-env-b-keys:/keys\n')]).toEqual([
      ['worker-env-b-keys:/keys:ro', 'worker-env-b-storage:/app/nocobase/storage'],
      true,
    ]);
    fs.rmSync(folder, { recursive: true });
  });

  it('quote what a shell, and Compose, would replace', () => {
    const given = facts({ APP_SUPERVISOR_WORKER_DB_PASSWORD: "it's $HOME" });
    const { compose, shell } = files(given);
    expect(parse(compose).configs.secrets.content).toContain("DB_PASSWORD='it'\\''s $$HOME'\n");
    const run = `${shell.replace('yarn nocobase start', '')}\nprintf %s "$DB_PASSWORD $APP_PORT $INIT_ROOT_PASSWORD"`;
    expect(execFileSync('bash', ['-c', run], { encoding: 'utf8' })).toBe("it's $HOME 16000 first");
  });

  it('are an environment of deploy/kubernetes', () => {
    const file = path.join(ROOT, 'deploy/kubernetes/environments/env-a/kustomization.yaml');
    const { kubernetes } = files(facts(), { name: 'env_a', url: 'http://worker-env-a.nocobase.svc.cluster.local' });
    expect(parse(kubernetes)).toEqual(parse(fs.readFileSync(file, 'utf8')));
    const other = { name: 'Env_C.1', url: 'http://localhost:17000', proxyUrl: 'http://worker_c' };
    const { nameSuffix, configMapGenerator } = parse(files(facts(), other).kubernetes);
    expect(nameSuffix).toBe('-env-c-1');
    expect(configMapGenerator[0].literals).toEqual([
      'ENVIRONMENT_NAME=Env_C.1',
      'ENVIRONMENT_URL=http://localhost:17000',
      'ENVIRONMENT_PROXY_URL=http://worker_c',
      'DB_DATABASE=nocobase_env_c_1',
    ]);
  });
});

describe('a request', () => {
  it('has addresses as URL writes them, and nothing that a file or a shell would take for its own', () => {
    expect(parseInput(joinInput, { ...REQUEST, url: 'HTTP://Host\n:80/', image: '', proxyUrl: '' })).toEqual({
      ...REQUEST,
      url: 'http://host',
    });
  });

  it.each([
    ['url', 'ftp://host', 'INPUT_HTTP_ADDRESS'],
    ['url', 'http://me:secret@host', 'INPUT_HTTP_ADDRESS'],
    ['proxyUrl', 'worker:80', 'INPUT_HTTP_ADDRESS'],
    ['image', 'image; reboot', 'INPUT_IMAGE'],
    ['network', '$(reboot)', 'INPUT_NETWORK'],
    ['redis', 'redis://host', 'INPUT_SERVER'],
    ['database', 'host:port', 'INPUT_SERVER'],
  ])('is refused with %s %s', (field, value, code) => {
    const refused = () => parseInput(joinInput, { ...REQUEST, [field]: value });
    expect(refused).toThrow(
      expect.objectContaining({ code: 'INVALID_INPUT', field, params: { problem: expect.objectContaining({ code }) } }),
    );
  });
});

function joins(
  values: Partial<EnvironmentJoinsOptions> = {},
  known: Record<string, Partial<ReturnType<typeof registrationOf>>> = {},
) {
  const events: Event[] = [];
  const made: string[] = [];
  const expected: string[] = [];
  const given = facts();
  const options = {
    own: () => ({ config: { part: 'supervisor', ...given } }),
    database: () => given.database,
    keyring: { fleetKey: given.fleetKey, floorOf: () => 0 },
    events: { append: async (added: Event[]) => void events.push(...added) },
    environmentCache: {
      load: async () => undefined,
      expect: async (name: string, addresses: string[]) => void expected.push(name, ...addresses),
      names: () => Object.keys(known),
      registrationOf: (name: string) => (known[name] ? { ...registrationOf(name), ...known[name] } : null),
    },
    clock: new FakeClock(),
    random: new SeededRandom(1),
    createDatabase: async ({ database, username }: { database: string; username: string }) =>
      made.push(`${database} ${username}`) > 0,
    ...values,
  };
  return {
    made: new EnvironmentJoins(options as unknown as EnvironmentJoinsOptions),
    events,
    databases: made,
    expected,
  };
}

describe('appEnvironments:join', () => {
  it('is recorded without the secrets that it gives, and makes the main database', async () => {
    const { made, events, databases } = joins();
    const { files: given, warnings } = await made.join(REQUEST, '7');
    expect(warnings).toEqual([]);
    expect(databases).toEqual(['nocobase_env_b nocobase_worker']);
    expect(events).toMatchObject([{ environment: 'env_b', createdById: '7', message: { code: 'JOIN_REQUESTED' } }]);
    const key = environmentKeyOf(facts().fleetKey, 'env_b').toString('hex');
    expect(given.compose).toContain(key);
    for (const secret of [key, 'of Workers']) expect(JSON.stringify(events)).not.toContain(secret);
  });

  it('makes the database for a Worker that the Supervisor starts, and takes back only what it has made', async () => {
    for (const isNew of [true, false]) {
      const dropped: string[] = [];
      const { made } = joins({
        createDatabase: async () => isNew,
        dropDatabase: async ({ database }) => void dropped.push(database),
      });
      await (await made.prepare(REQUEST)).takeBack();
      expect(dropped).toEqual(isNew ? ['nocobase_env_b'] : []);
    }
  });

  it('names where its Worker will be reached, so that nobody has to confirm that', async () => {
    const { made, expected } = joins();
    await made.join(REQUEST, '7');
    await made.prepare({ ...REQUEST, proxyUrl: 'http://10.0.0.7' });
    expect(expected).toEqual(['env_b', REQUEST.url, 'http://worker-env-b', 'env_b', 'http://10.0.0.7']);
  });

  it('gives nothing if it cannot be recorded', async () => {
    const { made, databases } = joins({ events: { append: () => Promise.reject(new Error('Full.')) } });
    await expect(made.join(REQUEST, '7')).rejects.toThrow('Full.');
    expect(databases).toEqual([]);
  });

  it('says what will not work: no database, an address that another environment has', async () => {
    const error = new AppSupervisorError('DATABASE_UNREACHABLE', { server: 'postgres:5432', cause: 'refused' });
    const { made } = joins({ createDatabase: () => Promise.reject(error) }, { env_a: { url: REQUEST.url } });
    const { warnings } = await made.join(REQUEST, '7');
    expect(warnings.map(({ code }) => code)).toEqual(['JOIN_ADDRESS_TAKEN', 'JOIN_NO_DATABASE']);
    const again = await joins({}, { env_b: { url: 'http://b' } }).made.join(REQUEST, '7');
    expect(again.warnings.map(({ code }) => code)).toEqual(['JOIN_NAME_TAKEN']);
  });

  it('refuses a name whose database another environment has, and a process without Workers', async () => {
    await expect(joins({}, { 'env.b': {} }).made.join(REQUEST, '7')).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      field: 'name',
    });
    expect((await joins({}, { env_b: {} }).made.join(REQUEST, '7')).name).toBe('env_b');
    await expect(joins({ keyring: undefined }).made.join(REQUEST, '7')).rejects.toMatchObject({
      code: 'NOT_ON_THIS_PART',
    });
  });
});

describe('what is said of a newcomer', () => {
  const NOTHING: ArrivalFacts = {
    environment: 'env_b',
    address: 'http://b',
    health: null,
    trouble: null,
    probe: null,
    warnings: [],
    unreached: [],
  };
  it.each<[string, Partial<ArrivalFacts>, string, string[]]>([
    ['nothing is heard of it', {}, 'waiting', ['JOIN_SILENT']],
    ['it starts', { probe: 'starting' }, 'waiting', ['JOIN_STARTING']],
    ['something else answers', { probe: 'other' }, 'waiting', ['JOIN_NO_WORKER']],
    ['it has no lease yet', { probe: 'joining' }, 'waiting', ['JOIN_JOINING']],
    ['it does not reach Redis', { probe: 'alone' }, 'wrong', ['JOIN_NO_REDIS']],
    ['it is ready under another prefix', { probe: 'ready' }, 'wrong', ['JOIN_ELSEWHERE']],
    ['it was there before, and now is elsewhere', { probe: 'ready', health: 'down' }, 'wrong', ['JOIN_ELSEWHERE']],
    ['another one has the name', { probe: 'standby' }, 'wrong', ['JOIN_STANDBY']],
    ['it has another key', { probe: 'ready', trouble: 'KEY_DIFFERS' }, 'wrong', ['JOIN_OTHER_KEY']],
    ['it is of an old release', { probe: 'ready', trouble: 'OUTDATED' }, 'wrong', ['OUTDATED']],
    ['it is there', { probe: 'ready', health: 'online' }, 'arrived', []],
    [
      'it is there, of another release, and not reached',
      { health: 'online', warnings: [{ code: 'VERSION_DIFFERS' }], unreached: [{ code: 'JOIN_UNREACHED' }] },
      'arrived',
      ['JOIN_UNREACHED', 'VERSION_DIFFERS'],
    ],
  ])('if %s', (_, known, state, codes) => {
    const found = arrivalOf({ ...NOTHING, ...known });
    expect([found.state, found.messages.map(({ code }) => code)]).toEqual([state, codes]);
  });

  it.each([
    [0, true, 'REACH_ANSWERS'],
    [-4, true, 'REACH_ANSWERS'],
    [120, false, 'REACH_CLOCK'],
    [-120, false, 'REACH_CLOCK'],
  ])('whose clock is ahead by %d min is reached: %s', async (minutes, ok, code) => {
    const now = 1_800_000_000_000;
    const date = new Date(now + minutes * 60_000).toUTCString();
    const server = http.createServer((_, res) => res.writeHead(200, { Date: date }).end());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    expect((await checkReach(url, '/ws', now)).web).toMatchObject({ ok, message: { code } });
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  it.each([
    ['{"state":"alone"}', 'alone'],
    ['{"state":"<b>"}', 'other'],
    ['<html>', 'other'],
    ['x'.repeat(2_000), 'other'],
  ])('a probe that answers %s is %s', async (answer, state) => {
    const server = http.createServer((req, res) =>
      res.writeHead(req.url === '/portal/api/__ready' ? 503 : 404).end(answer),
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    expect(await probe(url, '/portal/api/')).toBe(state);
    await new Promise((resolve) => server.close(resolve));
    expect(await probe(url, '/api/')).toBeNull();
  });
});

describe('the files that docker-compose.yml and deploy/kubernetes give to Workers', () => {
  const supervisor = {
    APP_SUPERVISOR_AES_SECRET_KEY: AES,
    APP_SUPERVISOR_REDIS_URL: 'redis://supervisor:of-main@redis:6379/0',
    APP_COMMAND_REDIS_URL: 'redis://supervisor:of-main@redis:6379/0',
  };

  it('have what "Add environment" gives, as lines for a shell, and need no other variable of the Supervisor', () => {
    const { files: written, commands } = keyFilesOf(supervisorConfig(supervisor), ['env_b', 'env_c']);
    const given = facts(supervisor);
    const keys = ['APP_SUPERVISOR_ENVIRONMENT_KEY', 'APP_KEY', 'APP_SUPERVISOR_REDIS_URL', 'APP_COMMAND_REDIS_URL'];
    for (const name of ['env_b', 'env_c']) {
      const variables = variablesOf(given, { ...REQUEST, name });
      expect(written[name]).toBe(keys.map((key) => `${key}='${variables[key]}'\n`).join(''));
      expect(written[name]).not.toMatch(new RegExp(`${AES}|of-main`));
    }
    const steps = ['env_b', 'env_c'].flatMap((name) => settingsFor(given, { ...REQUEST, name }).steps);
    expect(commands).toEqual(steps.map((step) => step.commands));
  });

  it('come with the Supervisor’s own user where that is asked for, once for both addresses', () => {
    const user = { name: 'supervisor', password: 'of-main' };
    expect(keyFilesOf(supervisorConfig(supervisor), [], { supervisor: true })).toEqual({
      files: {},
      commands: [supervisorAcl(user, 'app-supervisor')],
    });
    const open = { APP_SUPERVISOR_REDIS_URL: 'redis://redis', APP_COMMAND_REDIS_URL: 'redis://:x@redis' };
    expect(
      keyFilesOf(supervisorConfig({ ...supervisor, ...open }), ['env_b'], { supervisor: true, door: true }).commands,
    ).toEqual([]);
  });

  it('of doors are a public key and a user of Redis, and nothing else', () => {
    const { files, commands } = keyFilesOf(supervisorConfig(supervisor), [], { door: true });
    const fleetKey = fleetKeyOf(Buffer.from(AES, 'hex'));
    const password = doorPasswordOf(fleetKey);
    expect(files['.door'].split('\n')).toEqual([
      `APP_SUPERVISOR_PUBLIC_KEY='${new Keyring({ fleetKey, environment: null, atRest: null }).publicKey}'`,
      `APP_SUPERVISOR_REDIS_URL='redis://door:${password}@redis:6379/0'`,
      '',
    ]);
    expect(commands).toEqual([doorAcl({ name: 'door', password }, 'app-supervisor')]);
  });

  it('are refused for what is no environment', () => {
    for (const name of ['../env', '', '-x y', 'env_b=x', '=100'])
      expect(() => keyFilesOf(supervisorConfig(supervisor), [name])).toThrow('no name');
  });
});
