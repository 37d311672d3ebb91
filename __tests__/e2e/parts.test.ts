import { beforeAll, describe, expect, it } from 'vitest';
import { type Fleet, freePorts } from '../../scripts/fleet';
import { sharedFleet } from '../setup/fleet';
import { commandLine, type Run } from '../support/command-line';
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
  const WRONG: Array<[what: string, variables: Record<string, string>, said: string]> = [
    [
      'adapters of two parts',
      { APP_MODE: 'supervisor', APP_DISCOVERY_ADAPTER: 'local' },
      'APP_DISCOVERY_ADAPTER is "local"; for the part "supervisor" it must be "remote".',
    ],
    ['a slip of the pen', { APP_COMMAND_ADAPTER: 'reddis' }, 'APP_COMMAND_ADAPTER is "reddis"'],
    ['an address that is none', { ENVIRONMENT_URL: 'localhost' }, 'ENVIRONMENT_URL is "localhost"; it must be'],
  ];
  let runs: Run[];
  beforeAll(async () => {
    const { env } = fleet.worker('env_b');
    const ports = await freePorts(WRONG.length);
    const start = (wrong: object, index: number) =>
      commandLine(['start'], { ...env, APP_PORT: String(ports[index]), ...wrong });
    runs = await Promise.all(WRONG.map(([, wrong], index) => start(wrong, index)));
  });

  it.each(WRONG.map(([what], index) => [what, index] as const))('%s ends the process, which says why', (_, index) => {
    const { code, output } = runs[index];
    expect(output).toContain('App Supervisor cannot start with these environment variables');
    expect(output).toContain(WRONG[index][2]);
    expect(code).toBe(1);
  });
});
