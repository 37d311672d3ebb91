import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Keys } from '../../src/server/protocol/redis-keys';
import { makeKeys, services } from '../support/compose';
import { ContainerRedis } from '../support/container-redis';

/** The Redis of docker-compose.yml; that of deploy/kubernetes is in kubernetes.test.ts. */

const folder = fs.mkdtempSync(path.join(tmpdir(), 'compose-redis-'));
const keys = new Keys('app-supervisor');
let redis: ContainerRedis;

beforeAll(() => {
  redis = new ContainerRedis(folder, services.redis.command!.at(-1)!);
});
afterAll(async () => {
  await redis.stop();
  fs.rmSync(folder, { recursive: true, force: true });
});

const ask: ContainerRedis['ask'] = (...args) => redis.ask(...args);
const passwordIn = (url = '') => new URL(url).password;

describe('the Redis of docker-compose.yml', () => {
  const administrator = () => fs.readFileSync(path.join(folder, 'redis/default'), 'utf8');
  const up = async () => {
    const made = makeKeys(folder);
    await redis.start(administrator());
    return made;
  };

  it('lets each process do what is its own, and nobody in without a password', async () => {
    const { keys: supervisor, worker } = await up();
    const password = passwordIn(supervisor.APP_SUPERVISOR_REDIS_URL);
    await ask('supervisor', password, (redis) => redis.hset(keys.records('env_a'), 'crm', 'x'));
    await expect(ask('supervisor', password, (redis) => redis.flushall())).rejects.toThrow('NOPERM');
    const own = passwordIn(worker('env_a').APP_SUPERVISOR_REDIS_URL);
    expect(await ask('worker-env-a', own, (redis) => redis.hget(keys.records('env_a'), 'crm'))).toBe('x');
    await ask('worker-env-a', own, (redis) => redis.set(keys.lease('env_a'), 'x'));
    for (const key of [keys.lease('env_b'), keys.records('env_a'), keys.appIndex()])
      await expect(ask('worker-env-a', own, (redis) => redis.set(key, 'x'))).rejects.toThrow('NOPERM');
    await expect(ask('worker-env-b', own, (redis) => redis.ping())).rejects.toThrow('WRONGPASS');
    await expect(ask('default', 'x', (redis) => redis.ping())).rejects.toThrow('WRONGPASS');
    await expect(ask('', '', (redis) => redis.ping())).rejects.toThrow('NOAUTH');
  });

  it('keeps a user that an operator has made and saved, and takes its own from the keys, at the next start', async () => {
    await ask('default', administrator(), (redis) =>
      redis.call('ACL', 'SETUSER', 'worker-env-c', 'on', '>added', '~*', '+get'),
    );
    await ask('default', administrator(), (redis) =>
      redis.call('ACL', 'SETUSER', 'worker-env-a', 'on', '>other', '~*', '+@all'),
    );
    await ask('default', administrator(), (redis) => redis.call('ACL', 'SAVE'));
    const { worker } = await up();
    expect(await ask('worker-env-c', 'added', (redis) => redis.get(keys.lease('env_a')))).toBe('x');
    await expect(ask('worker-env-a', 'other', (redis) => redis.ping())).rejects.toThrow('WRONGPASS');
    const own = passwordIn(worker('env_a').APP_SUPERVISOR_REDIS_URL);
    await expect(ask('worker-env-a', own, (redis) => redis.set(keys.lease('env_b'), 'x'))).rejects.toThrow('NOPERM');
  });

  it('shows the passwords to nobody else on the machine', () => {
    expect(fs.statSync(path.join(folder, 'data/users.acl')).mode & 0o077).toBe(0);
  });
});
