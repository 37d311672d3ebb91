import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { workerHandlers } from '../../src/server/worker/request-handlers';

/** The log of a Worker's own process, as the Supervisor asks for it. */

const logPath = mkdtempSync(path.join(tmpdir(), 'process-log-'));
afterAll(() => rmSync(logPath, { recursive: true, force: true }));

const JWT = `${Buffer.from('{"alg":"HS256"}').toString('base64url')}.${Buffer.from('{"userId":1}').toString('base64url')}.abc_-1`;
const { processLogs } = workerHandlers(
  {} as never,
  {} as never,
  { logPath, apiBasePath: '/api/', secrets: ['the-key-of-the-fleet'] },
  async () => null,
  () => null,
);

it('gives its last lines, with keys, tokens and passwords struck out', async () => {
  mkdirSync(path.join(logPath, 'main'));
  const lines = [
    'an old line',
    'APP_KEY is the-key-of-the-fleet',
    `?token=${JWT}`,
    'redis://worker:word@10.0.0.3:6379',
  ];
  writeFileSync(path.join(logPath, 'main/system_2026-01-01.log'), `${lines.join('\n')}\n`);
  expect(await processLogs({ lines: 3 })).toEqual([
    'APP_KEY is ******',
    '?token=******',
    'redis://worker:******@10.0.0.3:6379',
  ]);
  // It is the process's own log, whatever is asked for.
  await expect(processLogs({ name: '../crm', lines: 0 })).rejects.toThrow();
});
