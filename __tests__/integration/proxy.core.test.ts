import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, expect, it } from 'vitest';

/** As it is installed, once for all tests: loading it takes seconds. */
let seen: any;

beforeAll(async () => {
  const script = path.join(import.meta.dirname, 'proxy-core.ts');
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', script], {
    cwd: path.resolve(import.meta.dirname, '../..'),
    timeout: 240_000,
  });
  seen = JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
}, 300_000);

it('the app of a request is the one that the real gateway’s selectors find, without asking them', () => {
  for (const { asked, different } of seen.naming) {
    expect(asked).toBeGreaterThan(10_000);
    expect(different).toEqual([]);
  }
});

/** T12, T13 and the hang of 4.3. */
it('guard and selector keep the real gateway from hanging, from stray folders and from loggers for nobody', () => {
  expect(seen.replies).toEqual({
    '/static/plugins/@nocobase/plugin-none/dist/client/index.js': '404',
    '/static/plugins/../../x': '404',
    '/static/plugins/zod/%2e%2e/pg/package.json': '404',
    '/static/plugins/ws/package.json': '200',
    'http://[bad/static/plugins/x': '404',
    '/api/users:list nosuch': '404 APP_NOT_FOUND',
    '/api/users:list ../../../stray': '404 APP_NOT_FOUND',
    '/api/users:list __proto__': '404 APP_NOT_FOUND',
    '/api/users:list constructor': '404 APP_NOT_FOUND',
    '/api/__app/nosuch/users:list': '404 APP_NOT_FOUND',
    '/api/users:list?__appName[]=nosuch': '404 APP_NOT_FOUND',
    '/api/users:list?%5F_appName=..%2F..%2Fstray': '404 APP_NOT_FOUND',
    '/files/..%2f..%2fstray/x': '404 APP_NOT_FOUND',
    '//a@b/api/__app/nosuch/users:list': '404',
  });
  expect(seen.unhandled).toEqual([]);
  expect(seen.loggers).toEqual([]);
  expect(seen.logs.filter((name: string) => name !== 'main')).toEqual([]);
  expect(seen.stray).not.toContain('stray');
});
