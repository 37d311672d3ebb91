import { describe, expect, it } from 'vitest';
import { entryStatus, entryUrl } from '../../src/server/core/entries';
import { AppSupervisorError } from '../../src/server/errors';
import {
  type ActionRequest,
  type Answer,
  action,
  pageMeta,
  paging,
  perform,
  served,
  sorting,
} from '../../src/server/supervisor/api/action';
import { APPS } from '../../src/server/supervisor/api/apps';
import { redactPasswords } from '../../src/server/supervisor/api/request-log';
import type { AppDefinition } from '../../src/server/supervisor/definitions/repository';
import { FleetView, type FleetViewOptions } from '../../src/server/supervisor/fleet/view';
import type { SupervisorPart } from '../../src/server/supervisor/supervisor';
import { defaultsIn } from '../../src/shared/fields';
import { OPERATION } from '../../src/shared/operation';
import type { Status } from '../../src/shared/types';
import { appOf, operationOf } from '../support/fixtures';

/** A supervisor that knows these apps, with their statuses by environment. */
function supervisorOf(known: Array<[Partial<AppDefinition>, Record<string, Status>]>) {
  const appRepository = known.map(([values]) => appOf(values));
  const asked: unknown[] = [];
  const statusIn = (app: AppDefinition, environment: string) => ({
    status: known[appRepository.indexOf(app)][1][environment],
  });
  const statusesOf = (app: AppDefinition, judged: typeof statusIn) =>
    app.environments.map((environment) => [environment, judged(app, environment)]);
  const names = (filter: unknown, sort: unknown) => {
    asked.push(filter, sort);
    return appRepository.map(({ name }) => name);
  };
  const supervisor = {
    loaded: true,
    app: (name: string) => appRepository.find((app) => app.name === name) ?? null,
    parts: {
      view: { judge: () => statusIn, statusesOf, appRow: (app: AppDefinition) => ({ name: app.name }) },
      appRepository: {
        names: async (filter: unknown, sort: unknown) => names(filter, sort),
        page: async (filter: unknown, sort: unknown, page: number, pageSize: number) => [
          names(filter, sort).slice((page - 1) * pageSize, page * pageSize),
          appRepository.length,
        ],
      },
    },
  };
  return { supervisor: supervisor as unknown as SupervisorPart, asked };
}

const three = () =>
  supervisorOf([
    [
      { name: 'crm', environments: ['env_a', 'env_b'] },
      { env_a: 'running', env_b: 'stopped' },
    ],
    [{ name: 'shop', environments: ['env_b'] }, { env_b: 'running' }],
    [{ name: 'wiki', environments: ['env_c'] }, { env_c: 'error' }],
  ]);

const ask = (what: Parameters<typeof perform>[0], request: Partial<ActionRequest>) =>
  perform(what, request as ActionRequest) as Promise<Answer>;

async function list(params: Record<string, unknown>, { supervisor, asked } = three()) {
  const { data, meta } = await ask(APPS.list, { supervisor, params });
  return { names: (data as Array<{ name: string }>).map(({ name }) => name), meta, asked };
}

describe('apps:counts', () => {
  const count = async (filter: unknown) => {
    return (await ask(APPS.counts, { supervisor: three().supervisor, params: { filter } })).data;
  };

  it('counts what each filter would find, together with the other one', async () => {
    const everywhere = { env_a: 1, env_b: 2, env_c: 1 };
    // An app has one status, its worst one in the environments that are filtered by.
    expect(await count({})).toEqual({
      statuses: { running: 1, stopped: 1, error: 1 },
      environments: everywhere,
      labels: {},
    });
    expect(await count({ environment: 'env_b' })).toEqual({
      statuses: { running: 1, stopped: 1 },
      environments: everywhere,
      labels: {},
    });
    expect(await count({ status: 'running' })).toEqual({
      statuses: { running: 1, stopped: 1, error: 1 },
      environments: { env_a: 1, env_b: 1 },
      labels: {},
    });
  });

  it('counts an app without an environment as such', async () => {
    const { supervisor } = supervisorOf([[{ name: 'crm', environments: [] }, {}]]);
    expect((await ask(APPS.counts, { supervisor, params: {} })).data).toEqual({
      statuses: { no_environment: 1 },
      environments: {},
      labels: {},
    });
  });
});

describe('apps:list', () => {
  it.each<[unknown, string]>([
    [{ status: { $ne: 'running' } }, 'status'],
    [{ status: { $in: ['error'], $ne: 'running' } }, 'status'],
    [{ $and: [{ environment: { $includes: 'env' } }] }, 'environment'],
    [{ environment: 7 }, 'environment'],
  ])('rejects %j, since only equality is supported', async (filter, field) => {
    const refused = list({ filter });
    await expect(refused).rejects.toMatchObject({ code: 'INVALID_INPUT', field: 'filter' });
    await expect(refused).rejects.toThrow(`${field} supports only $eq and $in`);
  });

  it.each<[unknown, string[]]>([
    [undefined, ['crm', 'shop', 'wiki']],
    [{ status: 'running' }, ['shop']],
    [{ status: 'running', environment: 'env_a' }, ['crm']],
    [{ status: ['stopped', 'error'] }, ['crm', 'wiki']],
    [{ status: { $in: ['error'] } }, ['wiki']],
    [{ environment: 'env_b' }, ['crm', 'shop']],
    [{ environment: { $eq: 'env_c' } }, ['wiki']],
    [{ $and: [{ status: 'running' }, { environment: ['env_b', 'env_c'] }] }, ['shop']],
    [{ status: 'running', environment: 'env_c' }, []],
    [{ status: 'stopped', environment: 'env_a' }, []],
    [{ status: 'stopped', environment: 'env_b' }, ['crm']],
  ])('filter %j (v2.0.18)', async (filter, expected) => {
    expect((await list({ filter })).names).toEqual(expected);
  });

  it.each<[unknown, unknown]>([
    [{ title: { $includes: 'C' } }, { title: { $includes: 'C' } }],
    [{ status: 'running', title: 'CRM' }, { title: 'CRM' }],
    [{ $and: [{ status: 'running' }, { title: 'CRM' }] }, { $and: [{ title: 'CRM' }] }],
    [{ $and: [{ $and: [{ environment: 'a' }] }] }, {}],
    [{ $and: [null, 1, 'x', {}] }, {}],
    [{ $or: [{ title: 'CRM' }] }, { $or: [{ title: 'CRM' }] }],
    [undefined, {}],
  ])('passes its own part of %j to the database', async (filter, expected) => {
    const { asked } = await list({ filter });
    expect(asked[0]).toEqual(expected);
  });

  it('sorts by known fields only', async () => {
    expect((await list({ sort: '-createdAt,jwtSecret,name' })).asked[1]).toEqual(['-createdAt', 'name']);
    expect((await list({ sort: ['createdAt'] })).asked[1]).toEqual(['createdAt']);
    expect((await list({ sort: 'jwtSecret' })).asked[1]).toEqual(['name']);
  });

  it('counts the matches, and returns one page of them', async () => {
    const { names, meta } = await list({ page: 2, pageSize: 2 });
    expect(names).toEqual(['wiki']);
    expect(meta).toEqual({ count: 3, page: 2, pageSize: 2, totalPage: 2 });
  });
});

describe('paging', () => {
  it.each<[Record<string, unknown>, object]>([
    [{}, { page: 1, pageSize: 20 }],
    [
      { page: '3', pageSize: '50' },
      { page: 3, pageSize: 50 },
    ],
    [
      { page: 0, pageSize: -1 },
      { page: 1, pageSize: 20 },
    ],
    [
      { page: 'x', pageSize: 1e9 },
      { page: 1, pageSize: 200 },
    ],
    [
      { page: 1.9, pageSize: Number.POSITIVE_INFINITY },
      { page: 1, pageSize: 20 },
    ],
  ])('%j', (params, expected) => {
    expect(paging(params)).toEqual(expected);
  });

  it('an empty list has no pages', () => {
    expect(pageMeta(0, 1, 20)).toEqual({ count: 0, page: 1, pageSize: 20, totalPage: 0 });
  });

  it('sorting accepts any value', () => {
    for (const value of [undefined, null, 1, {}, [{}], ''])
      expect(sorting(value, ['name'], ['name'])).toEqual(['name']);
  });
});

describe('an action', () => {
  async function call(
    work: () => Promise<never> | Promise<{ data: unknown }>,
    { method = 'POST', changes = true } = {},
  ) {
    const headers: Record<string, string> = {};
    const ctx = {
      get: () => '',
      method,
      status: 200,
      body: undefined as unknown,
      state: {},
      action: { params: {} },
      set: (name: string, value: string) => {
        headers[name] = value;
      },
    };
    let went = false;
    const described = { summary: '', gives: '', work, ...(changes ? {} : { reads: 'get' as const }) };
    const handler = served(action(described), () => ({}) as SupervisorPart);
    await handler(ctx as never, async () => {
      went = true;
    });
    return { status: ctx.status, body: ctx.body, headers, went };
  }

  it('returns its result', async () => {
    expect(await call(async () => ({ data: 1 }))).toMatchObject({ status: 200, body: { data: 1 }, went: true });
  });

  it('returns coded errors in the API’s format', async () => {
    const thrown = async () => {
      throw new AppSupervisorError('NAME_TAKEN', { app: 'crm' }, 'name');
    };
    expect(await call(thrown)).toMatchObject({
      status: 409,
      body: {
        errors: [
          { code: 'NAME_TAKEN', params: { app: 'crm' }, message: expect.stringContaining('"crm"'), field: 'name' },
        ],
      },
    });
  });

  it('leaves unknown errors to the core', async () => {
    await expect(
      call(async () => {
        throw new Error('Something.');
      }),
    ).rejects.toThrow('Something.');
  });

  it('that changes data refuses methods that a link or an image can send', async () => {
    expect(await call(async () => ({ data: 1 }), { method: 'GET' })).toMatchObject({
      status: 405,
      headers: { Allow: 'POST' },
      body: { errors: [{ code: 'METHOD_NOT_ALLOWED', params: {}, message: expect.stringContaining('POST') }] },
    });
    expect(await call(async () => ({ data: 1 }), { method: 'GET', changes: false })).toMatchObject({ status: 200 });
  });

  it('on a missing app reports it, and before the first load only that the app is unknown so far', async () => {
    const { supervisor } = three();
    const get = () => ask(APPS.get, { supervisor, params: { filterByTk: 'nobody' } });
    await expect(get()).rejects.toMatchObject({ code: 'UNKNOWN_APP', status: 404 });
    (supervisor as unknown as { loaded: boolean }).loaded = false;
    await expect(get()).rejects.toMatchObject({ code: 'NOT_READY', status: 503 });
  });

  it('on several apps starts none if one of them is unknown', async () => {
    const { supervisor } = three();
    const begun: string[] = [];
    Object.assign(supervisor.parts, { service: { command: async (name: string) => void begun.push(name) } });
    const params = { filterByTk: ['crm', 'nobody'] };
    const stop = ask(APPS.stop, { supervisor, values: {}, params, userId: null });
    await expect(stop).rejects.toMatchObject({ code: 'UNKNOWN_APP' });
    expect(begun).toEqual([]);
  });
});

describe('rows', () => {
  it('of an operation show how far each of its steps is', () => {
    const observer = { evidence: () => ({ health: 'online', entry: null }) };
    const appCache = { byUid: () => null };
    const view = new FleetView({ observer, appCache } as unknown as FleetViewOptions);
    const row = view.operationRow(operationOf(['env_a boot'], { createdById: '7' }));
    expect(row).toEqual({
      ...defaultsIn(OPERATION, 'row'),
      id: 'op-1',
      appName: 'crm',
      action: 'start',
      state: 'queued',
      waitingFor: null,
      generation: 10,
      progress: [{ environment: 'env_a', of: 'boot', state: 'queued' }],
      createdBy: '7',
      createdAt: 1,
      finishedAt: null,
    });
  });

  it.each<[string | Record<string, string> | undefined, string | null]>([
    [undefined, null],
    ['running', 'running'],
    [{}, null],
    [{ a: 'error', b: 'running' }, 'running'],
    [{ a: 'stopped', b: 'dormant' }, 'dormant'],
    [{ a: 'error', b: 'stopped' }, 'error'],
    [{ a: 'stopped' }, null],
  ])('of an entry in the environments a and b have one status for %j: %s', (statuses, expected) => {
    expect(entryStatus({ name: 'crm', environments: ['a', 'b'] }, statuses ? { crm: statuses } : {})).toBe(expected);
  });

  it.each<[string, string | null, string | null, string, string]>([
    ['crm', null, null, '/', '/apps/crm/admin/'],
    ['crm', null, 'https://apps.example.com', '/noco/', 'https://apps.example.com/noco/apps/crm/admin/'],
    ['crm', null, 'https://apps.example.com', '/v/', 'https://apps.example.com/v/apps/crm/admin/'],
    ['main', null, 'https://apps.example.com', '/', 'https://apps.example.com/admin/'],
    ['crm', 'crm.example.com', 'https://apps.example.com', '/', 'https://crm.example.com/admin/'],
    ['crm', 'crm.example.com', 'http://apps.example.com:8080', '/v/', 'http://crm.example.com:8080/v/admin/'],
    ['crm', 'crm.example.com', null, '/', '//crm.example.com/admin/'],
  ])('of an entry link to %s (domain %s, public address %s, path %s): %s', (name, cname, publicUrl, path, expected) => {
    expect(entryUrl({ name, ...(cname ? { cname } : {}) }, { publicUrl, appsDomain: null, path })).toBe(expected);
  });
});

describe('request log', () => {
  const struckOut = async (values: unknown) => {
    const params = { values };
    const action = { resourceName: 'apps', params };
    await redactPasswords(['apps'])({ action } as never, async () => undefined);
    return params.values;
  };

  it('contains no password, whatever its name and depth', async () => {
    const database = { host: 'db', password: 'x', encryptedDbPassword: true };
    expect(await struckOut({ title: 'CRM', options: { database }, list: [{ password: 'x' }, 1] })).toEqual({
      title: 'CRM',
      options: { database: { host: 'db', password: '******', encryptedDbPassword: '******' } },
      list: [{ password: '******' }, 1],
    });
  });

  it('handles a body that is deeper than the stack', async () => {
    const deep = JSON.parse(`${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`);
    expect(JSON.stringify(await struckOut(deep)).length).toBeLessThan(100);
    const list = JSON.parse(`${'['.repeat(100_000)}${']'.repeat(100_000)}`);
    expect(JSON.stringify(await struckOut(list)).length).toBeLessThan(100);
  });
});
