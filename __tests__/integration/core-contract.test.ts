import { execFile } from 'node:child_process';
import { rmSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/** What docs/core-contract.md says, on the real core with SQLite: loading it takes seconds, so once for all tests. */

async function run(...args: string[]) {
  const script = path.join(import.meta.dirname, 'core-contract-core.ts');
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', script, ...args], {
    cwd: path.resolve(import.meta.dirname, '../..'),
    env: { ...process.env, KEEP_ROOT: 'true' },
    timeout: 240_000,
  });
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
}

let seen: any;
beforeAll(async () => {
  seen = await run('start');
}, 300_000);
afterAll(() => seen && rmSync(seen.root, { recursive: true, force: true }));

describe('the core’s own contract', () => {
  it('invariant 7: nothing is rejected that nobody catches', () => {
    expect(seen.unhandled).toEqual([]);
  });

  it('messages of another process about an app of the fleet change nothing; those about other apps mean what they mean', () => {
    expect(seen.sync).toEqual({ requested: ['removeApp foreign'], added: [], hasApp: false });
  });

  it('another plugin registers apps of its own, and none that is the fleet’s', () => {
    expect(seen.registering).toEqual(['app crm is managed by App Supervisor: nothing else can register it', 'other']);
  });

  it('creators of other plugins come before ours by priority or for types of their own; the core’s never (T2)', () => {
    expect(seen.creators).toEqual({
      results: ['done', 'DATABASE_UNREACHABLE', 'done', 'DATABASE_UNREACHABLE'],
      calls: ['first: first d new_database', 'late: late d by_hand', 'first: first d new_schema'],
    });
  });

  it('an item of a manifest that is set in a transaction is known at once, and stored when it has ended (T3)', () => {
    expect(seen.manifest).toMatchObject({ known: [{ title: 'A' }], isStored: true });
    expect(seen.manifest.took).toBeLessThan(4_000); // SQLite alone would wait for 5 s
  });

  it('commands of another plugin become requests, are refused in words, and are heard of; environments are known', () => {
    expect(seen.commands).toEqual({
      outcomes: ['COMMAND_UNKNOWN', 'INVALID_INPUT', 'UNKNOWN_APP', 'accepted'],
      heard: ['format crm COMMAND_UNKNOWN', '? ? INVALID_INPUT', 'stop nobody UNKNOWN_APP', 'stop crm null'],
      desired: ['crm stopped'],
      lock: null,
      environments: ['local'],
      environment: true,
      nowhere: null,
    });
  });

  it('`nocobase pm remove PLUGIN --app NAME` works on the app’s database, and fails in words without the app (T7)', async () => {
    expect(await run('pm', seen.root)).toMatchObject({
      crm: 'done',
      nobody: expect.stringContaining('"nobody" does not exist'),
      plugins: ['kept'],
      unhandled: [],
    });
  });
});
