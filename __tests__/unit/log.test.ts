import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createSystemLogger } from '@nocobase/logger';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { createLog, LOG_ROOMS } from '../../src/server/log';

const FOLDER = fs.mkdtempSync(path.join(tmpdir(), 'log-'));
afterAll(() => fs.rmSync(FOLDER, { recursive: true, force: true }));

const sink = () => ({ debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() });

describe('a bound log', () => {
  it('adds its subject to every line, and further bindings', () => {
    const host = sink();
    const worker = createLog(host).bound({ environment: 'env_a' });
    const app = worker.bound({ app: 'shop' });
    app.warn('It did not stop', { code: 'X' });
    app.error('It failed');
    worker.info('It began');
    expect(host.warn).toHaveBeenCalledWith('It did not stop', { environment: 'env_a', app: 'shop', code: 'X' });
    expect(host.error).toHaveBeenCalledWith('It failed', { environment: 'env_a', app: 'shop' });
    expect(host.info).toHaveBeenCalledWith('It began', { environment: 'env_a' });
  });

  it('becomes fields in a line of NocoBase, beside those that the host sets itself', async () => {
    const defaultMeta = { app: 'main', module: 'app-supervisor' };
    const options = {
      dirname: FOLDER,
      filename: 'system',
      level: 'info',
      transports: ['file' as const],
      format: 'json' as const,
    };
    const host = createSystemLogger({ ...options, seperateError: true, defaultMeta });
    createLog(host as never, ['loop'])
      .bound({ app: 'shop', operation: '7' })
      .rooms.loop?.('Drove it', { environment: 'env_a' });
    const lines = await vi.waitFor(() => {
      const files = fs.readdirSync(FOLDER).filter((name) => name.endsWith('.log'));
      const text = files.map((name) => fs.readFileSync(path.join(FOLDER, name), 'utf8')).join('');
      expect(text).toContain('Drove it');
      return text.trim().split('\n');
    });
    host.close();
    expect(JSON.parse(lines[0])).toMatchObject({
      level: 'info',
      message: 'Drove it',
      module: 'app-supervisor',
      meta: { app: 'shop', operation: '7', environment: 'env_a', debug: 'loop' },
    });
  });
});

describe('lines of the server', () => {
  const SOURCE = path.join(import.meta.dirname, '../../src/server');
  const files = fs.readdirSync(SOURCE, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
  /** A call whose text names an app, to its end. */
  const CALLS = /(\S*log)\.(?:debug|info|warn|error)\(\s*`[^`]*\b[Aa]pp \$\{[^`]*`(.*)/g;

  it('have the app that they name as a field, too', () => {
    const calls = files.flatMap((name) => {
      const text = fs.readFileSync(path.join(SOURCE, name), 'utf8');
      return [...text.matchAll(CALLS)].map(([call, log, rest]) => {
        const isBound = log === 'log' && /\blog = [\w.]*log\.bound\(\{ app/.test(text);
        return { name, call: call.trim(), hasField: isBound || /^,\s*(\{|about|$)/.test(rest) };
      });
    });
    expect(calls.length).toBeGreaterThan(10);
    expect(calls.filter(({ hasField }) => !hasField)).toEqual([]);
  });
});

describe('a debug room', () => {
  it('exists only while it is named, so that its arguments are not evaluated otherwise', () => {
    const host = sink();
    const costly = vi.fn(() => ({}));
    const log = createLog(host, ['lease']);
    for (const room of LOG_ROOMS) if (room !== 'lease') log.rooms[room]?.('A line', costly());
    expect(costly).not.toHaveBeenCalled();
    log.rooms.lease?.('A beat', { epoch: 3 });
    log.bound({ app: 'shop' }).rooms.lease?.('Another');
    // Written whatever LOGGER_LEVEL is, since this one was asked for.
    expect(host.info.mock.calls).toEqual([
      ['A beat', { epoch: 3, debug: 'lease' }],
      ['Another', { app: 'shop', debug: 'lease' }],
    ]);
  });
});
