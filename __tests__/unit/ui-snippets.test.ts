import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { ROOT } from '../../scripts/lib/root.mjs';
import { parseConfig, type SupervisorConfig } from '../../src/server/config';
import { variablesToJoin } from '../../src/server/supervisor/fleet/join-variables';
import { snippet, workerVariables } from '../../src/ui/environments/snippets';
import { services } from '../support/compose';

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

  it('come as a service beside those of docker-compose.yml, with all that a Worker has there', () => {
    const own = { name: 'env_b', url: 'http://localhost:16000', proxyUrl: '' };
    const { services: made, volumes } = parse(snippet('compose', own, {}));
    const { container_name, depends_on, environment: variables, ...like } = services.worker_b as Record<string, any>;
    const { 'worker-env-b': service, 'worker-env-b-database': database } = made;
    const { retries, ...healthcheck } = like.healthcheck;
    expect({ ...service, environment: undefined, depends_on: undefined }).toEqual({
      ...like,
      healthcheck,
      volumes: ['keys:/keys:ro', 'storage-worker-env-b:/app/nocobase/storage'],
    });
    expect(service.environment).toEqual({
      ...variables,
      // As the engine reads it, where nothing is set.
      TZ: expect.stringContaining(variables.TZ),
      ENVIRONMENT_PROXY_URL: 'http://worker-env-b',
      DB_DATABASE: 'nocobase_env_b',
    });
    expect(Object.keys(service.depends_on)).toEqual(['worker-env-b-database']);
    expect(database.networks).toEqual(service.networks);
    expect(database.command[0]).toContain('createdb nocobase_env_b');
    expect(volumes).toEqual({ 'storage-worker-env-b': null });
    expect(snippet('compose', environment, {})).toContain('"http://worker_c"');
  });

  it('come as shell, with correct quotes', () => {
    expect(snippet('shell', { ...environment, url: "http://it's" }, {})).toContain(
      "export ENVIRONMENT_URL='http://it'\\''s'",
    );
  });

  it('come as an environment of deploy/kubernetes', () => {
    const file = path.join(ROOT, 'deploy/kubernetes/environments/env-a/kustomization.yaml');
    const text = snippet('kubernetes', { name: 'env_a', url: '', proxyUrl: '' }, {});
    expect(parse(text)).toEqual(parse(fs.readFileSync(file, 'utf8')));
    const { nameSuffix, configMapGenerator } = parse(snippet('kubernetes', { ...environment, name: 'Env_C.1' }, {}));
    expect(nameSuffix).toBe('-env-c-1');
    expect(configMapGenerator[0].literals).toEqual([
      'ENVIRONMENT_NAME=Env_C.1',
      'ENVIRONMENT_URL=http://localhost:17000',
      'ENVIRONMENT_PROXY_URL=http://worker_c',
      'DB_DATABASE=nocobase_env_c_1',
    ]);
  });
});
