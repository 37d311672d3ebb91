import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { AuthManager } from '@nocobase/auth';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { parseConfig } from '../../src/server/config';
import { ensureMainSecret } from '../../src/server/core/main-secret';
import { say } from '../../src/shared/message';

let storage: string;
beforeEach(() => {
  storage = mkdtempSync(path.join(tmpdir(), 'main-secret-'));
  vi.stubEnv('STORAGE_PATH', storage);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(storage, { recursive: true, force: true });
});

const REDIS = {
  APP_COMMAND_ADAPTER: 'redis',
  APP_SUPERVISOR_REDIS_URL: 'redis://x',
  APP_COMMAND_REDIS_URL: 'redis://x',
};
const PARTS = {
  dormant: {},
  local: { APP_DISCOVERY_ADAPTER: 'local', APP_PROCESS_ADAPTER: 'local' },
  supervisor: { APP_MODE: 'supervisor', APP_DISCOVERY_ADAPTER: 'remote', APP_PROCESS_ADAPTER: 'remote', ...REDIS },
  worker: {
    APP_MODE: 'worker',
    APP_DISCOVERY_ADAPTER: 'remote',
    APP_PROCESS_ADAPTER: 'local',
    ...REDIS,
    ENVIRONMENT_NAME: 'a',
    ENVIRONMENT_URL: 'http://a',
  },
};
const configOf = (part: keyof typeof PARTS, env: Record<string, string> = {}) =>
  parseConfig({ STORAGE_PATH: storage, ...PARTS[part], ...env }, { command: 'start', isMainThread: true });

describe('the JWT secret of a main app', () => {
  it.each<Record<string, string>>([
    {},
    { APP_KEY: '' },
    { APP_KEY: 'test-jwt-secret' },
    { APP_KEY: 'your-secret-key' },
    { APP_KEY: 'test-key' },
  ])('is generated in every role if APP_KEY is well known: %j', (env) => {
    const needs = (['local', 'supervisor', 'worker'] as const).map((part) => configOf(part, env).needsMainSecret);
    expect(needs).toEqual([true, true, true]);
    expect(configOf('dormant', env).needsMainSecret).toBe(false);
  });

  it('is a custom APP_KEY, except on a worker, whose tokens the Supervisor would accept', () => {
    const needs = (['local', 'supervisor', 'worker'] as const).map(
      (part) => configOf(part, { APP_KEY: 'chosen' }).needsMainSecret,
    );
    expect(needs).toEqual([false, false, true]);
  });

  it('is stored where NocoBase reads it before APP_KEY, random, and readable by its user only', () => {
    vi.stubEnv('APP_KEY', 'test-jwt-secret');
    const { mainSecretFile } = configOf('supervisor').host;
    ensureMainSecret(mainSecretFile);
    expect(new AuthManager({ authKey: 'X-Authenticator' }).jwt.getSecret()).toEqual(readFileSync(mainSecretFile));
    expect(statSync(mainSecretFile).mode & 0o777).toBe(0o600);
    expect(readdirSync(path.dirname(mainSecretFile))).toEqual(['jwt_secret.dat']);
    const first = readFileSync(mainSecretFile);
    rmSync(mainSecretFile);
    ensureMainSecret(mainSecretFile);
    expect(readFileSync(mainSecretFile)).not.toEqual(first);
  });

  it('stays unchanged if there is one', () => {
    const file = path.join(storage, 'jwt_secret.dat');
    writeFileSync(file, 'whatever it is');
    ensureMainSecret(file);
    expect(readFileSync(file, 'utf8')).toBe('whatever it is');
  });

  it('that cannot be written is an error, and leaves nothing behind', () => {
    const notAFolder = path.join(storage, 'file');
    writeFileSync(notAFolder, '');
    expect(() => ensureMainSecret(path.join(notAFolder, 'jwt_secret.dat'))).toThrow(/ENOTDIR|EEXIST/);
    expect(existsSync(path.join(storage, 'apps'))).toBe(false);
  });

  it.each(['local', 'supervisor', 'worker'] as const)('a variable that disables it causes a warning: %s', (part) => {
    const warned = say('DEFAULT_JWT_SECRET_USED');
    expect(configOf(part, { UNSAFE_USE_DEFAULT_JWT_SECRET: 'true' }).warnings).toContainEqual(warned);
    expect(configOf(part).warnings).not.toContainEqual(warned);
  });
});
