import { describe, expect, it } from 'vitest';
import { AppSupervisorError } from '../../src/server/errors';
import type { AppHost } from '../../src/server/worker/hosting/host';
import type { AppRecord } from '../../src/shared/messages';
import { FakeClock } from '../support/clock';
import { recordOf } from '../support/fixtures';
import { stepsOf } from '../support/pictures';
import { SimulatedHost } from '../support/simulated-host';
import { authorityOf, Boots, bootQueueOf } from '../support/worker-boots';

/** In which order an app boots: each step is done when the one before has ended. */
const ORDER = [
  'waits for its turn',
  'ends what runs',
  'makes the database',
  'takes the lock',
  'confirms the lease',
  'claims the app',
  'marks the boot',
  'looks into the database',
  'starts the app',
  'releases the lock',
  'ends its turn',
];

it('is drawn in docs/architecture.md step by step', () => {
  expect(stepsOf('steps')).toEqual(ORDER);
});

/**
 * @param during what happens while a step goes on
 * @param fails the step that fails
 * @param error with what it fails this time; null: it does not
 */
function process(
  during: Record<string, () => unknown> = {},
  fails?: string,
  error: () => Error | null = () => new Error('It fails.'),
) {
  const clock = new FakeClock();
  const steps: string[] = [];
  /** Notes a step when it has ended, and only if no other one goes on. */
  let isBusy = false;
  const step = async <T>(name: string, result?: T): Promise<T> => {
    if (isBusy) steps.push(`${name} too early`);
    isBusy = true;
    for (let i = 0; i < 20; i++) await null;
    during[name]?.();
    isBusy = false;
    steps.push(name);
    const failure = name === fails ? error() : null;
    if (failure) throw failure;
    return result as T;
  };
  let isLocked = 0;
  const lock = { release: () => step('releases the lock'), isHeld: async () => true };
  const host = Object.assign(new SimulatedHost('env_a', undefined, clock), {
    unload: () => step('ends what runs'),
    prepareDatabase: () => step('makes the database'),
    lock: () => step('takes the lock', isLocked-- > 0 ? null : lock),
    hosted: {
      claim: () => step('claims the app'),
      endBootInTheWay: () => step('ends a boot in the way'),
    },
    inspect: () => step('looks into the database', { content: { installed: 'complete' }, host: {} }),
    start: () => step('starts the app', '2.2.15'),
    rest: () => step('ends what is left'),
  });
  const bootQueue = bootQueueOf(clock);
  const { turn } = bootQueue;
  bootQueue.turn = async (waiting) => {
    const found = await turn.call(bootQueue, waiting);
    await step('waits for its turn');
    return found && { end: () => void [steps.push('ends its turn'), found.end()] };
  };
  const boots: Boots = new Boots(
    { host: host as unknown as AppHost, coreApps: host.coreApps, clock, bootQueue },
    {
      authority: authorityOf({ confirm: () => step('confirms the lease', !during.lost) }),
      save: (name) => {
        const isMark = boots.apps.get(name)?.applied?.unfinished;
        return step(isMark ? 'marks the boot' : 'saves');
      },
    },
  );
  const record: AppRecord = recordOf({ environments: ['env_a'] });
  return { steps, boots, record, boot: () => boots.boot(record), lockedFor: (times: number) => (isLocked = times) };
}

/** A newer record of the app, which is to boot by it, too. */
const isNewer = (boots: Boots) => {
  const held = boots.apps.get('crm')!;
  held.record = { ...held.record, generation: held.record.generation + 1 };
};

describe('invariant 4: a boot', () => {
  it('does one step after the other, from its turn to the release of its lock', async () => {
    const { boot, steps } = process();
    expect(await boot()).toMatchObject({ version: '2.2.15' });
    expect(steps).toEqual([...ORDER, 'saves']);
  });

  it('reads the newest record under the lock, before it confirms or claims anything', async () => {
    const { boots, boot, steps } = process({ 'takes the lock': () => isNewer(boots) });
    expect(await boot()).toBeNull();
    expect(steps).toEqual([
      ...ORDER.slice(0, ORDER.indexOf('takes the lock') + 1),
      'ends what is left',
      'releases the lock',
      'ends its turn',
    ]);
  });

  it.each(['confirms the lease', 'claims the app', 'marks the boot', 'looks into the database'])(
    'starts nothing by a record that is not the newest any more when it %s, and leaves no mark',
    async (during) => {
      const { boots, boot, steps } = process({ [during]: () => isNewer(boots) });
      expect(await boot()).toBeNull();
      expect(steps).not.toContain('starts the app');
      expect(boots.apps.get('crm')?.applied).toBeNull();
    },
  );

  it('claims nothing if its process does not hold its environment any more', async () => {
    const { boot, steps } = process({ lost: () => undefined });
    expect(await boot()).toBeNull();
    expect(steps).not.toContain('claims the app');
    expect(steps.slice(-3)).toEqual(['ends what is left', 'releases the lock', 'ends its turn']);
  });

  it.each(ORDER.slice(1, ORDER.indexOf('releases the lock')))(
    'that fails when it %s leaves nothing of the app, no lock and no turn taken',
    async (failing) => {
      const { boot, steps } = process({}, failing);
      await expect(boot()).rejects.toThrow('It fails.');
      const hasLock = ORDER.indexOf(failing) > ORDER.indexOf('takes the lock');
      const last = ['ends what is left', ...(hasLock ? ['releases the lock'] : []), 'ends its turn', 'saves'];
      expect(steps).toEqual([...ORDER.slice(0, ORDER.indexOf(failing) + 1), ...last]);
    },
  );

  it.each(['makes the database', 'takes the lock', 'claims the app', 'looks into the database', 'starts the app'])(
    'that is refused the sign-in when it %s goes through all once more while the role gets another password',
    async (refused) => {
      /** Of a role that gets its other password between two sign-ins. */
      const renewed = (nextPassword?: string) => {
        const errors = [
          new AppSupervisorError('DATABASE_SIGN_IN', { server: 'db:5432', user: 'app_crm', cause: 'password' }),
        ];
        const made = process({}, refused, () => errors.pop() ?? null);
        Object.assign(made.record.database, { nextPassword });
        return made;
      };
      const { boot, steps } = renewed('sealed');
      expect(await boot()).toMatchObject({ version: '2.2.15' });
      expect(steps.slice(-ORDER.length - 1)).toEqual([...ORDER, 'saves']);
      await expect(renewed().boot()).rejects.toMatchObject({ code: 'DATABASE_SIGN_IN' });
    },
  );

  it('that goes through all once more is counted once', async () => {
    const counts: unknown[] = [];
    const error = new AppSupervisorError('DATABASE_SIGN_IN', { server: 'db:5432', user: 'app_crm', cause: 'password' });
    const noting = { 'starts the app': () => counts.push(boots.apps.get('crm')?.applied?.unfinished?.count) };
    const { boot, boots, record } = process(noting, 'starts the app', () => (counts.length > 1 ? null : error));
    Object.assign(record.database, { nextPassword: 'sealed' });
    await boot();
    expect(counts).toEqual([1, 1]);
  });

  it('that is given up in its second turn leaves no mark', async () => {
    const errors = [
      new AppSupervisorError('DATABASE_SIGN_IN', { server: 'db:5432', user: 'app_crm', cause: 'password' }),
    ];
    const during = { 'makes the database': () => errors.length || isNewer(boots) };
    const { boot, boots, record, steps } = process(during, 'starts the app', () => errors.pop() ?? null);
    Object.assign(record.database, { nextPassword: 'sealed' });
    expect(await boot()).toBeNull();
    expect(steps.filter((step) => ['marks the boot', 'saves'].includes(step)).at(-1)).toBe('saves');
  });

  it('waits for another environment’s lock without a turn, and goes on from there', async () => {
    const { boot, steps, lockedFor } = process();
    lockedFor(1);
    await boot();
    const locked = ORDER.indexOf('takes the lock') + 1;
    expect(steps).toEqual([
      ...ORDER.slice(0, locked),
      'ends its turn',
      'ends a boot in the way',
      'takes the lock',
      'waits for its turn',
      ...ORDER.slice(locked),
      'saves',
    ]);
  });
});
