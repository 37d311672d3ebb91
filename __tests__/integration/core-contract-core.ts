import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import Module, { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { AppRecord } from '../../src/shared/messages';

/**
 * The real core with this plugin's adapters in shared memory, on SQLite, and no other plugin, in a process of its own:
 * the core keeps its state in globals. Run by core-contract.test.ts; prints one JSON line.
 *
 * Its fleet has one app, `crm`, which starts when it is visited, and is never visited. With the arguments `pm` and a
 * folder, it is a command-line run beside such a process.
 */

const [command, folder] = process.argv.slice(2);
const root = folder ?? mkdtempSync(path.join(tmpdir(), 'core-contract-'));
mkdirSync(`${root}/logs`, { recursive: true });
Object.assign(process.env, {
  APP_ENV: 'production',
  APP_KEY: 'of this test alone',
  STORAGE_PATH: root,
  LOGGER_BASE_PATH: `${root}/logs`,
  LOGGER_TRANSPORT: 'file',
  NODE_MODULES_PATH: path.resolve(import.meta.dirname, '../../node_modules'),
  API_BASE_PATH: '/api/',
  APP_DISCOVERY_ADAPTER: 'local',
  APP_PROCESS_ADAPTER: 'local',
});
const unhandled: string[] = [];
process.on('unhandledRejection', (reason) => unhandled.push(String((reason as Error)?.stack ?? reason)));

// As in the bundle (vitest.config.mts).
(Module as any)._extensions['.lua'] = (module: { exports: unknown }, file: string) => {
  module.exports = readFileSync(file, 'utf8');
};
const load = createRequire(import.meta.url);
load('../../scripts/fleet/compiled.cjs').use();
const { AppSupervisor } = load('@nocobase/server');
const { PluginAppSupervisor } = load('../../src/server/plugin') as typeof import('../../src/server/plugin');
const { AppRepository } = load(
  '../../src/server/supervisor/definitions/repository',
) as typeof import('../../src/server/supervisor/definitions/repository');
const { SnapshotStore } = load(
  '../../src/server/worker/apps/snapshot',
) as typeof import('../../src/server/worker/apps/snapshot');
const databases = load('../../src/server/databases') as typeof import('../../src/server/databases');
const { recordOf, appOf, placementOf, publishedOf } = load(
  '../support/fixtures',
) as typeof import('../support/fixtures');

async function until(what: string, condition: () => unknown, ms = 60_000): Promise<void> {
  for (const end = performance.now() + ms; !(await condition()); await delay(20))
    if (performance.now() > end) throw new Error(`not within ${ms} ms: ${what}`);
}

async function boot() {
  await PluginAppSupervisor.staticImport();
  const supervisor = AppSupervisor.getInstance();
  const main = supervisor.bootMainApp({
    name: 'main',
    database: { dialect: 'sqlite', storage: `${root}/main.sqlite`, logging: false },
    plugins: [[PluginAppSupervisor, { name: 'app-supervisor' }]],
  });
  return { supervisor, main };
}
type Booted = Awaited<ReturnType<typeof boot>>;

/** In place of a broker; what other processes publish is put in by `tell`. */
function withPubSub(main: Booted['main']) {
  const heard = new Map<string, (message: string) => Promise<void>>();
  main.pubSubManager.setAdapter({
    connect: async () => {},
    close: async () => {},
    isConnected: () => true,
    subscribe: async (channel: string, callback: (message: string) => Promise<void>) =>
      void heard.set(channel, callback),
    unsubscribe: async () => {},
    publish: async () => {},
  });
  return async (message: object) => {
    const callback = [...heard].find(([channel]) => channel.endsWith('app_supervisor:sync'))?.[1];
    if (!callback) throw new Error(`the core listens to ${[...heard.keys()]}`);
    await callback(JSON.stringify({ publisherId: 'another process', message }));
  };
}

async function syncMessages({ supervisor, main }: Booted, tell: (message: object) => Promise<void>) {
  const added: string[] = [];
  supervisor.registerApp({ appModel: { name: 'foreign', options: { plugins: [] } }, mainApp: main, hook: false });
  supervisor.on('afterAppAdded', function noteAdded(app: { name: string }) {
    added.push(app.name);
  });
  const adapter = supervisor.getProcessAdapter();
  const requested: string[] = [];
  for (const method of ['stopApp', 'removeApp']) {
    const original = adapter[method].bind(adapter);
    adapter[method] = (name: string) => {
      requested.push(`${method} ${name}`);
      return original(name);
    };
  }
  for (const type of ['app:started', 'app:stopped', 'app:removed']) await tell({ type, appName: 'crm' });
  await tell({ type: 'app:removed', appName: 'foreign' });
  // The core handles each after a second of quiet; those of `crm` were first.
  await until('the other plugin’s app is removed', () => !supervisor.hasApp('foreign'));
  return { requested, added: [...added], hasApp: supervisor.hasApp('crm') };
}

function registering({ supervisor, main }: Booted) {
  const register = (name: string) => {
    try {
      return supervisor.registerApp({ appModel: { name, options: { plugins: [] } }, mainApp: main, hook: false }).name;
    } catch (error) {
      return String((error as Error).message);
    }
  };
  return [register('crm'), register('other')];
}

async function creators({ supervisor }: Booted) {
  const calls: string[] = [];
  const creator =
    (who: string) =>
    async ({ app, appOptions }: any) =>
      void calls.push(`${who}: ${app.name} ${app.options.database.database} ${appOptions.dbConnType}`);
  const named = (name: string) => (context: any) => context.app.name === name;
  supervisor.registerAppDbCreator(named('first'), creator('first'), 1);
  supervisor.registerAppDbCreator(named('late'), creator('late'));
  const database = { dialect: 'postgres' as const, host: '127.0.0.1', port: 1, username: 'u', database: 'd' };
  const run = (name: string, dbConnType?: string) =>
    supervisor
      .createDatabase({ app: { name, options: { database } }, appOptions: { dbConnType } })
      .then(() => 'done')
      .catch((error: { code: string }) => error.code);
  const results = [
    await run('first', 'new_database'),
    await run('late', 'new_database'),
    await run('late', 'by_hand'),
    await run('nobody'),
  ];
  for (const name of ['first', 'nobody']) await databases.createByOtherPlugin(supervisor, name, database, 'new_schema');
  return { calls, results };
}

async function manifestInTransaction({ supervisor, main }: Booted) {
  const rows = main.db.getRepository('appManifests');
  const began = performance.now();
  await main.db.sequelize.transaction(async (transaction: unknown) => {
    await rows.create({ values: { id: 'of the other plugin', item: {} }, transaction });
    await supervisor.setAppManifestItem('main', 'portals', 'a', { title: 'A' });
  });
  const took = performance.now() - began;
  const known = await supervisor.getAppManifestItems('main', 'portals');
  const stored = async () => (await rows.find()).some((row: any) => row.get('item').namespace === 'portals');
  const isStored = await until('the item is stored', stored, 30_000).then(() => true, String);
  return { took, known, isStored };
}

/** What another plugin dispatches, and the calls of the core about environments and models. */
async function commands({ supervisor, main }: Booted) {
  const heard: string[] = [];
  main.on('app-supervisor:command', async ({ appName, action, refused }: any) => {
    heard.push(`${action} ${appName} ${refused}`);
  });
  const dispatch = (action: string, appName: string) =>
    supervisor.dispatchCommand({ requestId: '1', appName, action, environments: [] }).then(
      () => 'accepted',
      (error: { code: string }) => error.code,
    );
  const outcomes = [];
  for (const [action, name] of [
    ['format', 'crm'],
    ['stop', 'no name'],
    ['stop', 'nobody'],
    ['stop', 'crm'],
  ])
    outcomes.push(await dispatch(action, name));
  const desired = async () => (await new AppRepository(main).all()).map(({ name, desired }) => `${name} ${desired}`);
  await supervisor.heartbeatEnvironment(main);
  await supervisor.addAppModel({ name: 'other', options: {} });
  await supervisor.removeAppModel('crm');
  return {
    outcomes,
    heard,
    desired: await desired(),
    lock: await supervisor.getBootstrapLock('crm'),
    environments: (await supervisor.listEnvironments()).map(({ name }: { name: string }) => name),
    environment: (await supervisor.getEnvironment('local'))?.available,
    nowhere: await supervisor.getEnvironment('nowhere'),
  };
}

/** What a hosting process leaves behind: the record, and a database with our mark and one plugin. */
async function hosted(main: Booted['main'], record: AppRecord) {
  await new SnapshotStore(main).save(record.name, record, null);
  const connection = { dialect: 'sqlite' as const, storage: `${root}/${record.name}.sqlite` };
  await databases.prepareDatabase(connection, 'new_database', { app: record.name, uid: record.uid, mayCreate: true });
  await inApp(
    'CREATE TABLE applicationPlugins (id INTEGER PRIMARY KEY, createdAt, updatedAt, name, packageName, version, enabled, installed, builtIn, options)',
  );
  await inApp("INSERT INTO applicationPlugins (name) VALUES ('kept'), ('gone')");
}

/** A statement in the database of `crm`. */
function inApp(sql: string): Promise<Array<{ name: string }>> {
  const { Database } = load('sqlite3');
  return new Promise((resolve, reject) => {
    const database = new Database(`${root}/crm.sqlite`);
    database.all(sql, (error: Error | null, rows: Array<{ name: string }>) => {
      database.close();
      if (error) reject(error);
      else resolve(rows);
    });
  });
}

async function serve() {
  const booted = await boot();
  const { main } = booted;
  const tell = withPubSub(main);
  await main.load();
  await main.db.sync();
  const rests = { boot: { generation: 0, how: 'start' as const } };
  const app = appOf({
    name: 'crm',
    startMode: 'onVisit',
    environments: ['local'],
    placements: { local: placementOf({ want: 'onDemand', ...rests }) },
    published: { local: publishedOf({ desired: 'onDemand', ...rests }) },
  });
  await new AppRepository(main).create(app);
  await hosted(main, recordOf({ name: 'crm', uid: app.uid, desired: 'onDemand', ...rests }));
  await main.start();
  await until('the app is known', async () => (await booted.supervisor.listAppModels()).length === 1);
  const seen = {
    sync: await syncMessages(booted, tell),
    registering: registering(booted),
    creators: await creators(booted),
    manifest: await manifestInTransaction(booted),
    commands: await commands(booted),
  };
  return seen;
}

async function pluginCommand() {
  const { main } = await boot();
  const run = async (name: string) => {
    try {
      await main.runAsCLI(['pm', 'remove', 'gone', '--app', name], { from: 'user', throwError: true });
      return 'done';
    } catch (error) {
      return String(error);
    }
  };
  const seen = { crm: await run('crm'), nobody: await run('nobody'), main: await run('main') };
  return { ...seen, plugins: (await inApp('SELECT name FROM applicationPlugins')).map(({ name }) => name) };
}

(command === 'pm' ? pluginCommand() : serve())
  .then(
    (seen) => console.log(JSON.stringify({ ...seen, root, unhandled })),
    (error) => console.log(error),
  )
  .finally(() => {
    if (process.env.KEEP_ROOT !== 'true') rmSync(root, { recursive: true, force: true });
    process.exit();
  });
