import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RESOURCES } from '../../src/server/supervisor/api';
import { apiDescription } from '../../src/server/supervisor/api/openapi';
import { ssoOf } from '../../src/shared/sso';
import { ServedMainApp } from '../support/main-app';
import { MemoryFleet } from '../support/memory-fleet';

/**
 * What a role with one permission may do: every action, and every field of its input. Actions and fields are read from the
 * API's own declarations; who may set them is decided here, so that a new one fails until somebody decides.
 */

const SNIPPETS = ['overview', 'apps', 'activity', 'notifications', 'environments', 'security'] as const;
type Snippet = (typeof SNIPPETS)[number];

/** By resource and action: which permissions are enough, each alone. */
const ALLOWED: Record<string, Record<string, Snippet[]>> = {
  apps: {
    ...each(['list', 'counts', 'get', 'create', 'adopt', 'update', 'label', 'start', 'stop', 'restart'], ['apps']),
    ...each(['upgrade', 'move', 'previewMove', 'destroy', 'checkDatabase', 'logs', 'load', 'migrate'], ['apps']),
    ...each(['databaseSize', 'previewCreate', 'configure', 'deleted', 'restore'], ['apps']),
    ...each(['resetAdmin', 'renewSecrets'], ['security']),
  },
  appEnvironments: {
    list: ['overview', 'apps', 'activity', 'environments'],
    ...each(['get', 'cordon', 'uncordon', 'drain', 'move', 'previewMove', 'forget', 'check'], ['environments']),
    ...each(['join', 'arrival', 'resetAdmin', 'admit', 'logs'], ['security']),
  },
  appContainers: each(['list', 'create', 'start', 'stop', 'restart', 'upgrade', 'destroy', 'logs'], ['security']),
  appOperations: {
    list: ['overview', 'apps', 'activity', 'environments'],
    get: ['apps', 'activity'],
    ...each(['cancel', 'retry'], ['apps']),
  },
  appBatches: { ...each(['list', 'get'], ['apps', 'environments']), retry: ['apps'] },
  appViews: each(['list', 'create', 'update', 'destroy'], ['apps']),
  appEvents: { list: ['overview', 'apps', 'activity', 'environments'], export: ['overview', 'apps', 'activity'] },
  appNotifiers: each(['list', 'update', 'test'], ['notifications']),
  appFleet: { ...each(['summary', 'load'], ['overview', 'apps']), checklist: ['security'] },
};

function each(names: string[], snippets: Snippet[]): Record<string, Snippet[]> {
  return Object.fromEntries(names.map((name) => [name, snippets]));
}

const CONNECTION = ['dialect', 'host', 'port', 'username', 'password', 'database', 'schema', 'tablePrefix'];
const SSO = ['enabled', 'mapping', 'autoSignup', 'signupRole', 'signupFor', 'passwordSignIn', 'issuer'];
const OPTIONS = [
  'options.dbConnType',
  ...CONNECTION.map((name) => `options.database.${name}`),
  ...SSO.map((name) => `!options.sso.${name}`),
];
const CHANGEABLE = [
  ...['title', 'icon', '?cname', 'pinned', 'hidden', '?visibleTo', '?visibleRoles', 'labels', 'environments'],
  ...['targetEnvironment', 'failover', 'failoverDelay', 'failback', 'startMode', 'autoUpgrade'],
  ...OPTIONS,
];
const ADMIN = ['username', 'email', 'password'].map((name) => `initialAdmin.${name}`);
/**
 * By action, the fields of its input. One that needs Security besides is marked with `!`, and with `?` if that is so where users
 * of the main app are signed in.
 */
const FIELDS: Record<string, string[]> = {
  'apps:create': [...CHANGEABLE, 'name', 'language', ...ADMIN],
  'apps:previewCreate': ['title', 'seed'],
  'apps:adopt': [...CHANGEABLE, 'name', 'language'],
  'apps:update': CHANGEABLE,
  'apps:label': ['add', 'remove'],
  'apps:configure': ['startMode', 'failover', 'failoverDelay', 'failback'],
  ...Object.fromEntries(['start', 'stop', 'restart', 'upgrade'].map((name) => [`apps:${name}`, ['onFailure']])),
  'apps:move': ['from', 'to'],
  'apps:previewMove': ['from', 'to'],
  'apps:destroy': ['database'],
  'apps:restore': ['environments'],
  'apps:migrate': ['appNames', 'environments'],
  'apps:checkDatabase': ['environment', 'name', 'dbConnType', ...CONNECTION.map((name) => `database.${name}`)],
};

const JOINED = ['name', 'url', 'proxyUrl'];
const OTHERS: Record<string, string[]> = {
  'appEnvironments:uncordon': ['bringHome'],
  'appEnvironments:drain': ['mode', 'to'],
  'appEnvironments:move': ['from', 'to'],
  'appEnvironments:previewMove': ['from', 'to'],
  'appEnvironments:forget': ['move', 'to'],
  'appEnvironments:join': [...JOINED, 'image', 'network', 'redis', 'database'],
  'appEnvironments:arrival': ['name', 'address'],
  'appEnvironments:admit': ['address'],
  'appContainers:create': [...JOINED, 'redis', 'database', 'memory', 'cpus'],
  'appViews:create': ['name', 'address'],
  'appViews:update': ['name', 'address'],
  'appNotifiers:update': ['enabled', 'kinds', 'channel', 'receivers', 'url', 'newSecret'],
};

interface Schema {
  properties?: Record<string, Schema>;
  anyOf?: Schema[];
}

/** The fields of an input, with those of objects in it. */
function fieldsOf(schema: Schema, path = ''): string[] {
  const parts = [schema, ...(schema.anyOf ?? [])].flatMap(({ properties }) => Object.entries(properties ?? {}));
  const found = parts.flatMap(([name, part]) => fieldsOf(part, path ? `${path}.${name}` : name));
  return found.length ? [...new Set(found)] : [path];
}

it('it is decided of every action who may do it, and of every field of an input who may set it', () => {
  const actions = Object.entries(RESOURCES).map(([resource, ours]) => [resource, Object.keys(ours).sort()]);
  expect(actions).toEqual(Object.entries(ALLOWED).map(([resource, ours]) => [resource, Object.keys(ours).sort()]));
  const inputs = Object.entries(apiDescription.paths).flatMap(([path, methods]) => {
    const body = 'post' in methods && methods.post.requestBody?.content['application/json'].schema;
    return body ? [[path.slice(1), fieldsOf(body as Schema).sort()]] : [];
  });
  const decided = Object.entries({ ...FIELDS, ...OTHERS }).map(([action, fields]) => [
    action,
    fields.map((field) => field.replace(/^[!?]/, '')).sort(),
  ]);
  expect(Object.fromEntries(inputs)).toEqual(Object.fromEntries(decided));
});

describe('a role with one permission', () => {
  let main: ServedMainApp;
  beforeAll(async () => {
    const roles = Object.fromEntries(SNIPPETS.map((name) => [name, [`pm.app-supervisor.${name}`]]));
    main = await ServedMainApp.begin(null, { ...roles, none: ['!pm', '!pm.*'] });
  });
  afterAll(() => main.end());

  it.each([...SNIPPETS, 'none' as const])('%s may do what it is for, and nothing else', async (role) => {
    for (const [resource, actions] of Object.entries(RESOURCES))
      for (const [name, { reads }] of Object.entries(actions)) {
        const action = `${resource}:${name}`;
        const { status } = await main.send(reads ? 'GET' : 'POST', `${action}?filterByTk=1`, undefined, role);
        // Where nothing manages apps, 409 is what is answered to whoever may ask.
        const expected = ALLOWED[resource][name].includes(role as Snippet) ? 409 : 403;
        expect([action, status]).toEqual([action, expected]);
      }
    const { status } = await main.send('GET', 'appSupervisor:info', undefined, role);
    expect(status).toBe(role === 'none' ? 403 : 200);
  });
});

describe('whoever may manage apps', () => {
  const fleet = new MemoryFleet();
  let main: ServedMainApp;
  beforeAll(async () => {
    fleet.answer = async () => ({ checks: [], verdict: 'free' });
    const supervisor = await fleet.supervisor();
    for (const name of ['env_a', 'env_b', 'west']) await fleet.environment(name);
    main = await ServedMainApp.begin(supervisor.part, {
      apps: ['pm.app-supervisor.apps'],
      both: ['pm.app-supervisor.apps', 'pm.app-supervisor.security'],
      drains: ['pm.app-supervisor.apps', 'pm.app-supervisor.environments'],
    });
    await fleet.runningApp(supervisor, 'plain', ['env_a']);
    const shop = { name: 'shop', title: 'Shop', environments: ['env_a'], options: { sso: { enabled: true } } };
    expect((await main.send('POST', 'apps:create', shop)).status).toBe(200);
    await fleet.run(1_000, 'env_a', 'env_b');
    await fleet.says('env_a', 'shop');
  });
  afterAll(() => main.end());

  /** Another value than that of an app that has just been created. */
  const OTHER: Record<string, unknown> = {
    ...{ name: 'other', title: 'Other', icon: 'crownoutlined', language: 'zh-CN', cname: 'crm.example.com' },
    ...{ pinned: true, hidden: true, visibleTo: 'nobody', visibleRoles: ['sales'], labels: ['x'] },
    ...{ environments: ['env_b'], targetEnvironment: 'env_b', failover: 'automatic', failoverDelay: 99 },
    ...{ failback: 'automatic', startMode: 'withMain', autoUpgrade: false },
    options: {
      dbConnType: 'new_database',
      database: {
        ...{ dialect: 'postgres', host: 'db', port: 1, username: 'u', password: 'p', database: 'd', schema: 's' },
        tablePrefix: 'p_',
      },
      sso: {
        ...{ enabled: true, mapping: 'email', autoSignup: true, signupRole: 'clerk', signupFor: ['sales'] },
        ...{ passwordSignIn: false, issuer: 'x' },
      },
    },
    initialAdmin: { username: 'x', email: 'x@x.test', password: 'long-enough' },
  };

  /** A body with the other value of one field. */
  function changing(path: string): Record<string, unknown> {
    const [first, ...rest] = path.split('.');
    const value = path.split('.').reduce((part, name) => (part as Record<string, unknown>)[name], OTHER as unknown);
    expect([path, value === undefined]).toEqual([path, false]);
    return { [first]: rest.reduceRight((inner, name) => ({ [name]: inner }), value) };
  }

  async function outcomesOf(action: string, role: string, base: object = {}) {
    const found: Record<string, string> = {};
    for (const [index, marked] of FIELDS[action.split('?')[0]].entries()) {
      const field = marked.replace(/^[!?]/, '');
      const names = 'name' in base ? { name: `a${index}_${role}` } : {};
      const { status, code, json } = await main.send('POST', action, { ...base, ...names, ...changing(field) }, role);
      if (code === 'NEEDS_SECURITY') found[field] = `${status} ${json.errors[0].field}`;
      else expect([field, status]).not.toEqual([field, 403]);
    }
    return found;
  }

  /** What is refused, of the fields with these marks. */
  const refusedOf = (action: string, marks: string) =>
    Object.fromEntries(
      FIELDS[action]
        .filter((field) => marks.includes(field[0]))
        .map((field) => field.slice(1))
        .map((field) => [field, `403 ${field.startsWith('options.sso.') ? 'options.sso' : field}`]),
    );

  /** Nothing is begun: what is asked for is looked at before. */
  const NEW = { name: '', title: 'New', environments: ['nosuch'] };

  it.each(['create', 'adopt'])('does not set who gets into an app that he begins: %s', async (how) => {
    expect(await outcomesOf(`apps:${how}`, 'apps', NEW)).toEqual(refusedOf(`apps:${how}`, '!'));
    expect(await outcomesOf(`apps:${how}`, 'both', NEW)).toEqual({});
  });

  it('does not change who gets into an app', async () => {
    expect(await outcomesOf('apps:update?filterByTk=plain', 'apps')).toEqual(refusedOf('apps:update', '!'));
  });

  it('nor, where the main app signs people in, who is signed in and where they are sent', async () => {
    // What is already so is no change.
    const refused = refusedOf('apps:update', '!?');
    delete refused['options.sso.enabled'];
    expect(await outcomesOf('apps:update?filterByTk=shop', 'apps')).toEqual(refused);
    expect(await outcomesOf('apps:update?filterByTk=shop', 'both')).toEqual({});
  });

  it('may send these settings as they are, as forms do', async () => {
    const sso = { enabled: true, mapping: ssoOf({}).mapping, autoSignup: false, signupRole: '', passwordSignIn: true };
    await main.send('POST', 'apps:create', { ...NEW, name: 'form', environments: ['env_a'], options: { sso } });
    const body = { title: 'Form', cname: null, visibleTo: 'everybody', visibleRoles: [], options: { sso } };
    expect((await main.send('POST', 'apps:update?filterByTk=form', body, 'apps')).status).toBe(200);
  });

  it('gives an app no host of main or of a Worker, and leaves one that it has', async () => {
    const change = async (cname: string, role = 'apps', name = 'plain') => {
      const answer = await main.send('POST', `apps:update?filterByTk=${name}`, { cname }, role);
      return answer.code ?? answer.status;
    };
    for (const role of ['apps', 'root']) {
      // The request itself has come by an address; as a header, the host is that of the front before it.
      expect(await change('127.0.0.1', role)).toBe('DOMAIN_TAKEN');
      expect(await change('main.example.test', role)).toBe('DOMAIN_TAKEN');
      expect(await change('west', role)).toBe('DOMAIN_OF_WORKER');
      expect(await change('10.1.2.3', role)).toBe('INVALID_INPUT');
    }
    const forwarded = { 'X-Forwarded-Host': 'www.Main.test:8443' };
    const body = { cname: 'www.main.test' };
    const answer = await main.send('POST', 'apps:update?filterByTk=plain', body, 'apps', forwarded);
    expect(answer.code).toBe('DOMAIN_TAKEN');
    // As a release stored it that asked for less.
    await fleet.supervisors[0].part.parts.appRepository.update('plain', { cname: 'west' });
    expect(await change('west')).toBe(200);
    expect(await change('10.1.2.3')).toBe('INVALID_INPUT');
  });

  it('asks again for a drain only if he may drain', async () => {
    const { json } = await main.send('POST', 'appEnvironments:drain?filterByTk=env_a', { mode: 'stop' }, 'drains');
    const retry = async (role: string) =>
      (await main.send('POST', `appBatches:retry?filterByTk=${json.meta.batch}`, {}, role)).status;
    expect([await retry('apps'), await retry('both'), await retry('drains')]).toEqual([403, 403, 200]);
  });
});
