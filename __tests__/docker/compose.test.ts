import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { docker, dockerEnv } from '../../scripts/docker/engine';
import { waitFor, waitForHttp } from '../../scripts/fleet';
import { ROOT } from '../../scripts/lib/root.mjs';
import type { ContainerRow } from '../../src/shared/container';
import type { JoinAnswer } from '../../src/shared/join';
import type { AppRow } from '../../src/shared/types';
import { ComposedFleet } from '../support/composed-fleet';
import { ask, Tab } from '../support/http';
import { Manager, signInTo, statusIn } from '../support/manager';
import { read, signInAt, upload } from '../support/uploads';

/** `docker compose up --build` in a real engine, and what a user then does. The tests follow one another. */

const INSTANCES = ['supervisor', 'worker_a', 'worker_b'];
const DOOR = ['door', 'haproxy'];
const ENVIRONMENTS = ['env_a', 'env_b'];
const MINUTE = 60_000;

/** Variables that no container's configuration shows. */
const SECRETS =
  /\b(APP_KEY|INIT_ROOT_PASSWORD|DB_PASSWORD|\w+_REDIS_URL|APP_SUPERVISOR_(AES_SECRET|ENVIRONMENT)_KEY)=./;

const fleet = new ComposedFleet();
const visitors = { url: fleet.supervisor };
let password: string;
let manager: Manager;
let before: Record<'volumes' | 'images', string[]>;

const ids = async (...args: string[]) => (await docker([...args, '--quiet'])).split('\n').filter(Boolean).sort();
/** What nobody will ever use again. */
const leftovers = async () => ({
  volumes: await ids('volume', 'ls', '--filter', 'dangling=true', '--filter', 'label=com.docker.volume.anonymous'),
  images: await ids('images', '--filter', 'dangling=true'),
});
const untilOnline = (name: string) =>
  manager.untilEnvironment(name, ({ health }) => health === 'online', { timeout: 12 * MINUTE, what: 'is online' });
/** Containers and volumes that the tests make beside those of docker-compose.yml. */
const removeOthers = async () => {
  for (const name of ['worker-env-c', 'worker-env-d']) {
    for (const id of await ids('ps', '--all', '--filter', `name=^${name}`)) await docker(['rm', '--force', id]);
    for (const volume of await ids('volume', 'ls', '--filter', `name=^${name}`)) await docker(['volume', 'rm', volume]);
  }
};
const NONE = '0'.repeat(16);
const WITHOUT_RIGHTS = [`CapBnd ${NONE}`, `CapEff ${NONE}`, `CapPrm ${NONE}`, 'NoNewPrivs 1'];
/** The users and rights of all processes of a container. One that the engine is about to begin there is root for a moment. */
async function rightsIn(service: string): Promise<string[]> {
  const command = 'cat /proc/[0-9]*/status | grep -E "^(Uid|CapEff|CapPrm|CapBnd|NoNewPrivs)" | sort -u';
  const lines = (await fleet.compose('exec', service, 'sh', '-c', command)).split('\n');
  return lines.map((line) => line.replace(/:\t/, ' ').replace(/^Uid (\d+)(?:\t\1){3}$/, '$1')).sort();
}
/** Starts it by the visit if need be. */
const serves = (app: string) =>
  waitForHttp(`${fleet.supervisor}/api/__app/${app}/app:getInfo`, { timeout: 5 * MINUTE });

/** As docs/redis.md says. */
async function makeRedisUser(steps: JoinAnswer['steps']): Promise<void> {
  const [{ commands }] = steps.filter(({ kind }) => kind === 'redis');
  const [, script] = fs.readFileSync(path.join(ROOT, 'docs/redis.md'), 'utf8').match(/redis sh -c '(.*)' <</) ?? [];
  const said = execFileSync('docker', ['compose', 'exec', '-T', 'redis', 'sh', '-c', script], {
    cwd: fleet.folder,
    env: dockerEnv(),
    input: `${commands}\n`,
    encoding: 'utf8',
  });
  expect(said.trim().split('\n')).toEqual(['OK', 'OK']);
}

beforeAll(async () => {
  // What a run that was killed has left.
  await removeOthers();
  await fleet.down('--volumes');
  before = await leftovers();
}, 5 * MINUTE);
afterAll(async () => {
  await removeOthers();
  await fleet.remove();
}, 5 * MINUTE);

it('comes up as the README says, without .env, and makes one image', { timeout: 30 * MINUTE }, async () => {
  await fleet.up(['--build'], [...DOOR, ...INSTANCES]);
  password = await fleet.password();
  expect(password).toMatch(/^[0-9a-f]{24}$/);
  manager = new Manager(await fleet.signIn(password));
  for (const name of ENVIRONMENTS) {
    expect((await untilOnline(name)).warnings).toEqual([]);
    const { data } = await manager.api.get('appEnvironments:check', { filterByTk: name });
    expect(data).toMatchObject({ web: { ok: true }, ws: { ok: true } });
  }
  // An image that was there before may have lost its name to the new one.
  expect((await leftovers()).images.length).toBeLessThanOrEqual(before.images.length + 1);
});

it.each(INSTANCES)('runs %s without rights, as a user who can change nothing but its storage', async (service) => {
  const says = (command: string) => fleet.compose('exec', service, 'sh', '-c', command);
  expect(await says('id -u')).toBe('1000');
  // Of NocoBase and of nginx, too.
  await expect.poll(() => rightsIn(service), { timeout: MINUTE }).toEqual(['1000', ...WITHOUT_RIGHTS]);
  const folders = '/ /app /app/nocobase/node_modules/@nocobase/plugin-app-supervisor /etc/nginx /usr/local/bin /home';
  expect(await says(`for folder in ${folders}; do touch $folder/x 2>/dev/null && echo $folder; done; true`)).toBe('');
  const id = await fleet.compose('ps', '--quiet', service);
  const variables: string[] = JSON.parse(await docker(['inspect', '--format', '{{json .Config.Env}}', id]));
  expect(variables.filter((variable) => SECRETS.test(variable))).toEqual([]);
});

it.each(DOOR)('runs %s without rights, as a user of its own, who has no database and no engine', async (service) => {
  const says = (command: string) => fleet.compose('exec', service, 'sh', '-c', command);
  await expect.poll(() => rightsIn(service), { timeout: MINUTE }).toEqual(['1001', ...WITHOUT_RIGHTS]);
  const folders = '/ /app /tmp /keys /etc /usr/local/bin /run /home';
  expect(await says(`for folder in ${folders}; do touch $folder/x 2>/dev/null && echo $folder; done; true`)).toBe('');
  expect(
    await says('cat /proc/[0-9]*/environ 2>/dev/null | tr "\\0" "\\n" | grep -E "^(DB_|APP_KEY|.*AES)"; true'),
  ).toBe('');
  expect(await says('ls /var/run/docker.sock 2>/dev/null; true')).toBe('');
  const id = await fleet.compose('ps', '--quiet', service);
  expect(await docker(['inspect', id])).not.toMatch(SECRETS);
});

it('shows its door on the Overview, and misses none', async () => {
  const { data } = await manager.api.get('appFleet:summary');
  expect(data.doors).toMatchObject([{ haproxy: expect.stringMatching(/^3\./), isSilent: false }]);
  const codes = data.problems.map(({ message }: { message: { code: string } }) => message.code);
  expect(codes.filter((code: string) => /^DOOR/.test(code))).toEqual([]);
});

it('ends an instance whose nginx cannot start, and says why', async () => {
  const isPrivileged = ['--cap-drop', 'ALL', '--sysctl', 'net.ipv4.ip_unprivileged_port_start=1024'];
  const started = docker(['run', '--rm', ...isPrivileged, 'nocobase-app-supervisor']);
  await expect(started).rejects.toThrow(/bind\(\) to \S+:80 failed \(13: Permission denied\)/);
});

it.each([
  ['/', 200],
  ['/v/', 200],
  ['/apps/none/', 404],
])('shows the page %s through nginx', async (path, expected) => {
  const { status, text } = await ask(fleet.supervisor, path, { headers: { Accept: 'text/html' } });
  expect(status).toBe(expected);
  expect(text).toMatch(/<html/i);
  expect(text).not.toContain('{{env.');
});

// What lies in one alone shows whether that one is where the file says.
it.each([
  ['composed', ENVIRONMENTS, 'withMain'],
  ['only_a', ['env_a'], 'onVisit'],
  ['only_b', ['env_b'], 'onVisit'],
])(
  'makes an app, %s, in %s, which is visited through the Supervisor',
  { timeout: 10 * MINUTE },
  async (name, environments, startMode) => {
    const { operation } = await manager.begin('create', { name, environments, startMode });
    await manager.succeeded(operation!, 8 * MINUTE);
    const app = await manager.app(name);
    for (const environment of environments) expect(statusIn(app, environment)).toBe('running');
    const api = await signInTo(visitors, name);
    expect((await api.get('app:getInfo')).data).toMatchObject({ name });
  },
);

it('opens a WebSocket of an app through both nginx', async () => {
  const { token } = await signInTo(visitors, 'only_a');
  const tab = (await Tab.open(fleet.supervisor, '/ws?__appName=only_a')) as Tab;
  tab.send({ type: 'auth:token', payload: { token, authenticator: 'basic' } });
  await tab.message(({ type }) => type === 'authorized').finally(() => tab.close());
});

it('reads through the Supervisor what was uploaded through it', async () => {
  const session = await signInAt(fleet.supervisor, 'only_b');
  const file = await upload(fleet.supervisor, 'only_b', session, { name: 'note.txt', content: 'in a container' });
  expect(await read(fleet.supervisor, file, { Cookie: session.Cookie })).toMatchObject({
    status: 200,
    text: 'in a container',
  });
});

describe('the door', () => {
  /** Addresses of who has, or had just now, connections to port 80 of the Supervisor. */
  const peers = async () => {
    const rows = await fleet.compose('exec', 'supervisor', 'cat', '/proc/net/tcp');
    const found = [...rows.matchAll(/: [0-9A-F]{8}:0050 ([0-9A-F]{8}):[0-9A-F]{4} /g)];
    return new Set(
      found.map(([, hex]) =>
        hex
          .match(/../g)!
          .reverse()
          .map((byte) => Number.parseInt(byte, 16))
          .join('.'),
      ),
    );
  };

  it('reaches the Supervisor by the address that the Supervisor believes', async () => {
    const trusted = (await fleet.compose('exec', 'supervisor', 'printenv', 'APP_SUPERVISOR_TRUSTED_PROXIES')).split(
      ',',
    );
    await ask(fleet.supervisor, '/api/__ready');
    await waitFor(async () => (await peers()).has(trusted.at(-1)!), {
      timeout: MINUTE,
      what: 'A connection of the door',
    });
  });

  it('goes on while the Supervisor restarts: no request to an app fails, and no WebSocket closes', {
    timeout: 15 * MINUTE,
  }, async () => {
    await serves('composed');
    const tab = (await Tab.open(fleet.supervisor, '/ws?__appName=composed')) as Tab;
    let isClosed = false;
    void tab.closed.then(() => {
      isClosed = true;
    });
    const failures: string[] = [];
    let asked = 0;
    let isOver = false;
    const visits = (async () => {
      while (!isOver) {
        asked++;
        const { status } = await ask(fleet.supervisor, '/api/__app/composed/app:getInfo');
        if (status !== 200) failures.push(String(status));
      }
    })();
    await fleet.compose('restart', '--no-deps', 'supervisor');
    await waitFor(async () => (await ask(fleet.supervisor, '/api/app:getInfo')).status === 503, {
      timeout: MINUTE,
      what: 'The answer for a Supervisor that is away',
    });
    const asWell = asked;
    await fleet.healthy(['supervisor']);
    await waitForHttp(`${fleet.supervisor}/api/__ready`, { timeout: 5 * MINUTE });
    isOver = true;
    await visits;
    console.log(`measured: the Supervisor restarted: ${failures.length} of ${asked} requests to an app failed`);
    expect(failures).toEqual([]);
    expect(asked).toBeGreaterThan(asWell);
    expect(isClosed).toBe(false);
    tab.close();
    manager = new Manager(await fleet.signIn(password));
    for (const name of ENVIRONMENTS) await untilOnline(name);
  });

  it.each(DOOR)('whose process %s is killed is there again by itself', { timeout: 5 * MINUTE }, async (service) => {
    const { Pid, StartedAt } = (await fleet.state(service))!;
    process.kill(Pid, 'SIGKILL');
    const returned = async () => (await fleet.state(service))!.StartedAt !== StartedAt;
    await waitFor(returned, { timeout: MINUTE, interval: 500, what: 'A new container process' });
    await fleet.healthy([service]);
    await serves('composed');
  });
});

describe('a Worker', () => {
  it('that is stopped says goodbye, and ends with 0; what it alone hosts serves again after its start', {
    timeout: 15 * MINUTE,
  }, async () => {
    await fleet.compose('stop', 'worker_a');
    expect(await fleet.state('worker_a')).toMatchObject({ Running: false, ExitCode: 0 });
    const stopped = async () =>
      (await manager.api.get('appEvents:list', { pageSize: 50 })).data.find(
        ({ message, environment }: { message: { code: string }; environment: string }) =>
          message.code === 'ENVIRONMENT_STOPPED' && environment === 'env_a',
      );
    await waitFor(stopped, { timeout: MINUTE, interval: 500, what: 'The event of a stop, and not of an outage' });
    await fleet.compose('start', 'worker_a');
    await fleet.healthy(['worker_a']);
    await untilOnline('env_a');
    await serves('only_a');
  });

  it.each(['process', 'nginx'])(
    'whose %s is killed returns by itself, and its apps with it',
    {
      timeout: 15 * MINUTE,
    },
    async (killed) => {
      const { Pid, StartedAt } = (await fleet.state('worker_b'))!;
      if (killed === 'process') process.kill(Pid, 'SIGKILL');
      else await fleet.compose('exec', 'worker_b', 'sh', '-c', 'kill -9 "$(cat /run/nocobase/nginx.pid)"');
      const returned = async () => (await fleet.state('worker_b'))!.StartedAt !== StartedAt;
      // NocoBase stops before a container ends whose nginx was killed.
      await waitFor(returned, { timeout: 2 * MINUTE, interval: 500, what: 'A new container process' });
      await fleet.healthy(['worker_b']);
      await untilOnline('env_b');
      await serves('only_b');
    },
  );

  it('whose start fails, because PostgreSQL restarts, is started again until it runs', {
    timeout: 20 * MINUTE,
  }, async () => {
    await fleet.compose('restart', '--no-deps', 'worker_b');
    await waitFor(async () => (await fleet.compose('logs', '--since', '60s', 'worker_b')).length > 0, {
      timeout: MINUTE,
      what: 'The start',
    });
    // It connects somewhere in there.
    await fleet.compose('kill', 'postgres');
    const restarts = async () => (await fleet.restarts('worker_b')) > 0;
    await waitFor(restarts, { timeout: 5 * MINUTE, interval: 1_000, what: 'An end of the process' });
    await fleet.compose('up', '--detach', '--no-deps', 'postgres');
    await fleet.healthy(['worker_b']);
    await untilOnline('env_b');
    await serves('only_b');
  });

  it('whose NocoBase dies takes nothing from an app that has another environment', {
    timeout: 10 * MINUTE,
  }, async () => {
    // The other Worker has just been started again: it may still be starting the app.
    const runsInBoth = (app: AppRow) => ENVIRONMENTS.every((name) => statusIn(app, name) === 'running');
    await manager.untilApp('composed', runsInBoth, { timeout: 5 * MINUTE, what: 'runs in both environments' });
    const api = await signInTo(visitors, 'composed');
    const read = () => api.get('users:list', { pageSize: 1 });
    await read();
    const failures: string[] = [];
    let asked = 0;
    let isOver = false;
    const visits = (async () => {
      while (!isOver) {
        asked++;
        await read().catch((error: Error) => failures.push(error.message));
      }
    })();
    // NocoBase alone: its nginx answers until the container has ended.
    const script =
      'for p in /proc/[0-9]*; do if tr "\\0" " " < $p/cmdline | grep -q "app/lib/index[.]js "; then kill -9 $(basename $p); fi; done';
    await fleet.compose('exec', 'worker_a', 'sh', '-c', script).catch(() => undefined);
    await waitFor(async () => (await fleet.state('worker_a'))?.Health?.Status !== 'healthy', {
      timeout: MINUTE,
      what: 'Its end',
    });
    await fleet.healthy(['worker_a']);
    await untilOnline('env_a');
    isOver = true;
    await visits;
    console.log(`measured: NocoBase of one of two environments killed: ${failures.length} of ${asked} reads failed`);
    expect(failures).toEqual([]);
  });

  it('joins by the file, and by the command, that "Add environment" gives', { timeout: 25 * MINUTE }, async () => {
    const request = { name: 'env_c', url: 'http://localhost:17000' };
    const join = async () => (await manager.api.post('appEnvironments:join', request)).data as JoinAnswer;
    const arrival = async () =>
      (await manager.api.post('appEnvironments:arrival', { name: 'env_c', address: 'http://worker-env-c' })).data;
    const { files, warnings, steps } = await join();
    expect([warnings, steps.map(({ kind }) => kind)]).toEqual([[], ['redis']]);
    await makeRedisUser(steps);
    expect(await arrival()).toMatchObject({ state: 'waiting', messages: [{ code: 'JOIN_SILENT' }] });

    fs.writeFileSync(path.join(fleet.folder, 'worker-env-c.yml'), files.compose);
    const composed = ['compose', '-f', 'worker-env-c.yml'];
    await docker([...composed, 'up', '--detach'], { cwd: fleet.folder });
    expect((await untilOnline('env_c')).warnings).toEqual([]);
    // Its nginx answers a moment after it has said that it is there.
    await expect.poll(arrival, { timeout: MINUTE }).toEqual({ state: 'arrived', messages: [] });
    for (const container of await ids('ps', '--all', '--filter', 'name=^worker-env-c'))
      expect(await docker(['inspect', container])).not.toMatch(SECRETS);
    const { operation } = await manager.begin('create', { name: 'joined', environments: ['env_c'] });
    await manager.succeeded(operation!, 8 * MINUTE);
    await docker([...composed, 'down'], { cwd: fleet.folder });

    // Another volume, and the same database, key and name.
    expect((await join()).files).toEqual(files);
    execFileSync('bash', ['-c', files.docker], { env: dockerEnv(), stdio: 'pipe' });
    await untilOnline('env_c');
    expect(await docker(['inspect', 'worker-env-c'])).not.toMatch(SECRETS);
    await serves('joined');
    await removeOthers();
  });
});

it('goes down, leaves nothing but its data, and comes up again with it', { timeout: 20 * MINUTE }, async () => {
  await fleet.down();
  expect((await leftovers()).volumes).toEqual(before.volumes);
  await fleet.up([], [...DOOR, ...INSTANCES]);
  expect(await fleet.password()).toBe(password);
  manager = new Manager(await fleet.signIn(password));
  for (const name of ENVIRONMENTS) await untilOnline(name);
  for (const app of ['composed', 'only_a', 'only_b']) await serves(app);
});

it('makes a Worker itself in the engine that it is given, and shows what becomes of it', {
  timeout: 25 * MINUTE,
}, async () => {
  const socket = new URL(dockerEnv().DOCKER_HOST!).pathname;
  fleet.override({
    environment: { APP_SUPERVISOR_DOCKER: 'unix:///var/run/docker.sock' },
    volumes: [`${socket}:/var/run/docker.sock`],
    group_add: [String(fs.statSync(socket).gid)],
  });
  await fleet.compose('up', '--detach', '--no-deps', 'supervisor');
  await fleet.healthy(['supervisor']);
  manager = new Manager(await fleet.signIn(password));
  const own = { name: 'env_d', url: 'http://worker-env-d' };
  const { steps } = (await manager.api.post('appEnvironments:join', own)).data as JoinAnswer;
  await makeRedisUser(steps);
  const row = async (): Promise<ContainerRow | undefined> =>
    (await manager.api.get('appContainers:list')).data.find(({ environment }: ContainerRow) => environment === 'env_d');
  const act = (action: string) => manager.api.post(`appContainers:${action}?filterByTk=env_d`);
  await manager.api.post('appContainers:create', { ...own, memory: 3072, cpus: 2 });
  expect(await row()).toMatchObject({ status: 'starting', isOutdated: false, memory: 3072 * 1024 * 1024, cpus: 2 });
  expect((await untilOnline('env_d')).warnings).toEqual([]);
  const { operation } = await manager.begin('create', { name: 'made_here', environments: ['env_d'] });
  await manager.succeeded(operation!, 8 * MINUTE);
  await serves('made_here');
  expect((await manager.api.get('appContainers:logs', { filterByTk: 'env_d', lines: 5 })).data.length).toBe(5);

  // As the kernel does it, for lack of memory or otherwise. The container may end before the command is known to have ended.
  await docker(['exec', 'worker-env-d', 'sh', '-c', 'kill -9 -1']).catch(() => undefined);
  const died = async () =>
    (await manager.api.get('appEvents:list', { pageSize: 50 })).data.find(
      ({ message }: { message: { code: string } }) => message.code === 'CONTAINER_DIED',
    );
  expect(await waitFor(died, { timeout: MINUTE, interval: 500, what: 'The event of its death' })).toMatchObject({
    environment: 'env_d',
    kind: 'crash',
    cause: { code: 'CONTAINER_EXIT', params: { code: 137 } },
  });
  await untilOnline('env_d');

  expect(await docker(['inspect', 'worker-env-d'])).not.toMatch(SECRETS);
  await act('upgrade');
  await untilOnline('env_d');
  await serves('made_here');
  const former = async () => (await ids('ps', '--all', '--filter', 'name=^worker-env-d')).length === 1;
  await waitFor(former, { timeout: 5 * MINUTE, interval: 1_000, what: 'The end of the former container' });
  await act('stop');
  expect(await row()).toMatchObject({ status: 'stopped', cause: null });
  const dropped = 'appContainers:destroy?filterByTk=env_d&volume=drop';
  await expect(manager.api.post(dropped)).rejects.toThrow('made_here');
  await manager.api.post(`${dropped}&confirm=env_d`);
  expect(await row()).toBeUndefined();
  const { data: events } = await manager.api.get('appEvents:list', { pageSize: 100 });
  const codes = new Set(events.map(({ message }: { message: { code: string } }) => message.code));
  for (const code of ['CREATED', 'UPGRADED', 'STOPPED', 'REMOVED']) expect(codes).toContain(`CONTAINER_${code}`);
  fleet.override(null);
});

describe('with .env', () => {
  const chosen = ['SUPERVISOR_PASSWORD=of my own', 'APP_KEY="it\'s mine"', 'POSTGRES_PASSWORD=another'];
  const keyOf = (digits: string) => `APP_SUPERVISOR_AES_SECRET_KEY=${digits.repeat(32)}`;

  it('refuses another AES key than the stored one, and keeps that', { timeout: 5 * MINUTE }, async () => {
    fleet.configure([keyOf('ab')]);
    await expect(fleet.compose('run', '--rm', 'keys')).rejects.toThrow('"New AES key"');
    fleet.configure(null);
    expect(await fleet.password()).toBe(password);
  });

  it('a new fleet takes keys and passwords from it, and has no door if it says so', {
    timeout: 20 * MINUTE,
  }, async () => {
    await fleet.down('--volumes');
    fleet.configure([...chosen, keyOf('ab'), 'COMPOSE_FILE=docker-compose.yml:docker-compose.no-door.yml']);
    await fleet.up([], ['supervisor', 'worker_a']);
    for (const service of DOOR) expect(await fleet.state(service)).toBeNull();
    manager = new Manager(await fleet.signIn('of my own'));
    await untilOnline('env_a');
    const key = await fleet.compose('exec', 'supervisor', 'sh', '-c', '. /keys/fleet.env; printf %s "$APP_KEY"');
    expect(key).toBe("it's mine");
  });
});
