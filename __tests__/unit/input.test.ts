import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AppSupervisorError } from '../../src/server/errors';
import {
  adoptInput,
  checkInput,
  createInput,
  destroyInput,
  namesInput,
  parseInput,
  updateInput,
} from '../../src/server/supervisor/definitions/input';
import { ENVIRONMENT_NAME, isAppName, RESERVED_APP_NAMES } from '../../src/shared/names';

const create = (values: object) => parseInput(createInput, { title: 'CRM', ...values });
const connection = { dialect: 'postgres', host: 'db', username: 'crm', database: 'crm' };

function refusal(work: () => unknown): AppSupervisorError {
  try {
    work();
  } catch (error) {
    if (error instanceof AppSupervisorError) return error;
    throw error;
  }
  throw new Error('It was accepted.');
}

describe('create', () => {
  it('accepts every setting', () => {
    const values = {
      name: 'crm_1',
      title: 'CRM',
      icon: 'data:image/png;base64,iVBORw0KGgo=',
      cname: 'crm.example.com',
      environments: ['env_a', 'env_b'],
      targetEnvironment: 'env_b',
      startMode: 'withMain',
      autoUpgrade: false,
      pinned: true,
      hidden: true,
      options: {
        dbConnType: 'new_connection',
        database: { ...connection, port: 5432, password: 'x', schema: 'crm', tablePrefix: 'c_' },
        sso: { enabled: true, autoSignup: false, issuer: 'https://id.example.com' },
      },
      initialAdmin: { username: 'ada', email: 'ada@example.com', password: 'of her own' },
    };
    expect(create(values)).toEqual(values);
  });

  it.each([createInput, updateInput])(
    'refuses to leave an app without its own secret, with the reason (#7239)',
    (schema) => {
      for (const independentSecret of [true, false, null, 'x']) {
        expect(refusal(() => parseInput(schema, { title: 'CRM', independentSecret }))).toMatchObject({
          code: 'INVALID_INPUT',
          status: 400,
          field: 'independentSecret',
          message: 'independentSecret cannot be set: every app has its own secret, and the setting was removed',
        });
      }
    },
  );

  it.each([
    ['password', 'admin123', /default password of NocoBase/],
    ['password', 'short', /at least 8/],
    ['password', '', /at least 8/],
    ['email', 'ada', /e-mail address/],
    ['username', 'ada@example.com', /must not contain @/],
    ['username', ' ', /1 to 50/],
    ['nickname', 'Ada', /initialAdmin.nickname is not a setting/],
  ])('rejects an administrator whose %s is "%s"', (name, value, problem) => {
    const { code, field, message } = refusal(() => create({ initialAdmin: { [name]: value } }));
    expect({ code, field }).toEqual({ code: 'INVALID_INPUT', field: `initialAdmin.${name}` });
    expect(message).toMatch(problem);
  });

  it('an adopted app keeps its users: an administrator is rejected with the reason', () => {
    const adopt = (values: object) => parseInput(adoptInput, { title: 'CRM', ...values });
    const { field, message } = refusal(() => adopt({ initialAdmin: {} }));
    expect(field).toBe('initialAdmin');
    expect(message).toMatch(/keeps its own users/);
    expect(adopt({ name: 'crm' })).toEqual({ name: 'crm', title: 'CRM' });
  });

  it('refuses names that JavaScript objects have, of apps and environments', () => {
    const names = Object.getOwnPropertyNames(Object.prototype);
    expect(names).toContain('toString');
    for (const name of names) {
      expect([name, isAppName(name), isAppName(name.toUpperCase())]).toEqual([name, false, false]);
      expect([name, ENVIRONMENT_NAME.test(name)]).toEqual([name, false]);
      expect(refusal(() => create({ name })).field).toBe('name');
      expect(refusal(() => create({ environments: [name] })).field).toBe('environments.0');
    }
    for (const name of ['constructor2', 'toString-2', 'env.constructor', 'a'])
      expect([name, ENVIRONMENT_NAME.test(name)]).toEqual([name, true]);
  });

  it('reads what forms send', () => {
    expect(
      create({ title: '  CRM ', icon: '', cname: '', targetEnvironment: '', options: { database: { host: '' } } }),
    ).toMatchObject({ title: 'CRM', icon: null, cname: null, targetEnvironment: null });
    const options = { dbConnType: 'new_connection', database: { ...connection, port: '5432' } };
    expect(create({ options }).options?.database?.port).toBe(5432);
    expect(create({ cname: ' CRM.Example.com ' }).cname).toBe('crm.example.com');
    expect(create({ icon: 'AppstoreOutlined' }).icon).toBe('AppstoreOutlined');
    expect(create({ options: { database: { tablePrefix: '' } } }).options?.database?.tablePrefix).toBe('');
  });

  it.each<[string, object, string, RegExp]>([
    ['no title', { title: ' ' }, 'title', /title is required/],
    ['no title at all', { title: undefined }, 'title', /title is required/],
    ['a title without end', { title: 't'.repeat(201) }, 'title', /title/],
    ['a name with a slash', { name: '../etc' }, 'name', /name must start with a letter/],
    ['a name with a quote', { name: 'a"b' }, 'name', /name must start with a letter/],
    ['a name that begins with a digit', { name: '1a' }, 'name', /name must start with a letter/],
    ['a name of 51 characters', { name: 'a'.repeat(51) }, 'name', /name must start with a letter/],
    ['the main app', { name: 'main' }, 'name', /name is a reserved name/],
    ['the main app in capitals', { name: 'MAIN' }, 'name', /name is a reserved name/],
    ['what objects have', { name: 'constructor' }, 'name', /name is a reserved name/],
    ['a prototype', { name: '__proto__' }, 'name', /name must start with a letter/],
    ['no environment', { environments: [] }, 'environments', /at least one environment/],
    ['one twice', { environments: ['a', 'a'] }, 'environments', /has the same value twice/],
    ['one that cannot be', { environments: ['a b'] }, 'environments.0', /is not the name of an environment/],
    [
      'a target that is not assigned',
      { environments: ['a'], targetEnvironment: 'b' },
      'targetEnvironment',
      /must be one of the environments/,
    ],
    ['a domain with a scheme', { cname: 'https://crm.example.com' }, 'cname', /must be a host name/],
    ['a domain with a port', { cname: 'crm.example.com:80' }, 'cname', /must be a host name/],
    ['a domain with a path', { cname: 'crm.example.com/x' }, 'cname', /must be a host name/],
    ['an icon that is a page', { icon: 'data:text/html;base64,PGI+' }, 'icon', /must be a png, jpeg or webp/],
    ['an icon that is a script', { icon: 'javascript:alert(1)' }, 'icon', /must be a png, jpeg or webp/],
    ['an icon as an SVG', { icon: 'data:image/svg+xml;base64,PHN2Zz4=' }, 'icon', /must be a png, jpeg or webp/],
    ['an icon too large', { icon: `data:image/png;base64,${'A'.repeat(48 * 1024)}` }, 'icon', /must be at most 48 KB/],
    ['a start mode that is none', { startMode: 'always' }, 'startMode', /startMode is not valid/],
    ['text for a switch', { pinned: 'yes' }, 'pinned', /pinned is not valid/],
    ['a setting that is none', { desired: 'stopped' }, 'desired', /desired is not a setting of an app/],
    ['a column of the table', { uid: 'x' }, 'uid', /uid is not a setting of an app/],
    [
      'an option that is none',
      { options: { autoStart: true } },
      'options.autoStart',
      /options.autoStart is not a setting of an app/,
    ],
    [
      'a database option that is none',
      { options: { database: { storage: '/etc/passwd' } } },
      'options.database.storage',
      /is not a setting of an app/,
    ],
    [
      'an sso option that is none',
      { options: { sso: { secret: 'x' } } },
      'options.sso.secret',
      /is not a setting of an app/,
    ],
    [
      'SQL in a database',
      { options: { database: { database: 'a"; DROP' } } },
      'options.database.database',
      /must start with a letter/,
    ],
    [
      'a schema in capitals',
      { options: { database: { schema: 'CRM' } } },
      'options.database.schema',
      /lowercase letter/,
    ],
    [
      'SQL in a prefix',
      { options: { database: { tablePrefix: "a'" } } },
      'options.database.tablePrefix',
      /must start with a letter/,
    ],
    [
      'a port that is none',
      { options: { database: { port: 70000 } } },
      'options.database.port',
      /options.database.port/,
    ],
    [
      'SQLite',
      { options: { database: { dialect: 'sqlite' } } },
      'options.database.dialect',
      /options.database.dialect/,
    ],
    [
      'a connection of its own without host',
      { options: { dbConnType: 'new_connection', database: { ...connection, host: '' } } },
      'options.database.host',
      /host is required/,
    ],
    [
      'a connection of its own without user',
      { options: { dbConnType: 'new_connection', database: { ...connection, username: undefined } } },
      'options.database.username',
      /username is required/,
    ],
    [
      'a connection of its own without dialect',
      { options: { dbConnType: 'new_connection', database: { ...connection, dialect: undefined } } },
      'options.database.dialect',
      /dialect is required/,
    ],
    [
      'a connection of its own without anything',
      { options: { dbConnType: 'new_connection' } },
      'options.database.host',
      /host is required for a separate connection/,
    ],
  ])('rejects %s', (_, values, field, problem) => {
    const error = refusal(() => create(values));
    expect(error).toMatchObject({ code: 'INVALID_INPUT', status: 400, field });
    expect(error.message).toMatch(problem);
  });

  it('reports every problem with its field', () => {
    const { message, field, more } = refusal(() => create({ options: { dbConnType: 'new_connection' }, color: 'red' }));
    expect([{ message, field }, ...more].map((error) => [error.field, error.message])).toEqual([
      ['options.database.host', 'options.database.host is required for a separate connection'],
      ['options.database.username', 'options.database.username is required for a separate connection'],
      ['options.database.database', 'options.database.database is required for a separate connection'],
      ['options.database.dialect', 'options.database.dialect is required for a separate connection'],
      ['color', 'color is not a setting of an app'],
    ]);
  });

  it('rejects values that are no object', () => {
    for (const value of [null, undefined, 'x', 1, [], [{}]]) {
      expect(refusal(() => parseInput(createInput, value)).code).toBe('INVALID_INPUT');
    }
  });

  it('accepts no name that the core, SQL or a path could misread', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.constantFrom(...RESERVED_APP_NAMES)), (name) => {
        const parsed = createInput.safeParse({ title: 'CRM', name });
        if (!parsed.success) return;
        expect(parsed.data.name).toMatch(/^[A-Za-z][\w-]{0,49}$/);
        expect(RESERVED_APP_NAMES.has(name.toLowerCase())).toBe(false);
      }),
    );
  });
});

describe('settings of a server', () => {
  const given = { dialect: 'postgres', host: 'db', port: 5432, username: 'crm', password: 'x' };
  const kinds = [undefined, 'new_database', 'new_schema'];

  it.each(Object.entries(given).flatMap(([field, value]) => kinds.map((dbConnType) => ({ field, value, dbConnType }))))(
    '$field is for a separate connection, not for $dbConnType',
    ({ field, value, dbConnType }) => {
      const database = { [field]: value };
      const refused = { code: 'INVALID_INPUT', status: 400 };
      expect(refusal(() => create({ options: { dbConnType, database } }))).toMatchObject({
        ...refused,
        field: `options.database.${field}`,
      });
      expect(refusal(() => parseInput(checkInput, { dbConnType, database }))).toMatchObject({
        ...refused,
        field: `database.${field}`,
      });
    },
  );

  it('a check of a separate connection requires the same fields', () => {
    expect(parseInput(checkInput, { dbConnType: 'new_connection', database: connection }).database).toEqual(connection);
    for (const field of Object.keys(connection)) {
      const database = { ...connection, [field]: '' };
      const error = refusal(() => parseInput(checkInput, { dbConnType: 'new_connection', database }));
      expect(error).toMatchObject({ code: 'INVALID_INPUT', field: `database.${field}` });
    }
  });

  it.each([
    '/var/run/postgresql',
    './socket',
    '..',
    '@abstract',
    '\\\\.\\pipe\\mysql',
    'db:5432',
    'a b',
    'http://db',
    'db/x',
    'x@db',
  ])('rejects the host %j, which is no host name and no address', (host) => {
    const database = { ...connection, host };
    for (const work of [
      () => create({ options: { dbConnType: 'new_connection', database } }),
      () => parseInput(updateInput, { options: { database: { host } } }),
      () => parseInput(checkInput, { dbConnType: 'new_connection', database }),
    ]) {
      const error = refusal(work);
      expect(error).toMatchObject({ code: 'INVALID_INPUT', status: 400 });
      expect(error.field).toMatch(/database\.host$/);
      expect(error.message).toContain('must be a host name or an address');
    }
  });

  it.each(['db', 'db.example.com', 'postgres_1', 'DB-1.local.', '10.0.0.1', '::1', 'fe80::1%eth0', '::ffff:10.0.0.1'])(
    'accepts the host %j',
    (host) => {
      const options = { dbConnType: 'new_connection', database: { ...connection, host: ` ${host} ` } };
      expect(create({ options }).options?.database?.host).toBe(host);
    },
  );
});

describe('update', () => {
  it('accepts any subset, and changes nothing that is not named', () => {
    expect(parseInput(updateInput, {})).toEqual({});
    expect(parseInput(updateInput, { title: 'Sales' })).toEqual({ title: 'Sales' });
  });

  it.each(['name', 'uid', 'generation', 'published', 'jwtSecret'])('rejects %s', (field) => {
    expect(refusal(() => parseInput(updateInput, { [field]: 'x' }))).toMatchObject({ code: 'INVALID_INPUT', field });
  });
});

describe('destroy', () => {
  it('invariant 9: keeps the database unless explicitly requested', () => {
    expect(parseInput(destroyInput, {})).toEqual({ database: 'keep' });
    expect(parseInput(destroyInput, { database: 'drop' })).toEqual({ database: 'drop' });
    for (const database of ['', true, 'DROP', 'delete', null]) {
      expect(refusal(() => parseInput(destroyInput, { database })).code).toBe('INVALID_INPUT');
    }
  });
});

describe('names of a request', () => {
  it.each<[unknown, string[]]>([
    ['crm', ['crm']],
    ['crm,shop', ['crm', 'shop']],
    [
      ['crm', 'shop'],
      ['crm', 'shop'],
    ],
  ])('%j', (value, names) => {
    expect(parseInput(namesInput, value)).toEqual(names);
  });

  it.each([undefined, '', [], [''], {}, Array(1001).fill('a')])('rejects %j', (value) => {
    expect(refusal(() => parseInput(namesInput, value)).code).toBe('INVALID_INPUT');
  });
});
