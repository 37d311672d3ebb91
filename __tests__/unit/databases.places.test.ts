import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type DatabaseConnection, ownerOf, type Protected, placeOf } from '../../src/server/databases/connection';
import { lockKey } from '../../src/server/databases/lock';
import { say } from '../../src/shared/message';

const pg: DatabaseConnection = { dialect: 'postgres', host: 'db', database: 'app_one', username: 'u' };
const code = (work: () => unknown) => {
  try {
    work();
  } catch (error) {
    return (error as { code: string; field?: string }).code;
  }
  return 'fine';
};

const DATABASE = say('DATABASE', { name: 'app_one' });
const SCHEMA = say('SCHEMA', { schema: 'tenant', database: 'app_one' });

describe('placeOf', () => {
  it.each([
    ['new_database', { ...pg }, 'database', 'public', DATABASE],
    ['new_database', { ...pg, schema: 'tenant' }, 'database', 'tenant', DATABASE],
    ['new_connection', { ...pg }, 'database', 'public', DATABASE],
    ['new_connection', { ...pg, schema: 'tenant' }, 'schema', 'tenant', SCHEMA],
    ['new_schema', { ...pg, schema: 'tenant' }, 'schema', 'tenant', SCHEMA],
    ['new_database', { ...pg, dialect: 'mariadb', schema: 'x y' }, 'database', null, DATABASE],
  ] as const)('%s of %o is a %s', (mode, connection, kind, schema, label) => {
    expect(placeOf(connection, mode)).toMatchObject({ kind, schema, label });
  });

  it('rejects schema mode without a schema, on every dialect (T10)', () => {
    expect(code(() => placeOf(pg, 'new_schema'))).toBe('DATABASE_NAME_INVALID');
    for (const dialect of ['mysql', 'mariadb', 'sqlite'] as const) {
      const connection = { ...pg, dialect, storage: '/tmp/x.sqlite', schema: 'tenant' };
      expect(code(() => placeOf(connection, 'new_schema'))).toBe('DATABASE_DIALECT');
    }
  });

  it.each(['x"; DROP DATABASE main; --', 'a`b', '', ' a', '1a', '_a', 'a.b', 'a\n', 'ä', 'a'.repeat(64), 'a\0'])(
    'rejects the database name %j (v2.1.37)',
    (database) => expect(code(() => placeOf({ ...pg, database }, 'new_database'))).toBe('DATABASE_NAME_INVALID'),
  );

  it.each(['MyApp', 'my-app', 'undefined; x', 'a"b', '', '1a'])('rejects the schema name %j', (schema) => {
    expect(code(() => placeOf({ ...pg, schema }, 'new_schema'))).toBe('DATABASE_NAME_INVALID');
  });

  it('accepts no name that needs escaping', () => {
    const name = fc
      .tuple(
        fc.constantFrom('', 'app', 'app_one'),
        fc.string({ unit: 'binary', maxLength: 1 }),
        fc.constantFrom('', 'x', '1'),
      )
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(name, fc.constantFrom('database', 'schema', 'tablePrefix'), (value, field) => {
        const taken = code(() => placeOf({ ...pg, schema: 'tenant', [field]: value }, 'new_schema')) === 'fine';
        return !taken || /^[A-Za-z0-9_-]*$/.test(value);
      }),
      { numRuns: 1_000 },
    );
  });

  it('rejects unknown dialects and SQLite in memory', () => {
    expect(code(() => placeOf({ ...pg, dialect: 'oracle' as never }, 'new_database'))).toBe('DATABASE_DIALECT');
    expect(code(() => placeOf({ dialect: 'sqlite', storage: ':memory:' }, 'new_database'))).toBe('DATABASE_DIALECT');
  });

  it('reads a port given as text, as in the core', () => {
    expect(placeOf({ ...pg, port: '5433' }, 'new_database').server).toBe('db:5433');
  });
});

describe('ownerOf', () => {
  const own = (
    connection: Partial<DatabaseConnection>,
    mode: 'new_database' | 'new_schema' | 'new_connection',
    main?: Protected,
  ) => ownerOf(placeOf({ ...pg, ...connection }, mode), main);

  it("protects the server's own databases and the public schema from apps", () => {
    expect(own({ database: 'postgres' }, 'new_database')).toEqual(say('OWNER_SERVER'));
    expect(own({ database: 'Template1' }, 'new_database')).toEqual(say('OWNER_SERVER'));
    expect(own({ dialect: 'mariadb', database: 'mysql' }, 'new_database')).toEqual(say('OWNER_SERVER'));
    expect(own({ database: 'nocobase', schema: 'public' }, 'new_schema')).toEqual(say('OWNER_SHARED_SCHEMA'));
    expect(own({ database: 'postgres', schema: 'tenant' }, 'new_schema')).toBeNull();
    expect(own({}, 'new_database')).toBeNull();
  });

  it("protects the environment's main database from apps, whatever the spelling of its host", () => {
    const main: Protected = { host: '127.0.0.1', port: 5432, database: 'nocobase' };
    expect(own({ host: 'localhost', database: 'nocobase' }, 'new_database', main)).toEqual(say('OWNER_MAIN'));
    expect(own({ host: undefined, database: 'nocobase' }, 'new_connection', main)).toEqual(say('OWNER_MAIN'));
    expect(own({ host: 'localhost', database: 'nocobase', schema: 'tenant' }, 'new_schema', main)).toBeNull();
    expect(own({ host: 'other', database: 'nocobase' }, 'new_connection', main)).toBeNull();
    expect(own({ host: 'localhost', port: 5433, database: 'nocobase' }, 'new_connection', main)).toBeNull();
    expect(own({ host: 'other', database: 'nocobase' }, 'new_connection', { database: 'nocobase' })).toEqual(
      say('OWNER_MAIN'),
    );
  });

  it('protects the schema of the main app', () => {
    const main: Protected = { database: 'nocobase', schema: 'head' };
    expect(own({ database: 'nocobase', schema: 'head' }, 'new_schema', main)).toEqual(say('OWNER_MAIN'));
    expect(own({ database: 'nocobase', schema: 'tenant' }, 'new_schema', main)).toBeNull();
    expect(own({ database: 'nocobase', schema: 'tenant' }, 'new_database', main)).toEqual(say('OWNER_MAIN'));
  });
});

describe('lockKey', () => {
  it('is the same in every release, and a signed 64-bit number', () => {
    expect(lockKey(pg)).toBe(lockKey({ ...pg }));
    expect(String(lockKey(pg))).toBe('219229184624429319');
    expect(BigInt.asIntN(64, lockKey(pg))).toBe(lockKey(pg));
  });

  it('depends on database, schema and purpose only', () => {
    expect(lockKey({ ...pg, host: 'elsewhere', port: 1, username: 'v', tablePrefix: 'p_' })).toBe(lockKey(pg));
    expect(lockKey({ ...pg, schema: 'public' })).toBe(lockKey(pg));
    const all = [
      lockKey(pg),
      lockKey({ ...pg, schema: 'tenant' }),
      lockKey({ ...pg, database: 'app_two' }),
      lockKey(pg, 'environment env_a'),
      lockKey({ ...pg, database: 'app_one\0tenant' }),
    ];
    expect(new Set(all).size).toBe(all.length);
  });
});
