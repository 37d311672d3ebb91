import { beforeEach, describe, expect, it, vi } from 'vitest';
import { createInput, parseInput } from '../../src/server/supervisor/definitions/input';
import type { AppDefinition } from '../../src/server/supervisor/definitions/repository';
import type { StatusEntry } from '../../src/shared/messages';
import type { Operation } from '../../src/shared/operation';
import { MemoryFleet } from '../support/memory-fleet';
import { recordsIn, writeRecords } from '../support/records';

/** The control loop of whole Supervisors in memory, where two of them or a failure meet. */

let fleet: MemoryFleet;

/** Those of which something is left to be done: others stay so that their apps can be restored. */
const openTombstones = () => fleet.database.visible('appTombstones').filter(({ endedAt }) => endedAt === null);

beforeEach(() => {
  fleet = new MemoryFleet();
});

describe('an operation that was cancelled through another Supervisor', () => {
  it('publishes nothing more, even before the leader hears of it', async () => {
    const leader = await fleet.supervisor();
    const other = await fleet.supervisor();
    await fleet.environment('env_a');
    await fleet.environment('env_b');
    await fleet.runningApp(leader, 'crm', ['env_a', 'env_b']);
    expect(fleet.open).toEqual([]);
    const before = fleet.app('crm').published;
    const { id, generation } = await leader.part.parts.service.command('crm', 'restart', '1');
    await fleet.clock.run(200);
    expect(fleet.app('crm').published.env_a.boot.generation).toBe(generation);
    leader.isDeaf = true;
    await other.part.parts.service.cancel(id);
    await fleet.says('env_a', 'crm');
    expect(fleet.app('crm').published.env_b).toEqual(before.env_b);
    expect(fleet.operation(id).state).toBe('cancelled');
    expect(leader.part.parts.active.all()).toEqual([]);
  });
});

describe('new secrets of an app', () => {
  it('are told at once to all its places, which restart with them one after the other', async () => {
    const { part } = await fleet.supervisor();
    const all = ['env_a', 'env_b'];
    for (const name of all) await fleet.environment(name);
    await fleet.runningApp({ part } as never, 'crm', all);
    const before = fleet.app('crm');
    const { id, generation } = await part.parts.service.renewSecrets('crm', '1');
    await fleet.clock.run(200);
    const now = fleet.app('crm');
    expect(now.jwtSecret).not.toBe(before.jwtSecret);
    const { env_a, env_b } = now.published;
    expect(Math.min(env_a.generation, env_b.generation)).toBeGreaterThanOrEqual(generation);
    expect([env_a.boot, env_b.boot]).toEqual([
      { generation, how: 'restart', isAsked: true },
      before.published.env_b.boot,
    ]);
    for (const name of all) await fleet.says(name, 'crm');
    await fleet.says('env_b', 'crm');
    expect(fleet.app('crm').published.env_b.boot).toEqual({ generation, how: 'restart', isAsked: true });
    expect(fleet.operation(id)).toMatchObject({ action: 'renewSecrets', state: 'succeeded' });
    expect(fleet.app('crm').jwtSecret).toBe(now.jwtSecret);
    const events = fleet.database.visible('appEvents') as Array<{ message: string; operationId: string | null }>;
    expect(JSON.stringify(events.find(({ operationId }) => operationId === id))).toContain('ACTION_RENEW_SECRETS');
  });

  it('start nothing that rests', async () => {
    const { part } = await fleet.supervisor();
    await fleet.environment('env_a');
    await fleet.runningApp({ part } as never, 'crm', ['env_a']);
    await part.parts.service.command('crm', 'stop', '1');
    await fleet.says('env_a', 'crm', { status: 'stopped' });
    const before = fleet.app('crm');
    const { id } = await part.parts.service.renewSecrets('crm', '1');
    await fleet.says('env_a', 'crm', { status: 'stopped' });
    expect(fleet.app('crm')).toMatchObject({
      desired: 'stopped',
      published: { env_a: { desired: 'stopped', boot: before.published.env_a.boot } },
    });
    expect(fleet.app('crm').jwtSecret).not.toBe(before.jwtSecret);
    expect(fleet.operation(id).state).toBe('succeeded');
  });
});

describe('an app that is changed through another Supervisor', () => {
  it('is not taken for idle by a leader that has not heard of it', async () => {
    const [leader, other] = [await fleet.supervisor(), await fleet.supervisor()];
    for (const name of ['env_a', 'env_b']) await fleet.environment(name);
    await fleet.runningApp(leader, 'crm', ['env_a', 'env_b']);
    leader.isDeaf = true;
    const { id } = await other.part.parts.service.command('crm', 'stop', '1');
    await fleet.says('env_a', 'crm', { pendingChanges: ['plugins'] });
    expect(fleet.open.map((operation) => operation.id)).toEqual([id]);
    expect(fleet.database.visible('appOperations')).toHaveLength(2);
  });

  it('is published in the generation of an operation by that alone', async () => {
    const [leader, other] = [await fleet.supervisor(), await fleet.supervisor()];
    for (const name of ['env_a', 'env_b']) await fleet.environment(name);
    await fleet.runningApp(leader, 'crm', ['env_a']);
    const { active, appCache, service } = leader.part.parts;
    const move = await service.move('crm', { to: 'env_b' }, '1');
    await fleet.run(1_000, 'env_a', 'env_b');
    leader.isDeaf = true;
    // The leader reads the app as it is by then, and its operations as they were before.
    await other.part.parts.service.cancel(move.id);
    await active.refresh(['crm']);
    const restart = await other.part.parts.service.command('crm', 'restart', '1');
    await appCache.refresh(['crm']);
    await fleet.run(2_000, 'env_a', 'env_b');
    const boot = { generation: restart.generation, how: 'restart', isAsked: true };
    expect(fleet.app('crm').published.env_a.boot).toEqual(boot);
    for (let i = 0; i < 2; i++) {
      await fleet.says('env_a', 'crm');
      await fleet.says('env_b', 'crm', { status: 'not_found' });
    }
    expect([fleet.open, Object.keys(fleet.app('crm').published)]).toEqual([[], ['env_a']]);
  });

  it.each<[string, string | null, string[] | undefined, true | undefined]>([
    ['a plugin of a Worker', null, ['env_a'], undefined],
    ['a plugin of the Supervisor', null, undefined, true],
    ['somebody, in some environments', '1', ['env_a'], true],
  ])('boots as somebody has asked for it, or not: %s', async (_, userId, environments, isAsked) => {
    const leader = await fleet.supervisor();
    await fleet.environment('env_a');
    await fleet.runningApp(leader, 'crm', ['env_a']);
    await leader.part.parts.service.command('crm', 'restart', userId, { environments });
    expect(fleet.app('crm').placements.env_a.boot.isAsked).toBe(isAsked);
  });

  it('keeps its generation when its environments are ahead of the database', async () => {
    const [leader, other] = [await fleet.supervisor(), await fleet.supervisor()];
    await fleet.environment('env_a');
    await fleet.runningApp(leader, 'crm', ['env_a']);
    leader.isDeaf = true;
    fleet.clock.jump(60_000);
    const { generation } = await other.part.parts.service.update('crm', { title: 'Sales' } as never, '1');
    fleet.clock.jump(-60_000);
    await fleet.says('env_a', 'crm', { generation: fleet.app('crm').published.env_a.generation + 1 });
    await fleet.clock.run(2_000);
    expect(fleet.app('crm').generation).toBeGreaterThanOrEqual(generation);
  });

  it('is shown with its operation as soon as it is known', async () => {
    const [leader, other] = [await fleet.supervisor(), await fleet.supervisor()];
    await fleet.environment('env_a');
    await fleet.runningApp(leader, 'crm', ['env_a']);
    const known: Array<number | undefined> = [];
    for (const asked of [leader, other]) {
      const { appCache, active } = leader.part.parts;
      let first: number | undefined;
      appCache.changes.listen(() => {
        first ??= active.all().length;
      });
      await asked.part.parts.service.command('crm', 'restart', '1');
      await fleet.clock.run(200);
      known.push(first);
      await fleet.says('env_a', 'crm');
    }
    expect(known).toEqual([1, 1]);
  });
});

describe('a database that accepts no changes', () => {
  it('is tried ever more rarely, and has everything once it accepts them', async () => {
    const leader = await fleet.supervisor();
    await fleet.environment('env_a');
    await fleet.runningApp(leader, 'crm', ['env_a']);
    const { id } = await leader.part.parts.service.command('crm', 'restart', '1');
    let tries = 0;
    fleet.database.onCommit = ({ writes }) => {
      if (!writes.has('appOperations') || tries > 100) return;
      tries++;
      throw new Error('The disk is full.');
    };
    await fleet.beat('env_a');
    await fleet.says('env_a', 'crm');
    await fleet.run(10_000, 'env_a');
    expect(tries).toBeGreaterThan(2);
    expect(tries).toBeLessThan(8);
    fleet.database.onCommit = () => undefined;
    await fleet.run(20_000, 'env_a');
    expect(fleet.operation(id).state).toBe('succeeded');
  });
});

describe('a request', () => {
  it('that is stored is accepted, although nothing can be read any more', async () => {
    const leader = await fleet.supervisor();
    await fleet.environment('env_a');
    await fleet.runningApp(leader, 'crm', ['env_a']);
    fleet.database.onCommit = ({ writes }) => {
      if (!writes.has('apps')) return;
      fleet.database.onCommit = () => undefined;
      // From the next statement on.
      leader.gate = async () => {
        throw new Error('connect ECONNREFUSED');
      };
    };
    const accepted = leader.part.parts.service.command('crm', 'restart', '1');
    await fleet.clock.run(100);
    const { id } = await accepted;
    leader.gate = (statement) => statement();
    // Long before everything is read anew.
    await fleet.clock.run(2_000);
    const { published, placements } = fleet.app('crm');
    expect(published.env_a.generation).toBeGreaterThanOrEqual(placements.env_a.boot.generation);
    await fleet.says('env_a', 'crm');
    expect(fleet.operation(id).state).toBe('succeeded');
  });
});

describe('what another Supervisor changed', () => {
  it('is read as soon as the database can be read, all of it at once', async () => {
    const [leader, other] = [await fleet.supervisor(), await fleet.supervisor()];
    await fleet.environment('env_a');
    for (const name of ['crm', 'shop']) await fleet.runningApp(leader, name, ['env_a']);
    let reads = 0;
    other.gate = async () => {
      reads++;
      throw new Error('connect ECONNREFUSED');
    };
    for (const name of ['crm', 'shop']) {
      await leader.part.parts.service.update(name, { title: `New ${name}` } as never, '1');
      await fleet.clock.run(200);
    }
    reads = 0;
    await fleet.clock.run(3_000);
    expect(reads).toBeLessThanOrEqual(6);
    other.gate = (statement) => statement();
    await fleet.clock.run(1_000);
    expect([...other.part.parts.appCache.apps.values()].map(({ title }) => title)).toEqual(['New crm', 'New shop']);
  });
});

describe('a publication', () => {
  it('that is stored reaches the store although nothing can be read for a moment', async () => {
    const leader = await fleet.supervisor();
    await fleet.environment('env_a');
    await fleet.runningApp(leader, 'crm', ['env_a']);
    const before = fleet.app('crm').published.env_a.generation;
    const newest = (row: unknown) => (row as AppDefinition | null)?.published?.env_a?.generation ?? before;
    fleet.database.onCommit = ({ writes }) => {
      if (![...(writes.get('apps')?.values() ?? [])].some((row) => newest(row) > before)) return;
      fleet.database.onCommit = () => undefined;
      leader.gate = async () => {
        throw new Error('connect ECONNREFUSED');
      };
    };
    void leader.part.parts.service.command('crm', 'restart', '1');
    await fleet.clock.run(300);
    leader.gate = (statement) => statement();
    await fleet.clock.run(1_000);
    const { generation } = fleet.app('crm').published.env_a;
    expect(generation).toBeGreaterThan(before);
    expect(await recordsIn(fleet.stores.memory.records, 'env_a')).toMatchObject([{ name: 'crm', generation }]);
  });
});

describe('the tombstone of an app', () => {
  it('leaves the record of a new app with its name alone', async () => {
    const leader = await fleet.supervisor();
    for (const name of ['env_a', 'env_b']) await fleet.environment(name);
    await fleet.runningApp(leader, 'crm', ['env_a', 'env_b']);
    const { records } = fleet.stores.memory;
    const write = records.write.bind(records);
    let created: Operation | undefined;
    records.write = async (environment, written) => {
      if (!written.removed.length) return write(environment, written);
      records.write = write;
      const mark = await write(environment, written);
      const asked = { name: 'crm', title: 'Sales', environments: ['env_b'], initialAdmin: null };
      created = await leader.part.parts.service.create(asked as never, '1');
      while (!fleet.app('crm').published.env_b) await fleet.clock.sleep(5);
      return mark;
    };
    await leader.part.parts.service.destroy('crm', 'keep', '1');
    await fleet.clock.run(100);
    const gone = { status: 'not_found' as const };
    for (const environment of ['env_a', 'env_b']) await fleet.says(environment, 'crm', gone);
    await fleet.says('env_a', 'crm', gone);
    expect(created).toBeDefined();
    expect(await recordsIn(fleet.stores.records, 'env_b')).toMatchObject([{ uid: created?.appUid }]);
    expect(openTombstones()).toEqual([]);
  });

  it('leaves its record where a retry through another Supervisor asks for the removal once more', async () => {
    const [leader, other] = [await fleet.supervisor(), await fleet.supervisor()];
    await fleet.environment('env_a');
    await fleet.runningApp(leader, 'crm', ['env_a']);
    const { id } = await leader.part.parts.service.destroy('crm', 'keep', '1');
    await fleet.clock.run(200);
    await leader.part.parts.service.cancel(id);
    leader.isDeaf = true;
    await other.part.parts.service.retry(id, '1');
    let removed = 0;
    const { records } = fleet.stores.memory;
    const write = records.write.bind(records);
    records.write = async (environment, written) => {
      removed += written.removed.length;
      return write(environment, written);
    };
    const gone = { status: 'not_found' as const };
    await fleet.says('env_a', 'crm', gone);
    expect([removed, fleet.open.length]).toEqual([0, 1]);
    // The removal, and the release after it.
    for (let i = 0; i < 3; i++) await fleet.says('env_a', 'crm', gone);
    expect([removed, fleet.open.length, openTombstones()]).toEqual([1, 0, []]);
  });
});

describe('a Supervisor', () => {
  const leaders = () => fleet.database.visible('appSupervisorLeaders').map(({ holder }) => holder);

  it.each(['stop', 'prepareToLeave'] as const)(
    'that ends (%s) while it starts leads nothing and keeps no timer',
    async (end) => {
      const one = await fleet.supervisor((made) => {
        let statements = 0;
        made.gate = async (statement) => {
          const result = await statement();
          // It has the lead by then, and reads on.
          if (leaders()[0] && ++statements === 2) void made.part[end]();
          return result;
        };
      });
      await fleet.clock.run(60_000);
      expect([one.part.loaded, fleet.clock.waiting, leaders()]).toEqual([false, 0, [null]]);
    },
  );

  it('whose start fails does not keep the lead', async () => {
    const one = await fleet.supervisor((made) => {
      made.gate = async (statement) => {
        const hadLead = leaders()[0];
        const result = await statement();
        if (hadLead && leaders()[0]) {
          made.gate = (next) => next();
          throw new Error('Connection terminated unexpectedly.');
        }
        return result;
      };
    });
    expect([one.part.loaded, leaders()]).toEqual([false, [null]]);
    const two = await fleet.supervisor();
    expect([two.part.loaded, two.part.parts.leadership.leads]).toEqual([true, true]);
    await fleet.clock.run(6_000);
    expect([one.part.loaded, one.part.parts.leadership.leads]).toEqual([true, false]);
  });
});

describe('a Supervisor that leads from now on', () => {
  it('does nothing to an app before it has read what was done before', async () => {
    const [one, two] = [await fleet.supervisor(), await fleet.supervisor()];
    await fleet.environment('env_a');
    await fleet.runningApp(one, 'crm', ['env_a']);
    const { fleet: rows, apps, leadership } = two.part.parts;
    let goOn!: () => void;
    const held = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    const read = rows.read.bind(rows);
    vi.spyOn(rows, 'read').mockImplementationOnce(() => held.then(read));
    const passes = vi.spyOn(apps, 'reconcile');
    await one.part.stop();
    await fleet.run(8_000, 'env_a');
    await fleet.says('env_a', 'crm', { pendingChanges: ['plugins'] });
    expect([leadership.leads, passes.mock.calls]).toEqual([true, []]);
    goOn();
    await fleet.clock.run(1_000);
    expect(passes).toHaveBeenCalledWith('crm', fleet.app('crm').uid);
  });
});

describe('a leader that cannot read back at once what it has stored', () => {
  it('tells the others of the end of an operation', async () => {
    const [leader, other] = [await fleet.supervisor(), await fleet.supervisor()];
    await fleet.environment('env_a');
    await fleet.runningApp(leader, 'crm', ['env_a']);
    await leader.part.parts.service.command('crm', 'restart', '1');
    await fleet.clock.run(500);
    expect(other.part.parts.active.all()).toHaveLength(1);
    vi.spyOn(leader.part.parts.active, 'refresh').mockRejectedValueOnce(new Error('connect ECONNREFUSED'));
    await fleet.says('env_a', 'crm');
    await fleet.run(2_000, 'env_a');
    expect([fleet.open, other.part.parts.active.all()]).toEqual([[], []]);
  });
});

describe('a stop that was cancelled with the change before it', () => {
  const retriedStop = async (from: string[], change: object, environments?: string[]) => {
    const { part } = await fleet.supervisor();
    const all = ['env_a', 'env_b', 'env_c'];
    for (const name of all) await fleet.environment(name);
    await fleet.runningApp(fleet.supervisors[0], 'crm', from);
    const { service } = part.parts;
    await service.update('crm', change, '1');
    await fleet.run(1_000, ...all);
    let { id } = await service.command('crm', 'stop', '1', { environments });
    // What a retry is about is known to the next one.
    for (let tries = 0; tries < 2; tries++) {
      await service.cancel(id);
      ({ id } = await service.retry(id, '1'));
    }
    const { placements, desired } = fleet.app('crm');
    const stopped = Object.keys(placements).filter((name) => placements[name].want === 'stopped');
    return { stopped: stopped.sort(), desired };
  };
  const moves = { environments: ['env_b', 'env_c'] };

  it('stops the app also where it was to leave and has stayed, once it is retried', async () => {
    const stopped = ['env_a', 'env_b', 'env_c'];
    expect(await retriedStop(['env_a'], moves)).toEqual({ stopped, desired: 'stopped' });
  });

  it.each([
    { beside: 'a move', from: ['env_a'], change: moves },
    { beside: 'a rename', from: ['env_a', 'env_b'], change: { title: 'Sales' } },
  ])('stops it only where it was to stop, beside $beside', async ({ from, change }) => {
    expect(await retriedStop(from, change, ['env_b'])).toEqual({ stopped: ['env_b'], desired: 'running' });
  });
});

describe('an app of which an environment is forgotten', () => {
  const codeOf = (asked: Promise<unknown>) =>
    asked.then(
      () => null,
      (error) => error.code,
    );
  const asList = (operation: Operation) => operation.progress.map(({ environment, of }) => `${environment} ${of}`);

  it('is retried in the others, and only its newest operation is', async () => {
    const { part } = await fleet.supervisor();
    for (const name of ['env_a', 'env_b']) await fleet.environment(name);
    await fleet.runningApp(fleet.supervisors[0], 'crm', ['env_a', 'env_b']);
    await fleet.run(30_000, 'env_a');
    const { service } = part.parts;
    const { id } = await service.command('crm', 'restart', '1');
    await fleet.clock.run(200);
    await service.cancel(id);
    const forgotten = part.forget('env_b');
    await fleet.run(4_000, 'env_a');
    await forgotten;
    expect(asList(await service.retry(id, '1'))).toEqual(['env_a boot']);
    const stop = await service.command('crm', 'stop', '1');
    expect(await codeOf(service.retry(id, '1'))).toBe('OPERATION_SUPERSEDED');
    await service.cancel(stop.id);
    expect(await codeOf(service.cancel(stop.id))).toBe('OPERATION_OVER');
  });

  it('has an environment in all of its deletion', async () => {
    const { part } = await fleet.supervisor();
    for (const name of ['env_a', 'env_b']) await fleet.environment(name);
    await fleet.runningApp(fleet.supervisors[0], 'crm', ['env_a', 'env_b']);
    await fleet.run(30_000, 'env_a');
    const { service } = part.parts;
    // Its removal from env_b is published, and waits.
    await service.update('crm', { environments: ['env_a'] } as never, '1');
    await fleet.clock.run(200);
    await fleet.says('env_a', 'crm');
    await fleet.run(40_000);
    const waits = await service.command('crm', 'restart', '1');
    await fleet.clock.run(200);
    await service.cancel(waits.id);
    const forgotten = part.forget('env_a');
    await fleet.run(4_000);
    await forgotten;
    expect(fleet.app('crm')).toMatchObject({ environments: [], targetEnvironment: null });
    expect(await codeOf(service.retry(waits.id, '1'))).toBe('UNKNOWN_ENVIRONMENT');
    const destroyed = await service.destroy('crm', 'drop', '1');
    expect(asList(destroyed)).toEqual(['env_b leave', 'env_b data']);
    // What has confirmed is not asked again, and nobody is waited for that was forgotten.
    await service.cancel(destroyed.id);
    const gone = part.forget('env_b');
    await fleet.run(4_000);
    await gone;
    expect(openTombstones()).toEqual([]);
  });
});

describe('an operation of which the database has lost a part', () => {
  it('is gone through anew, and not ended by what the leader remembers of it', async () => {
    const leader = await fleet.supervisor();
    for (const name of ['env_a', 'env_b']) await fleet.environment(name);
    const input = parseInput(createInput, { name: 'crm', title: 'CRM', environments: ['env_a', 'env_b'] });
    const { id } = await leader.part.parts.service.create({ ...input, initialAdmin: null }, '1');
    const rows = ['apps', 'appOperations'].map((name) => fleet.database.tables.get(name)!.rows);
    const copies = rows.map((table) => structuredClone(table));
    await fleet.clock.run(100);
    await fleet.says('env_a', 'crm');
    expect(Object.keys(fleet.app('crm').published)).toEqual(['env_a', 'env_b']);
    for (const [i, table] of rows.entries()) for (const [key, row] of copies[i]) table.set(key, row);
    for (const name of ['env_b', 'env_a', 'env_b', 'env_a', 'env_b']) await fleet.says(name, 'crm');
    await fleet.run(4_000, 'env_a', 'env_b');
    expect(fleet.operation(id).state).toBe('succeeded');
    expect(Object.keys(fleet.app('crm').published)).toEqual(['env_a', 'env_b']);
  });
});

describe('an operation on an app whose Worker was ahead of a restored database', () => {
  it('is of a generation above that in which the app was published there', async () => {
    const { part } = await fleet.supervisor();
    await fleet.environment('env_a');
    await fleet.runningApp(fleet.supervisors[0], 'crm', ['env_a']);
    const { appRepository, appCache, service } = part.parts;
    const { published } = fleet.app('crm');
    const generation = published.env_a.generation + 1_000_000;
    await appRepository.update('crm', { published: { env_a: { ...published.env_a, generation } } });
    await appCache.load();
    expect((await service.command('crm', 'restart', '1')).generation).toBe(generation + 1);
  });
});

describe('an app that is deleted', () => {
  it.each<[Partial<StatusEntry>, string[]]>([
    [{}, ['env_a leave', 'env_b leave', 'env_a data']],
    [{ status: 'not_found' }, ['env_a leave', 'env_a data']],
    [{ uid: 'uid-0' }, ['env_a leave', 'env_a data']],
  ])('ends first where it is, also if a database that was restored does not know it: %o', async (values, steps) => {
    const { part } = await fleet.supervisor();
    for (const name of ['env_a', 'env_b']) await fleet.environment(name);
    const input = parseInput(createInput, { name: 'crm', title: 'CRM', environments: ['env_a', 'env_b'] });
    // Its turn in env_b has not come, as far as this database knows.
    await part.parts.service.create({ ...input, initialAdmin: null }, '1');
    await fleet.says('env_b', 'crm', { uid: fleet.app('crm').uid, ...values });
    const destroyed = await part.parts.service.destroy('crm', 'drop', '1');
    expect(destroyed.progress.map(({ environment, of }) => `${environment} ${of}`)).toEqual(steps);
  });
});

describe('an environment that is forgotten', () => {
  const both = ['env_a', 'env_b'];
  const codeOf = (asked: Promise<unknown>) =>
    asked.then(
      () => null,
      (error) => error.code,
    );
  const isPending = () => fleet.database.visible('appEnvironments').some(({ isRemoved }) => isRemoved);

  /** The app runs in both; then env_b is down. */
  async function down() {
    const [leader, other] = [await fleet.supervisor(), await fleet.supervisor()];
    for (const name of both) await fleet.environment(name);
    await fleet.runningApp(leader, 'crm', both);
    await fleet.run(30_000, 'env_a');
    expect(leader.part.parts.observer.environment('env_b')?.health).toBe('down');
    return [leader, other] as const;
  }

  it('through a Supervisor that does not lead is not written back by the leader', async () => {
    const [leader, other] = await down();
    const { id } = await leader.part.parts.service.command('crm', 'restart', '1');
    await fleet.clock.run(200);
    leader.isDeaf = true;
    await other.part.forget('env_b');
    await fleet.says('env_a', 'crm');
    leader.isDeaf = false;
    await fleet.run(40_000, 'env_a');
    expect(fleet.operation(id).progress.map(({ state }) => state)).toEqual(['succeeded', 'cancelled']);
    expect(fleet.app('crm')).toMatchObject({ environments: ['env_a'], targetEnvironment: 'env_a' });
    expect(Object.keys(fleet.app('crm').published)).toEqual(['env_a']);
    expect([await recordsIn(fleet.stores.records, 'env_b'), isPending()]).toEqual([[], false]);
  });

  it('is removed as soon as that can be written, by whoever leads then, and may come back', async () => {
    const [leader, other] = await down();
    fleet.database.onCommit = ({ writes }) => {
      if (writes.has('apps')) throw new Error('The disk is full.');
    };
    const forgotten = leader.part.forget('env_b');
    await fleet.run(12_000, 'env_a');
    await forgotten;
    expect([isPending(), fleet.app('crm').environments]).toEqual([true, both]);
    expect(leader.part.parts.environmentCache.names()).toEqual(['env_a']);
    await leader.part.prepareToLeave();
    leader.part.stop();
    fleet.database.onCommit = () => undefined;
    await fleet.run(20_000, 'env_a');
    expect([isPending(), fleet.app('crm').environments]).toEqual([false, ['env_a']]);
    await fleet.environment('env_b');
    await fleet.run(4_000, ...both);
    expect(other.part.parts.environmentCache.names()).toEqual(both);
  });

  it('leaves nothing in the store, also if that falls back to a copy from before', async () => {
    const [leader, other] = await down();
    const { records, fleet: store } = fleet.stores;
    const copy = await recordsIn(records, 'env_b');
    const forgotten = other.part.forget('env_b');
    await fleet.run(4_000, 'env_a');
    await forgotten;
    fleet.stores.flush();
    const { term } = leader.part.parts.leadership;
    await writeRecords(records, 'env_b', copy, { term });
    // As a copy that has only its registration.
    await fleet.announcing.beat('env_b', {}, 1);
    const left = async () => [await recordsIn(records, 'env_b'), await store.readRegistration('env_b')];
    expect(await left()).toMatchObject([[{ name: 'crm' }], { name: 'env_b' }]);
    await fleet.run(40_000, 'env_a');
    expect(await left()).toEqual([[], null]);
  });

  it('gets no app any more, through any Supervisor', async () => {
    const [leader, other] = await down();
    other.isDeaf = true;
    const forgotten = leader.part.forget('env_b');
    await fleet.clock.run(100);
    const { service } = other.part.parts;
    const asked = { name: 'shop', title: 'Shop', environments: ['env_b'], initialAdmin: null };
    expect(await codeOf(service.create(asked as never, '1'))).toBe('UNKNOWN_ENVIRONMENT');
    await forgotten;
    expect(await codeOf(service.create(asked as never, '1'))).toBe('UNKNOWN_ENVIRONMENT');
  });
});
