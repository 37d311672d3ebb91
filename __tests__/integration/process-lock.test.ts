import { afterEach, describe, expect, inject, it } from 'vitest';
import { ensureDatabase, query } from '../../scripts/fleet';
import { systemClock } from '../../src/server/core/system';
import type { DatabaseConnection } from '../../src/server/databases';
import type { LockAddress } from '../../src/server/lock-address';
import type { ProcessLock } from '../../src/server/worker/lock-watch';
import { createProcessLock } from '../../src/server/worker/process-lock';
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
): ProcessLock {
  const { host, port, user, password } = inject('postgres');
  const main = { dialect: 'postgres' as const, host, port, username: user, password, database: DATABASE, ...values };
  const lock = createProcessLock(
    main,
    environment,
    typeof id === 'string' ? async () => id : id,
    systemClock,
    recordedLog(),
    address,
  );
  locks.push(lock);
  return lock;
}

afterEach(async () => {
  for (const lock of locks.splice(0)) await lock.release();
});

describe('the lock of a process on its own main database', () => {
  it('is held by one process of an environment, again and again, until it gives it up', async () => {
    await ensureDatabase(inject('postgres'), DATABASE);
    const [one, two, other] = [lockOf('env_a'), lockOf('env_a'), lockOf('env_b')];
    expect([await one.hold(), await one.hold(), await two.hold(), await other.hold()]).toEqual([
      'held',
      'held',
      'other',
      'held',
    ]);
    expect(one.fingerprint).toBe(two.fingerprint);
    expect(one.fingerprint).not.toBe(other.fingerprint);
    await one.release();
    expect(await two.hold()).toBe('held');
  });

  it('knows its database also where that did not say which one it is when the lock was taken', async () => {
    let tries = 0;
    const lock = lockOf('env_a', {}, undefined, async () => {
      tries++;
      if (tries === 1) throw new Error('Too slow.');
      return 'id';
    });
    expect([await lock.hold(), lock.fingerprint]).toEqual(['held', null]);
    expect(await lock.hold()).toBe('held');
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
    expect(await one.hold()).toBe('held');
    let losses = 0;
    one.losses.listen(() => losses++);
    const cut = 'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()';
    await query(inject('postgres'), DATABASE, cut, [DATABASE]);
    await until('The other to get it', async () => (await two.hold()) === 'held');
    expect([losses, await one.hold()]).toEqual([1, 'other']);
  });

  it('is taken from a process that is frozen, which finds that out', async () => {
    await ensureDatabase(inject('postgres'), DATABASE);
    const [frozen, standby] = [lockOf('env_a'), lockOf('env_a')];
    expect([await frozen.hold(), await standby.hold()]).toEqual(['held', 'other']);
    const lost = new Promise<void>((resolve) => frozen.losses.listen(resolve));
    await standby.displace();
    await lost;
    expect([await standby.hold(), await frozen.hold()]).toEqual(['held', 'other']);
    // Of nobody else: of another environment, or none.
    const other = lockOf('env_b');
    await other.displace();
    expect([await standby.hold(), await other.hold()]).toEqual(['held', 'held']);
  });

  it('says that a pooler leaves no lock, and is had at the direct address', async () => {
    const { host, port, user: username, password } = inject('postgres');
    await ensureDatabase(inject('postgres'), DATABASE);
    const pooler = await startPgbouncer({ host, port, username, password, stop: async () => undefined }, 'transaction');
    try {
      const pooled = { host: pooler.host, port: pooler.port };
      const lock = lockOf('env_pooled', pooled);
      expect(await lock.hold()).toBe('none');
      const direct = lockOf('env_pooled', pooled, { host, port });
      expect(await direct.hold()).toBe('held');
      expect([direct.fingerprint, lock.fingerprint]).toEqual([expect.any(String), direct.fingerprint]);
    } finally {
      await pooler.stop();
    }
  });

  it('proves nothing while the database hangs, and keeps no beat waiting', async () => {
    const server = await silentServer();
    const lock = lockOf('env_a', { host: '127.0.0.1', port: server.port });
    expect(await lock.hold()).toBe('unknown');
    // It still waits for the database, as long as that takes; the beat does not.
    expect([server.connections(), server.open()]).toEqual([1, 1]);
    // Asked once, however many beats ask.
    await Promise.all([lock.hold(), lock.hold()]);
    expect(server.connections()).toBe(1);
    server.close();
  });

  it('that is nowhere to be had costs nothing', async () => {
    expect(await lockOf('env_a', { port: 1 }).hold()).toBe('unknown');
  });
});
