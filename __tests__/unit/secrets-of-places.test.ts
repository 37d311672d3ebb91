import { beforeEach, describe, expect, it } from 'vitest';
import { hashPassword } from '../../src/server/protocol/administrator';
import { createInput, parseInput } from '../../src/server/supervisor/definitions/input';
import type { AppRecord, StatusEntry } from '../../src/shared/messages';
import { MemoryFleet, type MemorySupervisor } from '../support/memory-fleet';

/** A Worker that says that it has an app which no operation has placed there: whatever goes on with the app, it learns nothing of it. */

const PASSWORD = 'of-its-database';
const ALL = ['env_a', 'env_b', 'env_evil'];
let fleet: MemoryFleet;
let part: MemorySupervisor['part'];
let uid: string;
/** All that was ever published for the Worker, and all that it was asked. */
let told: AppRecord[];
let asked: unknown[];

const gone = { status: 'not_found' as const };
const passes = (ms = 1_000) => fleet.run(ms, ...ALL);

beforeEach(async () => {
  fleet = new MemoryFleet();
  told = [];
  asked = [];
  const supervisor = await fleet.supervisor();
  part = supervisor.part;
  for (const name of ALL) await fleet.environment(name);
  fleet.answer = async (environment, method, payload) => {
    if (environment === 'env_evil') asked.push({ method, payload });
    throw new Error('Nobody answers.');
  };
  const { records } = fleet.stores.memory;
  const { write } = records;
  records.write = async (environment, written) => {
    if (environment === 'env_evil') told.push(...written.records);
    return write.call(records, environment, written);
  };
  const options = {
    dbConnType: 'new_connection' as const,
    database: { dialect: 'postgres' as const, host: 'db', username: 'crm', password: PASSWORD, database: 'crm' },
  };
  const input = parseInput(createInput, { name: 'crm', title: 'A secret project', environments: ['env_a'], options });
  const initialAdmin = { username: 'ada', email: null, password: await hashPassword(PASSWORD) };
  await part.parts.service.create({ ...input, initialAdmin }, '1');
  uid = fleet.app('crm').uid;
});

const runs = async () => {
  await fleet.says('env_a', 'crm');
  await passes();
};
const move = async () => {
  await part.parts.service.move('crm', { to: 'env_b' }, '1');
  await passes();
};

/** By what goes on with the app when the report comes, the requests and reports before it. */
const SCENES: Record<string, () => Promise<unknown>> = {
  'is being created': async () => undefined,
  'runs elsewhere': runs,
  'is stopped elsewhere': async () => {
    await runs();
    await part.parts.service.command('crm', 'stop', '1');
    await passes();
  },
  'is copied to another place': async () => {
    await runs();
    await move();
  },
  'leaves one place for another': async () => {
    await runs();
    await move();
    await fleet.says('env_b', 'crm', { status: 'waiting' });
  },
  'was moved, by a move that was cancelled': async () => {
    await runs();
    const { id } = await part.parts.service.move('crm', { to: 'env_b' }, '1');
    await passes();
    await part.parts.service.cancel(id, '1');
  },
  'is not started where it is placed': async () => {
    await part.parts.service.command('crm', 'stop', '1');
  },
  'changes its settings': async () => {
    await runs();
    await part.parts.service.update('crm', { title: 'Another' } as never, '1');
  },
  'gets a JWT secret': async () => {
    await runs();
    await part.parts.appRepository.update('crm', { jwtSecret: null });
    await part.parts.appCache.load();
  },
  'is asked for the place of a failover': async () => {
    await runs();
    await part.parts.service.update('crm', { failover: 'automatic', failoverDelay: 10 } as never, '1');
    await passes();
    await fleet.run(90_000, 'env_b', 'env_evil');
  },
  'is to be moved where it fits': async () => {
    await runs();
    await part.parts.moves.preview([part.app('crm')!], {});
    await part.parts.moves.preview([part.app('crm')!], { to: 'env_evil' });
  },
};

const END: Record<string, () => Promise<unknown>> = {
  'goes on': () => passes(5_000),
  'is deleted, its data kept': () => part.parts.service.destroy('crm', 'keep', '1'),
  'is deleted with its data': () => part.parts.service.destroy('crm', 'drop', '1'),
  'loses its environment': async () => {
    await fleet.run(60_000, 'env_b', 'env_evil');
    await part.forget('env_a').catch(() => undefined);
  },
};

async function lie(values: Partial<StatusEntry> = {}): Promise<void> {
  await fleet.says('env_evil', 'crm', { uid, generation: 5, begun: 5, bootGeneration: 1, ...values });
  await passes();
}

function expectNothingSaid(): void {
  const texts = [...told, ...asked].map((each) => JSON.stringify(each));
  for (const text of texts) {
    expect(text).not.toContain(PASSWORD);
    expect(text).not.toContain(fleet.app('crm')?.jwtSecret || 'no secret');
  }
  for (const { name, desired, data, generation, boot, ...others } of told) {
    expect([name, desired, data, others.uid]).toEqual(['crm', 'removed', 'keep', uid]);
    expect(others).toEqual({
      ...{ uid, title: 'crm', icon: null, language: null, cname: null, pinned: false, sort: 0, environments: [] },
      ...{ startMode: 'onVisit', autoUpgrade: true, database: { dbConnType: 'new_database' }, jwtSecret: null },
      ...{ paused: null, provision: 'none' },
    });
  }
}

describe('of an app that', () => {
  const ends = Object.keys(END);
  const cases = Object.keys(SCENES).map((scene, i) => [scene, ends[i % ends.length]]);
  it.each([...cases, ...ends.map((end) => ['runs elsewhere', end])])(
    '%s, and then %s, a Worker that only says it has it learns no secret',
    async (scene, end) => {
      await SCENES[scene]();
      await lie();
      await END[end]().catch(() => undefined);
      await lie({ generation: 6 });
      // It was ahead: its report overtakes what the database knows.
      await lie({ generation: fleet.clock.now().wall + 60_000 });
      await lie(gone);
      expect(told.length).toBeGreaterThan(0);
      expectNothingSaid();
    },
  );

  it('runs, a Worker that was forgotten learns no secret', async () => {
    await runs();
    await lie();
    await fleet.run(60_000, 'env_a', 'env_b');
    const forgotten = part.forget('env_evil');
    await fleet.run(4_000, 'env_a', 'env_b');
    await forgotten;
    await fleet.environment('env_evil', { floor: fleet.clock.now().wall });
    await fleet.beat('env_evil');
    await lie();
    expect(told.length).toBeGreaterThan(0);
    expectNothingSaid();
  });

  it('has no environment any more, is deleted with its data only once it has one: who reports it is not asked to drop them', async () => {
    await runs();
    await lie();
    await fleet.run(60_000, 'env_b', 'env_evil');
    const forgotten = part.forget('env_a');
    await fleet.run(4_000, 'env_b', 'env_evil');
    await forgotten;
    expect(fleet.app('crm').environments).toEqual([]);
    await lie({ generation: 7 });
    expect(fleet.app('crm').published).toMatchObject({ env_evil: { desired: 'removed', stray: true } });
    const { service } = part.parts;
    await expect(service.destroy('crm', 'drop', '1')).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    const { progress } = await service.destroy('crm', 'keep', '1');
    expect(progress.map(({ environment, of }) => `${environment} ${of}`)).toEqual(['env_evil leave']);
    await passes();
    expectNothingSaid();
  });
});
