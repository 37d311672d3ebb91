import { randomBytes } from 'node:crypto';
import fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestProject } from 'vitest/node';
import { freePort, Postgres, type PostgresServer, Redis } from '../../scripts/fleet';
import { CHOSEN_PORTS } from '../../scripts/fleet/ports';

/**
 * Servers for integration tests, on free ports. `inject('postgres')` and `inject('redisUrl')` are shared by all tests of
 * a run, which keep apart by the names of databases and key prefixes; a test that stops, kills or fills a server starts
 * its own with the functions below.
 */

declare module 'vitest' {
  interface ProvidedContext {
    postgres: PostgresServer;
    redisUrl: string;
  }
}

export interface RedisTestOptions {
  /** More arguments of redis-server. */
  args?: string[];
  /** Keeps an append-only file, so that its data outlive `kill()`. */
  persistent?: boolean;
  /** Which of the two, when that matters. */
  program?: 'redis' | 'valkey';
}

export async function startRedis({ args, persistent = false, program }: RedisTestOptions = {}): Promise<Redis> {
  const folder = await makeFolder();
  const dataDir = persistent ? path.join(folder, 'data') : null;
  const redis = new Redis({ port: await freePort(), dataDir, logFile: path.join(folder, 'redis.log'), args, program });
  await redis.start();
  return redis;
}

/** @param programs folder of another PostgreSQL than that of npm */
export async function startPostgres(programs?: string): Promise<Postgres> {
  const folder = await makeFolder();
  const postgres = new Postgres({
    port: await freePort(),
    password: randomBytes(8).toString('hex'),
    dataDir: path.join(folder, 'data'),
    logFile: path.join(folder, 'postgres.log'),
    durable: false,
    programs,
  });
  await postgres.start();
  return postgres;
}

const folders: string[] = [];

/** Inherited by the processes that run tests, so that what they leave behind goes with the run. */
const RUN_FOLDER = 'APP_SUPERVISOR_TEST_FOLDER';

async function makeFolder(): Promise<string> {
  const folder = await fs.mkdtemp(path.join(process.env[RUN_FOLDER] ?? tmpdir(), 'app-supervisor-test-'));
  // PostgreSQL runs as another user where the tests run as root.
  await fs.chmod(folder, 0o755);
  folders.push(folder);
  return folder;
}

/** Of the folders made by this process; servers in them must have been stopped. */
export async function removeFolders(): Promise<void> {
  await Promise.all(folders.splice(0).map((folder) => fs.rm(folder, { recursive: true, force: true })));
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  process.env[RUN_FOLDER] = await makeFolder();
  process.env[CHOSEN_PORTS] ??= process.env[RUN_FOLDER];
  const [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
  project.provide('postgres', postgres.server);
  project.provide('redisUrl', redis.url);
  return async () => {
    await Promise.all([postgres.stop(), redis.stop()]);
    await removeFolders();
  };
}
