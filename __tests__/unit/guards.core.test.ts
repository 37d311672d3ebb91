import { existsSync, mkdirSync, ReadStream, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { Application } from '@nocobase/server';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { coreApp, guardApps, instanceIn, pluginServer } from '../support/core-app';

/** Guards on the classes of NocoBase itself, without a database: what they are put on is there, and nobody gets around it. */

const require = createRequire(import.meta.url);

const { place, storage, host, guarded, end } = instanceIn();
const script = path.join(place, 'script');
const ran = path.join(place, 'ran');

function appOf(name: string): Application {
  const app = coreApp(name);
  const { DatabaseServerModel } = pluginServer('collection-fdw', 'models/database-server');
  app.db.registerModels({ DatabaseServerModel });
  app.pm.pluginAliases.set('async-task-manager', {} as never);
  app.resourceManager.define(pluginServer('async-task-manager', 'resourcers/async-tasks').default);
  app.localeManager.setLocaleFn('antd', async (lang: string) => pluginServer('client', 'antd').getAntdLocale(lang));
  return app;
}

let crm: Application;
let main: Application;

beforeAll(() => {
  writeFileSync(`${script}.js`, `require('fs').writeFileSync(${JSON.stringify(ran)}, ''); exports.Client = class {};`);
  [crm, main] = ['crm', 'main'].map(appOf);
  guardApps(guarded, [crm, main]);
});
afterAll(end);

/** Whether the script of the host was run by what is done; the core loads it once. */
async function runsScript(work: () => unknown): Promise<boolean> {
  delete require.cache[`${script}.js`];
  rmSync(ran, { force: true });
  await work();
  return existsSync(ran);
}

const METHODS = ['addViaCLI', 'pull', 'addByNpm', 'addByFile', 'addByCompressedFileUrl', 'update', 'upgradeByNpm'];
METHODS.push('upgradeByCompressedFileUrl', 'remove', 'create', 'getNpmVersionList');

describe('the plugin manager of an app', () => {
  it('adds and removes no package, whatever is called', async () => {
    const manager = crm.pm as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>;
    for (const method of METHODS) {
      await expect(manager[method](place, {})).rejects.toMatchObject({ code: 'PLUGINS_BY_OPERATOR', status: 403 });
    }
    // What has the next start upgrade is written first of all.
    expect(existsSync(path.join(storage, '.upgrading'))).toBe(false);
  });
});

describe('the guards of an app', () => {
  it('are there again whenever it has loaded, and never in the main app', () => {
    const tagsOf = (app: Application, times: number) => {
      const use = vi.spyOn(app.resourceManager, 'use');
      guardApps(guarded, [app], times);
      return use.mock.calls
        .map(([, options]) => (options as { tag: string }).tag)
        .filter((tag) => /^appSupervisor/.test(tag));
    };
    const once = tagsOf(appOf('once'), 1);
    expect(once).toContain('appSupervisorGuards');
    expect(tagsOf(appOf('twice'), 2)).toEqual([...once, ...once]);
    expect(tagsOf(main, 1)).toEqual([]);
  });
});

describe('MCP clients of an app', () => {
  const connect = ({ aiManager }: Application, options: object) =>
    (aiManager.mcpManager as unknown as { buildMCPConnection(options: object): object }).buildMCPConnection(options);
  const program = { transport: 'stdio', command: 'touch' };

  it('start no program, those of the main app do', () => {
    expect(() => connect(crm, program)).toThrow('cannot start a program');
    expect(connect(crm, { transport: 'http', url: 'http://x' })).toEqual({ transport: 'http', url: 'http://x' });
    expect(connect(main, program)).toMatchObject(program);
  });
});

describe('languages of an app', () => {
  // From the folder of NocoBase's own texts.
  const climbing = `${'../'.repeat(30)}${script.slice(1)}`;

  it('run no script of the host, unlike those of the main app', async () => {
    const texts = (app: Application, lang: string) => app.localeManager.get(lang);
    for (const app of [crm, main]) {
      await app.createCacheManager();
      await app.localeManager.load();
    }
    expect(await runsScript(() => texts(main, climbing))).toBe(true);
    expect(await runsScript(() => texts(crm, climbing))).toBe(false);
    expect(await texts(crm, 'zh-CN')).toMatchObject({ antd: { locale: 'zh-cn' } });
  });
});

describe('background tasks of an app', () => {
  const shared = path.join(host.temporaryPath, 'export.csv');
  const own = path.join(storage, 'apps/crm/tasks/export.csv');
  const secret = path.join(place, 'secret');

  /** Downloads what a stored task names, as NocoBase's own action does. */
  async function fetched(app: Application, filePath: string) {
    const headers: Record<string, string> = { 'Content-Disposition': 'x' };
    const ctx: Record<string, unknown> = {
      app: { db: { getRepository: () => ({ findOne: async () => ({ status: 1, result: { filePath } }) }) } },
      auth: { user: { id: 1 } },
      set: (more: Record<string, string>) => Object.assign(headers, more),
      remove: (name: string) => delete headers[name],
      throw: (status: number, text: string) => {
        throw new Error(`${status} ${text}`);
      },
    };
    const action = app.resourceManager.getAction('asyncTasks', 'fetchFile').clone();
    Object.assign(action, { resourceName: 'asyncTasks', actionName: 'fetchFile' });
    action.mergeParams({ filterByTk: 'task' });
    ctx.action = action;
    // Of the middleware only ours: who asks is not the question here.
    const ours = [...action.getHandlers()].filter(
      ({ name }) => name === 'confineTaskFiles' || name === 'refuseActions',
    );
    const run = (index: number): Promise<unknown> =>
      index < ours.length ? ours[index](ctx, () => run(index + 1)) : action.getHandler()(ctx, async () => undefined);
    await run(0);
    const { body, status } = ctx;
    if (body instanceof ReadStream) {
      const text = (await body.toArray()).join('');
      return { text, disposition: headers['Content-Disposition'] };
    }
    return { status, body, disposition: headers['Content-Disposition'] };
  }

  /** Runs a task that gives this back. @returns what is stored of it */
  async function resultOf(app: Application, result: unknown): Promise<unknown> {
    const { TaskType } = pluginServer('async-task-manager', 'task-type');
    const record: Record<string, unknown> = { id: 'task', save: async () => undefined };
    record.set = record.update = (values: object) => Object.assign(record, values);
    const task = Object.assign(new TaskType(record), { app, execute: async () => result });
    await task.run();
    return record.result;
  }

  it('keep what they have made in a folder of their app', async () => {
    writeFileSync(shared, 'of main');
    expect(await resultOf(main, { filePath: shared })).toEqual({ filePath: shared });
    writeFileSync(shared, 'of crm');
    expect(await resultOf(crm, { filePath: shared, rows: 7 })).toEqual({ filePath: own, rows: 7 });
    expect(existsSync(shared)).toBe(false);
    expect(await fetched(crm, own)).toEqual({ text: 'of crm', disposition: 'attachment; filename=export.csv' });
    // What is no such file stays as it is.
    writeFileSync(secret, 'content');
    const backup = path.join(host.temporaryPath, 'backups/hr/x.nbdata');
    mkdirSync(path.dirname(backup), { recursive: true });
    writeFileSync(backup, 'of hr');
    for (const result of [{ filePath: secret }, { filePath: backup }, { filePath: 7 }, 'done', undefined])
      expect(await resultOf(crm, result)).toEqual(result);
  });

  it('return their own files, and no others of the host or of other apps', async () => {
    for (const app of ['crm', 'hr']) mkdirSync(path.join(host.temporaryPath, 'backups', app), { recursive: true });
    const [backup, foreign] = ['crm', 'hr'].map((app) => path.join(host.temporaryPath, 'backups', app, 'x.nbdata'));
    mkdirSync(path.join(storage, 'apps/hr/tasks'), { recursive: true });
    const others = [foreign, shared, path.join(storage, 'apps/hr/tasks/export.csv')];
    for (const file of [own, backup, secret, ...others]) writeFileSync(file, 'content');
    expect(await fetched(main, secret)).toMatchObject({ text: 'content' });
    for (const file of [own, backup]) expect(await fetched(crm, file)).toMatchObject({ text: 'content' });
    for (const file of [...others, secret, '/proc/self/environ', path.join(place, 'absent')]) {
      expect(await fetched(crm, file)).toMatchObject({ status: 403, body: { errors: [{ code: 'TASK_FILE' }] } });
      expect((await fetched(crm, file)).disposition).toBeUndefined();
    }
  });
});

describe('servers of foreign tables of an app', () => {
  it('use only the entered fields, and load no script, unlike those of the main app', async () => {
    const entered = { dialect: 'postgres', host: 'db', port: 5432, database: 'sales', username: 'u', password: 'p' };
    const connect = async (app: Application) => {
      const Model = app.db.models.get('DatabaseServerModel')!;
      const row = Object.assign(Object.create(Model.prototype), {
        app,
        toJSON: () => ({ name: 'own', ...entered, dialectModulePath: `${script}.js` }),
      });
      const database = row.getRemoteDatabaseInstance();
      const { host: server, port, username, password } = database.sequelize.config;
      return {
        dialect: database.options.dialect,
        host: server,
        port,
        database: database.options.database,
        username,
        password,
      };
    };
    expect(await runsScript(() => connect(main))).toBe(true);
    expect(await runsScript(async () => expect(await connect(crm)).toEqual(entered))).toBe(false);
  });
});
