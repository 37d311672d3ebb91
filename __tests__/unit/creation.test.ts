import { beforeEach, describe, expect, it } from 'vitest';
import { AppSupervisorError } from '../../src/server/errors';
import { type ActionRequest, perform } from '../../src/server/supervisor/api/action';
import { APPS } from '../../src/server/supervisor/api/apps';
import { say, verbatim } from '../../src/shared/message';
import type { DatabaseCheck } from '../../src/shared/messages';
import { MemoryFleet, type MemorySupervisor } from '../support/memory-fleet';

/** `apps:create` of a whole Supervisor in memory; tests say what Workers find out about databases. */

let fleet: MemoryFleet;
let supervisor: MemorySupervisor;
let asked: Array<{ environment: string; payload: any }>;
let found: Record<string, DatabaseCheck>;

const FREE: DatabaseCheck = { checks: [{ name: 'content', ok: true, message: say('CHECK_FREE') }], verdict: 'free' };
const TAKEN: DatabaseCheck = {
  checks: [
    { name: 'reachable', ok: true, message: say('CHECK_REACHABLE', { server: 'db' }) },
    { name: 'content', ok: false, message: verbatim('Others are there.'), remedy: say('REMEDY_OTHER_NAME') },
  ],
  verdict: 'taken',
};

beforeEach(async () => {
  fleet = new MemoryFleet();
  asked = [];
  found = {};
  fleet.answer = async (environment, method, payload) => {
    expect(method).toBe('checkDatabase');
    asked.push({ environment, payload });
    return found[environment] ?? FREE;
  };
  supervisor = await fleet.supervisor();
});

type What = 'create' | 'previewCreate';
async function ask(what: What, values: object, security = true): Promise<{ data: any; meta?: any }> {
  const caller = { username: 'ada', email: null };
  const request = { supervisor: supervisor.part, values, userId: '1', caller, may: { security, hosts: [] } };
  const answer = perform(APPS[what], { ...request, params: {} } as unknown as ActionRequest);
  const done = answer.then(
    () => undefined,
    () => undefined,
  );
  await Promise.race([done, fleet.clock.run(1_000)]);
  return answer as Promise<{ data: any; meta?: any }>;
}
const refusal = (values: object) =>
  ask('create', values).then(
    () => null,
    (error) => error,
  );
const apps = () => fleet.database.visible('apps').map(({ name }) => name);

describe('a new app of which nothing but its title is said', () => {
  it('gets an identifier from it, and the environment with the fewest apps', async () => {
    for (const name of ['env_a', 'env_b']) await fleet.environment(name);
    const first = await ask('create', { title: 'Customers' });
    expect(first.data).toMatchObject({ name: 'customers', environments: ['env_a'], targetEnvironment: 'env_a' });
    expect(first.meta).toEqual({ unchecked: [] });
    const second = await ask('create', { title: 'customers' });
    expect(second.data).toMatchObject({ name: 'customers-2', environments: ['env_b'] });
    expect(asked.map(({ environment, payload }) => [environment, payload.database.database])).toEqual([
      ['env_a', 'customers'],
      ['env_b', 'customers-2'],
    ]);
  });

  it('gets no identifier of a deleted app, whose database is still there', async () => {
    await fleet.environment('env_a');
    await fleet.runningApp(supervisor, 'crm', ['env_a']);
    await supervisor.part.parts.service.destroy('crm', 'keep', '1');
    // Its environment has let go, and has confirmed that it knows no record of it any more.
    for (let times = 0; times < 2; times++) {
      await fleet.run(1_000, 'env_a');
      await fleet.says('env_a', 'crm', { status: 'not_found' });
    }
    const [tombstone] = fleet.database.visible('appTombstones');
    expect(tombstone).toMatchObject({ name: 'crm', endedAt: expect.any(Number) });
    expect((await ask('previewCreate', { title: 'CRM' })).data.name).toBe('crm-2');
    expect((await ask('create', { title: 'CRM' })).data.name).toBe('crm-2');
  });

  it('gets what was previewed', async () => {
    for (const name of ['env_a', 'env_b']) await fleet.environment(name);
    await ask('create', { title: 'Shop' });
    const { data } = await ask('previewCreate', { title: '客户', seed: 'x' });
    expect(data).toEqual({
      name: expect.stringMatching(/^[a-z]{6}$/),
      environment: 'env_b',
      places: [
        { name: 'env_a', apps: 1, refusal: null },
        { name: 'env_b', apps: 0, refusal: null },
      ],
    });
    expect((await ask('previewCreate', { title: '客户', seed: 'x' })).data.name).toBe(data.name);
    expect((await ask('create', { title: '客户', name: data.name })).data.environments).toEqual(['env_b']);
  });

  it('is refused with the reason where no environment takes it', async () => {
    expect(await refusal({ title: 'Shop' })).toMatchObject({
      code: 'NO_PLACE',
      field: 'environments',
      params: { cause: say('NO_ENVIRONMENT_YET') },
    });
    await fleet.environment('env_a');
    await fleet.run(60_000);
    expect((await refusal({ title: 'Shop' })).params.cause).toEqual(say('MOVE_PLACE_AWAY', { environment: 'env_a' }));
    expect(apps()).toEqual([]);
  });
});

describe('the database of a new app', () => {
  it.each([
    ['DATABASE_TAKEN', TAKEN, {}, 'name'],
    ['DATABASE_TAKEN', TAKEN, { options: { database: { database: 'given' } } }, 'options.database.database'],
    ['DATABASE_UNUSABLE', { ...TAKEN, verdict: 'unusable' }, {}, undefined],
  ] as const)(
    'of which the check says %s is refused before anything is written',
    async (code, check, values, field) => {
      for (const name of ['env_a', 'env_b']) await fleet.environment(name);
      found = { env_b: check as DatabaseCheck };
      const error = await refusal({ title: 'Shop', environments: ['env_a', 'env_b'], ...values });
      expect(error).toMatchObject({ code, status: 409, field });
      expect(error.params).toEqual({
        environment: 'env_b',
        cause: verbatim('Others are there.'),
        remedy: say('REMEDY_OTHER_NAME'),
      });
      expect([apps(), fleet.database.visible('appOperations')]).toEqual([[], []]);
    },
  );

  it('that contains a NocoBase app is refused, and says so', async () => {
    await fleet.environment('env_a');
    const message = say('CHECK_ADOPTABLE', { version: '2.2.15' });
    found = { env_a: { checks: [{ name: 'content', ok: true, message }], verdict: 'adoptable' } };
    const refused = await refusal({ title: 'Shop' });
    expect(refused).toMatchObject({ code: 'DATABASE_ADOPTABLE', params: { environment: 'env_a', cause: message } });
  });

  it('is explained to whoever has Security alone: what answers at an address is none of the others’ business', async () => {
    await fleet.environment('env_a');
    await ask('create', { title: 'One' }, true);
    await ask('create', { title: 'Two' }, false);
    expect(asked.map(({ payload }) => payload.explains)).toEqual([true, false]);
  });

  it('is not checked for a request that is refused anyway', async () => {
    await fleet.environment('env_a');
    await ask('create', { title: 'Shop' });
    asked = [];
    expect(await refusal({ title: 'Shop', name: 'shop' })).toMatchObject({ code: 'NAME_TAKEN', field: 'name' });
    expect(await refusal({ title: 'X', environments: ['nosuch'] })).toMatchObject({ code: 'UNKNOWN_ENVIRONMENT' });
    expect(asked).toEqual([]);
  });

  it('is not checked in an environment that is not online: the app waits for it, and the answer says so', async () => {
    await fleet.environment('env_b');
    await fleet.run(60_000);
    await fleet.environment('env_a');
    const { data, meta } = await ask('create', { title: 'Shop', environments: ['env_a', 'env_b'] });
    expect(meta).toEqual({ unchecked: ['env_b'] });
    expect(asked.map(({ environment }) => environment)).toEqual(['env_a']);
    expect(data.operation).toMatchObject({ action: 'create', state: 'queued' });
  });

  it('is not checked in an environment that does not answer, and is created there all the same', async () => {
    for (const name of ['env_a', 'env_b']) await fleet.environment(name);
    const answer = fleet.answer;
    fleet.answer = async (environment, ...request) => {
      if (environment === 'env_b') throw new AppSupervisorError('WORKER_SILENT', { environment, seconds: 6 });
      return answer(environment, ...request);
    };
    const { data, meta } = await ask('create', { title: 'Shop', environments: ['env_a', 'env_b'] });
    expect(meta).toEqual({ unchecked: ['env_b'] });
    expect(data.operation).toMatchObject({ action: 'create', state: 'queued' });
  });
});
