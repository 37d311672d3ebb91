import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import Client from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort, HOST, Redis } from '../../scripts/fleet';
import { isFree } from '../../scripts/fleet/ports';
import { identify, isAlive } from '../../scripts/fleet/processes';

describe('the Redis of npm start', () => {
  const folder = fs.mkdtempSync(path.join(tmpdir(), 'app-supervisor-redis-'));
  const password = 'of-this-fleet';
  let redis: Redis;

  beforeAll(async () => {
    const dataDir = path.join(folder, 'data');
    redis = new Redis({ port: await freePort(), password, dataDir, logFile: path.join(folder, 'logs', 'redis.log') });
  });
  afterAll(async () => {
    await redis.stop();
    fs.rmSync(folder, { recursive: true, force: true });
  });

  async function ask(url: string): Promise<string> {
    const client = new Client(url, { retryStrategy: null, maxRetriesPerRequest: 0 });
    client.on('error', () => undefined);
    try {
      await client.incr('visits');
      return (await client.get('visits'))!;
    } finally {
      client.disconnect();
    }
  }

  it('keeps what an earlier release, which had no password, has stored', async () => {
    const { port } = redis;
    const logFile = path.join(folder, 'logs', 'redis.log');
    const earlier = new Redis({ port, dataDir: path.join(folder, 'data'), logFile });
    await earlier.start();
    expect(await ask(earlier.url)).toBe('1');
    await earlier.stop();
    await redis.start();
    expect(await ask(redis.url)).toBe('2');
  });

  it('answers nobody without its password, also after it was killed and started again', async () => {
    for (const start of [() => Promise.resolve(), () => redis.kill().then(() => redis.start())]) {
      await start();
      await expect(ask(`redis://${HOST}:${redis.port}/0`)).rejects.toThrow('NOAUTH');
      await expect(ask(`redis://:admin123@${HOST}:${redis.port}/0`)).rejects.toThrow('WRONGPASS');
      await ask(redis.url);
    }
  });

  it('is gone only when its port is free: its other threads end after the first one', async () => {
    for (let kills = 0; kills < 20; kills++) {
      const identity = identify(redis.pid!)!;
      process.kill(identity.pid, 'SIGKILL');
      while (isAlive(identity));
      expect(await isFree(redis.port)).toBe(true);
      await redis.start();
    }
  });

  it('has an address that redis-cli takes', () => {
    expect(execFileSync('redis-cli', ['-u', redis.url, '--no-auth-warning', 'ping'], { encoding: 'utf8' })).toBe(
      'PONG\n',
    );
  });

  it('shows the password to nobody else on the machine', () => {
    const files = fs.readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    const readable = files
      .map(({ parentPath, name }) => path.join(parentPath, name))
      .filter((file) => fs.readFileSync(file).includes(password) && fs.statSync(file).mode & 0o077);
    expect(readable).toEqual([]);
    if (process.platform === 'linux') {
      expect(fs.readFileSync(`/proc/${redis.pid}/cmdline`, 'utf8')).not.toContain(password);
    }
  });
});
