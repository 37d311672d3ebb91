import { afterAll, afterEach, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { query } from '../../scripts/fleet';
import { roleNameOf } from '../../src/server/databases';
import { AppSupervisorError } from '../../src/server/errors';
import { isPassword } from '../../src/server/protocol/administrator';
import { unseal } from '../../src/server/protocol/secrets';
import { createInput, parseInput } from '../../src/server/supervisor/definitions/input';
import { PATIENCE } from '../../src/server/timing';
import { failed, type InputCode, say } from '../../src/shared/message';
import { secretsOf } from '../support/envelope';
import { recordsIn } from '../support/records';
import { KEY, SmallFleet, type SupervisorProcess, type WorkerProcess } from '../support/small-fleet';
import { until } from '../support/wait';

/** What people ask for, and what may come in between. */

const BACK = say('WAITS_FOR_RETURN', { environment: 'env_b' });

let fleet: SmallFleet;
beforeAll(async () => {
  fleet = await SmallFleet.start('changes', { wakeUps: true });
});
afterEach(async () => {
  expect(fleet.databases.overlaps).toEqual([]);
  await fleet.reset();
});
afterAll(() => fleet?.stop());

const both = ['env_a', 'env_b'];
const never = () => new Promise<void>(() => undefined);

async function refusal(work: Promise<unknown>): Promise<AppSupervisorError> {
  const error = await work.then(
    () => null,
    (thrown) => thrown,
  );
  expect(error).toBeInstanceOf(AppSupervisorError);
  return error;
}

describe('a change', () => {
  it('is answered although telling its environment never ends, and comes once it does', async () => {
    const [supervisor] = await fleet.begin('env_a');
    await supervisor.ends(await supervisor.create({ name: 'crm', environments: ['env_a'] }));
    let letGo = () => {};
    const publish = vi
      .spyOn(supervisor.wire.stores.records, 'write')
      .mockImplementationOnce(() => new Promise((_, reject) => (letGo = () => reject(new Error('Command timed out')))));
    const operation = await supervisor.parts.service.command('crm', 'stop', null);
    await until('The try to tell env_a', () => publish.mock.calls.length === 1);
    letGo();
    expect(await supervisor.ends(operation)).toBe('succeeded: env_a succeeded');
  });
});

describe('two requests', () => {
  it('for one new name, or one domain, at once: one of them gets it, the other is told why', async () => {
    const [supervisor] = await fleet.begin('env_a');
    const other = await fleet.supervisor();
    await until('The other to see', () => other.health('env_a') === 'online');
    // The core prints what it cannot write.
    const print = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    const twice = await Promise.allSettled(
      [supervisor, other].map((asked) => asked.create({ name: 'crm', environments: ['env_a'] })),
    );
    const lost = twice.find((outcome) => outcome.status === 'rejected');
    expect(twice.filter((outcome) => outcome.status === 'fulfilled')).toHaveLength(1);
    expect(lost).toMatchObject({ reason: { code: 'NAME_TAKEN', status: 409, field: 'name' } });

    const domains = await Promise.allSettled(
      ['shop', 'wiki'].map((name, i) =>
        [supervisor, other][i].create({ name, environments: ['env_a'], cname: 'one.example.com' }),
      ),
    );
    expect(domains.filter((outcome) => outcome.status === 'fulfilled')).toHaveLength(1);
    expect(domains.find((outcome) => outcome.status === 'rejected')).toMatchObject({
      reason: { code: 'DOMAIN_TAKEN', status: 409, field: 'cname' },
    });
    print.mockRestore();
    for (const name of ['crm', 'CRM'])
      expect(await refusal(supervisor.create({ name, environments: ['env_a'] }))).toMatchObject({
        code: 'NAME_TAKEN',
        params: { app: 'crm' },
      });
  });

  it('on one app: the newer one supersedes what has not begun, and waits for what must not be cut off', async () => {
    const [supervisor, a] = await fleet.begin('env_a');
    const { service } = supervisor.parts;
    let end!: () => void;
    a.host.bootScripts.set('crm', { takes: new Promise((resolve) => (end = resolve)) });
    const created = await supervisor.create({ name: 'crm', environments: ['env_a'] });
    await until(
      'The create to begin',
      () => supervisor.parts.observer.evidence('env_a', 'crm').entry?.doing === 'create',
    );
    const error = await refusal(service.command('crm', 'stop', '1'));
    const params = { app: 'crm', action: say('ACTION_CREATE'), environment: 'env_a' };
    expect(error).toMatchObject({ code: 'OPERATION_BEGUN', status: 409, params });
    end();
    expect(await supervisor.ends(created)).toMatch(/^succeeded/);

    // A plain start may be: the app is as before.
    a.host.bootScripts.set('crm', { takes: new Promise((resolve) => (end = resolve)) });
    const restart = await service.command('crm', 'restart', '1');
    await until('The restart', () => fleet.databases.journal.includes('env_a boots crm restart'));
    const stop = await service.command('crm', 'stop', '1');
    expect(await supervisor.ends(restart)).toBe('cancelled: env_a cancelled');
    expect((await supervisor.operation(restart.id)).progress[0].message).toEqual(
      say('SUPERSEDED', { action: say('ACTION_STOP') }),
    );
    end();
    expect(await supervisor.ends(stop)).toMatch(/^succeeded/);
    expect(a.runs).toEqual([]);
  });
});

describe('a create', () => {
  it('that was superseded before it began still makes its database, once', async () => {
    const [supervisor, a] = await fleet.begin('env_a');
    await a.kill();
    const created = await supervisor.create({ name: 'crm', environments: ['env_a'] });
    await until('It to wait', async () => (await supervisor.operation(created.id)).waitingFor !== null);
    await supervisor.parts.service.update('crm', { title: 'Sales' }, '1');
    const restarted = await supervisor.parts.service.command('crm', 'restart', '1');
    const again = await fleet.worker('env_a');
    expect(await supervisor.ends(restarted)).toMatch(/^succeeded/);
    expect(again.runs).toEqual(['crm']);
    // From now on one that is missing is an error.
    await until('The claim to be taken back', async () => {
      const [record] = await recordsIn(supervisor.wire.stores.records, 'env_a');
      return record.provision === 'none';
    });
    fleet.databases.owners.clear();
    const more = await supervisor.parts.service.command('crm', 'restart', '1');
    expect(await supervisor.ends(more)).toMatch(/^failed/);
    expect((await supervisor.operation(more.id)).progress[0].error?.code).toBe('DATABASE_MISSING');
  });

  it('that fails stops at the first environment, says why, and can be tried again', async () => {
    const [supervisor, a] = await fleet.begin(...both);
    a.host.bootScripts.set('crm', { fails: new Error('The disk is full.') });
    const created = await supervisor.create({ name: 'crm', environments: both });
    expect(await supervisor.ends(created)).toBe('failed: env_a failed, env_b cancelled');
    expect((await supervisor.operation(created.id)).progress[0].error).toEqual(failed('The disk is full.'));
    await supervisor.toShow('crm', 'env_a error, env_b not_found');
    expect((await refusal(supervisor.parts.service.cancel(created.id))).code).toBe('OPERATION_OVER');
    a.host.bootScripts.clear();
    const retried = await supervisor.parts.service.retry(created.id, '1');
    expect(await supervisor.ends(retried)).toBe('succeeded: env_a succeeded, env_b succeeded');
    expect((await refusal(supervisor.parts.service.retry(retried.id, '1'))).code).toBe('OPERATION_OVER');
  });

  it('that failed where it moved to goes on by itself once the app runs there, and leaves where it was', async () => {
    const [supervisor, a, b, c] = await fleet.begin('env_a', 'env_b', 'env_c');
    await supervisor.ends(await supervisor.create({ name: 'crm', environments: ['env_a'] }));
    b.host.bootScripts.set('crm', { fails: new Error('The connection that held the lock was lost.') });
    const environments = ['env_b', 'env_c'];
    const moved = await supervisor.parts.service.update('crm', { environments }, '1');
    expect(await supervisor.ends(moved)).toBe('failed: env_b failed, env_c cancelled, env_a cancelled');
    // Where it still runs, which is none of its environments any more, is shown too.
    await supervisor.toShow('crm', 'env_a running, env_b error, env_c not_found');
    expect(a.runs).toEqual(['crm']);
    expect(supervisor.parts.view.environmentRows().map(({ apps }) => apps)).toEqual([
      { running: 1 },
      { error: 1 },
      { not_found: 1 },
    ]);
    b.host.bootScripts.clear();
    // Not with the round of 30 s.
    await until('It to go on', () => supervisor.shows('crm') === 'env_b running, env_c running', 20_000);
    await until('env_a to be left', () => a.runs.length === 0);
    expect([b.runs, c.runs]).toEqual([['crm'], ['crm']]);
    expect(fleet.databases.story('env_b').filter((line) => line.includes('boots crm'))).toHaveLength(2);
    await until('The record of env_a to be gone', () => !supervisor.part.app('crm')!.published.env_a);
  });

  it('that failed where it moved to returns to where it was', async () => {
    const [supervisor, a, b] = await fleet.begin(...both);
    await supervisor.ends(await supervisor.create({ name: 'crm', environments: ['env_a'] }));
    b.host.bootScripts.set('crm', { fails: new Error('The connection that held the lock was lost.') });
    const moved = await supervisor.parts.service.move('crm', { to: 'env_b' }, '1');
    expect(await supervisor.ends(moved)).toBe('failed: env_b failed, env_a succeeded');
    await until('The app to return', () => a.runs.join() === 'crm');
    expect(b.runs).toEqual([]);
    await until('The app to be back', () => supervisor.part.app('crm')?.environments.join() === 'env_a');
  });

  it('that somebody cancelled stays so, however well the app is', async () => {
    const [supervisor, a, b] = await fleet.begin(...both);
    await supervisor.ends(await supervisor.create({ name: 'crm', environments: ['env_a'] }));
    let letGo = () => {};
    b.host.bootScripts.set('crm', { takes: new Promise<void>((resolve) => (letGo = resolve)) });
    const moved = await supervisor.parts.service.update('crm', { environments: ['env_b'] }, '1');
    await until('env_b to boot it', () => fleet.databases.story('env_b').length > 0);
    await supervisor.parts.service.cancel(moved.id);
    letGo();
    await supervisor.toShow('crm', 'env_b running');
    await supervisor.reconcile('crm');
    expect((await supervisor.parts.operations.active()).length).toBe(0);
    expect([a.runs, b.runs]).toEqual([[], ['crm']]);
  });

  it('in an environment that nobody knows, or that takes none, is refused and leaves nothing', async () => {
    const [supervisor] = await fleet.begin('env_a');
    expect(await refusal(supervisor.create({ name: 'crm', environments: ['env_z'] }))).toMatchObject({
      code: 'UNKNOWN_ENVIRONMENT',
      field: 'environments',
    });
    await until('It to be remembered', async () => (await supervisor.parts.registry.all()).length);
    await supervisor.parts.environmentCache.change('env_a', { cordoned: true });
    expect((await refusal(supervisor.create({ name: 'crm', environments: ['env_a'] }))).code).toBe(
      'ENVIRONMENT_CORDONED',
    );
    expect(await supervisor.parts.appRepository.all()).toEqual([]);
    await supervisor.parts.environmentCache.change('env_a', { cordoned: false });
    await supervisor.ends(await supervisor.create({ name: 'crm', environments: ['env_a'] }));
  });
});

describe('the first administrator of a new app', () => {
  const initialAdmin = { username: 'ada', email: 'ada@example.com', password: 'of her own' };

  /** Everything that is stored of apps: in Redis, and in the main databases of the Supervisor and of env_a. */
  async function stored(supervisor: SupervisorProcess, ...workers: WorkerProcess[]): Promise<string> {
    const tables = [
      ...(await supervisor.db.sequelize.query('SELECT * FROM "apps"'))[0],
      ...(await supervisor.db.sequelize.query('SELECT * FROM "appTombstones"'))[0],
    ];
    for (const { db } of workers) tables.push(...(await db.sequelize.query('SELECT * FROM "appSnapshots"'))[0]);
    const records = await Promise.all(
      both.map((environment) => recordsIn(supervisor.wire.stores.records, environment)),
    );
    return JSON.stringify([tables, records]);
  }

  it('invariant 8: travels as a sealed hash to whoever installs the app, and is erased everywhere once it runs', async () => {
    const [supervisor, a, b] = await fleet.begin(...both);
    let end = () => {};
    a.host.bootScripts.set('crm', { takes: new Promise<void>((resolve) => (end = resolve)) });
    const created = await supervisor.create({ name: 'crm', environments: both, initialAdmin });
    await until('The boot', () => fleet.databases.journal.includes('env_a boots crm start'));
    const underWay = await stored(supervisor, a, b);
    expect(underWay).not.toContain(initialAdmin.password);
    expect(underWay).toContain('ada@example.com');
    end();
    expect(await supervisor.ends(created)).toBe('succeeded: env_a succeeded, env_b succeeded');

    const record = a.host.running.get('crm')!;
    const { username, email, password } = record.initialAdmin!;
    expect({ username, email, password }).toEqual({ ...initialAdmin, password: expect.stringMatching(/^bound:/) });
    const hash = secretsOf(KEY).open(password, record, 'initialAdmin');
    expect(await isPassword('of her own', hash)).toBe(true);
    // Which finds it installed.
    expect(b.host.running.get('crm')).not.toHaveProperty('initialAdmin');
    // As a word: an id may contain it by chance.
    await until('It to be erased', async () => !/\bada\b/.test(await stored(supervisor, a, b)));
  });

  it('is set where the worker was killed in the installation and Redis lost everything, once a Supervisor is back', async () => {
    const [supervisor, a] = await fleet.begin('env_a');
    a.host.bootScripts.set('crm', { takes: never() });
    await supervisor.create({ name: 'crm', environments: ['env_a'], initialAdmin });
    await until('The boot', () => fleet.databases.journal.includes('env_a boots crm start'));
    await supervisor.kill();
    await a.kill();
    await fleet.onRedis((redis) => redis.flushall());
    const again = await fleet.worker('env_a');
    // Whether the app still exists is not for the snapshot to say.
    await until('It to go by its snapshot', () => again.part.controller?.isRead === true);
    expect(again.runs).toEqual([]);
    await fleet.supervisor();
    await until('The app', () => again.runs.includes('crm'));
    expect(again.host.running.get('crm')?.initialAdmin).toMatchObject({ username: 'ada' });
  });

  it('is erased, too, where the app came up by itself after its creation had failed', async () => {
    const [supervisor, a] = await fleet.begin('env_a');
    a.host.bootScripts.set('crm', { fails: new Error('The disk is full.') });
    const created = await supervisor.create({ name: 'crm', environments: ['env_a'], initialAdmin });
    expect(await supervisor.ends(created)).toBe('failed: env_a failed');
    expect(await stored(supervisor, a)).toContain('ada');
    a.host.bootScripts.clear();
    await supervisor.toShow('crm', 'env_a running');
    await until('It to be erased', async () => !/\bada\b/.test(await stored(supervisor, a)));
    expect((await supervisor.parts.appRepository.find('crm'))?.provision).toBe('none');
  });

  it('leaves nothing with an app that is deleted before it ever ran', async () => {
    const [supervisor, a] = await fleet.begin('env_a');
    a.host.bootScripts.set('crm', { fails: new Error('The disk is full.') });
    await supervisor.ends(await supervisor.create({ name: 'crm', environments: ['env_a'], initialAdmin }));
    await a.kill();
    await supervisor.parts.service.destroy('crm', 'keep', '1');
    const tombstones = await supervisor.db.sequelize.query('SELECT * FROM "appTombstones"');
    expect(JSON.stringify(tombstones)).not.toMatch(/\bada\b/);
  });

  it('is refused where the plugin is too old to set it, so that no app gets a well-known password', async () => {
    const [supervisor] = await fleet.begin('env_a');
    const databaseRole = { mode: 'made' as const, user: 'worker', server: 'db', sql: '' };
    const old = await fleet.simulatedWorker('env_b', { setsInitialAdmin: false, databaseRole });
    await until('It to be seen', () => supervisor.health('env_b') === 'online');
    const created = supervisor.create({ name: 'crm', environments: both, initialAdmin });
    expect(await refusal(created)).toMatchObject({
      code: 'INITIAL_ADMIN_UNKNOWN',
      status: 409,
      field: 'environments',
      params: { environment: 'env_b' },
    });
    expect(await supervisor.parts.appRepository.all()).toEqual([]);
    // One that is adopted has its users, and a database role of its own as a new one.
    const input = parseInput(createInput, { name: 'old', title: 'Old', environments: ['env_b'] });
    await supervisor.parts.service.create({ ...input, initialAdmin: null }, '1', 'adopt');
    const { uid, database } = (await supervisor.parts.appRepository.find('old'))!;
    expect(database).toMatchObject({ database: 'old', username: roleNameOf({ name: 'old', uid }) });
    await old.die();
  });
});

describe('a well-known password of an administrator', () => {
  const warnings = (supervisor: SupervisorProcess) =>
    supervisor.parts.view.appRow(supervisor.part.app('crm')!).warnings;

  it('is a warning of the app until it is changed, also while the app rests', async () => {
    const [supervisor, a] = await fleet.begin('env_a');
    a.host.adminPasswords.set('crm', 'default');
    await supervisor.ends(await supervisor.create({ name: 'crm', environments: ['env_a'], startMode: 'onVisit' }));
    const warning = say('APP_ADMIN_KNOWN', { app: 'crm' });
    await until('The warning', () => warnings(supervisor).length);
    expect(warnings(supervisor)).toEqual([warning]);
    await a.kill();
    const again = await fleet.worker('env_a');
    await supervisor.toShow('crm', 'env_a dormant');
    expect(warnings(supervisor)).toEqual([warning]);
    again.part.controller!.visit('crm');
    await supervisor.toShow('crm', 'env_a running');
    await until('Its end', () => warnings(supervisor).length === 0);
  });

  it('that was never set is a warning of the app', async () => {
    const [supervisor, a] = await fleet.begin('env_a');
    a.host.adminPasswords.set('crm', 'locked');
    await supervisor.ends(await supervisor.create({ name: 'crm', environments: ['env_a'] }));
    await until('The warning', () => warnings(supervisor).length);
    expect(warnings(supervisor)).toEqual([say('APP_ADMIN_LOCKED', { app: 'crm' })]);
  });

  it('of a worker’s own main app is a warning of its environment until it is changed', async () => {
    const [supervisor, a] = await fleet.begin('env_a');
    const ofEnvironment = () => supervisor.parts.view.environmentRows()[0].warnings;
    a.part.setAdminPassword('default');
    await until('The warning', () => ofEnvironment().length);
    expect(ofEnvironment()).toEqual([say('WORKER_ADMIN_KNOWN', { environment: 'env_a', url: 'http://env_a' })]);
    a.part.setAdminPassword(null);
    await until('Its end', () => ofEnvironment().length === 0);
  });
});

describe('moving an app', () => {
  it('ends an app with one environment there before it runs in the new one', async () => {
    const [supervisor] = await fleet.begin(...both);
    await supervisor.ends(await supervisor.create({ name: 'crm', environments: ['env_a'] }));
    fleet.databases.journal.length = 0;
    const moved = await supervisor.parts.service.update('crm', { environments: ['env_b'] }, '1');
    expect(await supervisor.ends(moved)).toBe('succeeded: env_b succeeded, env_a succeeded');
    expect(fleet.databases.journal).toEqual(['env_a ends crm', 'env_b boots crm start', 'env_b runs crm']);
    expect(supervisor.part.app('crm')?.targetEnvironment).toBe('env_b');
    await until(
      'The record to be gone',
      async () => !(await recordsIn(supervisor.wire.stores.records, 'env_a')).length,
    );
    expect(Object.keys((await supervisor.parts.appRepository.find('crm'))?.published ?? {})).toEqual(['env_b']);
  });
});

describe('an environment', () => {
  it('that is cordoned as soon as it is there stays cordoned', async () => {
    const [supervisor] = await fleet.begin('env_a');
    const { registry } = supervisor.parts;
    const { remember } = registry;
    let release!: () => void;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    registry.remember = async (...seen) => {
      await held;
      return remember.apply(registry, seen);
    };
    await fleet.worker('env_b');
    await until('It to be listed', () => supervisor.parts.view.environmentRows().some(({ name }) => name === 'env_b'));
    const cordoned = supervisor.parts.environmentCache.change('env_b', { cordoned: true });
    release();
    await cordoned;
    const row = () => supervisor.parts.view.environmentRows().find(({ name }) => name === 'env_b');
    expect(row()?.cordoned).toBe(true);
    expect((await registry.all()).find(({ name }) => name === 'env_b')?.cordoned).toBe(true);
  });
});

describe('deleting an app', () => {
  it('invariant 9: with its data drops that once everybody has let go, and the name is free again', async () => {
    const [supervisor, a] = await fleet.begin(...both);
    const { service } = supervisor.parts;
    await supervisor.ends(await supervisor.create({ name: 'crm', environments: both }));
    await supervisor.ends(await supervisor.create({ name: 'kept', environments: both }));
    await service.destroy('kept', 'keep', '1');
    const destroyed = await service.destroy('crm', 'drop', '1');
    expect(await supervisor.ends(destroyed)).toBe('succeeded: env_a succeeded, env_b succeeded, env_a succeeded');
    expect((await supervisor.operation(destroyed.id)).progress.at(-1)?.message).toEqual(say('DATA_DROPPED'));
    expect([...fleet.databases.owners.keys()]).toEqual(['kept']);
    const [, , drop] = fleet.databases.story('crm').slice(-3);
    expect(drop).toBe('env_a drops crm');
    await supervisor.ends(await supervisor.create({ name: 'crm', environments: ['env_a'] }));
    expect(a.runs).toEqual(['crm']);
  });

  it('that is cancelled in the middle is gone all the same, with its data kept', async () => {
    const [supervisor, , b] = await fleet.begin(...both);
    const { service } = supervisor.parts;
    await supervisor.ends(await supervisor.create({ name: 'crm', environments: both }));
    await b.kill();
    await until('It to be seen', () => supervisor.health('env_b') === 'down');
    const destroyed = await service.destroy('crm', 'drop', '1');
    await until('It to wait', () => supervisor.waitsFor(destroyed.id, BACK));
    await service.cancel(destroyed.id);
    const again = await fleet.worker('env_b');
    await until(
      'The tombstone to be gone',
      async () => !(await supervisor.parts.appRepository.openTombstones()).length,
    );
    expect(again.runs).toEqual([]);
    expect([...fleet.databases.owners.keys()]).toEqual(['crm']);
  });

  it('that is cancelled before anything was told is gone from where it runs, too', async () => {
    const [supervisor, a] = await fleet.begin('env_a');
    await supervisor.ends(await supervisor.create({ name: 'crm', environments: ['env_a'] }));
    // As if this supervisor had died between the request and its first step.
    const { active, service, operations } = supervisor.parts;
    const release = await supervisor.hold('crm');
    const destroyed = await service.destroy('crm', 'keep', '1');
    await operations.save({ ...destroyed, state: 'cancelled', progress: [], finishedAt: 1 });
    await active.load();
    release();
    await until(
      'The tombstone to be gone',
      async () => !(await supervisor.parts.appRepository.openTombstones()).length,
    );
    expect(a.runs).toEqual([]);
  });

  it('that could not be written down at first is told to its environments all the same', async () => {
    const [supervisor, a] = await fleet.begin('env_a');
    await supervisor.ends(await supervisor.create({ name: 'crm', environments: ['env_a'] }));
    const { appRepository, service } = supervisor.parts;
    const { updateTombstone } = appRepository;
    let writes = 0;
    appRepository.updateTombstone = async (...change) => {
      if (writes++ === 0) throw new Error('The connection was lost.');
      await updateTombstone.apply(appRepository, change);
    };
    const destroyed = await service.destroy('crm', 'keep', '1');
    expect(await supervisor.ends(destroyed)).toBe('succeeded: env_a succeeded, env_a succeeded');
    expect([writes > 1, a.runs]).toEqual([true, []]);
  });

  it('waits for no environment that was forgotten', async () => {
    const [supervisor, , b] = await fleet.begin(...both);
    await supervisor.ends(await supervisor.create({ name: 'crm', environments: both }));
    await supervisor.ends(await supervisor.create({ name: 'shop', environments: ['env_b', 'env_a'] }));
    expect((await refusal(supervisor.part.forget('env_b'))).code).toBe('ENVIRONMENT_ALIVE');
    await b.kill();
    await until('It to be seen', () => supervisor.health('env_b') === 'down');
    const destroyed = await supervisor.parts.service.destroy('crm', 'drop', '1');
    await until('It to wait', () => supervisor.waitsFor(destroyed.id, BACK));
    await supervisor.part.forget('env_b');
    expect(await supervisor.ends(destroyed)).toMatch(/env_b cancelled, env_a succeeded$/);
    expect([...fleet.databases.owners.keys()]).toEqual(['shop']);
    await supervisor.toShow('shop', 'env_a running');
    expect(supervisor.health('env_b')).toBeUndefined();
    await until(
      'The tombstone to be gone',
      async () => !(await supervisor.parts.appRepository.openTombstones()).length,
    );
  });
});

describe('an environment that was forgotten', () => {
  it('starts empty when it comes back, and runs what is assigned to it again', async () => {
    const [supervisor, , b] = await fleet.begin(...both);
    const { service } = supervisor.parts;
    for (const name of ['crm', 'shop']) await supervisor.ends(await supervisor.create({ name, environments: both }));
    await b.kill();
    await until('It to be seen', () => supervisor.health('env_b') === 'down');
    await supervisor.part.forget('env_b');
    fleet.databases.journal.length = 0;
    const returned = await fleet.worker('env_b');
    await until('Its return', () => supervisor.health('env_b') === 'online');
    await until('What it had to be gone', () => returned.part.controller?.isRead === true);
    expect([returned.runs, fleet.databases.journal.filter((line) => line.startsWith('env_b'))]).toEqual([[], []]);
    await supervisor.ends(await service.update('crm', { environments: both }, '1'));
    expect(returned.runs).toEqual(['crm']);
    // It stays so without Redis: its own snapshot has it by now.
    await returned.kill();
    await fleet.redis.kill();
    const alone = await fleet.worker('env_b');
    await until('Its app', () => alone.runs.length > 0);
    expect(alone.runs).toEqual(['crm']);
  });

  it('ends what it runs when it was only cut off, as soon as it reaches Redis', async () => {
    const [supervisor, , b] = await fleet.begin(...both);
    await supervisor.ends(await supervisor.create({ name: 'crm', environments: both }));
    const { announce } = b.wire.stores.leases;
    b.wire.stores.leases.announce = async () => {
      throw new Error('It is cut off.');
    };
    await until('It to be seen', () => supervisor.health('env_b') === 'down');
    await supervisor.part.forget('env_b');
    expect(b.runs).toEqual(['crm']);
    b.wire.stores.leases.announce = announce;
    await until('The end of it', () => b.runs.length === 0);
  });

  it('is not forgotten while Redis cannot be told', async () => {
    const [supervisor, , b] = await fleet.begin(...both);
    await supervisor.ends(await supervisor.create({ name: 'crm', environments: both }));
    await b.kill();
    await until('It to be seen', () => supervisor.health('env_b') === 'down');
    const { leases, fleet: store } = supervisor.wire.stores;
    const [left, forget] = [leases.left, store.forget];
    const silent = async () => {
      throw new Error('Command timed out');
    };
    leases.left = silent;
    expect((await refusal(supervisor.part.forget('env_b'))).code).toBe('REDIS_UNREACHABLE');
    expect(supervisor.part.app('crm')?.environments).toEqual(both);
    expect(supervisor.health('env_b')).toBe('down');
    leases.left = left;
    // A server that takes no changes: each look at the fleet tries one.
    const { poll } = store;
    store.poll = silent;
    await until('It to be unknown', () => supervisor.health('env_b') === 'unknown');
    expect((await refusal(supervisor.part.forget('env_b'))).code).toBe('REDIS_UNREACHABLE');
    store.poll = poll;
    await until('It to be seen again', () => supervisor.health('env_b') === 'down');
    // It goes away only after the database knows: the leader tells it as soon as it can.
    store.forget = silent;
    await supervisor.part.forget('env_b');
    expect((await store.poll()).environments.has('env_b')).toBe(true);
    store.forget = forget;
    await until('Redis to be told', async () => !(await store.poll()).environments.has('env_b'));
    await until('The app to be taken out', () => supervisor.part.app('crm')?.environments.join() === 'env_a');
  });
});

describe('draining', () => {
  it('stops what is there, and a change of the app does not start it again', async () => {
    const [supervisor, a, b] = await fleet.begin(...both);
    const { service } = supervisor.parts;
    await supervisor.ends(await supervisor.create({ name: 'crm', environments: both }));
    await supervisor.ends(await service.command('crm', 'stop', '1', { environments: ['env_a'] }));
    expect([a.runs, b.runs]).toEqual([[], ['crm']]);
    await supervisor.ends(await service.update('crm', { title: 'Sales' }, '1'));
    expect([a.runs, b.runs]).toEqual([[], ['crm']]);
    expect(supervisor.part.app('crm')?.desired).toBe('running');
    await supervisor.ends(await service.command('crm', 'start', '1'));
    expect([a.runs, b.runs]).toEqual([['crm'], ['crm']]);
  });
});

describe('an app that was stored without a JWT secret', () => {
  const sql = (part: string, text: string) => query(inject('postgres'), fleet.database(part), text);
  const stored = async (supervisor: SupervisorProcess) =>
    until('The secret', async () => (await supervisor.parts.appRepository.find('crm'))?.jwtSecret);
  /** What an app runs with. */
  const secretIn = ({ environment, host }: WorkerProcess) => {
    const record = host.running.get('crm');
    return record?.jwtSecret
      ? secretsOf(KEY, environment).open(record.jwtSecret, record, 'jwtSecret')
      : record?.jwtSecret;
  };
  const plain = (secret: string) => unseal(secret, KEY, 'crm');
  const pending = (supervisor: SupervisorProcess) =>
    supervisor.parts.view.appRow(supervisor.part.app('crm')!).pendingChanges;

  /** Puts a Supervisor in place of another that has stored the app as releases before 0.1.1 did. */
  async function succeeded(before: SupervisorProcess): Promise<SupervisorProcess> {
    await before.kill();
    await sql('supervisor', 'UPDATE apps SET "jwtSecret" = NULL');
    const supervisor = await fleet.supervisor();
    await stored(supervisor);
    await until('Its environments to know', () => pending(supervisor).length > 0);
    return supervisor;
  }

  it('is given one by the next Supervisor, once, and takes it when it starts next', async () => {
    const [before, a] = await fleet.begin('env_a');
    await before.ends(await before.create({ name: 'crm', environments: ['env_a'] }));
    const old = secretIn(a);
    const supervisor = await succeeded(before);
    const secret = await stored(supervisor);
    expect(secret).toMatch(/^sealed:/);
    expect(plain(secret)).not.toBe(old);
    expect(pending(supervisor)).toEqual(['jwtSecret']);
    expect(fleet.databases.story('boots')).toEqual(['env_a boots crm start']);

    await supervisor.reconcile('crm');
    expect(await stored(supervisor)).toBe(secret);
    expect((await supervisor.parts.operations.page({}, ['createdAt'], 1, 10))[0]).toMatchObject([{ action: 'create' }]);
    await supervisor.ends(await supervisor.parts.service.command('crm', 'restart', '1'));
    await until('Nothing to be pending', () => pending(supervisor).length === 0);
    expect(secretIn(a)).toBe(plain(secret));
    expect(await stored(supervisor)).toBe(secret);
  });

  it('has it in all of its environments soon after it has started with it in one', async () => {
    const [before, a, b] = await fleet.begin(...both);
    await before.ends(await before.create({ name: 'crm', environments: both }));
    const supervisor = await succeeded(before);
    const secret = await stored(supervisor);
    await a.stop();
    const next = await fleet.worker('env_a');
    await until('env_b to have it', () => secretIn(b) === plain(secret));
    expect(secretIn(next)).toBe(plain(secret));
    await until('Nothing to be pending', () => pending(supervisor).length === 0);
    const [[newest]] = await supervisor.parts.operations.page({}, ['-createdAt'], 1, 1);
    expect(newest).toMatchObject({ action: 'restart', createdById: null, progress: [{ environment: 'env_b' }] });
  });

  it('goes on without it where another release could not start it again, until that has the same', async () => {
    const [before, a, b] = await fleet.begin(...both);
    await before.ends(await before.create({ name: 'crm', environments: both }));
    const supervisor = await succeeded(before);
    const secret = await stored(supervisor);
    await a.stop();
    const next = await fleet.worker('env_a', { version: '2.2.16' });
    const { observer, appCache, environmentCache } = supervisor.parts;
    const isSeen = () =>
      environmentCache.registrationOf('env_a')?.appVersion === '2.2.16' &&
      observer.observed('env_a', 'crm')?.entry.generation === appCache.apps.get('crm')?.published.env_a.generation &&
      observer.observed('env_a', 'crm')?.entry.status === 'running';
    await until('env_a to run it', () => secretIn(next) === plain(secret) && isSeen());
    await supervisor.reconcile('crm');
    expect(pending(supervisor)).toEqual(['jwtSecret']);
    await b.stop();
    const last = await fleet.worker('env_b', { version: '2.2.16' });
    await until('env_b to have it', () => secretIn(last) === plain(secret));
    const [operations] = await supervisor.parts.operations.page({}, ['createdAt'], 1, 10);
    expect(operations.map(({ action }) => action)).toEqual(['create']);
  });

  /** Nobody is left, and neither Redis nor any snapshot knows of a secret. */
  async function everythingStopped(): Promise<void> {
    const [supervisor, a] = await fleet.begin('env_a');
    await supervisor.ends(await supervisor.create({ name: 'crm', environments: ['env_a'] }));
    await supervisor.kill();
    await a.kill();
    await sql('supervisor', 'UPDATE apps SET "jwtSecret" = NULL');
    await sql('env_a', `UPDATE "appSnapshots" SET record = jsonb_set(record::jsonb, '{jwtSecret}', 'null')::json`);
    await fleet.onRedis((redis) => redis.flushall());
    fleet.databases.journal.length = 0;
  }

  it('is not started by a worker that begins before the Supervisor until it has one: sign-ins end but once', async () => {
    await everythingStopped();
    fleet.recordsWithin = PATIENCE;
    const worker = await fleet.worker('env_a');
    await until('env_a to hold its environment', () => worker.role === 'holder');
    const supervisor = await fleet.supervisor();
    await supervisor.toShow('crm', 'env_a running');
    expect(secretIn(worker)).toBe(plain(await stored(supervisor)));
    expect(fleet.databases.story('boots')).toEqual(['env_a boots crm start']);
    expect(pending(supervisor)).toEqual([]);
  });

  it('is given one in its record in an environment that was down meanwhile', async () => {
    const [before, , b] = await fleet.begin(...both);
    await before.ends(await before.create({ name: 'crm', environments: both }));
    await b.stop();
    const supervisor = await succeeded(before);
    const next = await fleet.worker('env_b');
    const secret = await stored(supervisor);
    await until('env_b to run it', () => secretIn(next) === plain(secret));
  });

  it('is started all the same where no Supervisor comes', async () => {
    await everythingStopped();
    const worker = await fleet.worker('env_a');
    await until('env_a to run it', () => worker.runs.length === 1);
    expect(worker.host.running.get('crm')?.jwtSecret).toBeNull();
  });
});

describe('secrets', () => {
  it('invariant 8: rest nowhere in the clear, and are in no answer', async () => {
    const [supervisor, a] = await fleet.begin('env_a');
    const { service } = supervisor.parts;
    const database = { dialect: 'postgres', host: 'db', username: 'crm', database: 'crm', password: 'hunter2hunter2' };
    await supervisor.ends(
      await supervisor.create({
        name: 'crm',
        environments: ['env_a'],
        options: { dbConnType: 'new_connection', database },
      }),
    );
    const before = await supervisor.parts.appRepository.find('crm');
    // Empty on update means unchanged, and what is unchanged goes to no other server.
    await supervisor.ends(await service.update('crm', { options: { database: { host: 'db', password: '' } } }, '1'));
    expect((await supervisor.parts.appRepository.find('crm'))?.database).toEqual(before?.database);
    const elsewhere = { options: { database: { host: 'other', password: '' } } };
    expect(await refusal(service.update('crm', elsewhere, '1'))).toMatchObject({ code: 'PASSWORD_REQUIRED' });
    expect((await supervisor.parts.appRepository.find('crm'))?.database).toEqual(before?.database);
    elsewhere.options.database.password = 'hunter2too';
    await supervisor.ends(await service.update('crm', elsewhere, '1'));
    const after = await supervisor.parts.appRepository.find('crm');
    expect(after?.database).toEqual({ ...before?.database, host: 'other', password: after?.database.password });
    expect(after?.database.password).not.toBe(before?.database.password);
    expect(after?.database.password).toMatch(/^sealed:/);
    expect(after?.jwtSecret).toMatch(/^sealed:/);

    const dump: string[] = [JSON.stringify(supervisor.parts.view.appRow(supervisor.part.app('crm')!))];
    expect(dump[0]).not.toContain('sealed:');
    expect(JSON.parse(dump[0])).toMatchObject({ options: { database: { host: 'other' } } });
    for (const part of ['supervisor', 'env_a']) {
      for (const table of ['apps', 'appOperations', 'appEnvironments', 'appSnapshots']) {
        const { rows } = await query(inject('postgres'), fleet.database(part), `SELECT * FROM "${table}"`);
        dump.push(JSON.stringify(rows));
      }
    }
    await fleet.onRedis(async (redis) => {
      for (const key of await redis.keys('*')) {
        const isHash = (await redis.type(key)) === 'hash';
        dump.push(isHash ? JSON.stringify(await redis.hgetall(key)) : String(await redis.dump(key)));
      }
    });
    dump.push(...supervisor.log.lines, ...a.log.lines);
    expect(dump.join('\n')).not.toContain('hunter2');
    expect(dump.join('\n')).toContain('sealed:');
  });

  it('and where the data lies cannot be moved by an update', async () => {
    const [supervisor] = await fleet.begin('env_a');
    await supervisor.ends(await supervisor.create({ name: 'crm', environments: ['env_a'] }));
    for (const [field, value] of [
      ['database', 'other'],
      ['schema', 'other'],
      ['tablePrefix', 'x_'],
      ['dialect', 'mysql'],
    ]) {
      const change = { options: { database: { [field]: value } } } as object;
      const error = await refusal(supervisor.parts.service.update('crm', change, '1'));
      expect(error).toMatchObject({ code: 'INVALID_INPUT', field: `options.database.${field}` });
    }
  });
});

describe('an app of multi-app-manager with a connection of its own', () => {
  it('is taken over with the server that its password was entered for, and with no password of the main app', async () => {
    const [supervisor] = await fleet.begin('env_a');
    const { db } = supervisor;
    db.collection({
      name: 'applications',
      autoGenId: false,
      fields: [
        { name: 'name', type: 'string', primaryKey: true },
        { name: 'options', type: 'json' },
      ],
    });
    await db.getCollection('applications').sync();
    const database = { dialect: 'postgres', host: 'db', username: 'crm', password: 'hunter2', database: 'crm' };
    const { username: _, password: __, ...lacking } = database;
    const rows = { old: database, shared: lacking, socket: { ...database, host: '/run/postgresql' } };
    for (const [name, where] of Object.entries(rows))
      await db.getRepository('applications').create({ values: { name, options: { database: where } } });
    const result = await supervisor.parts.migration.migrate(Object.keys(rows), ['env_a'], '1');
    const refused = (code: InputCode, field: string) => ({
      code: 'INVALID_INPUT',
      params: { problem: say(code, { field }) },
    });
    expect(result).toEqual({
      migrated: ['old'],
      skipped: [
        { name: 'shared', reason: refused('INPUT_OWN_CONNECTION', 'options.database.username') },
        { name: 'socket', reason: refused('INPUT_HOST', 'options.database.host') },
      ],
    });
    const { password, ...place } = (await supervisor.parts.appRepository.find('old'))!.database;
    // Where the core reached it: at the port of its own main database.
    expect(place).toEqual({
      dbConnType: 'new_connection',
      ...database,
      password: undefined,
      port: inject('postgres').port,
    });
    expect(unseal(password!, KEY, 'old')).toBe('hunter2');
    await db.getCollection('applications').removeFromDb();
  });
});

describe('a stop that never ends', () => {
  it('keeps nothing else of the worker from going on', async () => {
    const [supervisor, a] = await fleet.begin('env_a');
    await supervisor.ends(await supervisor.create({ name: 'crm', environments: ['env_a'] }));
    a.host.stop = never;
    await supervisor.parts.service.command('crm', 'stop', '1');
    const created = await supervisor.create({ name: 'shop', environments: ['env_a'] });
    expect(await supervisor.ends(created)).toMatch(/^succeeded/);
  });
});
