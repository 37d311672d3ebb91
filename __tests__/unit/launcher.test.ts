import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Instance } from '../../scripts/fleet';
import type { FleetConfig } from '../../scripts/fleet/config';
import { FleetState } from '../../scripts/fleet/state';
import { summaryOf } from '../../scripts/fleet/summary';

describe('the summary of npm start', () => {
  const instance = (name: string, port: number, password: string) =>
    ({ name, url: `http://127.0.0.1:${port}`, admin: { email: 'admin@nocobase.com', password } }) as Instance;
  const fleet = {
    instances: [instance('supervisor', 14000, 'admin123'), instance('env_a', 15000, 'random')],
    postgres: null,
    postgresServer: { host: 'db', port: 5432, user: 'nocobase', password: 'secret' },
    redis: null,
    redisUrl: 'redis://fleet:hidden@127.0.0.1:6379/3',
    home: '.fleet/default',
  };

  it('has every address with its sign-in', () => {
    const said = summaryOf(fleet);
    expect(said).toMatch(/supervisor +http:\/\/127\.0\.0\.1:14000 +admin@nocobase\.com \/ admin123\n/);
    expect(said).toMatch(/env_a +http:\/\/127\.0\.0\.1:15000 +admin@nocobase\.com \/ random\n/);
  });

  it('does not show the passwords of the user’s own servers', () => {
    const said = summaryOf(fleet);
    expect(said).toMatch(/Redis +redis:\/\/fleet@127\.0\.0\.1:6379\/3\n/);
    expect(said).not.toMatch(/secret|hidden/);
  });
});

describe('the state of a fleet', () => {
  const home = mkdtempSync(path.join(tmpdir(), 'app-supervisor-state-'));
  const file = path.join(home, 'fleet.json');
  const config = { name: 'default' } as FleetConfig;
  afterAll(() => rmSync(home, { recursive: true, force: true }));

  it('has passwords, and can be read by its user alone', () => {
    const first = new FleetState(home).read();
    expect(first.redisPassword).toMatch(/^[0-9a-f]{32}$/);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(new FleetState(home).begin(config).redisPassword).toBe(first.redisPassword);
  });

  it('of an earlier release gets a password for Redis at its next start, and not while it runs', () => {
    const { redisPassword: _, ...earlier } = new FleetState(home).read();
    writeFileSync(file, JSON.stringify(earlier));
    const running = new FleetState(home);
    running.update((saved) => {
      saved.pluginHash = 'x';
    });
    expect(running.read().redisPassword).toBeUndefined();
    const { redisPassword } = new FleetState(home).begin(config);
    expect(redisPassword).toMatch(/^[0-9a-f]{32}$/);
    expect(running.read()).toMatchObject({
      ...earlier,
      redisPassword,
      config,
      pluginHash: 'x',
      launcher: { pid: process.pid },
    });
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });
});
