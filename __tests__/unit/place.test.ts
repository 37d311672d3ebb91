import { describe, expect, it } from 'vitest';
import { seal, unseal } from '../../src/server/protocol/secrets';
import { changedDatabase, placeOf } from '../../src/server/supervisor/definitions/database-settings';
import type { AppDatabase } from '../../src/shared/messages';

const KEY = Buffer.alloc(32, 7);
const own: AppDatabase = {
  dbConnType: 'new_connection',
  dialect: 'postgres',
  host: 'db',
  port: 5432,
  username: 'crm',
  password: seal('theirs', KEY),
  database: 'crm',
};
const place = { dbConnType: 'new_database' as const, database: 'crm' };
type Options = NonNullable<Parameters<typeof changedDatabase>[1]>;
const change = (database: Options['database'], before = own) =>
  changedDatabase({ name: 'crm', database: before }, { database }, KEY);

describe('the location of a new app’s data', () => {
  it('has the default port if none is given, so that no environment’s own port replaces it', () => {
    const database = { dialect: 'mysql' as const, host: 'db', username: 'crm', database: 'crm' };
    const of = (more: object) =>
      placeOf({
        name: 'crm',
        title: 'CRM',
        options: { dbConnType: 'new_connection', database: { ...database, ...more } },
      });
    expect(of({})).toEqual({ dbConnType: 'new_connection', ...database, port: 3306 });
    expect(of({ dialect: 'kingbase' }).port).toBe(54321);
    expect(of({ port: 3307 }).port).toBe(3307);
  });
});

describe('a stored password', () => {
  it.each<[string, Options['database']]>([
    ['host', { host: 'evil.example.com' }],
    ['port', { port: 5433 }],
    ['user', { username: 'other' }],
    ['host, with an empty password as forms send it', { host: 'evil.example.com', password: '' }],
    ['host, among what stays', { host: 'evil.example.com', port: 5432, username: 'crm' }],
  ])('invariant 8: is not used for another %s', (_, database) => {
    expect(() => change(database)).toThrow(
      expect.objectContaining({ code: 'PASSWORD_REQUIRED', status: 400, field: 'options.database.password' }),
    );
  });

  it('is not used for a port if none was given before', () => {
    const { port: _, ...before } = own;
    expect(() => change({ port: 5432 }, before)).toThrow(expect.objectContaining({ code: 'PASSWORD_REQUIRED' }));
  });

  it('is replaced by the one in the same request', () => {
    const changed = change({ host: 'other', port: 5433, username: 'sales', password: 'new' });
    expect(changed).toMatchObject({ host: 'other', port: 5433, username: 'sales', database: 'crm' });
    expect(unseal(changed.password!, KEY, 'crm')).toBe('new');
  });

  it('stays if nothing changes', () => {
    expect(change({ host: 'db', port: 5432, username: 'crm', password: '' })).toEqual(own);
    expect(change({})).toEqual(own);
    expect(unseal(change({ password: 'new' }).password!, KEY, 'crm')).toBe('new');
  });

  it('is not required if there is none', () => {
    const { password: _, ...before } = own;
    expect(change({ host: 'other' }, before)).toEqual({ ...before, host: 'other' });
  });
});

describe('what an update may not change', () => {
  it.each(['host', 'username'] as const)('the %s of a separate connection cannot be removed', (field) => {
    expect(() => change({ [field]: '', password: 'new' })).toThrow(
      expect.objectContaining({ code: 'INVALID_INPUT', field: `options.database.${field}` }),
    );
  });

  it.each<[string, Options['database']]>([
    ['host', { host: 'db' }],
    ['port', { port: 5432 }],
    ['username', { username: 'crm' }],
    ['password', { password: 'x' }],
    ['dialect', { dialect: 'postgres' }],
  ])('the environment’s own %s cannot be set by the app', (field, database) => {
    expect(() => change(database, place)).toThrow(
      expect.objectContaining({ code: 'INVALID_INPUT', field: `options.database.${field}` }),
    );
  });

  it('the kind of connection cannot change', () => {
    expect(() => changedDatabase({ name: 'crm', database: place }, { dbConnType: 'new_connection' }, KEY)).toThrow(
      expect.objectContaining({ code: 'INVALID_INPUT', field: 'options.dbConnType' }),
    );
    expect(changedDatabase({ name: 'crm', database: place }, { dbConnType: 'new_database' }, KEY)).toEqual(place);
  });
});
