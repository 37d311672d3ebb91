import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { AuthManager } from '@nocobase/auth';
import type { Application } from '@nocobase/server';
import jwt from 'jsonwebtoken';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { parseConfig } from '../../src/server/config';
import { collections } from '../../src/server/core/collections';
import { ensureMainSecret, shareMainSecret } from '../../src/server/core/main-secret';
import { say } from '../../src/shared/message';
import { recordedLog } from '../support/log';
import { MemoryDatabase } from '../support/memory-database';

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
  it('is stored where NocoBase reads it before APP_KEY, random, and readable by its user only', () => {
    vi.stubEnv('APP_KEY', 'chosen, and the same on Workers');
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

describe('the JWT secret of Supervisors with storages of their own', () => {
  const database = () => new MemoryDatabase(collections);
  /** A Supervisor that starts. */
  async function start(name: string, db: MemoryDatabase, atRest: Buffer | null = null, log = recordedLog()) {
    vi.stubEnv('STORAGE_PATH', path.join(storage, name));
    const { mainSecretFile } = configOf('supervisor', { STORAGE_PATH: path.join(storage, name) }).host;
    ensureMainSecret(mainSecretFile);
    const authManager = new AuthManager({ authKey: 'X-Authenticator' });
    const main = { authManager, db: db.connect(name) } as unknown as Application;
    await shareMainSecret(main, mainSecretFile, atRest, log);
    expect(log.lines).toEqual([]);
    if (process.env.UNSAFE_USE_DEFAULT_JWT_SECRET) return authManager.jwt;
    expect(authManager.jwt.getSecret()).toEqual(readFileSync(mainSecretFile));
    expect(readdirSync(path.dirname(mainSecretFile))).toEqual(['jwt_secret.dat']);
    return authManager.jwt;
  }
  const accepts = (one: AuthManager['jwt'], token: string) =>
    one.decode(token).then(
      () => true,
      () => false,
    );

  it('is one, which is stored sealed, and accepts what any of them has signed, and nothing signed with APP_KEY', async () => {
    vi.stubEnv('APP_KEY', 'the same on Workers');
    const [db, key] = [database(), randomBytes(32)];
    const [first, second] = [await start('one', db, key), await start('two', db, key)];
    for (const by of [first, second]) {
      for (const signer of [first, second]) expect(await accepts(by, signer.sign({ userId: 1 }))).toBe(true);
      expect(await accepts(by, jwt.sign({ userId: 1 }, 'the same on Workers'))).toBe(false);
    }
    const [row] = db.visible('appMainSecrets');
    expect(row).toEqual({ id: 1, secret: expect.stringMatching(/^sealed:/) });
    // Also by the next start, and by one that begins at the same time as another.
    expect(await accepts(await start('one', db, key), second.sign({}))).toBe(true);
    const fresh = database();
    const [one, other] = await Promise.all([start('three', fresh), start('four', fresh)]);
    expect(await accepts(one, other.sign({}))).toBe(true);
  });

  it('is replaced where no key of this fleet opens it, as after a new AES key', async () => {
    const [db, former, key] = [database(), randomBytes(32), randomBytes(32)];
    const before = await start('one', db, former);
    const after = await start('one', db, key);
    expect(await accepts(after, before.sign({}))).toBe(true);
    expect(await accepts(await start('new', db, key), after.sign({}))).toBe(true);
  });

  it('is left alone where the operator has chosen APP_KEY', async () => {
    vi.stubEnv('APP_KEY', 'chosen');
    vi.stubEnv('UNSAFE_USE_DEFAULT_JWT_SECRET', 'true');
    expect((await start('one', database())).getSecret()).toBe('chosen');
  });

  it('that cannot be shared is said, and each keeps its own', async () => {
    const log = recordedLog();
    const authManager = { jwt: new AuthManager({ authKey: 'X-Authenticator' }).jwt };
    const { mainSecretFile } = configOf('supervisor').host;
    const main = { authManager, db: new MemoryDatabase([]).connect() } as unknown as Application;
    await shareMainSecret(main, mainSecretFile, null, log);
    expect(log.at('error')).toEqual([expect.stringContaining('could not be shared')]);
  });
});
