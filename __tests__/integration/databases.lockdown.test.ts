import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { rspack } from '@rspack/core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { serverConfig } from '../../scripts/build/config';
import { say } from '../../src/shared/message';
import { type Ground, on, startGround } from './databases-places';

/**
 * In a worker the drivers are loaded after the core froze the built-ins (server/src/gateway/index.ts, `afterStart`), and
 * from a bundle. So: the bundle as it is built, in a process that is locked down before anything was loaded.
 */

const root = resolve(import.meta.dirname, '../..');
let ground: Ground;
let folder: string;
beforeAll(async () => {
  ground = await startGround();
  folder = mkdtempSync(join(tmpdir(), 'databases-lockdown-'));
});
afterAll(async () => {
  await ground?.stop();
  rmSync(folder, { recursive: true, force: true });
});

it('drivers are loaded, and databases made, locked and dropped, after SES lockdown', async () => {
  await bundle();
  const connections = [
    on(ground.postgres, 'postgres', 'locked_down'),
    on(ground.mariadb, 'mariadb', 'locked_down_1'),
    on(ground.mariadb, 'mysql', 'locked_down_2'),
    { dialect: 'sqlite', storage: join(folder, 'locked_down.sqlite') },
  ];
  const script = join(folder, 'run.cjs');
  writeFileSync(
    script,
    `(${program})(${JSON.stringify(connections)}).catch((e) => { console.error(e.stack); process.exit(1); })`,
  );
  const { stdout } = await promisify(execFile)(process.execPath, [script], {
    env: { ...process.env, NODE_PATH: join(root, 'node_modules') },
  });
  expect(JSON.parse(stdout.trim().split('\n').at(-1) ?? '')).toEqual(
    Array.from({ length: 4 }, () => ({ created: true, held: true, dropped: say('DATA_DROPPED') })),
  );
});

function bundle(): Promise<void> {
  const target = { packageName: 'test', source: join(root, 'src'), dist: folder };
  const config = serverConfig(target, { databases: join(root, 'src/server/databases/index.ts') });
  return new Promise((done, failed) => {
    rspack(config, (error, stats) => {
      if (error || stats?.hasErrors()) failed(error ?? new Error(stats?.toString({ all: false, errors: true })));
      else done();
    });
  });
}

/** Runs in the other process; may use nothing from here. */
async function program(connections: object[]) {
  const { lockdownSes } = require('@nocobase/utils');
  const loaded = Object.keys(require.cache).filter((file) =>
    /node_modules.(pg|mariadb|mysql2|sqlite3)[\\/]/.test(file),
  );
  if (loaded.length) throw new Error(`loaded before lockdown: ${loaded}`);
  // As in server/src/gateway/index.ts.
  lockdownSes({
    consoleTaming: 'unsafe',
    errorTaming: 'unsafe',
    overrideTaming: 'moderate',
    stackFiltering: 'verbose',
  });
  const { prepareDatabase, acquireLock, dropDatabase } = require('./databases.js');
  const owner = { app: 'one', uid: 'uid-1' };
  const results = [];
  for (const connection of connections) {
    const { created } = await prepareDatabase(connection, 'new_database', { ...owner, mayCreate: true });
    const lock = await acquireLock(connection, { app: 'one', environment: 'env_a', timeoutMs: 0 });
    const held = await lock.isHeld();
    await lock.release();
    results.push({ created, held, dropped: await dropDatabase(connection, 'new_database', owner) });
  }
  console.log(JSON.stringify(results));
}
