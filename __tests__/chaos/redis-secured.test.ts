import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import Redis from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Fleet, freePort, type Redis as RedisServer } from '../../scripts/fleet';
import { sharedFleet } from '../setup/fleet';
import { removeFolders, startRedis } from '../setup/services';
import { makeCertificates } from '../support/certificates';
import { ask } from '../support/http';
import { Manager } from '../support/manager';
import { makeUsers, refusals, urlOf } from '../support/redis-users';

/** Supervisor and Worker on a Redis with TLS by an authority of one's own, users of least privilege, and a key prefix. */

const PREFIX = 'secured';
const folder = fs.mkdtempSync(path.join(tmpdir(), 'app-supervisor-tls-'));

let fleet: Fleet;
let server: RedisServer;
let admin: Redis;
let manager: Manager;

const restartAll = (variables: Record<string, string>) =>
  Promise.all([fleet.supervisor, fleet.worker('env_b')].map((instance) => instance.restartWith(variables)));

beforeAll(async () => {
  fleet = await sharedFleet();
  const { ca, cert, key } = makeCertificates(folder);
  const tlsPort = await freePort();
  const tls = ['--tls-port', String(tlsPort), '--tls-cert-file', cert, '--tls-key-file', key, '--tls-ca-cert-file', ca];
  server = await startRedis({ args: [...tls, '--tls-auth-clients', 'no'] });
  admin = new Redis(server.url);
  await makeUsers(admin, PREFIX);
  await restartAll({
    APP_SUPERVISOR_REDIS_URL: urlOf('fleet-state', tlsPort, 'rediss'),
    APP_COMMAND_REDIS_URL: urlOf('fleet-commands', tlsPort, 'rediss'),
    APP_SUPERVISOR_KEY_PREFIX: PREFIX,
    NODE_EXTRA_CA_CERTS: ca,
  });
  manager = await Manager.of(fleet);
});

afterAll(async () => {
  await manager?.clear('secured');
  const { redisUrl, commandRedis } = fleet;
  await restartAll({
    APP_SUPERVISOR_REDIS_URL: redisUrl!,
    APP_COMMAND_REDIS_URL: commandRedis?.url ?? redisUrl!,
    APP_SUPERVISOR_KEY_PREFIX: 'app-supervisor',
    NODE_EXTRA_CA_CERTS: '',
  });
  admin?.disconnect();
  await server?.stop();
  await removeFolders();
  fs.rmSync(folder, { recursive: true, force: true });
});

describe('a fleet on a secured Redis', () => {
  it('meets there, and brings an app up', async () => {
    await manager.untilEnvironment('env_b', ({ health }) => health === 'online', { what: 'online' });
    await manager.create({ name: 'secured', environments: ['env_b'] });
    const answer = await ask(fleet.supervisor.url, '/api/__app/secured/app:getInfo');
    expect(answer).toMatchObject({ status: 200, headers: { 'x-app-environment': 'env_b' } });
  });

  it('checks a database by asking the Worker, which answers', async () => {
    const body = { environment: 'env_b', dbConnType: 'new_database', database: { database: 'secured_check' } };
    const { data } = await manager.api.post('apps:checkDatabase', body);
    expect(data.verdict).toBe('free');
  });

  it('was refused nothing, and kept to its prefix', async () => {
    expect(await refusals(admin)).toEqual([]);
    const keys = await admin.keys('*');
    expect(keys.length).toBeGreaterThan(5);
    expect(keys.filter((name) => !name.startsWith(`${PREFIX}:`))).toEqual([]);
  });

  it('does not see the Worker that stayed on the other Redis', async () => {
    const { health } = await manager.environment('env_a');
    expect(health).not.toBe('online');
  });
});
