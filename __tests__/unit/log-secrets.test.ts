import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createLogger, createSystemLogger, Transports } from '@nocobase/logger';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { secretsIn } from '../../src/server/config/secret-values';
import { keepSecretsOutOfLogs, redacted } from '../../src/server/nocobase/log-secrets';
import { growsFaster } from '../support/growth';
import { until } from '../support/wait';

/** NocoBase's own loggers. */

const JWT = `${Buffer.from('{"alg":"HS256"}').toString('base64url')}.${Buffer.from('{"userId":1}').toString('base64url')}.abc_-1`;
const CODE = 'Zx0-'.repeat(11).slice(1);

const folder = fs.mkdtempSync(path.join(tmpdir(), 'app-supervisor-logs-'));
const before = { ...Transports };
beforeAll(() => {
  // Otherwise NocoBase writes no files there.
  for (const name of ['GITHUB_ACTIONS', 'LOGGER_SILENT', 'LOGGER_LEVEL']) vi.stubEnv(name, '');
  keepSecretsOutOfLogs();
});
afterAll(() => {
  vi.unstubAllEnvs();
  Object.assign(Transports, before);
  fs.rmSync(folder, { recursive: true, force: true });
});

it.each([
  [`request GET /api/users:list?a=1&token=${JWT}&b=2`, 'request GET /api/users:list?a=1&token=******&b=2'],
  ['GET /x?token=opaque#y', 'GET /x?token=******#y'],
  [`/api/appSso:callback?code=${CODE}&state=ab`, '/api/appSso:callback?code=******&state=ab'],
  ['/signin?redirect=%2Fa%3Ftoken%3Dopaque%26b%3D1', '/signin?redirect=%2Fa%3Ftoken%3D******%26b%3D1'],
  ['?redirect=%252Fa%253Fx%253D1%2526token%253Dopaque', '?redirect=%252Fa%253Fx%253D1%2526token%253D******'],
  [`{"params":{"token":"opaque","code":"${CODE}"}}`, '{"params":{"token":"******","code":"******"}}'],
  [`"{\\"token\\":\\"opaque\\",\\"code\\":\\"${CODE}\\"}"`, '"{\\"token\\":\\"******\\",\\"code\\":\\"******\\"}"'],
  [`Bearer ${JWT} was refused`, 'Bearer ****** was refused'],
])('%s', (line, expected) => {
  expect(redacted(line)).toBe(expected);
});

it.each(['\\', 'eyJ-', '%25', '?token', '"token'])('a line of nothing but %s takes the time of its length', (part) => {
  expect(growsFaster(redacted, part)).toBe(false);
});

it('secrets that the process knows are struck out, the longer one first', () => {
  const secrets = secretsIn({
    APP_KEY: 'a-key-of-twenty-chars',
    DB_PASSWORD: 'a-key-of-twenty-chars-and-more',
    APP_SUPERVISOR_KEY_PREFIX: 'app-supervisor',
    INIT_ROOT_PASSWORD: 'short',
  });
  const line = 'app-supervisor: a-key-of-twenty-chars, a-key-of-twenty-chars-and-more, short';
  expect(redacted(line, secrets)).toBe('app-supervisor: ******, ******, short');
});

it('everything else stays', () => {
  for (const line of [
    '{"code":"APP_ENVIRONMENT_UNAVAILABLE","status":503}',
    '{"code":"EMPTY_TOKEN","country":{"code":"DE"}}',
    '/api/users:list?filter={"tokenId":1}&codes=1,2',
    'tokens: eyJ, and the code of the app',
  ])
    expect(redacted(line)).toBe(line);
});

const modeOf = (file: string) => (fs.statSync(file).mode & 0o777).toString(8);
const filesIn = (below: string) => fs.readdirSync(below).filter((name) => name.endsWith('.log'));

it.each(['dailyRotateFile', 'file'] as const)(
  'files of %s have no session, and are read by one user alone',
  async (kind) => {
    const dirname = path.join(folder, kind);
    fs.mkdirSync(dirname);
    fs.writeFileSync(path.join(dirname, 'request_2020-01-01.log'), 'of a former release', { mode: 0o644 });
    const make = { dirname, transports: [kind] };
    const request = createLogger({ ...make, filename: 'request', format: 'json' } as never);
    const system = createSystemLogger({ ...make, filename: 'system', seperateError: true } as never);
    request.info({
      message: `request GET /a?token=${JWT}`,
      req: { header: { referer: `http://main.test/apps/a/?token=${JWT}` } },
      action: { params: { code: CODE, token: 'opaque' } },
    });
    const failed = Object.assign(new Error(`no ${JWT}`), { cause: new Error(JWT) });
    system.child({ reqId: '1' }).info('token renewing', { url: `/b?token=${JWT}` });
    system.error(failed as never);
    const written = () => filesIn(dirname).map((name) => fs.readFileSync(path.join(dirname, name), 'utf8'));
    await until('The lines', () => written().filter((text) => text.includes('******')).length >= 3);
    for (const secret of [JWT, CODE, 'opaque', 'eyJ']) expect(written().join()).not.toContain(secret);
    expect(written().join()).toContain('/b?token=******');
    await until('The permissions', () => filesIn(dirname).every((name) => modeOf(path.join(dirname, name)) === '600'));
    expect(filesIn(dirname).length).toBeGreaterThanOrEqual(4);
    for (const logger of [request, system]) logger.close();
  },
);

it('a folder that it makes is of one user alone', async () => {
  const dirname = path.join(folder, 'new', 'crm');
  const logger = createLogger({ dirname, filename: 'request', transports: ['dailyRotateFile'] } as never);
  await until('The file', () => filesIn(dirname).length === 1);
  logger.close();
  expect(modeOf(dirname)).toBe('700');
});
