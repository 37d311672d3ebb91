import type { AppSupervisor } from '@nocobase/server';
import { describe, expect, it } from 'vitest';
import { CoreAppRegistry } from '../../src/server/nocobase/core-app-registry';
import { hashPassword } from '../../src/server/protocol/administrator';
import { type AdminResetOptions, adminReset } from '../../src/server/worker/admin-reset';
import { FakeClock } from '../support/clock';

/** Whose password a Worker changes when it is asked to. */

const HASH = await hashPassword('new');

/** An app with one root user. */
function playedApp() {
  const user = { values: { password: 'before', username: 'root', email: null } as Record<string, unknown> };
  const model = {
    get: (field: string) => user.values[field],
    set: (field: string, value: unknown) => Object.assign(user.values, { [field]: value }),
    update: async (values: object) => Object.assign(user.values, values),
  };
  const db = {
    hasCollection: () => true,
    getRepository: () => ({ find: async () => [{ get: () => 1 }] }),
    getModel: () => ({ findAll: async () => [model] }),
    on: () => undefined,
    off: () => undefined,
  };
  return { user, app: { db } };
}

function worker(values: Partial<AdminResetOptions> = {}) {
  const crm = playedApp();
  const main = playedApp();
  const coreApps = new CoreAppRegistry({ emit: () => true, on: () => undefined } as unknown as AppSupervisor);
  Object.defineProperty(coreApps, 'apps', { value: { crm: crm.app, main: main.app } });
  const clock = new FakeClock();
  const options = {
    coreApps,
    clock,
    environment: 'env_a',
    isRunning: () => true,
    visit: (name: string, uid: string) => name === 'crm' && uid === 'uid-1',
    ...values,
  };
  return { handle: adminReset(options), clock, passwords: () => [crm, main].map(({ user }) => user.values.password) };
}

const asked = (name: string, uid: string) => ({ name, uid, hash: HASH });

describe('the request for a new password', () => {
  it('changes that of the app’s administrator, and says whose', async () => {
    const { handle, passwords } = worker();
    expect(await handle(asked('crm', 'uid-1'))).toEqual({ username: 'root', email: null });
    expect(passwords()).toEqual([HASH, 'before']);
  });

  it('changes that of the main app, for its own environment', async () => {
    const { handle, passwords } = worker();
    await handle(asked('main', 'env_a'));
    expect(passwords()).toEqual(['before', HASH]);
  });

  it.each<[string, object]>([
    ['is about another incarnation', asked('crm', 'uid-0')],
    ['is about the main app of another environment', asked('main', 'env_b')],
    ['is about an app that is not here', asked('shop', 'uid-2')],
    ['has no hash', { name: 'crm', uid: 'uid-1', hash: 'new' }],
    ['is nothing', {}],
  ])('does nothing if it %s', async (_, payload) => {
    const { handle, passwords } = worker();
    await expect(handle(payload)).rejects.toThrow();
    expect(passwords()).toEqual(['before', 'before']);
  });

  it('waits until the app has started for it, and not for ever', async () => {
    let isRunning = false;
    const { handle, clock, passwords } = worker({ isRunning: () => isRunning });
    const done = handle(asked('crm', 'uid-1'));
    await clock.run(5_000);
    expect(passwords()).toEqual(['before', 'before']);
    isRunning = true;
    await clock.run(500);
    await done;
    expect(passwords()).toEqual([HASH, 'before']);
    isRunning = false;
    const late = expect(handle(asked('crm', 'uid-1'))).rejects.toMatchObject({ code: 'APP_NOT_RUNNING' });
    await clock.run(61_000);
    await late;
  });
});
