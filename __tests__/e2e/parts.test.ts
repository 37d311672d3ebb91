import { beforeAll, describe, expect, it } from 'vitest';
import { type Fleet, freePort } from '../../scripts/fleet';
import { sharedFleet } from '../setup/fleet';
import { commandLine } from '../support/command-line';
import { Manager } from '../support/manager';

/** The parts other than Supervisor and worker, and what takes no part at all. */

let fleet: Fleet;

beforeAll(async () => {
  fleet = await sharedFleet();
});

describe('invariant 10: a command-line run in a worker’s environment', () => {
  it('ends by itself and is nobody in the fleet', async () => {
    const manager = await Manager.of(fleet);
    const worker = fleet.worker('env_b');
    const before = await manager.environment('env_b');
    const seen = new Set<string>();
    const watch = setInterval(async () => {
      const { instance, standby, health } = await manager.environment('env_b');
      seen.add(JSON.stringify({ instance, standby, health }));
    }, 500);
    const { code, output } = await commandLine(['db:auth'], worker.env).finally(() => clearInterval(watch));
    expect([code, output.slice(-2_000)]).toEqual([0, expect.any(String)]);
    const { instance } = before;
    expect([...seen]).toEqual([JSON.stringify({ instance, standby: null, health: 'online' })]);
  });
});

describe('a wrong combination of variables', () => {
  it('ends the process, which says why', async () => {
    const { env } = fleet.worker('env_b');
    const wrong = { APP_PORT: String(await freePort()), APP_MODE: 'supervisor', APP_DISCOVERY_ADAPTER: 'local' };
    const { code, output } = await commandLine(['start'], { ...env, ...wrong });
    expect(output).toContain('App Supervisor cannot start with these environment variables');
    expect(output).toContain('APP_DISCOVERY_ADAPTER is "local"; the role "supervisor" needs "remote".');
    expect(code).toBe(1);
  });
});
