import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseConfig, type SupervisorConfig } from '../../src/server/config';
import { AppSupervisorError } from '../../src/server/errors';
import { makeInput } from '../../src/server/supervisor/containers/container-input';
import { Containers, type ContainersOptions } from '../../src/server/supervisor/containers/containers';
import type {
  ContainerSpec,
  ContainerState,
  ContainerWatcher,
  Death,
  WorkerDriver,
} from '../../src/server/supervisor/containers/driver';
import { parseInput } from '../../src/server/supervisor/definitions/input';
import type { WorkerSettings } from '../../src/server/supervisor/joining/worker-settings';
import { CONTAINER_ACTIONS } from '../../src/shared/container';
import type { Event } from '../../src/shared/event';
import type { JoinRequest } from '../../src/shared/join';

/** What the Supervisor does with the engine that it was given. The driver itself is tested on a real one (`npm run test:docker`). */

const SUPERVISOR = {
  APP_MODE: 'supervisor',
  APP_DISCOVERY_ADAPTER: 'remote',
  APP_PROCESS_ADAPTER: 'remote',
  APP_COMMAND_ADAPTER: 'redis',
  APP_SUPERVISOR_REDIS_URL: 'redis://r',
  APP_COMMAND_REDIS_URL: 'redis://r',
};
const engineOf = (variables: Record<string, string>) =>
  (parseConfig({ ...SUPERVISOR, ...variables }, { command: 'start', isMainThread: true }) as SupervisorConfig).docker;

describe('APP_SUPERVISOR_DOCKER', () => {
  it('is off unless it is set', () => {
    expect(engineOf({})).toBeNull();
    expect(engineOf({ APP_SUPERVISOR_DOCKER: 'unix:///run/docker.sock' })).toEqual({ socketPath: '/run/docker.sock' });
  });

  it('needs certificates for TCP', () => {
    const tcp = { APP_SUPERVISOR_DOCKER: 'tcp://engine' };
    const folder = fs.mkdtempSync(path.join(tmpdir(), 'certificates-'));
    const withFolder = { ...tcp, APP_SUPERVISOR_DOCKER_CERT_PATH: folder };
    expect(() => engineOf(tcp)).toThrow('APP_SUPERVISOR_DOCKER_CERT_PATH');
    for (const name of ['ca', 'cert', 'key']) {
      expect(() => engineOf(withFolder)).toThrow(`${name}.pem`);
      fs.writeFileSync(path.join(folder, `${name}.pem`), name);
    }
    const [ca, cert, key] = ['ca', 'cert', 'key'].map((name) => Buffer.from(name));
    expect(engineOf(withFolder)).toEqual({ host: 'engine', port: 2376, protocol: 'https', ca, cert, key });
    fs.rmSync(folder, { recursive: true });
  });

  it.each(['/var/run/docker.sock', 'http://engine:2375', 'unix://', 'tcp://'])('is no %s', (address) => {
    expect(() => engineOf({ APP_SUPERVISOR_DOCKER: address })).toThrow('APP_SUPERVISOR_DOCKER');
  });
});

const REQUEST = { name: 'env_c', url: 'http://localhost:17000' };
const STATE: ContainerState = {
  environment: 'env_c',
  name: 'worker-env-c',
  image: 'ours:1',
  imageId: 'id-1',
  request: JSON.stringify({ ...REQUEST, memory: 1024 }),
  status: 'running',
  since: 5,
  restarts: 0,
  memory: 1024,
  cpus: null,
  end: null,
};

function containers({
  states = [] as ContainerState[],
  ...values
}: Partial<ContainersOptions> & { states?: ContainerState[] } = {}) {
  const calls: unknown[][] = [];
  const recorded: string[] = [];
  const events: Event[] = [];
  const prepared: JoinRequest[] = [];
  let die: ContainerWatcher['died'] = () => undefined;
  let restore: ContainerWatcher['restored'] = () => undefined;
  const note =
    (name: string) =>
    async (...args: unknown[]) =>
      void calls.push([name, ...args]);
  const driver = {
    own: async () => ({ image: 'ours:2', imageId: 'id-2', network: 'fleet' }),
    list: async () => states,
    watch: (watcher: ContainerWatcher) => {
      die = watcher.died;
      restore = watcher.restored;
      return { close: () => void calls.push(['close']) };
    },
    ...Object.fromEntries(
      ['create', 'start', 'stop', 'restart', 'upgrade', 'remove'].map((name) => [name, note(name)]),
    ),
  } as unknown as WorkerDriver;
  const prepare = async (request: JoinRequest) => {
    prepared.push(request);
    const { name, url, image = '', network = null } = request;
    const variables = [['APP_KEY', 'k']];
    const settings = { environment: name, container: 'worker-env-c', url, image, network, proxyUrl: null, variables };
    return { settings: settings as WorkerSettings, takeBack: async () => void calls.push(['takeBack']) };
  };
  const made = new Containers({
    driver,
    joins: { prepare },
    journal: { ofEnvironment: async (...args) => void recorded.push(args.join(' ')) },
    appsOnlyIn: () => ['crm', 'shop'],
    recorder: { record: (event) => void events.push(event) },
    ...values,
  });
  return {
    made,
    calls,
    recorded,
    events,
    prepared,
    die: (death: Death) => die(death),
    restore: (name: string) => restore(name),
  };
}

describe('a container', () => {
  it('is made with image and network of the Supervisor, and with limits', async () => {
    const { made, calls, recorded } = containers();
    await made.create({ ...REQUEST, memory: 1024, cpus: 1.5 }, '7');
    expect(calls).toEqual([
      [
        'create',
        {
          environment: 'env_c',
          name: 'worker-env-c',
          image: 'ours:2',
          network: 'fleet',
          variables: [
            ['APP_KEY', 'k'],
            ['APP_SUPERVISOR_RESTARTED', 'true'],
            ['ENVIRONMENT_URL', 'http://localhost:17000'],
            ['ENVIRONMENT_PROXY_URL', 'http://worker-env-c'],
          ],
          port: 17000,
          host: '127.0.0.1',
          memory: 1024 * 1024 * 1024,
          cpus: 1.5,
          request: JSON.stringify({ ...REQUEST, memory: 1024, cpus: 1.5 }),
        },
      ],
    ]);
    expect(recorded).toEqual(['env_c createContainer 7']);
  });

  it.each([
    ['image', 'other'],
    ['network', 'host'],
    ['privileged', true],
    ['memory', 1],
    ['cpus', 0],
    ['url', 'http://host:443'],
  ])('is not made with %s %s', (field, value) => {
    expect(() => parseInput(makeInput, { ...REQUEST, [field]: value })).toThrow(
      expect.objectContaining({ code: 'INVALID_INPUT', field }),
    );
  });

  it('is upgraded to what the Supervisor has now, with the limits that it was made with', async () => {
    const { made, calls, recorded } = containers({ states: [STATE] });
    expect((await made.list())[0].isOutdated).toBe(true);
    await made.act('upgrade', 'env_c', '7');
    const [[name, spec]] = calls as [string, ContainerSpec][];
    expect([name, spec.image, spec.memory]).toEqual(['upgrade', 'ours:2', 1024 * 1024 * 1024]);
    expect(recorded).toEqual(['env_c upgradeContainer 7']);
    await expect(made.act('upgrade', 'env_x', '7')).rejects.toMatchObject({ code: 'UNKNOWN_CONTAINER' });
  });

  it('has each action recorded once it is done', async () => {
    const { made, calls, recorded } = containers({ states: [STATE] });
    const actions = CONTAINER_ACTIONS.filter((action) => action !== 'destroy');
    for (const action of actions) await made.act(action, 'env_c', '7');
    await made.destroy('env_c', '7', { volume: 'keep' });
    expect(recorded).toEqual([...actions, 'destroy'].map((action) => `env_c ${action}Container 7`));
    expect(calls.at(-1)).toEqual(['remove', 'env_c', { volume: false }]);
    const refused = new AppSupervisorError('ENGINE_FAILED', { cause: 'no' });
    const broken = containers({ driver: { start: () => Promise.reject(refused) } as unknown as WorkerDriver });
    await expect(broken.made.act('start', 'env_c', '7')).rejects.toBe(refused);
    expect(broken.recorded).toEqual([]);
  });

  it('keeps files that apps have nowhere else, unless its name confirms that they go', async () => {
    const { made, calls, recorded } = containers({ states: [STATE] });
    for (const confirm of [undefined, 'env_x'])
      await expect(made.destroy('env_c', '7', { volume: 'drop', confirm })).rejects.toMatchObject({
        code: 'VOLUME_NEEDED',
        params: { environment: 'env_c', apps: 'crm, shop' },
      });
    expect([calls, recorded]).toEqual([[], []]);
    await made.destroy('env_c', '7', { volume: 'drop', confirm: 'env_c' });
    expect(calls).toEqual([['remove', 'env_c', { volume: true }]]);
    const unused = containers({ appsOnlyIn: () => [] });
    await unused.made.destroy('env_c', '7', { volume: 'drop' });
    expect(unused.calls).toEqual([['remove', 'env_c', { volume: true }]]);
  });

  it('that cannot be made leaves no database', async () => {
    const { made, calls, recorded } = containers();
    const refused = new AppSupervisorError('ENGINE_FAILED', { cause: 'no' });
    const { driver } = (made as unknown as { options: ContainersOptions }).options;
    Object.assign(driver as object, { create: () => Promise.reject(refused) });
    await expect(made.create(REQUEST, '7')).rejects.toBe(refused);
    expect([calls, recorded]).toEqual([[['takeBack']], []]);
  });

  it('that an upgrade has made and that did not become ready is recorded as that', () => {
    const { made, recorded, restore } = containers();
    made.start();
    restore('env_c');
    expect(recorded).toEqual(['env_c restoreContainer ']);
  });

  it('that dies is an event with its exit code and last lines; lack of memory is named', () => {
    const { made, events, die, calls } = containers();
    made.start();
    made.start();
    const death = {
      environment: 'env_c',
      id: 'a 1',
      at: 9,
      exitCode: 3,
      isOutOfMemory: false,
      lastLines: ['one', 'two'],
    };
    die(death);
    die({ ...death, id: 'a 2', exitCode: 137, isOutOfMemory: true, lastLines: ['x'.repeat(5_000)] });
    expect(events[0]).toMatchObject({
      id: 'container a 1',
      kind: 'crash',
      environment: 'env_c',
      cause: { code: 'CONTAINER_EXIT', params: { code: 3, lines: 'one\ntwo' } },
      at: 9,
      endedAt: 9,
    });
    expect(events[1].cause).toEqual({
      code: 'CONTAINER_OUT_OF_MEMORY',
      params: { code: 137, lines: 'x'.repeat(2_000) },
    });
    made.stop();
    expect(calls).toEqual([['close']]);
  });

  it('shows why it ended until it runs', async () => {
    const end = { exitCode: 137, isOutOfMemory: true, lastLines: ['last'] };
    const { made } = containers({ states: [{ ...STATE, status: 'restarting', restarts: 2, end }] });
    expect((await made.list())[0]).toMatchObject({
      status: 'restarting',
      cause: { code: 'CONTAINER_OUT_OF_MEMORY', params: { code: 137, lines: '' } },
      lastLines: ['last'],
      restarts: 2,
    });
  });

  it('is nothing that a Supervisor without an engine has', async () => {
    const { made } = containers({ driver: null });
    made.start();
    await expect(made.list()).rejects.toMatchObject({ code: 'ENGINE_OFF' });
    await expect(made.create(REQUEST, '7')).rejects.toMatchObject({ code: 'ENGINE_OFF' });
  });
});
