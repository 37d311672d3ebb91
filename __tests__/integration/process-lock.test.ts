import { afterEach, describe, expect, inject, it } from 'vitest';
import { ensureDatabase, query } from '../../scripts/fleet';
import type { Clock } from '../../src/server/clock';
import type { LockAddress } from '../../src/server/config/lock-address';
import { systemClock } from '../../src/server/core/system';
import type { DatabaseConnection } from '../../src/server/databases';
import { type LockState, LockWatch, type ProcessLock } from '../../src/server/worker/lock-watch';
import { createProcessLock } from '../../src/server/worker/process-lock';
import { FakeClock } from '../support/clock';
import { recordedLog } from '../support/log';
import { detour, silentServer } from '../support/tcp';
import { until } from '../support/wait';
import { startPgbouncer } from './databases-servers';

const DATABASE = 'process_lock';
const locks: ProcessLock[] = [];

function lockOf(
  environment: string,
  values: Partial<DatabaseConnection> = {},
  address?: LockAddress,
  id: string | (() => Promise<string>) = 'id-1',
  clock: Clock = systemClock,
): ProcessLock {
  const { host, port, user, password } = inject('postgres');
  const main = { dialect: 'postgres' as const, host, port, username: user, password, database: DATABASE, ...values };
  const lock = createProcessLock(
    main,
    environment,
    typeof id === 'string' ? async () => id : id,
    clock,
    recordedLog(),
    address,
  );
  locks.push(lock);
  return lock;
}

const ask = async (lock: ProcessLock): Promise<LockState> => (await lock.hold()).state;

afterEach(async () => {
  for (const lock of locks.splice(0)) await lock.release();
});

describe('the lock of a process on its own main database', () => {
  it('invariant 4: is held by one process of an environment, again and again, until it gives it up', async () => {
    await ensureDatabase(inject('postgres'), DATABASE);
    const [one, two, other] = [lockOf('env_a'), lockOf('env_a'), lockOf('env_b')];
    expect([await ask(one), await ask(one), await ask(two), await ask(other)]).toEqual([
      'held',
      'held',
      'other',
      'held',
    ]);
    expect(one.fingerprint).toBe(two.fingerprint);
    expect(one.fingerprint).not.toBe(other.fingerprint);
    await one.release();
    expect(await ask(two)).toBe('held');
  });

  it('knows its database also where that did not say which one it is when the lock was taken', async () => {
    let tries = 0;
    const lock = lockOf('env_a', {}, undefined, async () => {
      tries++;
      if (tries === 1) throw new Error('Too slow.');
      return 'id';
    });
    expect([await ask(lock), lock.fingerprint]).toEqual(['held', null]);
    expect(await ask(lock)).toBe('held');
    await expect.poll(() => lock.fingerprint).toMatch(/^[0-9a-f]{12}$/);
  });

  it('knows its database by what that says, whatever its address', async () => {
    const { port } = inject('postgres');
    for (const name of [DATABASE, 'process_copy']) await ensureDatabase(inject('postgres'), name);
    const network = await detour(0, port);
    const printOf = async (...values: Parameters<typeof lockOf>) => {
      const lock = lockOf(...values);
      await lock.hold();
      return lock.fingerprint;
    };
    const one = await printOf('env_a');
    expect(one).toMatch(/^[0-9a-f]{12}$/);
    expect(await printOf('env_a', { port: network.port })).toBe(one);
    // Of two machines that both call theirs by this address.
    expect(await printOf('env_a', {}, undefined, 'id-2')).not.toBe(one);
    // A copy of it, with its id.
    expect(await printOf('env_a', { database: 'process_copy' })).not.toBe(one);
    network.close();
  });

  it('goes with the connection, and is noticed to be gone', async () => {
    await ensureDatabase(inject('postgres'), DATABASE);
    const [one, two] = [lockOf('env_a'), lockOf('env_a')];
    expect(await ask(one)).toBe('held');
    let losses = 0;
    one.losses.listen(() => losses++);
    const cut = 'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()';
    await query(inject('postgres'), DATABASE, cut, [DATABASE]);
    await until('The other to get it', async () => (await ask(two)) === 'held');
    expect([losses, await ask(one)]).toEqual([1, 'other']);
  });

  it('invariant 4: is taken from a process that is frozen, which finds that out', async () => {
    await ensureDatabase(inject('postgres'), DATABASE);
    const [frozen, standby] = [lockOf('env_a'), lockOf('env_a')];
    expect([await ask(frozen), await ask(standby)]).toEqual(['held', 'other']);
    const lost = new Promise<void>((resolve) => frozen.losses.listen(resolve));
    await standby.displace();
    await lost;
    expect([await ask(standby), await ask(frozen)]).toEqual(['held', 'other']);
    // Of nobody else: of another environment, or none.
    const other = lockOf('env_b');
    await other.displace();
    expect([await ask(standby), await ask(other)]).toEqual(['held', 'held']);
  });

  it('is asked for anew where the answer that is under way may be of before a freeze', async () => {
    const postgres = inject('postgres');
    await ensureDatabase(postgres, DATABASE);
    const network = await detour(0, postgres.port);
    const clock = new FakeClock();
    const standby = lockOf('env_a');
    const watch = new LockWatch(lockOf('env_a', { port: network.port }, undefined, 'id-1', clock), clock, () => false);
    expect(await watch.look()).toBe('held');
    network.holdBack();
    const before = watch.look();
    await until('An answer', () => network.heldBack() > 0);
    network.cutOff();
    await until('The standby to get it', async () => (await ask(standby)) === 'held');
    // The process is frozen until now.
    clock.pass(10_000);
    const after = watch.look();
    network.letGo();
    const found = [await before, await after];
    network.close();
    expect(found).toEqual(['unknown', 'other']);
  });

  it('says that a pooler leaves no lock, and is had at the direct address', async () => {
    const { host, port, user: username, password } = inject('postgres');
    await ensureDatabase(inject('postgres'), DATABASE);
    const pooler = await startPgbouncer({ host, port, username, password, stop: async () => undefined }, 'transaction');
    try {
      const pooled = { host: pooler.host, port: pooler.port };
      const lock = lockOf('env_pooled', pooled);
      expect(await ask(lock)).toBe('none');
      const direct = lockOf('env_pooled', pooled, { host, port });
      expect(await ask(direct)).toBe('held');
      expect([direct.fingerprint, lock.fingerprint]).toEqual([expect.any(String), direct.fingerprint]);
    } finally {
      await pooler.stop();
    }
  });

  it('proves nothing while the database hangs, and keeps no beat waiting', async () => {
    const server = await silentServer();
    const lock = lockOf('env_a', { host: '127.0.0.1', port: server.port });
    expect(await ask(lock)).toBe('unknown');
    // It still waits for the database, as long as that takes; the beat does not.
    expect([server.connections(), server.open()]).toEqual([1, 1]);
    // Asked once, however many beats ask.
    await Promise.all([lock.hold(), lock.hold()]);
    expect(server.connections()).toBe(1);
    server.close();
  });

  it('that is nowhere to be had costs nothing', async () => {
    expect(await ask(lockOf('env_a', { port: 1 }))).toBe('unknown');
  });
});
