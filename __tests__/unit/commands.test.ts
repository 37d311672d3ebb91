import { describe, expect, it } from 'vitest';
import { AppCommands, type AppCommandsOptions, requestOf } from '../../src/server/supervisor/requests/commands';
import { type AppCommand, appCommand } from '../../src/shared/messages';
import { appOf } from '../support/fixtures';
import { MemoryFleet } from '../support/memory-fleet';

const crm = appOf({ name: 'crm', environments: ['env_a', 'env_b'] });
const command = (action: string, environments: string[] = [], payload?: Record<string, unknown>): AppCommand =>
  appCommand.parse({ requestId: '1', appName: 'crm', action, environments, payload });
const outcome = (asked: AppCommand, app: typeof crm | null = crm, from: string | null = null) => {
  try {
    return requestOf(asked, app, from);
  } catch (error) {
    return (error as { code: string }).code;
  }
};

describe('a command of another plugin', () => {
  it.each(['start', 'stop', 'restart', 'upgrade'] as const)('%s is that of the page', (action) => {
    expect(outcome(command(action))).toEqual({ kind: 'command', action });
    expect(outcome(command(action, ['env_a', 'env_b']))).toEqual({ kind: 'command', action });
    expect(outcome(command(action, ['env_b']))).toEqual({ kind: 'command', action, environments: ['env_b'] });
    expect(outcome(command(action, ['env_c']))).toBe('NOT_IN_ENVIRONMENT');
  });

  it('create makes an app, or starts the one that is there', () => {
    const values = { title: 'CRM', name: 'crm', environments: ['env_a'] };
    expect(outcome(command('create', ['env_a'], { title: 'CRM' }), null)).toEqual({ kind: 'create', values });
    const model = { name: 'another', title: 'CRM' };
    expect(outcome(command('create', ['env_a'], { appModel: model }), null)).toEqual({ kind: 'create', values });
    expect(outcome(command('create'))).toEqual({ kind: 'command', action: 'start' });
  });

  it('remove takes the app from some environments, or deletes it', () => {
    expect(outcome(command('remove', ['env_a']))).toEqual({ kind: 'place', environments: ['env_b'] });
    expect(outcome(command('remove', ['env_a', 'env_b']))).toEqual({ kind: 'destroy' });
    expect(outcome(command('remove'))).toEqual({ kind: 'destroy' });
    expect(outcome(command('remove', ['env_c']))).toBe('NOT_IN_ENVIRONMENT');
  });

  it.each(['format', 'constructor', 'START'])('%s is unknown', (action) => {
    for (const from of [null, 'env_a']) expect(outcome(command(action), crm, from)).toBe('COMMAND_UNKNOWN');
  });

  it('of a Worker concerns what is placed in its own environment, there alone', () => {
    for (const action of ['start', 'stop', 'restart'])
      for (const environments of [[], ['env_a']])
        expect(outcome(command(action, environments), crm, 'env_a')).toEqual({
          kind: 'command',
          action,
          environments: ['env_a'],
        });
    for (const action of ['upgrade', 'create', 'remove'])
      expect(outcome(command(action), crm, 'env_a')).toBe('COMMAND_ELSEWHERE');
    expect(outcome(command('stop', ['env_b']), crm, 'env_a')).toBe('COMMAND_ELSEWHERE');
    expect(outcome(command('stop'), crm, 'env_c')).toBe('COMMAND_ELSEWHERE');
    expect(outcome(command('stop'), null, 'env_a')).toBe('COMMAND_ELSEWHERE');
  });
});

it('what is no command is told to whoever waits for its outcome by its id, if it has one', async () => {
  const { part } = await new MemoryFleet().supervisor();
  const told: unknown[] = [];
  part.commands.listen(({ requestId, refused }) => told.push([requestId, refused]));
  for (const value of [{ requestId: 'r', appName: 'a b' }, { requestId: 5 }, null])
    await expect(part.parts.commands.carryOut(value, null)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  expect(told).toEqual([
    ['r', 'INVALID_INPUT'],
    ['', 'INVALID_INPUT'],
    ['', 'INVALID_INPUT'],
  ]);
});

it('an environment that nobody has admitted, or that is not known, gives no command', async () => {
  const served: Array<(environment: string) => boolean> = [];
  const options = {
    bus: { serveWorkers: async ({ knows }) => void served.push(knows) },
    environmentCache: { get: (name) => (name === 'env_c' ? undefined : {}), isAdmitted: (name) => name !== 'env_b' },
  } as Partial<AppCommandsOptions> as AppCommandsOptions;
  await new AppCommands(options).serve(() => true);
  expect(['env_a', 'env_b', 'env_c'].map(served[0])).toEqual([true, false, false]);
});
