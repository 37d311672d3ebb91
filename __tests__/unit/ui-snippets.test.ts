import { describe, expect, it } from 'vitest';
import { parseConfig, type SupervisorConfig } from '../../src/server/config';
import { variablesToJoin } from '../../src/server/supervisor/fleet/join-variables';
import { snippet, workerVariables } from '../../src/ui/environments/snippets';

const environment = { name: 'env_c', url: 'http://localhost:17000', proxyUrl: 'http://worker_c' };

describe('the variables of a new environment', () => {
  it('are those of a worker', () => {
    const filled = workerVariables(environment, {}).map(([name, value]) => [
      name,
      value.startsWith('<')
        ? ({ APP_SUPERVISOR_AES_SECRET_KEY: 'a'.repeat(64) }[name] ?? 'redis://localhost:6379')
        : value,
    ]);
    const config = parseConfig(Object.fromEntries(filled), { command: 'start', isMainThread: true });
    expect(config).toMatchObject({ part: 'worker', environment: { name: 'env_c', proxyUrl: 'http://worker_c' } });
  });

  it('contain no proxy address if none was given', () => {
    const names = workerVariables({ ...environment, proxyUrl: '' }, {}).map(([name]) => name);
    expect(names).not.toContain('ENVIRONMENT_PROXY_URL');
  });

  const SUPERVISOR = { APP_MODE: 'supervisor', APP_DISCOVERY_ADAPTER: 'remote', APP_PROCESS_ADAPTER: 'remote' };
  const toJoin = (variables: Record<string, string>) => {
    const redis = {
      APP_COMMAND_ADAPTER: 'redis',
      APP_SUPERVISOR_REDIS_URL: 'redis://r/0',
      APP_COMMAND_REDIS_URL: 'redis://r/1',
    };
    const config = parseConfig({ ...SUPERVISOR, ...redis, ...variables }, { command: 'start', isMainThread: true });
    return variablesToJoin(config as SupervisorConfig);
  };

  it('have this Supervisor’s values wherever it has its own', () => {
    expect(toJoin({})).toEqual({ APP_SUPERVISOR_REDIS_URL: 'redis://r/0', APP_COMMAND_REDIS_URL: 'redis://r/1' });
    const own = {
      APP_SUPERVISOR_KEY_PREFIX: 'second',
      APP_PUBLIC_PATH: '/portal/',
      API_BASE_PATH: '/portal/rest/',
      WS_PATH: '/portal/ws',
      PLUGIN_STATICS_PATH: '/portal/static/plugins/',
    };
    const known = toJoin(own);
    expect(known).toMatchObject({
      APP_SUPERVISOR_KEY_PREFIX: 'second',
      APP_PUBLIC_PATH: '/portal/',
      API_BASE_PATH: '/portal/rest/',
    });
    // Follow from APP_PUBLIC_PATH.
    expect(Object.keys(known)).not.toEqual(expect.arrayContaining(['WS_PATH']));
    const variables = workerVariables(environment, known);
    expect(variables).toContainEqual(['APP_SUPERVISOR_REDIS_URL', 'redis://r/0']);
    expect(variables).toContainEqual(['APP_SUPERVISOR_KEY_PREFIX', 'second']);
    expect(new Set(variables.map(([name]) => name)).size).toBe(variables.length);
  });

  it.each([
    'redis://:secret@r/0',
    'redis://me:secret@r/0',
    'rediss://r/0?password=secret',
    '{"sentinels":[{"host":"s"}],"name":"m","password":"secret"}',
    '{"sentinels":[{"host":"s"}],"name":"m","sentinelPassword":"secret"}',
  ])('omit %s, which has a secret', (url) => {
    expect(JSON.stringify(toJoin({ APP_SUPERVISOR_REDIS_URL: url }))).not.toContain('secret');
  });

  it('come as compose, with the port of the address', () => {
    const text = snippet('compose', environment, {}, '2.2.15');
    expect(text).toContain('  worker-env-c:\n    image: nocobase/nocobase:2.2.15');
    expect(text).toContain('      - "17000:80"');
    expect(text).toContain('      ENVIRONMENT_URL: "http://localhost:17000"');
  });

  it('come as shell, with correct quotes', () => {
    expect(snippet('shell', { ...environment, url: "http://it's" }, {}, '2.2.15')).toContain(
      "export ENVIRONMENT_URL='http://it'\\''s'",
    );
  });

  it('come as Kubernetes, with valid names', () => {
    const text = snippet('kubernetes', { ...environment, name: 'Env_C.1' }, {}, '2.2.15');
    expect(text).toContain('name: worker-env-c-1\n');
    expect(text).toContain('{ name: ENVIRONMENT_NAME, value: "Env_C.1" }');
  });
});
