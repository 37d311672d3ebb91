import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { changedDatabase } from '../../src/server/supervisor/definitions/database-settings';
import { createInput, parseInput, updateInput } from '../../src/server/supervisor/definitions/input';
import { APP } from '../../src/shared/app';
import { defaultsIn } from '../../src/shared/fields';
import type { AppDatabase } from '../../src/shared/messages';
import type { AppRow, EnvironmentRow } from '../../src/shared/types';
import { type AppValues, bodyOf, environmentOption, needsPassword, newValues, valuesOf } from '../../src/ui/apps/form';

const entered = (change: Partial<AppValues> = {}): AppValues => ({
  ...newValues(),
  environments: ['env_a'],
  title: ' CRM ',
  options: { dbConnType: 'new_database', database: { database: '', tablePrefix: undefined } },
  ...change,
});

const app: AppRow = {
  ...defaultsIn(APP, 'row'),
  name: 'a_crm',
  uid: 'u',
  title: 'CRM',
  environments: ['env_a', 'env_b'],
  targetEnvironment: 'env_b',
  desiredState: 'running',
  startMode: 'withMain',
  autoUpgrade: true,
  options: {
    dbConnType: 'new_connection',
    database: { dialect: 'postgres', host: 'db', port: 5432, username: 'crm', database: 'crm' },
  },
  statuses: {},
  pendingChanges: [],
  warnings: [],
  createdAt: 0,
  updatedAt: 0,
};

describe('the body of apps:create', () => {
  it('omits empty fields, and makes the first environment the target', () => {
    const { name, initialAdmin, options, ...settings } = bodyOf(entered({ name: '', cname: ' CRM.example.com ' }));
    expect([name, initialAdmin, options]).toEqual([undefined, undefined, { dbConnType: 'new_database' }]);
    expect(settings).toMatchObject({
      title: 'CRM',
      icon: null,
      cname: 'crm.example.com',
      environments: ['env_a'],
      targetEnvironment: 'env_a',
      startMode: 'onVisit',
      autoUpgrade: true,
      pinned: false,
      hidden: false,
    });
  });

  it('contains the entered fields of the first administrator, and the password unchanged', () => {
    const initialAdmin = { username: ' ada ', email: '', password: ' of her own ' };
    expect(bodyOf(entered({ initialAdmin })).initialAdmin).toEqual({ username: 'ada', password: ' of her own ' });
    const nothing = { username: '', email: undefined, password: '' };
    expect(bodyOf(entered({ initialAdmin: nothing }))).not.toHaveProperty('initialAdmin');
  });

  it('names no environment in shared-memory mode', () => {
    const body = bodyOf(entered({ environments: [] }));
    expect(body).not.toHaveProperty('environments');
    expect(body).not.toHaveProperty('targetEnvironment');
  });

  it('contains only the fields of its kind of connection', () => {
    const database = {
      dialect: 'mysql',
      host: 'db',
      port: 3306,
      username: 'u',
      password: ' p ',
      database: 'd',
      schema: '',
    };
    const bodyFor = (dbConnType: 'new_connection' | 'new_schema') =>
      bodyOf(entered({ options: { dbConnType, database: { ...database, schema: 's' } } })).options;
    expect(bodyFor('new_schema')).toEqual({ dbConnType: 'new_schema', database: { schema: 's' } });
    expect(bodyFor('new_connection')).toMatchObject({ database: { host: 'db', port: 3306, schema: 's' } });
  });

  it('keeps a target only while it is one of the environments', () => {
    const both = { environments: ['env_a', 'env_b'] };
    expect(bodyOf(entered({ ...both, targetEnvironment: 'env_b' })).targetEnvironment).toBe('env_b');
    expect(bodyOf(entered({ ...both, targetEnvironment: 'env_c' })).targetEnvironment).toBe('env_a');
  });

  it('is accepted by the server', () => {
    expect(() => parseInput(createInput, JSON.parse(JSON.stringify(bodyOf(entered({ name: 'a_crm' })))))).not.toThrow();
  });
});

describe('the body of apps:update', () => {
  it('has neither the name nor the location of the data, and no password unless one was entered', () => {
    const body = bodyOf(valuesOf(app), app);
    expect(body).not.toHaveProperty('name');
    expect(body.options).toEqual({ database: { host: 'db', port: 5432, username: 'crm' } });
    const values = valuesOf(app);
    values.options = { ...app.options, database: { ...app.options.database, password: 'new' } };
    expect(bodyOf(values, app).options).toMatchObject({ database: { password: 'new' } });
  });

  it('removes the domain if it is emptied', () => {
    expect(bodyOf({ ...valuesOf(app), cname: '' }, app).cname).toBeNull();
  });

  it('is accepted by the server', () => {
    expect(() => parseInput(updateInput, JSON.parse(JSON.stringify(bodyOf(valuesOf(app), app))))).not.toThrow();
  });
});

describe('the stored password', () => {
  it('is required where the server would refuse to use it, and nowhere else', () => {
    const before = { ...app.options.database, dbConnType: 'new_connection', password: 'stored' } as AppDatabase;
    const refusal = (values: AppValues) => {
      const { options } = parseInput(updateInput, JSON.parse(JSON.stringify(bodyOf(values, app))));
      try {
        changedDatabase({ name: 'crm', database: before }, options ?? {}, null);
      } catch (error) {
        return (error as { code: string }).code;
      }
      return null;
    };
    const entered = fc.record({
      host: fc.constantFrom('db', ' db ', '', 'other'),
      port: fc.constantFrom(5432, null, 5433),
      username: fc.constantFrom('crm', '', 'other'),
      password: fc.constantFrom('', undefined),
    });
    fc.assert(
      fc.property(entered, (changed) => {
        const database = { ...app.options.database, ...changed } as AppValues['options']['database'];
        const isNeeded = refusal({ ...valuesOf(app), options: { ...app.options, database } });
        expect(isNeeded).toBe(needsPassword(app.options.database, database) ? 'PASSWORD_REQUIRED' : null);
      }),
    );
  });
});

describe('an environment', () => {
  const known = { name: 'env_a', available: true, serves: true, health: 'online', proxyUrl: 'http://a' };
  const option = (change: Partial<EnvironmentRow>, isMember = false) =>
    environmentOption((text) => text, { ...known, unconfirmedProxyUrl: null, ...change } as EnvironmentRow, isMember);

  it('is offered for an app that it does not have unless it gets none', () => {
    expect(option({})).toEqual({ value: 'env_a', label: 'env_a', disabled: false });
    expect(option({ proxyUrl: '', unconfirmedProxyUrl: 'http://a' })).toMatchObject({
      label: 'env_a (To be admitted)',
      disabled: true,
    });
    expect(option({ unconfirmedProxyUrl: 'http://b' }).disabled).toBe(false);
    expect([option({ cordoned: true }).disabled, option({ cordoned: true }, true).disabled]).toEqual([true, false]);
    expect(option({ available: false, health: 'down' }).disabled).toBe(true);
  });
});
