import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { ROOT } from '../../scripts/lib/root.mjs';
import { type Config, ConfigError, loadConfig, parseConfig } from '../../src/server/config';
import { BOUNDS } from '../../src/server/config/bounds';
import { processesOf } from '../../src/server/config/cluster-mode';
import { inEnglish } from '../../src/server/errors';
import { LOG_ROOMS } from '../../src/server/log';
import { say } from '../../src/shared/message';

type Env = Record<string, string | undefined>;

const KEY = 'ab'.repeat(32);
const RUN = { command: 'start', isMainThread: true };
const LOCAL: Env = { APP_DISCOVERY_ADAPTER: 'local', APP_PROCESS_ADAPTER: 'local' };
const REDIS: Env = {
  APP_COMMAND_ADAPTER: 'redis',
  APP_SUPERVISOR_REDIS_URL: 'redis://localhost:6379/0',
  APP_COMMAND_REDIS_URL: 'redis://localhost:6379/1',
};
const SUPERVISOR: Env = {
  APP_MODE: 'supervisor',
  APP_DISCOVERY_ADAPTER: 'remote',
  APP_PROCESS_ADAPTER: 'remote',
  ...REDIS,
};
const WORKER: Env = {
  APP_MODE: 'worker',
  APP_DISCOVERY_ADAPTER: 'remote',
  APP_PROCESS_ADAPTER: 'local',
  ...REDIS,
  ENVIRONMENT_NAME: 'env_a',
  ENVIRONMENT_URL: 'http://localhost:15000',
};

const parse = (env: Env, run: Parameters<typeof parseConfig>[1] = RUN): Config => parseConfig({ ...env }, run);

function problemsOf(env: Env): string[] {
  try {
    parse(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  throw new Error('It was accepted.');
}

describe('limits of what visitors may use', () => {
  const docs = readFileSync(path.join(ROOT, 'docs/reference/environment-variables.md'), 'utf8');

  it.each<[variable: string, limit: keyof typeof BOUNDS, unit?: number, value?: number]>([
    ['APP_SUPERVISOR_MAX_REQUESTS_PER_APP', 'requestsPerApp'],
    ['APP_SUPERVISOR_MAX_REQUESTS_PER_ENVIRONMENT', 'requestsPerEnvironment'],
    ['APP_SUPERVISOR_MAX_WEBSOCKETS_PER_APP', 'webSocketsPerApp'],
    ['APP_SUPERVISOR_MAX_WEBSOCKETS_PER_ADDRESS', 'webSocketsPerAddress'],
    ['APP_SUPERVISOR_MAX_WEBSOCKET_MESSAGE', 'webSocketMessage'],
    ['APP_SUPERVISOR_MAX_WEBSOCKET_MESSAGES', 'webSocketMessages'],
    ['APP_SUPERVISOR_MAX_SIGN_INS_PER_ADDRESS', 'signInsPerAddress'],
    ['APP_SUPERVISOR_MAX_WAKES_PER_ADDRESS', 'wakesPerAddress'],
    ['APP_SUPERVISOR_MAX_HEADERS', 'headers', 1, 500],
    ['APP_SUPERVISOR_MAX_ANONYMOUS_BODY', 'anonymousBody'],
    ['APP_SUPERVISOR_MAX_ANONYMOUS_UPLOAD', 'anonymousUpload'],
    ['APP_SUPERVISOR_BODY_TIMEOUT', 'bodySilence', 1_000],
  ])('%s sets one of them, and has the documented default', (variable, limit, unit = 1, value = 2_000) => {
    const limitOf = (env: Env) =>
      (parse({ ...SUPERVISOR, ...env }) as Extract<Config, { part: 'supervisor' }>).bounds[limit];
    expect(limitOf({})).toBe(BOUNDS[limit]);
    expect(limitOf({ [variable]: `${value}` })).toBe(value * unit);
    const [row] = docs.split('\n').filter((line) => line.startsWith(`| \`${variable}\``));
    expect(row).toMatch(new RegExp(`\\| \`${BOUNDS[limit] / unit}\` \\|$`));
  });
});

describe('roles', () => {
  it.each<[string, Env, Config['part']]>([
    ['nothing set', {}, 'dormant'],
    ['only what selects no part', { APP_SUPERVISOR_REDIS_URL: 'redis://x', ENVIRONMENT_NAME: 'a' }, 'dormant'],
    ['blanks', { APP_MODE: ' ', APP_PROCESS_ADAPTER: '' }, 'dormant'],
    ['shared memory', LOCAL, 'local'],
    ['a supervisor', SUPERVISOR, 'supervisor'],
    ['a worker', WORKER, 'worker'],
    ['blanks around', { ...WORKER, APP_MODE: ' worker ' }, 'worker'],
  ])('%s', (_, env, part) => {
    expect(parse(env).part).toBe(part);
  });

  it('gives each role what it needs, with the defaults', () => {
    const redis = {
      stateUrl: 'redis://localhost:6379/0',
      commandUrl: 'redis://localhost:6379/1',
      prefix: 'app-supervisor',
    };
    expect(parse(SUPERVISOR)).toMatchObject({
      redis,
      active: true,
      aesKey: null,
      publicUrl: null,
      trustedProxies: ['loopback'],
      debug: [],
      bootstrap: { concurrency: 2, interval: 0, intervalCap: 1 },
      singleApp: null,
    });
    expect(parse(SUPERVISOR)).not.toHaveProperty('environment');
    const environment = { name: 'env_a', url: 'http://localhost:15000', proxyUrl: 'http://localhost:15000' };
    expect(parse(WORKER)).toMatchObject({
      redis,
      environment: { ...environment, serves: true, heartbeatInterval: 5_000 },
    });
    expect(parse(LOCAL)).toMatchObject({ environment: { name: 'local', serves: true } });
    expect(parse(LOCAL)).not.toHaveProperty('redis');
    expect(parse({ ...LOCAL, APP_SUPERVISOR_DEBUG: '*' })).toMatchObject({ debug: LOG_ROOMS });
  });

  it('reads every variable', () => {
    expect(
      parse({
        ...WORKER,
        APP_SUPERVISOR_AES_SECRET_KEY: KEY,
        APP_SUPERVISOR_DEBUG: 'lease, proxy',
        APP_SUPERVISOR_KEY_PREFIX: 'fleet.two',
        APP_SUPERVISOR_PUBLIC_URL: 'https://apps.example.com/',
        APP_SUPERVISOR_TRUSTED_PROXIES: 'loopback, 10.0.0.0/8',
        ENVIRONMENT_PROXY_URL: 'http://worker_a',
        ENVIRONMENT_HEARTBEAT_INTERVAL: '2000',
        WORKER_MODE: 'task1,task2',
        SUBAPP_BOOTSTRAP_CONCURRENCY: '4',
        SUBAPP_BOOTSTRAP_INTERVAL: '1000',
        SUBAPP_BOOTSTRAP_INTERVAL_CAP: '3',
        API_BASE_PATH: '/nocobase/api/',
        WS_PATH: '/nocobase/ws',
        APP_PUBLIC_PATH: '/nocobase/',
        PLUGIN_STATICS_PATH: '/nocobase/static/plugins/',
        APP_MODERN_CLIENT_PREFIX: 'next',
        NODE_MODULES_PATH: '/app/node_modules',
        STORAGE_PATH: '/app/storage',
        APP_KEY: 'app-key',
        USE_DB_SCHEMA_IN_SUBAPP: 'true',
      }),
    ).toMatchObject({
      aesKey: Buffer.from(KEY, 'hex'),
      publicUrl: 'https://apps.example.com',
      trustedProxies: ['loopback', '10.0.0.0/8'],
      debug: ['lease', 'proxy'],
      redis: { prefix: 'fleet.two' },
      environment: { proxyUrl: 'http://worker_a', serves: false, heartbeatInterval: 2_000 },
      bootstrap: { concurrency: 4, interval: 1_000, intervalCap: 3 },
      host: {
        apiBasePath: '/nocobase/api/',
        wsPath: '/nocobase/ws',
        publicPath: '/nocobase/',
        pluginStaticsPath: '/nocobase/static/plugins/',
        modernPrefix: 'next',
        nodeModulesPath: '/app/node_modules',
        logPath: '/app/storage/logs',
        temporaryPath: '/app/storage/tmp',
        appKey: 'app-key',
        schemaByDefault: true,
      },
      warnings: [],
    });
  });
});

describe('combinations that are no role', () => {
  it.each<[string, Env, string[]]>([
    [
      'a worker with another process adapter',
      { ...WORKER, APP_PROCESS_ADAPTER: 'remote' },
      ['APP_PROCESS_ADAPTER is "remote"; the role "worker" needs "local".'],
    ],
    [
      'a supervisor without its command adapter',
      { ...SUPERVISOR, APP_COMMAND_ADAPTER: '' },
      ['APP_COMMAND_ADAPTER is not set; the role "supervisor" needs "redis".'],
    ],
    [
      'a command adapter that is none',
      { ...WORKER, APP_COMMAND_ADAPTER: 'reddis' },
      ['APP_COMMAND_ADAPTER is "reddis"; the role "worker" needs "redis".'],
    ],
    [
      'a mode that is none',
      { ...WORKER, APP_MODE: 'wroker' },
      ['APP_MODE is "wroker"; the role "worker" needs "worker".'],
    ],
    [
      'shared memory with a command adapter',
      { ...LOCAL, APP_COMMAND_ADAPTER: 'redis' },
      ['APP_COMMAND_ADAPTER is "redis"; the role "local" needs it unset.'],
    ],
    [
      'a mode alone',
      { APP_MODE: 'supervisor' },
      [
        'APP_DISCOVERY_ADAPTER is not set; the role "supervisor" needs "remote".',
        'APP_PROCESS_ADAPTER is not set; the role "supervisor" needs "remote".',
        'APP_COMMAND_ADAPTER is not set; the role "supervisor" needs "redis".',
      ],
    ],
  ])('%s', (_, env, expected) => {
    const problems = problemsOf(env);
    expect(problems.slice(0, -1)).toEqual(expected);
    expect(problems.at(-1)).toMatch(/^Roles: local \(.*\); supervisor \(.*\); worker \(.*\)\.$/);
  });
});

describe('the misspelled name of the seed', () => {
  it('is accepted, corrected for the core, and causes a warning', () => {
    const env: Env = { ...WORKER, APP_COMMAND_ADAPTER: undefined, APP_COMMAND_ADPATER: 'redis' };
    const config = parseConfig(env, RUN);
    expect(config.part).toBe('worker');
    expect(env.APP_COMMAND_ADAPTER).toBe('redis');
    expect(config.warnings).toContainEqual(say('MISSPELT_VARIABLE', { misspelt: 'APP_COMMAND_ADPATER' }));
  });

  it('is ignored if the correct one is set', () => {
    const env: Env = { ...WORKER, APP_COMMAND_ADPATER: 'other' };
    expect(parseConfig(env, RUN).part).toBe('worker');
    expect(env.APP_COMMAND_ADAPTER).toBe('redis');
  });
});

describe('addresses', () => {
  it.each([
    'http://worker_a',
    'http://localhost:15000',
    'https://apps.example.com',
    'http://10.0.0.7:80',
    'http://[::1]:15000',
    'http://w/base',
  ])('accepts %s', (url) => {
    expect(parse({ ...WORKER, ENVIRONMENT_URL: url })).toMatchObject({ environment: { url, proxyUrl: url } });
  });

  it('loses its trailing slashes, because paths are appended to it', () => {
    expect(parse({ ...WORKER, ENVIRONMENT_URL: 'http://worker_a/' })).toMatchObject({
      environment: { url: 'http://worker_a' },
    });
  });

  it.each([
    'redis://localhost:6379/0',
    'rediss://user:pass@redis.example.com:6380',
    'redis://cache_1',
    '{"sentinels":[{"host":"s1","port":26379},{"host":"s2"}],"name":"mymaster"}',
    '{"sentinels":[{"host":"s1","family":6}],"name":"m","db":3,"username":"u","password":"p","sentinelPassword":"q","tls":{},"sentinelTLS":{},"enableTLSForSentinelMode":true,"natMap":{"10.0.0.1:6379":{"host":"h","port":1}}}',
  ])('accepts %s for Redis', (url) => {
    expect(parse({ ...WORKER, APP_SUPERVISOR_REDIS_URL: url })).toMatchObject({ redis: { stateUrl: url } });
  });
});

describe('rejections', () => {
  it.each<[string, Env, Env, RegExp]>([
    [
      'no state Redis',
      SUPERVISOR,
      { APP_SUPERVISOR_REDIS_URL: '' },
      /^APP_SUPERVISOR_REDIS_URL is not set; it must be/,
    ],
    ['no command Redis', WORKER, { APP_COMMAND_REDIS_URL: '' }, /^APP_COMMAND_REDIS_URL is not set; it must be/],
    [
      'a Redis over HTTP',
      WORKER,
      { APP_COMMAND_REDIS_URL: 'http://r' },
      /^APP_COMMAND_REDIS_URL is "\*\*\*"; it must be/,
    ],
    ...[
      ['no JSON', '{"sentinels":'],
      ['without name', '{"sentinels":[{"host":"s1"}]}'],
      ['without addresses', '{"sentinels":[],"name":"m"}'],
      ['without verification', '{"sentinels":[{"host":"s1"}],"name":"m","tls":{"rejectUnauthorized":false}}'],
      ['with an unknown option', '{"sentinels":[{"host":"s1"}],"name":"m","role":"slave"}'],
    ].map(([what, value]): [string, Env, Env, RegExp] => [
      `Sentinels ${what}`,
      WORKER,
      { APP_COMMAND_REDIS_URL: value },
      /^APP_COMMAND_REDIS_URL is "\*\*\*"; it must be .*"sentinels"/,
    ]),
    ['a Redis without host', WORKER, { APP_COMMAND_REDIS_URL: 'redis://' }, /^APP_COMMAND_REDIS_URL is "\*\*\*"; /],
    [
      'a prefix with a colon',
      SUPERVISOR,
      { APP_SUPERVISOR_KEY_PREFIX: 'a:b' },
      /^APP_SUPERVISOR_KEY_PREFIX is "a:b"; /,
    ],
    ['no name', WORKER, { ENVIRONMENT_NAME: '' }, /^ENVIRONMENT_NAME is not set; it must be a name/],
    ['a name with a space', WORKER, { ENVIRONMENT_NAME: 'env a' }, /^ENVIRONMENT_NAME is "env a"; /],
    ['a name that is too long', WORKER, { ENVIRONMENT_NAME: 'e'.repeat(65) }, /^ENVIRONMENT_NAME is "e{65}"; /],
    ['no address', WORKER, { ENVIRONMENT_URL: '' }, /^ENVIRONMENT_URL is not set; it must be the address/],
    [
      'an address without scheme',
      WORKER,
      { ENVIRONMENT_URL: 'localhost:15000' },
      /^ENVIRONMENT_URL is "localhost:15000"; /,
    ],
    ['another scheme', WORKER, { ENVIRONMENT_PROXY_URL: 'ws://a' }, /^ENVIRONMENT_PROXY_URL is "ws:\/\/a"; /],
    [
      'a beat that is none',
      WORKER,
      { ENVIRONMENT_HEARTBEAT_INTERVAL: '5s' },
      /^ENVIRONMENT_HEARTBEAT_INTERVAL is "5s"; it must be a whole number from 100 to 60000/,
    ],
    ['a beat too fast', WORKER, { ENVIRONMENT_HEARTBEAT_INTERVAL: '99' }, /a whole number from 100 to 60000/],
    ['a fraction', WORKER, { SUBAPP_BOOTSTRAP_CONCURRENCY: '1.5' }, /^SUBAPP_BOOTSTRAP_CONCURRENCY is "1.5"; /],
    ['no concurrency at all', LOCAL, { SUBAPP_BOOTSTRAP_CONCURRENCY: '0' }, /a whole number from 1 to 100/],
    ['a negative interval', LOCAL, { SUBAPP_BOOTSTRAP_INTERVAL: '-1' }, /^SUBAPP_BOOTSTRAP_INTERVAL is "-1"; /],
    ['a cap of none', LOCAL, { SUBAPP_BOOTSTRAP_INTERVAL_CAP: '0' }, /^SUBAPP_BOOTSTRAP_INTERVAL_CAP is "0"; /],
    [
      'a short key',
      LOCAL,
      { APP_SUPERVISOR_AES_SECRET_KEY: 'abc' },
      /^APP_SUPERVISOR_AES_SECRET_KEY is "\*\*\*"; it must be 64 hexadecimal digits/,
    ],
    [
      'a key twice',
      LOCAL,
      { APP_SUPERVISOR_AES_SECRET_KEY: KEY, APP_SUPERVISOR_AES_SECRET_KEY_FILE: '/x' },
      /both set/,
    ],
    [
      'a file that is not there',
      LOCAL,
      { APP_SUPERVISOR_AES_SECRET_KEY_FILE: '/nowhere/key' },
      /cannot be read \(ENOENT\)/,
    ],
    ['an empty file', LOCAL, { APP_SUPERVISOR_AES_SECRET_KEY_FILE: '/dev/null' }, /this file is empty/],
    [
      'a file without a key',
      LOCAL,
      { APP_SUPERVISOR_AES_SECRET_KEY_FILE: 'package.json' },
      /^The content of package.json \(APP_SUPERVISOR_AES_SECRET_KEY_FILE\) must be 64 hexadecimal digits/,
    ],
    ['a key of other letters', LOCAL, { APP_SUPERVISOR_AES_SECRET_KEY: 'z'.repeat(64) }, /64 hexadecimal digits/],
    [
      'an entry that is no address',
      SUPERVISOR,
      { APP_SUPERVISOR_PUBLIC_URL: 'apps' },
      /^APP_SUPERVISOR_PUBLIC_URL is "apps"; /,
    ],
    [
      'an app name that is none',
      WORKER,
      { STARTUP_SUBAPP: '../x' },
      /^STARTUP_SUBAPP is "\.\.\/x"; it must be the identifier of an app/,
    ],
    ['main as the one app', WORKER, { STARTUP_SUBAPP: 'main' }, /^STARTUP_SUBAPP is "main"; /],
    ['one app alone on a worker', WORKER, { STARTUP_SUBAPP: 'crm' }, /^STARTUP_SUBAPP is "crm"; the role "worker" /],
    ['one app alone on a supervisor', SUPERVISOR, { STARTUP_SUBAPP: 'crm' }, /^STARTUP_SUBAPP is "crm"; /],
    [
      'a room that is none',
      WORKER,
      { APP_SUPERVISOR_DEBUG: 'lease,leases' },
      /^APP_SUPERVISOR_DEBUG is "lease,leases"; it must be "\*" or, separated by commas, some of boot, bus, /,
    ],
    [
      'several processes of a worker',
      WORKER,
      { CLUSTER_MODE: '2' },
      /^CLUSTER_MODE .* is "2"; the role "worker" .* environments/,
    ],
    ['several processes of a supervisor', SUPERVISOR, { CLUSTER_MODE: 'max' }, /^CLUSTER_MODE .* second Supervisor/],
    [
      'several processes in shared memory',
      LOCAL,
      { CLUSTER_MODE: '4' },
      /^CLUSTER_MODE .* the role "local" is one process/,
    ],
    ['SQLite on a worker', WORKER, { DB_DIALECT: 'sqlite' }, /^DB_DIALECT is "sqlite", .* a fleet needs postgres/],
    ['SQLite on a supervisor', SUPERVISOR, { DB_DIALECT: 'sqlite' }, /^DB_DIALECT is "sqlite", /],
  ])('%s', (_, base, change, expected) => {
    const problems = problemsOf({ ...base, ...change });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(expected);
  });

  it('are several processes by PM2, which says so with variables of its own', () => {
    const run = (env: Env) => ({ ...RUN, pm2Processes: processesOf(env) });
    expect(() => parse(WORKER, run({ exec_mode: 'cluster_mode', instances: '2' }))).toThrow(
      /\(or --instances\) is "2"; the role "worker" is one process/,
    );
    expect(parse(WORKER, run({ exec_mode: 'fork_mode', instances: '2' }))).toMatchObject({ part: 'worker' });
  });

  it('are reported all at once', () => {
    expect(
      problemsOf({ ...WORKER, ENVIRONMENT_NAME: '', ENVIRONMENT_URL: 'x', APP_SUPERVISOR_REDIS_URL: '' }).map(
        (problem) => problem.split(' ')[0],
      ),
    ).toEqual(['APP_SUPERVISOR_REDIS_URL', 'ENVIRONMENT_URL', 'ENVIRONMENT_NAME']);
  });

  it('do not concern SQLite in shared memory', () => {
    expect(parse({ ...LOCAL, DB_DIALECT: 'sqlite' }).part).toBe('local');
  });

  it('invariant 8: contain no secret', () => {
    const secrets = ['hunter2', 'c0ffee'];
    const { message } = (() => {
      try {
        return parse({
          ...WORKER,
          APP_SUPERVISOR_REDIS_URL: 'http://user:hunter2@r',
          APP_COMMAND_REDIS_URL: 'rediss//user:hunter2@r',
          APP_SUPERVISOR_AES_SECRET_KEY: 'c0ffee',
          ENVIRONMENT_URL: '',
        }) as unknown as Error;
      } catch (error) {
        return error as Error;
      }
    })();
    expect(message).toContain('APP_SUPERVISOR_REDIS_URL');
    for (const secret of secrets) expect(message).not.toContain(secret);
  });
});

describe('warnings', () => {
  it.each([
    ['local', LOCAL],
    ['supervisor', SUPERVISOR],
    ['worker', WORKER],
  ])('a %s without a key gets a warning that says what to do', (_, env) => {
    expect(parse(env).warnings.map(inEnglish)).toEqual([
      expect.stringMatching(/^APP_SUPERVISOR_AES_SECRET_KEY is not set, .*openssl/),
    ]);
    expect(parse({ ...env, APP_SUPERVISOR_AES_SECRET_KEY: KEY }).warnings).toEqual([]);
  });

  it('a dormant plugin has none', () => {
    expect(parse({}).warnings).toEqual([]);
  });
});

describe('which processes participate', () => {
  it.each<[string, Env, Parameters<typeof parseConfig>[1], boolean]>([
    ['nocobase start', WORKER, RUN, true],
    ['a command-line run', WORKER, { command: 'upgrade', isMainThread: true }, false],
    ['no command at all', WORKER, { command: undefined, isMainThread: true }, false],
    ['a worker thread', WORKER, { command: 'start', isMainThread: false }, false],
    ['a process that only works off tasks', { ...WORKER, WORKER_MODE: '-' }, RUN, false],
    ['a supervisor on the command line', SUPERVISOR, { command: 'pm', isMainThread: true }, false],
  ])('invariant 10: %s', (_, env, run, active) => {
    expect(parse(env, run).active).toBe(active);
  });

  it('a single app in shared memory; and in a worker thread with a command for it', () => {
    const STARTUP_SUBAPP = 'crm';
    expect(parse({ ...LOCAL, STARTUP_SUBAPP })).toMatchObject({ active: true, transient: false, singleApp: 'crm' });
    const thread = { command: undefined, isMainThread: false };
    for (const env of [LOCAL, WORKER]) {
      const config = parse({ ...env, STARTUP_SUBAPP, WORKER_MODE: '-' }, thread);
      expect(config).toMatchObject({ active: false, transient: true, singleApp: 'crm' });
    }
  });

  it.each<[string | undefined, boolean]>([
    [undefined, true],
    ['', true],
    ['!', true],
    ['!,task1', true],
    ['task1', false],
    ['*', false],
  ])('WORKER_MODE=%s serves requests: %s', (mode, serves) => {
    expect(parse({ ...WORKER, WORKER_MODE: mode })).toMatchObject({ environment: { serves } });
  });
});

describe('loading', () => {
  afterEach(() => {
    vi.unstubAllEnvs();
    vi.restoreAllMocks();
  });

  it('ends the process with every problem on the terminal, because the core would swallow an error', () => {
    for (const [name, value] of Object.entries({ ...WORKER, ENVIRONMENT_NAME: '', ENVIRONMENT_URL: '' }))
      vi.stubEnv(name, value);
    const exit = vi.spyOn(process, 'exit').mockImplementation(() => {
      throw new Error('ended');
    });
    const error = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    expect(() => loadConfig()).toThrow('ended');
    expect(exit).toHaveBeenCalledWith(1);
    expect(error.mock.calls[0][0]).toMatch(
      /cannot start[\s\S]*ENVIRONMENT_URL is not set[\s\S]*ENVIRONMENT_NAME is not set/,
    );
  });

  it('prints warnings', () => {
    for (const [name, value] of Object.entries(LOCAL)) vi.stubEnv(name, value);
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
    expect(loadConfig().part).toBe('local');
    expect(warn.mock.calls.map(([text]) => text)).toEqual([expect.stringContaining('APP_SUPERVISOR_AES_SECRET_KEY')]);
  });

  it('reads a key from a file, which the environment of the process does not show', () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'app-supervisor-config-'));
    const file = path.join(folder, 'key');
    writeFileSync(file, `${KEY}\n`);
    expect(parse({ ...LOCAL, APP_SUPERVISOR_AES_SECRET_KEY_FILE: file }).aesKey).toEqual(Buffer.from(KEY, 'hex'));
    rmSync(folder, { recursive: true });
  });
});
