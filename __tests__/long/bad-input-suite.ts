import { beforeAll, expect, it } from 'vitest';
import { apiDescription } from '../../src/server/supervisor/api/openapi';
import type { OperationRow } from '../../src/shared/types';
import { ask } from '../support/http';
import type { Manager } from '../support/manager';

export interface BadInputGround {
  manager(): Manager;
  /** An app that is there, and its domain. */
  app: string;
  domain: string;
  environment: string;
  /** Whether a new app has to say where. */
  remote: boolean;
}

/** What the API refuses, how it says so, and that nothing of it changes anything. */
export function refusesBadInput({ manager, app: present, domain, environment, remote }: BadInputGround): void {
  const app = (values: object) => ({ name: 'bad', title: 'Bad', environments: [environment], ...values });
  const partner = {
    dialect: 'postgres',
    host: '127.0.0.1',
    username: 'user',
    password: 'password',
    database: 'partner',
  };
  const server = (values: object) =>
    app({ options: { dbConnType: 'new_connection', database: { ...partner, ...values } } });
  const outcome = (action: string, body?: unknown) => {
    const { url, token } = manager().api;
    const headers = { Authorization: `Bearer ${token}`, 'X-Authenticator': 'basic' };
    return ask(url, `/api/${action}`, { method: body === undefined ? 'GET' : 'POST', headers, body });
  };

  /** Action, body, status, code, field. */
  type Case = [string, unknown, number, string, string?];
  const CASES: Case[] = [
    ['apps:create', {}, 400, 'INVALID_INPUT', 'title'],
    ['apps:create', [], 400, 'INVALID_INPUT'],
    ...[
      ...['', ' ', '1abc', 'a b', 'a.b', '../x', '__proto__', 'constructor', 'main', 'MAIN', 'a'.repeat(51), 'ä'],
      ...[5, null, {}, ['crm'], true],
    ].map((name): Case => ['apps:create', app({ name }), 400, 'INVALID_INPUT', 'name']),
    ...['', '  ', 'x'.repeat(201), 5, null].map(
      (title): Case => ['apps:create', app({ title }), 400, 'INVALID_INPUT', 'title'],
    ),
    ['apps:create', app({ environments: [] }), 400, 'INVALID_INPUT', 'environments'],
    ['apps:create', app({ environments: 'env_a' }), 400, 'INVALID_INPUT', 'environments'],
    ['apps:create', app({ environments: [environment, environment] }), 400, 'INVALID_INPUT', 'environments'],
    ['apps:create', app({ environments: ['../..'] }), 400, 'INVALID_INPUT', 'environments.0'],
    ['apps:create', app({ environments: ['nosuch'] }), 404, 'UNKNOWN_ENVIRONMENT', 'environments'],
    ['apps:create', app({ targetEnvironment: 'another' }), 400, 'INVALID_INPUT', 'targetEnvironment'],
    ['apps:create', app({ startMode: 'sometimes' }), 400, 'INVALID_INPUT', 'startMode'],
    ['apps:create', app({ pinned: 'yes' }), 400, 'INVALID_INPUT', 'pinned'],
    ['apps:create', app({ name: present }), 409, 'NAME_TAKEN', 'name'],
    ['apps:create', app({ cname: domain }), 409, 'DOMAIN_TAKEN', 'cname'],
    ['apps:create', app({ cname: domain.toUpperCase() }), 409, 'DOMAIN_TAKEN', 'cname'],
    ...['not a domain', 'http://x.test', 'x.test/path', 'x.test:80', '-x.test', 'x..test'].map(
      (cname): Case => ['apps:create', app({ cname }), 400, 'INVALID_INPUT', 'cname'],
    ),
    ...['javascript:alert(1)', 'data:image/svg+xml;base64,AAAA', `data:image/png;base64,${'A'.repeat(50_000)}`].map(
      (icon): Case => ['apps:create', app({ icon }), 400, 'INVALID_INPUT', 'icon'],
    ),
    // Nothing that is the server's to say.
    ...['uid', 'generation', 'desired', 'boot', 'published', 'jwtSecret', 'database', 'createdAt'].map(
      (key): Case => ['apps:create', app({ [key]: 'x' }), 400, 'INVALID_INPUT', key],
    ),
    [
      'apps:create',
      app({ options: { authManager: { jwt: { secret: 'x' } } } }),
      400,
      'INVALID_INPUT',
      'options.authManager',
    ],
    ['apps:create', app({ options: { plugins: [] } }), 400, 'INVALID_INPUT', 'options.plugins'],
    ['apps:create', app({ options: { dbConnType: 'sqlite' } }), 400, 'INVALID_INPUT', 'options.dbConnType'],
    [
      'apps:create',
      app({ options: { database: { storage: '/etc/passwd' } } }),
      400,
      'INVALID_INPUT',
      'options.database.storage',
    ],
    [
      'apps:create',
      app({ options: { database: { database: 'x; DROP' } } }),
      400,
      'INVALID_INPUT',
      'options.database.database',
    ],
    [
      'apps:create',
      app({ options: { dbConnType: 'new_schema', database: { schema: 'Upper' } } }),
      400,
      'INVALID_INPUT',
      'options.database.schema',
    ],
    ['apps:create', app({ options: { dbConnType: 'new_connection' } }), 400, 'INVALID_INPUT', 'options.database.host'],
    ['apps:create', (): unknown => server({ port: 70_000 }), 400, 'INVALID_INPUT', 'options.database.port'],
    ['apps:create', (): unknown => server({ dialect: 'sqlite' }), 400, 'INVALID_INPUT', 'options.database.dialect'],
    [
      'apps:create',
      (): unknown => server({ tablePrefix: 'x"; --' }),
      400,
      'INVALID_INPUT',
      'options.database.tablePrefix',
    ],
    ...['/var/run/postgresql', 'db:5432'].map(
      (host): Case => ['apps:create', server({ host }), 400, 'INVALID_INPUT', 'options.database.host'],
    ),
    // Whose server it is: with the environment's own comes its password.
    ...Object.entries({ host: '127.0.0.1', port: 1, username: 'x', password: 'x', dialect: 'postgres' }).flatMap(
      ([field, value]): Case[] =>
        ['new_database', 'new_schema'].flatMap((dbConnType): Case[] => {
          const options = { dbConnType, database: { [field]: value } };
          return [
            ['apps:create', app({ options }), 400, 'INVALID_INPUT', `options.database.${field}`],
            ['apps:adopt', app({ options }), 400, 'INVALID_INPUT', `options.database.${field}`],
            ['apps:checkDatabase', { environment, ...options }, 400, 'INVALID_INPUT', `database.${field}`],
          ];
        }),
    ),
    [
      `apps:update?filterByTk=${present}`,
      { options: { database: { host: '127.0.0.1' } } },
      400,
      'INVALID_INPUT',
      'options.database.host',
    ],
    ['apps:adopt', {}, 400, 'INVALID_INPUT', 'title'],
    ['apps:adopt', app({ name: present }), 409, 'NAME_TAKEN', 'name'],
    [`apps:update?filterByTk=${present}`, { name: 'other' }, 400, 'INVALID_INPUT', 'name'],
    [`apps:update?filterByTk=${present}`, { title: '' }, 400, 'INVALID_INPUT', 'title'],
    [`apps:update?filterByTk=${present}`, { environments: [] }, 400, 'INVALID_INPUT', 'environments'],
    [`apps:update?filterByTk=${present}`, { environments: ['nosuch'] }, 404, 'UNKNOWN_ENVIRONMENT', 'environments'],
    [`apps:update?filterByTk=${present}`, { targetEnvironment: 'another' }, 400, 'INVALID_INPUT', 'targetEnvironment'],
    [
      `apps:update?filterByTk=${present}`,
      { options: { database: { database: 'other' } } },
      400,
      'INVALID_INPUT',
      'options.database.database',
    ],
    [
      `apps:update?filterByTk=${present}`,
      { options: { database: { schema: 'other' } } },
      400,
      'INVALID_INPUT',
      'options.database.schema',
    ],
    [`apps:destroy?filterByTk=${present}`, { database: 'erase' }, 400, 'INVALID_INPUT', 'database'],
    [`apps:destroy?filterByTk=${present}&database=erase`, {}, 400, 'INVALID_INPUT', 'database'],
    [`apps:start?filterByTk=${present}`, { onFailure: 'pray' }, 400, 'INVALID_INPUT', 'onFailure'],
    ...['update', 'start', 'stop', 'restart', 'upgrade', 'destroy', 'get', 'logs'].map(
      (action): Case => [
        `apps:${action}?filterByTk=nosuch`,
        action === 'update' ? { title: 'x' } : {},
        404,
        'UNKNOWN_APP',
      ],
    ),
    ...['get', 'logs', 'start', 'stop', 'update', 'destroy'].map(
      (action): Case => [`apps:${action}`, {}, 400, 'INVALID_INPUT', 'filterByTk'],
    ),
    [`apps:start?filterByTk[]=${present}&filterByTk[]=`, {}, 400, 'INVALID_INPUT', 'filterByTk.1'],
    [`apps:stop?filterByTk=${present},nosuch`, {}, 404, 'UNKNOWN_APP'],
    ['apps:stop?filterByTk=__proto__', {}, 404, 'UNKNOWN_APP'],
    [`apps:logs?filterByTk=${present}&lines=0`, {}, 400, 'INVALID_INPUT', 'lines'],
    [`apps:logs?filterByTk=${present}&environment=../..`, {}, 400, 'INVALID_INPUT', 'environment'],
    [`apps:logs?filterByTk=${present}&environment=another`, {}, 404, 'UNKNOWN_ENVIRONMENT', 'environment'],
    ...(remote ? [['apps:checkDatabase', {}, 400, 'INVALID_INPUT', 'environment'] satisfies Case] : []),
    ['apps:checkDatabase', { environment: 'nosuch' }, 404, 'UNKNOWN_ENVIRONMENT', 'environment'],
    ['apps:checkDatabase', { environment, dbConnType: 'x' }, 400, 'INVALID_INPUT', 'dbConnType'],
    ['apps:checkDatabase', { environment, dbConnType: 'new_connection' }, 400, 'INVALID_INPUT', 'database.host'],
    ['apps:migrate', {}, 400, 'INVALID_INPUT', 'appNames'],
    ['apps:list?filter=%7B%22nosuch%22%3A1%7D', undefined, 400, 'INVALID_INPUT', 'filter'],
    ['appOperations:list?filter=%7B%22nosuch%22%3A1%7D', undefined, 400, 'INVALID_INPUT', 'filter'],
    ['appEvents:list?filter=%7B%22cause%22%3A1%7D', undefined, 400, 'INVALID_INPUT', 'filter'],
    ...['cordon', 'uncordon', 'drain', 'forget', 'check'].map(
      (action): Case => [`appEnvironments:${action}?filterByTk=nosuch`, {}, 404, 'UNKNOWN_ENVIRONMENT'],
    ),
    [`appEnvironments:forget?filterByTk=${environment}`, {}, 409, 'ENVIRONMENT_ALIVE'],
    ...['get', 'cancel', 'retry'].map(
      (action): Case => [`appOperations:${action}?filterByTk=nosuch`, {}, 404, 'UNKNOWN_OPERATION'],
    ),
  ];

  /** Everything that could have been changed. */
  const everything = async () => {
    const operations = (await manager().api.get('appOperations:list', { pageSize: 200 })).data;
    return JSON.stringify([
      (await manager().apps()).map(({ name, title, environments, desiredState }) => ({
        name,
        title,
        environments,
        desiredState,
      })),
      operations.map(({ id }: OperationRow) => id),
      (await manager().environments()).map(({ cordoned }) => cordoned),
    ]);
  };
  let before: string;
  beforeAll(async () => {
    before = await everything();
  });

  it.each(CASES)('%s %j gets %d %s', async (action, given, status, code, field) => {
    const answer = await outcome(action, typeof given === 'function' ? given() : given);
    expect(answer).toMatchObject({ status, code });
    const documented = Object.values(apiDescription.paths[`/${action.split('?')[0]}`]);
    for (const { responses } of documented) {
      expect((responses as Record<number, { description: string }>)[status]?.description).toContain(code);
    }
    expect(Object.keys(answer.json)).toEqual(['errors']);
    expect(answer.json.errors[0].field).toBe(field);
    expect(answer.json.errors[0].message).not.toMatch(/\{\{|undefined|\[object/);
  });

  it('a page beyond all pages is empty, and a nonsensical one is the first', async () => {
    expect((await outcome('apps:list?page=1000')).json.data).toEqual([]);
    const nonsense = await outcome('apps:list?page=-1&pageSize=1e9&sort=jwtSecret');
    expect(nonsense.json.meta).toMatchObject({ page: 1, pageSize: 200 });
  });

  it('nothing of it has changed anything', async () => {
    expect(await everything()).toBe(before);
  });
}
