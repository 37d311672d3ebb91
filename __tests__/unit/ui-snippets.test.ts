import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/server/config';
import { snippet, workerVariables } from '../../src/ui/environments/snippets';

const environment = { name: 'env_c', url: 'http://localhost:17000', proxyUrl: 'http://worker_c' };

describe('the variables of a new environment', () => {
  it('are those of a worker', () => {
    const filled = workerVariables(environment).map(([name, value]) => [
      name,
      value.startsWith('<')
        ? ({ APP_SUPERVISOR_AES_SECRET_KEY: 'a'.repeat(64) }[name] ?? 'redis://localhost:6379')
        : value,
    ]);
    const config = parseConfig(Object.fromEntries(filled), { command: 'start', isMainThread: true });
    expect(config).toMatchObject({ part: 'worker', environment: { name: 'env_c', proxyUrl: 'http://worker_c' } });
  });

  it('say nothing of a proxy address that was not given', () => {
    const names = workerVariables({ ...environment, proxyUrl: '' }).map(([name]) => name);
    expect(names).not.toContain('ENVIRONMENT_PROXY_URL');
  });

  it('come as compose, with the port that the address has', () => {
    const text = snippet('compose', environment, '2.2.15');
    expect(text).toContain('  worker-env-c:\n    image: nocobase/nocobase:2.2.15');
    expect(text).toContain('      - "17000:80"');
    expect(text).toContain('      ENVIRONMENT_URL: "http://localhost:17000"');
  });

  it('come as shell, with quotes that hold', () => {
    expect(snippet('shell', { ...environment, url: "http://it's" }, '2.2.15')).toContain(
      "export ENVIRONMENT_URL='http://it'\\''s'",
    );
  });

  it('come as Kubernetes, with names that it takes', () => {
    const text = snippet('kubernetes', { ...environment, name: 'Env_C.1' }, '2.2.15');
    expect(text).toContain('name: worker-env-c-1\n');
    expect(text).toContain('{ name: ENVIRONMENT_NAME, value: "Env_C.1" }');
  });
});
