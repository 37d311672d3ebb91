import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Instance } from '../../scripts/fleet';
import type { FleetConfig, InstanceConfig } from '../../scripts/fleet/config';
import type { Door } from '../../scripts/fleet/door';
import { FleetKeys } from '../../scripts/fleet/keys';
import { FleetState } from '../../scripts/fleet/state';
import { summaryOf } from '../../scripts/fleet/summary';
import { fleetKeyOf } from '../../src/server/protocol/keyring';
import { containerOf } from '../../src/server/supervisor/joining/names';
import { redisUserOf, workerSecretsOf } from '../../src/server/supervisor/joining/worker-keys';

describe('the summary of npm start', () => {
  const instance = (name: string, port: number, password: string) =>
    ({ name, url: `http://127.0.0.1:${port}`, admin: { email: 'admin@nocobase.com', password } }) as Instance;
  const supervisor = instance('supervisor', 14000, 'admin123');
  const fleet = {
    door: null,
    url: supervisor.url,
    supervisor,
    instances: [supervisor, instance('env_a', 15000, 'random')],
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

  it('has the address of the door alone, where there is one', () => {
    const said = summaryOf({ ...fleet, door: {} as Door, url: 'http://127.0.0.1:13000' });
    expect(said).toMatch(/NocoBase +http:\/\/127\.0\.0\.1:13000 +admin@nocobase\.com \/ admin123\n/);
    expect(said.match(/https?:/g)).toHaveLength(1);
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

it('an environment that was forgotten gets the keys, and the user of Redis, of its floor', () => {
  const instance = (name: string) => ({ name, part: 'worker', env: {} }) as InstanceConfig;
  const instances = [{ ...instance('supervisor'), part: 'supervisor' }, instance('env_a'), instance('env_b')];
  const keys = (floors?: Record<string, number>) => {
    const saved = { appKey: 'x', aesKey: 'ab'.repeat(32), supervisorRedisPassword: 'y', ...(floors && { floors }) };
    const made = new FleetKeys({ instances } as FleetConfig, { read: () => saved } as never);
    return ['env_a', 'env_b'].map((name) => ({
      ...made.of(instance(name)),
      url: made.redisUrlOf(instance(name), 'redis://127.0.0.1'),
      rules: made.redisUsers()[containerOf(name)],
    }));
  };
  const [before, now] = [keys(), keys({ env_a: 100 })];
  expect(now[1]).toEqual(before[1]);
  const fleetKey = fleetKeyOf(Buffer.alloc(32, 0xab));
  expect(now[0]).toMatchObject(Object.fromEntries(workerSecretsOf(fleetKey, 'env_a', 100)));
  const { password } = redisUserOf(fleetKey, 'env_a', 100);
  expect([now[0].url.includes(password), now[0].rules.includes(password)]).toEqual([true, true]);
  expect(before[0].rules).not.toContain(password);
});
