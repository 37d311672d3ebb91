import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Database } from '@nocobase/database';
import { afterEach, describe, expect, inject, it } from 'vitest';
import { ensureDatabase, query } from '../../scripts/fleet';
import { acquireLock } from '../../src/server/databases';
import { workerLeases } from '../../src/server/lease/tables';
import { expiryOf, INTERVAL } from '../../src/server/timing';
import { hasFormerProcess } from '../../src/server/worker/former-release';
import { placeOf } from '../../src/server/worker/installation';
import { leaseSuite, processOn } from '../contracts/lease-suite';
import { detour } from '../support/tcp';
import { startMariadb, startPgbouncer } from './databases-servers';

const DATABASE = 'leases';
const closing: Array<() => unknown> = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function open(values: object = {}): Promise<Database> {
  const { host, port, user, password } = inject('postgres');
  await ensureDatabase(inject('postgres'), DATABASE);
  const options = { dialect: 'postgres', host, port, username: user, password, database: DATABASE, logging: false };
  const db = new Database({ ...options, ...values } as never);
  db.collection(workerLeases);
  await db.sync();
  return db;
}

describe('on PostgreSQL', () => leaseSuite(() => open()));

describe('on PostgreSQL, with all options of a main database', () =>
  leaseSuite(async () => {
    await query(inject('postgres'), DATABASE, 'CREATE SCHEMA IF NOT EXISTS elsewhere', []);
    return open({ tablePrefix: 'nb_', schema: 'elsewhere', underscored: true });
  }));

describe('on PostgreSQL, through a pooler in transaction mode', () =>
  leaseSuite(async () => {
    const { host, port, user: username, password } = inject('postgres');
    await ensureDatabase(inject('postgres'), DATABASE);
    const server = { host, port, username, password, stop: async () => undefined };
    const pooler = await startPgbouncer(server, 'transaction');
    const db = await open({ host: pooler.host, port: pooler.port });
    const close = db.close.bind(db);
    return Object.assign(db, {
      close: async () => {
        await close();
        await pooler.stop();
      },
    });
  }));

describe('on MariaDB', () =>
  leaseSuite(async () => {
    const server = await startMariadb();
    const { host, port, username, password } = server;
    const db = new Database({ dialect: 'mariadb', host, port, username, password, database: 'mysql', logging: false });
    await db.sequelize.query('CREATE DATABASE leases');
    await db.close();
    const options = { dialect: 'mariadb', host, port, username, password, database: 'leases', logging: false };
    const own = new Database(options as never);
    own.collection(workerLeases);
    await own.sync();
    const close = own.close.bind(own);
    return Object.assign(own, {
      close: async () => {
        await close();
        await server.stop();
      },
    });
  }));

describe('on SQLite, which is one process by definition', () => {
  it('is of whoever starts, in a new term, and written once', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'lease-'));
    closing.push(() => rm(folder, { recursive: true, force: true }));
    const db = new Database({ dialect: 'sqlite', storage: join(folder, 'main.sqlite'), logging: false });
    closing.push(() => db.close());
    db.collection(workerLeases);
    await db.sync();
    const rowOf = async () => (await db.getRepository(workerLeases.name).findOne()).toJSON();
    const first = processOn(db, 'one');
    expect([await first.lease.take(), await first.takes()]).toEqual([false, true]);
    const row = await rowOf();
    expect(row).toMatchObject({ holder: 'one', term: first.lease.term });
    expect([await first.looks(100_000), await rowOf()]).toEqual([true, row]);
    expect([await first.lease.raiseAbove(row.term + 1e6), first.lease.term]).toEqual([true, row.term + 1e6 + 1]);
    // The first one has died.
    const second = processOn(db, 'two');
    expect(await second.takes()).toBe(true);
    expect(second.lease.term).toBeGreaterThan(first.lease.term);
  });
});

describe('a process of release 0.2.0', () => {
  it('is there while it has its session lock, or announces itself', async () => {
    const { host, port, user: username, password } = inject('postgres');
    await ensureDatabase(inject('postgres'), DATABASE);
    const main = { dialect: 'postgres' as const, host, port, username, password, database: DATABASE };
    const has = (isAnnounced: boolean) => hasFormerProcess(main, 'env_a', { hasFormer: async () => isAnnounced });
    expect([await has(false), await has(true)]).toEqual([false, true]);
    const wish = { key: 'environment env_a', app: 'main', environment: 'env_a', timeoutMs: 0 };
    const lock = await acquireLock(main, wish);
    expect(await has(false)).toBe(true);
    await lock.release();
    expect(await has(false)).toBe(false);
  });
});

describe('a connection of its own', () => {
  it('is left when the database does not answer, and another one is used', async () => {
    const { port } = inject('postgres');
    const network = await detour(0, port);
    closing.push(() => network.close());
    const db = await open({ port: network.port });
    closing.push(() => db.close());
    const { lease, clock, takes } = processOn(db, 'one', 'env_hangs');
    closing.push(() => lease.options.connection.reset());
    expect(await takes()).toBe(true);
    network.holdBack();
    const claim = lease.take();
    await expect.poll(() => network.heldBack()).toBeGreaterThan(0);
    clock.pass(expiryOf(INTERVAL) / 3);
    await expect(claim).rejects.toThrow('does not answer');
    expect(await takes()).toBe(true);
  });
});

describe('the installation of a Worker', () => {
  it('is known by what its main database says, whatever its address', async () => {
    const { host, port, user: username, password } = inject('postgres');
    for (const name of [DATABASE, 'leases_copy']) await ensureDatabase(inject('postgres'), name);
    const network = await detour(0, port);
    closing.push(() => network.close());
    const main = { dialect: 'postgres' as const, host, port, username, password, database: DATABASE };
    const one = await placeOf(main, 'env_a', async () => 'id-1')();
    expect(one).toMatch(/^[0-9a-f]{12}$/);
    expect(await placeOf({ ...main, port: network.port }, 'env_a', async () => 'id-1')()).toBe(one);
    expect(await placeOf(main, 'env_b', async () => 'id-1')()).not.toBe(one);
    // Of two machines that both call theirs by this address.
    expect(await placeOf(main, 'env_a', async () => 'id-2')()).not.toBe(one);
    // A copy of it, with its id.
    expect(await placeOf({ ...main, database: 'leases_copy' }, 'env_a', async () => 'id-1')()).not.toBe(one);
  });
});
