import type { AppSupervisor } from '@nocobase/server';
import { beforeEach, describe, expect, it } from 'vitest';
import { COMMAND_EVENT, CommandAdapter } from '../../src/server/core/adapters/command';
import { DiscoveryAdapter } from '../../src/server/core/adapters/discovery';
import type { AppModel, Managed } from '../../src/server/core/adapters/managed';
import { ProcessAdapter } from '../../src/server/core/adapters/process';
import { Manifests } from '../../src/server/core/manifests';
import { AppSupervisorError } from '../../src/server/errors';
import { Feed } from '../../src/server/feed';
import { CoreAppRegistry } from '../../src/server/nocobase/core-app-registry';
import { createPlaceholderApp } from '../../src/server/nocobase/placeholder-app';
import { FakeClock } from '../support/clock';
import { recordedLog } from '../support/log';
import { TestStores } from '../support/stores';
import { Table } from '../support/table';
import { until } from '../support/wait';

const model: AppModel = {
  name: 'crm',
  title: 'CRM',
  cname: 'crm.example.com',
  hosts: ['crm.example.com'],
  sort: 0,
  pinned: false,
  visibleTo: 'everybody',
  visibleRoles: [],
  environments: ['env_a'],
  options: {},
};

let store: TestStores;
let coreApps: CoreAppRegistry;
let asked: string[];
let managed: Managed;
let manifests: Manifests;
let discovery: DiscoveryAdapter;
let processes: ProcessAdapter;
const log = recordedLog();

beforeEach(() => {
  store = new TestStores();
  asked = [];
  coreApps = new CoreAppRegistry({ emit: () => true } as unknown as AppSupervisor);
  managed = {
    visit: (name) => name === 'crm',
    openForCommand: () => null,
    manages: (name) => name === 'crm',
    requestAction: async (action, name) => void asked.push(`${action} ${name}`),
    command: async (command) => void asked.push(`command ${JSON.stringify(command)}`),
    commands: new Feed(),
    environments: () => [
      { name: 'env_a', url: 'http://a', proxyUrl: 'http://a', available: true, appVersion: '2.2.15' },
    ],
    unload: async (name) => {
      asked.push(`unload ${name}`);
      return name === 'crm';
    },
    dispatchEvent: async (name, event) => void asked.push(`event ${name} ${event}`),
    models: () => [model],
    statuses: async () => ({ crm: { env_a: 'running' } }),
    begin: () => void asked.push('begin'),
    leave: async () => void asked.push('leave'),
  };
  const environment = { name: 'env_a', url: 'http://a', proxyUrl: 'http://a', serves: true, heartbeatInterval: 5_000 };
  const table = new Table();
  manifests = new Manifests({
    store: store.manifests,
    main: () => table.app,
    uidOf: (name) => (name === 'crm' ? 'uid-1' : null),
    hasMain: false,
    clock: new FakeClock(),
    log,
  });
  discovery = new DiscoveryAdapter('remote', coreApps, managed, manifests, environment, log, async () => {
    throw new Error('cannot be closed');
  });
  processes = new ProcessAdapter('local', coreApps, managed);
});

/** Every method the core calls, by what it calls it with. */
const everything = (): Array<() => unknown> => [
  () => discovery.getAppStatus('crm', 'running'),
  () => discovery.setAppStatus('crm', 'running'),
  () => discovery.clearAppStatus('crm'),
  () => discovery.getAppsStatuses(['crm']),
  () => discovery.listAppModels(),
  () => discovery.getAppModel('crm'),
  () => discovery.getAppNameByCName('crm.example.com'),
  () => discovery.setAppManifestItem('crm', 'ns', 'k', {}),
  () => discovery.removeAppManifestItem('crm', 'ns', 'k'),
  () => discovery.removeAppManifest('crm', 'ns'),
  () => discovery.getAppManifestItems('crm', 'ns'),
  () => discovery.getAppManifests('ns', ['crm', 'shop']),
  () => discovery.getAppsByCondition('autoStart', { filter: { name: 'crm' } }),
  () => discovery.getAppsByCondition('odd', { filter: { name: { $nosuch: 1 } } }),
  () => discovery.addAppsToCondition('autoStart', 'env_a', ['crm']),
  () => discovery.removeAppsFromCondition('autoStart', 'env_a', ['crm']),
  () => discovery.registerEnvironment(),
  () => discovery.unregisterEnvironment(),
  () => discovery.setAppLastSeenAt('crm'),
  () => discovery.getAppLastSeenAt('crm'),
  () => processes.getApp('crm'),
  () => processes.bootstrapApp('crm'),
  () => processes.bootstrapApp('nobody'),
  () => processes.createApp({ appModel: { name: 'crm' } }),
  () => processes.startApp('crm'),
  () => processes.stopApp('crm'),
  () => processes.removeApp('crm'),
  () => processes.upgradeApp('crm'),
  () => processes.dispatchAppEvent('crm', 'x'),
  () => processes.removeAllApps(),
  () => discovery.dispose(),
  () => discovery.listEnvironments(),
  () => discovery.getEnvironment('env_a'),
  () => discovery.getEnvironment('nowhere'),
  () => discovery.heartbeatEnvironment(),
  () => discovery.getBootstrapLock('crm'),
  () => discovery.addAppModel({ name: 'crm' }),
  () => discovery.addAppModel({}),
  () => discovery.removeAppModel('crm'),
];

describe('adapters', () => {
  it('invariant 7: never reject, even if the store is down and closing fails', async () => {
    store.away = true;
    for (const call of everything()) {
      await expect(
        Promise.resolve()
          .then(call)
          .then(() => 'fine'),
        String(call),
      ).resolves.toBe('fine');
    }
  });

  it('return an empty answer for what nobody has published', async () => {
    store.away = true;
    expect(await discovery.getAppManifestItems('crm', 'ns')).toEqual([]);
    expect(await discovery.getAppManifests('ns', ['crm'])).toEqual({});
    store.away = false;
    await discovery.setAppManifestItem('crm', 'ns', 'k', { a: 1 });
    await discovery.setAppManifestItem('crm', 'ns', 'other', undefined);
    await discovery.removeAppManifestItem('crm', 'ns', 'other');
    expect(await discovery.getAppManifests('ns', ['crm', 'shop'])).toEqual({ crm: [{ a: 1 }] });
  });

  it('keep manual assignments of apps to a condition until the app is deleted', async () => {
    const others = { filter: { name: 'other' } };
    expect(await discovery.getAppsByCondition('c', others)).toEqual([]);
    await discovery.addAppsToCondition('c', 'env_a', ['crm']);
    expect(await discovery.getAppsByCondition('c', others)).toEqual(['crm']);
    expect(await discovery.getAppsByCondition('another', others)).toEqual([]);
    expect(await discovery.getAppsByCondition('c', others, { environmentName: 'env_b' })).toEqual([]);
    await discovery.removeAppsFromCondition('c', 'env_a', ['crm']);
    expect(await discovery.getAppsByCondition('c', others)).toEqual([]);
    await discovery.addAppsToCondition('c', 'env_a', ['crm']);
    await manifests.forget('uid-1');
    expect(await discovery.getAppsByCondition('c', others)).toEqual([]);
  });

  it('invariant 5: answer the calls of every request without the store (#10170)', async () => {
    coreApps.setStatus('crm', 'running');
    expect(discovery.getAppStatus('crm')).toBe('running');
    expect(await discovery.getAppNameByCName('CRM.example.com')).toBe('crm');
    expect(await discovery.getAppModel('crm')).toEqual(model);
    expect(await discovery.getAppsStatuses()).toEqual({ crm: { env_a: 'running' } });
    expect(processes.hasApp('crm')).toBe(false);
    expect(await processes.getApp('crm', { withOutBootStrap: true })).toBeUndefined();
    await processes.bootstrapApp('crm');
    discovery.setAppLastSeenAt('crm');
    expect(store.calls).toEqual([]);
  });

  it('report an unknown name as not found, and record no visit to it', async () => {
    await processes.bootstrapApp('nobody');
    expect(coreApps.appStatus.nobody).toBe('not_found');
    discovery.setAppLastSeenAt('nobody');
    expect(discovery.getAppLastSeenAt('nobody')).toBeNull();
    coreApps.appStatus.crm = 'not_found';
    await processes.bootstrapApp('crm');
    expect(coreApps.appStatus.crm).toBeUndefined();
  });

  it('pass requested actions on to the managing service', async () => {
    await processes.createApp({ appModel: { name: 'crm' } });
    await processes.startApp('crm');
    await processes.stopApp('crm');
    await processes.upgradeApp('crm');
    await processes.dispatchAppEvent('crm', 'x');
    expect(asked).toEqual(['create crm', 'start crm', 'stop crm', 'upgrade crm', 'event crm x']);
  });

  it('unload an app on removeApp, and do not delete it', async () => {
    const commands: string[] = [];
    const objectOf = (name: string) =>
      ({
        name,
        setMaintainingMessage() {},
        runCommand: async (...args: string[]) => void commands.push(`${name} ${args}`),
      }) as never;
    // Of the fleet, made by another plugin (multi-app-manager), in the place of a stopped app, and not there.
    coreApps.addApp(objectOf('crm'));
    coreApps.addApp(objectOf('foreign'));
    coreApps.apps.asleep = createPlaceholderApp('asleep');
    for (const name of ['crm', 'foreign', 'asleep', 'nobody']) await processes.removeApp(name);
    expect(asked).toEqual(['unload crm', 'unload foreign', 'unload asleep', 'unload nobody']);
    expect(commands).toEqual(['foreign destroy']);
    expect(Object.keys(coreApps.apps)).toEqual(['crm', 'asleep']);
  });

  it('invariant 7: reject a command that is refused, and nothing else', async () => {
    const commands = new CommandAdapter(managed, log);
    const command = { requestId: '1', appName: 'crm', action: 'stop', environments: [] };
    await commands.dispatchCommand(command);
    expect(asked).toEqual([`command ${JSON.stringify(command)}`]);
    managed.command = async () => {
      throw new AppSupervisorError('COMMAND_UNKNOWN', { action: 'x', known: 'start' });
    };
    await expect(commands.dispatchCommand(command)).rejects.toMatchObject({ code: 'COMMAND_UNKNOWN' });
    await commands.dispose();
  });

  it('tell main apps of the commands that are carried out or refused, whatever their listeners do', async () => {
    const commands = new CommandAdapter(managed, log);
    const heard: unknown[] = [];
    const main = {
      emitAsync: async (event: string, outcome: unknown) => {
        heard.push([event, outcome]);
        throw new Error('a broken listener');
      },
    };
    for (let time = 0; time < 2; time++) commands.registerCommandHandler(main as never);
    const outcome = { requestId: '1', appName: 'crm', action: 'stop', from: null, refused: null };
    managed.commands.emit(outcome);
    await commands.dispose();
    managed.commands.emit(outcome);
    expect(heard).toEqual([[COMMAND_EVENT, outcome]]);
    await until('The warning', () => log.at('warn').join().includes('a broken listener'));
  });

  it('know environments, and refuse in words what has no meaning here', async () => {
    expect(await discovery.listEnvironments()).toMatchObject([{ name: 'env_a', available: true }]);
    expect(await discovery.getEnvironment('env_a')).toMatchObject({ proxyUrl: 'http://a' });
    expect(await discovery.getEnvironment('nowhere')).toBeNull();
    expect(await discovery.getBootstrapLock('crm')).toBeNull();
    await discovery.addAppModel({ name: 'crm' });
    await discovery.removeAppModel('crm');
    for (const call of ['getBootstrapLock', 'addAppModel', 'removeAppModel'])
      expect(log.at('warn').join()).toContain(`${call} of app crm`);
    expect(asked).toEqual([]);
  });

  it('let a command-line run fail if the app that it names is not here, and ask for it unstarted', async () => {
    const opened: string[] = [];
    managed.openForCommand = (name, registered) => {
      opened.push(`${name} ${registered}`);
      return name === 'crm' ? Promise.resolve() : Promise.reject(new Error('not here'));
    };
    await processes.getApp('crm', { upgrading: true });
    await processes.getApp('crm');
    await processes.getApp('crm', { withOutBootStrap: true });
    await expect(processes.getApp('nobody', { upgrading: true })).rejects.toThrow('not here');
    expect(opened).toEqual(['crm true', 'crm false', 'nobody true']);
  });

  it("begin once the main app has started, without the core's two-minute heartbeat, and leave when it ends", async () => {
    expect(await discovery.registerEnvironment()).toBe(false);
    await discovery.unregisterEnvironment();
    expect(asked).toEqual(['begin', 'leave']);
  });

  it('keep an app’s status when the core clears it in the middle of a restart', () => {
    coreApps.setStatus('crm', 'running');
    coreApps.setStatus('main', 'running');
    discovery.clearAppStatus('crm');
    discovery.clearAppStatus('main');
    expect(discovery.getAppStatus('crm')).toBe('running');
    expect(discovery.getAppStatus('main', 'preparing')).toBe('preparing');
    expect(discovery.getAppStatus('main')).toBeNull();
  });
});
