import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { type Instance, type PostgresServer, query } from '../../scripts/fleet';
import { FLEETS } from '../../scripts/fleet/config';
import { NODE_OPTIONS } from '../../scripts/fleet/environment';
import { PACKAGE_NAME, PLUGIN_STORAGE } from '../../scripts/fleet/plugin';
import { ROOT } from '../../scripts/lib/root.mjs';
import { ask } from './http';

/**
 * A plugin of two releases, `1.0.0` and `2.0.0`, with a migration between them, for no older NocoBase can be installed
 * here. It keeps people; the second release adds their initials, and the migration fills them in. What it did is noted in
 * `releaseRuns` of the app's own database, and `releaseOrders` may tell it to `hold` or to `fail`.
 */
export const RELEASE_PACKAGE = '@nocobase/plugin-e2e-release';
export const RELEASE_PLUGIN = 'e2e-release';

export type Release = '1.0.0' | '2.0.0';

/** Environment variables with which an instance has this release, whatever the others have. */
export function releaseEnv(release: Release): Record<string, string> {
  const home = path.join(FLEETS, 'releases', release);
  return pluginsEnv(home, (plugins) => {
    writePackage(path.join(plugins, RELEASE_PACKAGE), release);
    // Ours is copied: a link to what is itself a link the core makes anew at every boot, while the other worker looks for
    // it (@nocobase/utils/plugin-symlink.js).
    fs.cpSync(path.join(PLUGIN_STORAGE, PACKAGE_NAME), path.join(plugins, PACKAGE_NAME), { recursive: true });
  });
}

/** A former release of this plugin, as its archive has it. */
export type FormerRelease = '0.1.0' | '0.1.1' | '0.2.0';

/** Environment variables with which an instance runs a former release of this plugin, whatever the others run. */
export function formerReleaseEnv(release: FormerRelease): Record<string, string> {
  const home = path.join(FLEETS, 'releases', release);
  const folder = path.join(home, 'plugins', PACKAGE_NAME);
  const env = pluginsEnv(home, () => {
    fs.mkdirSync(folder, { recursive: true });
    const archive = path.join(ROOT, `__tests__/fixtures/releases/${release}.tgz`);
    execFileSync('tar', ['-xzf', archive, '--strip-components=1', '-C', folder]);
  });
  const preload = path.join(home, 'former-release.cjs');
  fs.writeFileSync(preload, preloadOf(folder));
  return { ...env, NODE_OPTIONS: `${NODE_OPTIONS} --require ${preload}` };
}

/** The core finds the present release beside itself in `node_modules`, before it looks in `NODE_PATH`. */
const preloadOf = (folder: string) => `
const Module = require('node:module');
const resolve = Module._resolveFilename;
const name = ${JSON.stringify(PACKAGE_NAME)};
Module._resolveFilename = function (request, ...rest) {
  const isOurs = request === name || request.startsWith(name + '/');
  return resolve.call(this, isOurs ? ${JSON.stringify(folder)} + request.slice(name.length) : request, ...rest);
};`;

/** The core looks for plugins in one folder, which all instances share otherwise. */
function pluginsEnv(home: string, install: (plugins: string) => void): Record<string, string> {
  const modules = path.join(home, 'modules');
  const plugins = path.join(home, 'plugins');
  fs.rmSync(home, { recursive: true, force: true });
  install(plugins);
  const scope = path.join(ROOT, 'node_modules/@nocobase');
  fs.mkdirSync(path.join(modules, '@nocobase'), { recursive: true });
  for (const name of new Set([...fs.readdirSync(scope), ...fs.readdirSync(path.join(plugins, '@nocobase'))])) {
    const own = path.join(plugins, '@nocobase', name);
    fs.symlinkSync(fs.existsSync(own) ? own : path.join(scope, name), path.join(modules, '@nocobase', name));
  }
  return {
    NODE_MODULES_PATH: modules,
    NODE_PATH: [modules, path.join(ROOT, 'node_modules')].join(path.delimiter),
    PLUGIN_STORAGE_PATH: plugins,
  };
}

/** Which release answers, and what it knows of its one person; or what another of its actions answers. */
export async function askRelease(
  instance: Instance,
  app: string,
  { action = 'look', headers = {} }: { action?: string; headers?: Record<string, string> } = {},
) {
  const {
    status,
    json,
    headers: answered,
  } = await ask(instance.url, `/api/releasePeople:${action}`, {
    headers: { 'X-App': app, ...headers },
  });
  return { status, environment: answered['x-app-environment'], data: json?.data };
}

/** What its migration did in an app's database, from first to last. */
export async function runsOf(server: PostgresServer, database: string): Promise<string[]> {
  const { rows } = await query(server, database, 'SELECT event FROM "releaseRuns" ORDER BY id');
  return rows.map(({ event }) => event);
}

/** What its migration is to do when it comes: `hold` until told otherwise, or `fail`. */
export async function order(server: PostgresServer, database: string, migration: 'hold' | 'fail' | null) {
  await query(server, database, 'DELETE FROM "releaseOrders"');
  if (migration) await query(server, database, 'INSERT INTO "releaseOrders" (migration) VALUES ($1)', [migration]);
}

function writePackage(folder: string, release: Release): void {
  const manifest = {
    name: RELEASE_PACKAGE,
    version: release,
    displayName: 'Release',
    main: 'dist/server/index.js',
    nocobase: { supportedVersions: ['2.x'], editionLevel: 0 },
    peerDependencies: { '@nocobase/client': '2.x', '@nocobase/server': '2.x' },
  };
  const client = (lane: string, host: string) =>
    `define(${JSON.stringify(RELEASE_PACKAGE + lane)}, ["${host}"], function (host) {
      return { default: class extends host.Plugin {} };
    });`;
  const files: Record<string, string> = {
    'package.json': JSON.stringify(manifest, null, 2),
    'client.js': "module.exports = require('./dist/client/index.js');",
    'client-v2.js': "module.exports = require('./dist/client-v2/index.js');",
    'server.js': "module.exports = require('./dist/server/index.js');",
    'dist/externalVersion.js': "module.exports = { '@nocobase/server': '2.2.15', '@nocobase/client': '2.2.15' };",
    'dist/client/index.js': client('', '@nocobase/client'),
    'dist/client-v2/index.js': client('/client-v2', '@nocobase/client-v2'),
    'dist/server/index.js': serverOf(release),
    'dist/server/collections/releasePeople.js': collection('releasePeople', [
      'name',
      ...(release === '2.0.0' ? ['initials'] : []),
    ]),
    'dist/server/collections/releaseRuns.js': collection('releaseRuns', ['event']),
    'dist/server/collections/releaseOrders.js': collection('releaseOrders', ['migration']),
    ...(release === '2.0.0' && { 'dist/server/migrations/20260101000000-initials.js': MIGRATION }),
  };
  for (const [file, text] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
    fs.writeFileSync(path.join(folder, file), text);
  }
}

const collection = (name: string, fields: string[]) =>
  `module.exports = { __esModule: true, default: ${JSON.stringify({
    name,
    timestamps: false,
    fields: fields.map((field) => ({ type: 'string', name: field })),
  })} };`;

const serverOf = (release: Release) => `
const { Plugin } = require('@nocobase/server');
module.exports = {
  __esModule: true,
  default: class extends Plugin {
    async load() {
      this.app.resourceManager.registerActionHandler('releasePeople:look', async (ctx, next) => {
        const person = await ctx.db.getRepository('releasePeople').findOne();
        ctx.body = { release: '${release}', ...person.toJSON() };
        await next();
      });
      // What a plugin guards with a lock, or puts into the cache, as seen in this process.
      this.app.resourceManager.registerActionHandler('releasePeople:lock', async (ctx, next) => {
        ctx.body = await this.app.lockManager.tryAcquire('release').then(
          async (lock) => ((await lock.acquire(600000)), 'taken'),
          () => 'busy',
        );
        await next();
      });
      this.app.resourceManager.registerActionHandler('releasePeople:remember', async (ctx, next) => {
        const { value } = ctx.action.params;
        if (value) await this.app.cache.set('release', value);
        ctx.body = { value: (await this.app.cache.get('release')) ?? null };
        await next();
      });
      // A job in the core's queue, and which of them this process has done.
      const done = [];
      this.app.eventQueue.subscribe('release', { idle: () => true, process: async (job) => done.push(job.value) });
      this.app.resourceManager.registerActionHandler('releasePeople:work', async (ctx, next) => {
        const { value } = ctx.action.params;
        if (value) await this.app.eventQueue.publish('release', { value });
        ctx.body = done;
        await next();
      });
      // A message for everybody who has the app open.
      this.app.resourceManager.registerActionHandler('releasePeople:shout', async (ctx, next) => {
        this.app.emit('ws:sendToCurrentApp', { message: { type: 'release', payload: ctx.action.params.value } });
        ctx.body = {};
        await next();
      });
      // An id of its own making, and one as made by whoever has drawn a given number.
      this.app.resourceManager.registerActionHandler('releasePeople:id', async (ctx, next) => {
        const { snowflakeIdGenerator: own } = this.app;
        const drawn = new own.constructor({ workerId: Number(ctx.action.params.value ?? 0) });
        ctx.body = { own: own.parse(own.generate()), drawn: drawn.parse(drawn.generate()) };
        await next();
      });
      this.app.acl.allow('releasePeople', ['look', 'lock', 'remember', 'work', 'shout', 'id'], 'public');
    }
    async install() {
      const values = { name: 'Ada Lovelace'${release === '2.0.0' ? ", initials: 'AL'" : ''} };
      await this.db.getRepository('releasePeople').create({ values });
    }
  },
};`;

const MIGRATION = `
const { Migration } = require('@nocobase/server');
module.exports = {
  __esModule: true,
  default: class extends Migration {
    on = 'afterSync';
    async up() {
      const note = (event) => this.db.getRepository('releaseRuns').create({ values: { event } });
      const ordered = async () => (await this.db.getRepository('releaseOrders').findOne())?.get('migration');
      await note('begun');
      while ((await ordered()) === 'hold') await new Promise((resolve) => setTimeout(resolve, 100));
      if ((await ordered()) === 'fail') throw new Error('The migration was told to fail.');
      for (const person of await this.db.getRepository('releasePeople').find()) {
        const initials = person.get('name').split(' ').map((word) => word[0]).join('');
        await person.update({ initials });
      }
      await note('done');
    }
  },
};`;
