import { describe, expect, it, vi } from 'vitest';
import { collections } from '../../src/server/core/collections';
import { apiDescription } from '../../src/server/supervisor/api/openapi';
import { EnvironmentRegistry } from '../../src/server/supervisor/definitions/environment-registry';
import { createInput, parseInput, updateInput } from '../../src/server/supervisor/definitions/input';
import { OperationStore } from '../../src/server/supervisor/definitions/operation-store';
import { AppRepository } from '../../src/server/supervisor/definitions/repository';
import { FleetView, type FleetViewOptions } from '../../src/server/supervisor/fleet/view';
import { AppService, type ServiceOptions } from '../../src/server/supervisor/requests/service';
import { recordFor } from '../../src/server/supervisor/rollout/record';
import type { Field, Place } from '../../src/shared/fields';
import { appIndexEntry, appRecord, registration } from '../../src/shared/messages';
import type { AppRow } from '../../src/shared/types';
import { bodyOf, newValues, valuesOf } from '../../src/ui/apps/form';
import { FakeClock } from '../support/clock';
import { appOf, operationOf, publishedOf, registrationOf } from '../support/fixtures';
import { SeededRandom } from '../support/random';

/**
 * Each declaration has one more field here, in memory. Everything else is what production runs: a field is declared once, and
 * whatever has to know it finds it there.
 */
const colour = { colour: 'red' };

const withField = vi.hoisted(
  () =>
    async <T extends object>(original: () => Promise<T>, name: keyof T, places: Place[]) => {
      const { orNull, text } = await import('../../src/shared/fields');
      const declared = await original();
      const field: Field = { type: orNull(text({ max: [20] })), in: places, since: '9.9.9' };
      return { ...declared, [name]: { ...declared[name], colour: field } };
    },
);
vi.mock('../../src/shared/app', (original: () => Promise<typeof import('../../src/shared/app')>) =>
  withField(original, 'APP', ['create', 'update', 'form', 'table', 'record', 'index', 'row', 'filter']),
);
vi.mock('../../src/shared/environment', (original: () => Promise<typeof import('../../src/shared/environment')>) =>
  withField(original, 'ENVIRONMENT', ['table', 'registration', 'row']),
);
vi.mock('../../src/shared/operation', (original: () => Promise<typeof import('../../src/shared/operation')>) =>
  withField(original, 'OPERATION', ['table', 'save', 'row']),
);

/** As a release wrote it that did not have the field. */
function olden<T extends object>(value: T): T {
  const { colour: _, ...old } = value as T & { colour?: unknown };
  return old as T;
}

const columnsOf = (table: string) => collections.find(({ name }) => name === table)?.fields;
const documented = (row: string) => (apiDescription.components.schemas as Record<string, { properties: object }>)[row];

/** A table of one row; it keeps what was written. */
function tableOf(row: object = {}) {
  const written: Record<string, unknown>[] = [];
  const model = { ...row, toJSON: () => row, get: (key: string) => (row as Record<string, unknown>)[key] };
  const write = async ({ values }: { values: Record<string, unknown> }) => void written.push(values);
  const repository = {
    find: async () => [model],
    findOne: async () => model,
    create: write,
    update: write,
    updateOrCreate: write,
    model: { findAll: async () => [] },
  };
  const update = async (values: Record<string, unknown>) => [written.push(values)];
  const sequelize = { transaction: async (work: (transaction: object) => unknown) => work({}) };
  const getModel = () => ({ update, findOne: async () => model });
  const db = { sequelize, inDialect: () => false, getRepository: () => repository, getModel };
  return { written, app: { db } as unknown as ServiceOptions['app'] };
}

describe('a field of an app that is declared once', () => {
  it('is a column of its table', () => {
    expect(columnsOf('apps')).toContainEqual({ name: 'colour', type: 'string' });
  });

  it('is accepted from users who create or change an app, within its limits', () => {
    expect(parseInput(createInput, { title: 'CRM', ...colour })).toMatchObject(colour);
    expect(parseInput(updateInput, colour)).toEqual(colour);
    expect(parseInput(updateInput, { colour: '' })).toEqual({ colour: null });
    expect(() => parseInput(updateInput, { colour: 'r'.repeat(21) })).toThrow(/colour/);
  });

  /** As far as writing goes. */
  function serviceOn({ app, written }: ReturnType<typeof tableOf>) {
    const appRepository = new AppRepository(app);
    vi.spyOn(appRepository, 'find').mockImplementation(async () => (written.length ? appOf() : null));
    return new AppService({
      app,
      appRepository,
      clock: new FakeClock(),
      random: new SeededRandom(),
      appCache: { apps: new Map(), tombstones: new Map(), refresh: async () => undefined },
      observer: { names: () => [], lastVisitOf: () => null },
      operations: {
        active: async () => [],
        newestGeneration: async () => 0,
        create: async () => undefined,
      },
      events: { append: async () => undefined },
      active: { refresh: async () => undefined },
      environmentCache: { settled: async () => undefined, assertStored: async () => undefined },
      queue: { run: async () => undefined, add: () => undefined },
      bus: { notify: () => undefined },
      compatibility: {
        assertUsable() {},
        assertAgree() {},
        assertSetsInitialAdmin() {},
        givesDatabaseRole: () => false,
      },
      aesKey: null,
      addresses: { appsDomain: null, publicUrl: null },
      defaultEnvironments: ['env_a'],
    } as unknown as ServiceOptions);
  }

  it('is written when an app is created, and when it is changed', async () => {
    const table = tableOf();
    const service = serviceOn(table);
    await service.create({ ...parseInput(createInput, { title: 'CRM', ...colour }), initialAdmin: null }, null);
    await service.update('crm', parseInput(updateInput, { colour: 'blue' }), null);
    expect(table.written.map((values) => values.colour)).toEqual(['red', 'blue']);
  });

  it('is empty if nobody named it', async () => {
    const table = tableOf();
    await serviceOn(table).create({ ...parseInput(createInput, { title: 'CRM' }), initialAdmin: null }, null);
    expect(table.written[0]).toMatchObject({ colour: null, pinned: false, startMode: 'onVisit' });
    expect(table.written[0]).not.toHaveProperty('options');
  });

  it('is read from the table; a row of an older release has none', async () => {
    expect(await new AppRepository(tableOf({ ...appOf(), ...colour }).app).find('crm')).toMatchObject(colour);
    expect(await new AppRepository(tableOf(olden(appOf())).app).find('crm')).toMatchObject({ colour: null });
    const grave = { uid: 'uid-1', name: 'crm', environments: [], definition: olden(appOf()) };
    const [{ definition }] = await new AppRepository(tableOf(grave).app).allTombstones();
    expect(definition).toMatchObject({ colour: null });
  });

  const app = { ...appOf(), ...colour };

  it('is sent to the environments with the record, and to all processes with the app index', () => {
    const record = recordFor(app, publishedOf());
    expect(record).toMatchObject(colour);
    expect(appRecord.parse(record)).toEqual(record);
    expect(appIndexEntry.parse(app)).toMatchObject(colour);
  });

  it('is empty in messages of an older release', () => {
    expect(appRecord.parse(olden(recordFor(appOf(), publishedOf())))).toMatchObject({ colour: null });
    expect(appIndexEntry.parse(olden(appOf()))).toMatchObject({ colour: null });
  });

  const view = new FleetView({
    observer: { observed: () => null, environment: () => null, reportsOf: () => [], lastVisitOf: () => null },
    active: { of: () => [] },
    environmentCache: { get: () => undefined, registrationOf: () => undefined },
    compatibility: { warningsOf: () => [] },
    appCache: {},
  } as unknown as FleetViewOptions);

  it('is in the row and its description', () => {
    expect(view.appRow(app)).toMatchObject(colour);
    const request = apiDescription.paths['/apps:create'].post.requestBody?.content['application/json'].schema;
    expect(request?.properties).toHaveProperty('colour');
    expect(documented('appSupervisorApp').properties).toHaveProperty('colour');
  });

  it('is entered with the form: initially empty, then with the app’s value', () => {
    expect(newValues()).not.toHaveProperty('colour');
    expect(valuesOf(view.appRow(app))).toMatchObject(colour);
    expect(bodyOf({ ...newValues(), title: 'CRM' })).toMatchObject({ colour: null });
    const entered = { ...valuesOf(view.appRow(app)), colour: ' blue ' };
    expect(bodyOf(entered, view.appRow(app) as AppRow)).toMatchObject({ colour: 'blue' });
  });
});

describe('a field of an environment that is declared once', () => {
  const said = { ...registrationOf('env_a'), ...colour };

  it('is a column of its table, and read from it', async () => {
    expect(columnsOf('appEnvironments')).toContainEqual({ name: 'colour', type: 'string' });
    const row = { name: 'env_a', registration: said, cordoned: false, lastSeenAt: '1' };
    const [stored] = await new EnvironmentRegistry(tableOf({ ...row, ...colour }).app).all();
    expect(stored).toMatchObject({ ...colour, registration: colour, lastSeenAt: 1 });
    const [old] = await new EnvironmentRegistry(tableOf(row).app).all();
    expect(old).toMatchObject({ colour: null });
  });

  it('is registered by a Worker; one of an older release has none', () => {
    expect(registration.parse(said)).toEqual(said);
    expect(registration.parse(olden(registrationOf('env_a')))).toMatchObject({ colour: null });
  });

  it('is in the row and its description', () => {
    const view = new FleetView({
      observer: { names: () => [], environment: () => null, entries: () => [] },
      environmentCache: {
        ...{ names: () => ['env_a'], get: () => undefined, registrationOf: () => said },
        proxyAddressOf: () => ({ address: '', unconfirmed: null }),
      },
      compatibility: { findings: () => [] },
      appCache: { apps: new Map() },
    } as unknown as FleetViewOptions);
    expect(view.environmentRows()).toMatchObject([colour]);
    expect(documented('appSupervisorEnvironment').properties).toHaveProperty('colour');
  });
});

describe('a field of an operation that is declared once', () => {
  const operation = { ...operationOf(['env_a boot']), ...colour };

  it('is a column of its table, written and read', async () => {
    expect(columnsOf('appOperations')).toContainEqual({ name: 'colour', type: 'string' });
    const table = tableOf(operation);
    const store = new OperationStore(table.app);
    await store.create(operation);
    await store.save({ ...operation, colour: 'blue' } as typeof operation);
    expect(table.written.map((values) => values.colour)).toEqual(['red', 'blue']);
    expect(await store.find('op-1')).toMatchObject(colour);
  });

  it('is shown in the row, also in that of its app, and described', () => {
    const view = new FleetView({
      appCache: { byUid: () => null },
      observer: { evidence: () => ({ health: 'online', entry: null }) },
    } as unknown as FleetViewOptions);
    expect(view.operationRow(operation)).toMatchObject(colour);
    expect(documented('appSupervisorOperation').properties).toHaveProperty('colour');
    expect(JSON.stringify(documented('appSupervisorApp').properties)).toContain('"createdBy"');
  });
});
