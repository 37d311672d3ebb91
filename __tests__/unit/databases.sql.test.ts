import { describe, expect, it } from 'vitest';
import { type DatabaseConnection, placeOf } from '../../src/server/databases/connection';
import { dialects } from '../../src/server/databases/dialects';
import { grantsCreate } from '../../src/server/databases/dialects/mysql';
import { databaseError } from '../../src/server/databases/open';
import type { Session } from '../../src/server/databases/session';

const pg: DatabaseConnection = { dialect: 'postgres', host: 'db', port: 5432, database: 'app', username: 'role' };
const maria: DatabaseConnection = { ...pg, dialect: 'mariadb', port: 3306 };

describe('quoting', () => {
  it.each([
    ['postgres', 'a"b', '"a""b"'],
    ['mysql', 'a`b', '`a``b`'],
    ['sqlite', 'a"b', '"a""b"'],
  ] as const)('%s: %s is %s', (dialect, name, quoted) => expect(dialects[dialect].quote(name)).toBe(quoted));

  it('names a table with its schema', () => {
    const place = placeOf({ ...pg, schema: 'tenant' }, 'new_schema');
    expect(dialects.postgres.table(place, 'applicationVersion')).toBe('"tenant"."applicationVersion"');
  });
});

describe('what a Worker asks a database of an app, in PostgreSQL', () => {
  /** Between two types PostgreSQL prefers an operator or a function of the app over its own, and it runs as the Worker. */
  const mixesTypes = (sql: string) =>
    /::reg(?!class::oid)|to_regnamespace|oid\b[^,()]{0,3}[<>=]+ \d|(?<!pg_catalog\.)pg_total_/.test(sql);
  const place = placeOf({ ...pg, schema: 'tenant' }, 'new_schema');
  const { relations, size, roles } = dialects.postgres;

  it.each<[string, (session: Session) => Promise<unknown>]>([
    ['its tables', (session) => relations(session, place)],
    ['its size', (session) => size(session, place)],
    ['what is not its own', (session) => roles!.foreign(session, place, 'app_crm')],
    ['what an app could not adopt', (session) => roles!.left!(session, place, 'app_crm')],
  ])('compares equal types, or sees nothing of the app: %s', async (_, ask) => {
    const asked: string[] = [];
    const query = async (sql: string) => {
      asked.push(sql);
      return [];
    };
    await ask({ query } as unknown as Session);
    expect(asked.length).toBeGreaterThan(0);
    const isHidden = asked[0] === 'BEGIN' && asked[1].includes('search_path = pg_catalog');
    expect(isHidden ? [] : asked.filter(mixesTypes)).toEqual([]);
  });
});

describe('SQL for an administrator', () => {
  const place = placeOf({ ...pg, database: 'my-app', schema: 'tenant' }, 'new_schema');
  it.each([
    ['database', 'CREATE DATABASE "my-app" OWNER "role"'],
    ['schema', 'CREATE SCHEMA "tenant" AUTHORIZATION "role"'],
    ['tables', 'GRANT ALL ON SCHEMA "tenant" TO "role"'],
  ] as const)('PostgreSQL, %s: %s', (what, sql) => expect(dialects.postgres.adminSql(place, what)).toContain(sql));

  it('MariaDB', () => {
    const sql = dialects.mariadb.adminSql(placeOf(maria, 'new_database'), 'database');
    expect(sql).toBe("CREATE DATABASE `app` CHARACTER SET utf8mb4; GRANT ALL ON `app`.* TO 'role'@'%';");
  });
});

describe('SHOW GRANTS', () => {
  it.each([
    ['GRANT ALL PRIVILEGES ON *.* TO `a`@`%`', true],
    ['GRANT SELECT, CREATE, DROP ON *.* TO `a`@`%`', true],
    ['GRANT CREATE USER, CREATE VIEW ON *.* TO `a`@`%`', false],
    ['GRANT USAGE ON *.* TO `a`@`%`', false],
    ['GRANT ALL PRIVILEGES ON `app\\_%`.* TO `a`@`%`', true],
    ['GRANT ALL PRIVILEGES ON `app_%`.* TO `a`@`%`', true],
    ['GRANT ALL PRIVILEGES ON `app\\_two`.* TO `a`@`%`', false],
    ['GRANT ALL PRIVILEGES ON `app_one`.* TO `a`@`%`', true],
    ['GRANT ALL PRIVILEGES ON `app_one`.`table` TO `a`@`%`', false],
    ['GRANT `creators`@`%` TO `a`@`%`', true],
  ])('%s: %s', (line, may) => expect(grantsCreate(line, 'app_one')).toBe(may));
});

describe('classification of driver errors', () => {
  const error = (fields: object) => Object.assign(new Error('no'), fields);
  it.each([
    [pg, { code: 'ECONNREFUSED' }, 'DATABASE_UNREACHABLE'],
    [pg, { code: 'ENOTFOUND' }, 'DATABASE_UNREACHABLE'],
    [pg, { message: 'timeout expired' }, 'DATABASE_UNREACHABLE'],
    [pg, { code: '57P03' }, 'DATABASE_UNREACHABLE'],
    [pg, { code: '28P01' }, 'DATABASE_SIGN_IN'],
    [pg, { code: '28000' }, 'DATABASE_SIGN_IN'],
    [pg, { code: '08P01', message: 'password authentication failed' }, 'DATABASE_SIGN_IN'],
    [pg, { code: '53300' }, 'DATABASE_FAILED'],
    [maria, { code: 'ER_ACCESS_DENIED_ERROR', errno: 1045 }, 'DATABASE_SIGN_IN'],
    [maria, { code: 'ER_CONNECTION_TIMEOUT', errno: 45012 }, 'DATABASE_UNREACHABLE'],
    [maria, { code: 'ER_SYNTAX_ERROR', errno: 1064 }, 'DATABASE_FAILED'],
    [{ ...maria, dialect: 'mysql' as const }, { code: 'PROTOCOL_CONNECTION_LOST' }, 'DATABASE_UNREACHABLE'],
  ])('%o %o: %s', (connection, fields, code) => {
    const translated = databaseError(connection, error(fields));
    expect(translated.code).toBe(code);
    expect(translated.message).toContain('db:');
    expect(translated.message).not.toMatch(/%\w/);
  });

  it('reads the causes of an AggregateError, whose own text is empty', () => {
    const both = Object.assign(new AggregateError([new Error('refused v4'), new Error('refused v6')]), {
      code: 'ECONNREFUSED',
    });
    expect(databaseError(pg, both).message).toContain('refused v4; refused v6');
  });
});
