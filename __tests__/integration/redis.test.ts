import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import Redis from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort, type Redis as RedisServer } from '../../scripts/fleet';
import { findProgram } from '../../scripts/lib/programs.mjs';
import { systemClock } from '../../src/server/clock';
import { systemRandom } from '../../src/server/core/system';
import { RedisBus } from '../../src/server/protocol/bus/redis';
import { Keys } from '../../src/server/protocol/redis-keys';
import { RedisStores } from '../../src/server/protocol/stores/redis';
import { startRedis } from '../setup/services';
import { makeCertificates } from '../support/certificates';
import { testEnvelope } from '../support/envelope';
import { recordedLog } from '../support/log';
import { commandsOf, makeUsers, PASSWORDS, refusals, USERS, urlOf } from '../support/redis-users';
import { until } from '../support/wait';
import { makeEveryCall } from '../support/wire-calls';

/** What docs/redis.md promises, on real servers. */

const unique = () => `acl-${randomUUID()}`;
let server: RedisServer;
let admin: Redis;
beforeAll(async () => {
  server = await startRedis();
  admin = new Redis(server.url);
});
afterAll(async () => {
  admin?.disconnect();
  await server?.stop();
});

/** @returns what the server refused: `user command`, and what failed for it. */
async function everyCallAs(
  port: number,
  prefix: string,
  on: Redis,
  patience?: number,
): Promise<{ refused: string[]; failure: unknown }> {
  await refusals(on);
  const keys = new Keys(prefix);
  const log = recordedLog();
  const stores = new RedisStores(urlOf('fleet-state', port), keys, testEnvelope(), log, systemRandom, systemClock);
  const bus = new RedisBus(urlOf('fleet-commands', port), keys, testEnvelope(), 'one', log, systemClock, systemRandom);
  stores.open();
  bus.open();
  try {
    // A user that may not even ask for the first key is answered, too.
    await until('An answer of Redis', () => stores.fleet.poll().then(Boolean, (error) => /NOPERM/.test(String(error))));
    const failure = await makeEveryCall(stores, bus, patience).then(
      () => null,
      (error) => error,
    );
    return { refused: await refusals(on), failure };
  } finally {
    await bus.close();
    await stores.close();
  }
}

describe('the users of docs/redis.md', () => {
  it('may do all that the plugin does, and are refused nothing', async () => {
    const prefix = unique();
    await makeUsers(admin, prefix);
    expect(await everyCallAs(server.port, prefix, admin)).toEqual({ refused: [], failure: null });
  });

  it.each(USERS.flatMap((user) => commandsOf(user).map((command) => [user, command] as const)))(
    '%s needs %s',
    async (user, command) => {
      const prefix = unique();
      await makeUsers(admin, prefix, command);
      const { refused } = await everyCallAs(server.port, prefix, admin, 3_000);
      expect(refused).toContain(`${user} ${command}`);
    },
  );

  it('see nothing of another fleet on the same server', async () => {
    const [mine, other] = [unique(), unique()];
    await admin.set(new Keys(other).fleet(), 'theirs');
    await makeUsers(admin, mine);
    const stores = new RedisStores(
      urlOf('fleet-state', server.port),
      new Keys(other),
      testEnvelope(),
      recordedLog(),
      systemRandom,
      systemClock,
    );
    stores.open();
    const answer = () => stores.fleet.poll().then(String, String);
    await until('A refusal', async () => (await answer()).includes('NOPERM'));
    await stores.close();
    expect(await admin.get(new Keys(other).fleet())).toBe('theirs');
  });
});

describe('the commands', () => {
  it('are all known to Redis 6.2', async () => {
    const names = [...new Set(USERS.flatMap(commandsOf))].map((name) => name.split('|')[0]);
    const documents = (await admin.call('COMMAND', 'DOCS', ...names)) as Array<string | unknown[]>;
    const since = Object.fromEntries(
      names.map((name) => {
        const fields = documents[documents.indexOf(name) + 1] as string[];
        return [name, fields[fields.indexOf('since') + 1]];
      }),
    );
    expect(Object.keys(since).length).toBeGreaterThan(20);
    const newer = Object.entries(since).filter(([, version]) => {
      const [major, minor] = version.split('.').map(Number);
      return major > 6 || (major === 6 && minor > 2);
    });
    expect(newer).toEqual([]);
  });

  it.runIf(findProgram('valkey'))('do on Valkey what they do on Redis', async () => {
    const valkey = await startRedis({ program: 'valkey' });
    const client = new Redis(valkey.url);
    try {
      expect(await client.info('server')).toContain('server_name:valkey');
      const prefix = unique();
      await makeUsers(client, prefix);
      expect(await everyCallAs(valkey.port, prefix, client)).toEqual({ refused: [], failure: null });
    } finally {
      client.disconnect();
      await valkey.stop();
    }
  });
});

describe('TLS', () => {
  let secured: RedisServer;
  let tlsPort: number;
  let folder: string;
  const prefix = unique();

  beforeAll(async () => {
    folder = fs.mkdtempSync(path.join(tmpdir(), 'app-supervisor-tls-'));
    const certificates = makeCertificates(folder);
    tlsPort = await freePort();
    const files = ['--tls-cert-file', certificates.cert, '--tls-key-file', certificates.key];
    const authority = ['--tls-ca-cert-file', certificates.ca, '--tls-auth-clients', 'no'];
    secured = await startRedis({ args: ['--tls-port', String(tlsPort), ...files, ...authority] });
    const client = new Redis(secured.url);
    await makeUsers(client, prefix);
    client.disconnect();
  });
  afterAll(async () => {
    await secured?.stop();
    fs.rmSync(folder, { recursive: true, force: true });
  });

  it('of an authority that nobody named is refused, and the log shows no password', async () => {
    const log = recordedLog();
    const stores = new RedisStores(
      urlOf('fleet-state', tlsPort, 'rediss'),
      new Keys(prefix),
      testEnvelope(),
      log,
      systemRandom,
      systemClock,
    );
    stores.open();
    await until('The refusal', () => log.at('warn').length);
    await expect(stores.fleet.poll()).rejects.toThrow();
    await stores.close();
    const lines = JSON.stringify(log.at('warn'));
    expect(lines).toMatch(/Redis \(state\) is away: (unable to verify|self-signed certificate)/);
    expect(lines).not.toContain(PASSWORDS['fleet-state']);
  });
});
