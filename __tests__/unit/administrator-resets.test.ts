import { describe, expect, it } from 'vitest';
import { isPassword } from '../../src/server/protocol/administrator';
import {
  AdministratorResets,
  type AdministratorResetsOptions,
} from '../../src/server/supervisor/requests/administrator-resets';
import type { Event } from '../../src/shared/event';
import type { Status } from '../../src/shared/types';
import { FakeClock } from '../support/clock';
import { appOf, registrationOf } from '../support/fixtures';
import { recordedLog } from '../support/log';
import { SeededRandom } from '../support/random';

/** New passwords for administrators, from the request to the Workers' answers. */

const WHO = { username: 'root', email: null };
const CRM = appOf({ name: 'crm', uid: 'uid-1', environments: ['env_a', 'env_b', 'env_c'] });

interface Asked {
  environment: string;
  method: string;
  payload: { name: string; uid: string; hash: string };
}

function resets(statuses: Record<string, Status>, values: Partial<AdministratorResetsOptions> = {}) {
  const asked: Asked[] = [];
  const events: Event[] = [];
  const silent = new Set<string>();
  const requests = {
    ask: async (environment: string, method: string, _: unknown, payload: Asked['payload']) => {
      asked.push({ environment, method, payload });
      if (silent.has(environment)) throw new Error('No answer.');
      return WHO;
    },
  };
  const options = {
    requests,
    events: { append: async (added: Event[]) => void events.push(...added) },
    environmentCache: { registrationOf: (name: string) => (name === 'env_a' ? registrationOf(name) : null) },
    clock: new FakeClock(),
    random: new SeededRandom(1),
    log: recordedLog(),
    view: { statusIn: (_: unknown, environment: string) => ({ status: statuses[environment] }) },
    ...values,
  };
  return { made: new AdministratorResets(options as unknown as AdministratorResetsOptions), asked, events, silent };
}

describe('a new password for the administrator of an app', () => {
  it('goes, as a hash, to every environment that runs the app, and is in the answer', async () => {
    const { made, asked } = resets({ env_a: 'running', env_b: 'dormant', env_c: 'running' });
    const { password, ...rest } = await made.ofApp(CRM, '7');
    expect(rest).toEqual({ ...WHO, unconfirmed: [] });
    expect(password).toMatch(/^[A-HJ-NP-Za-km-z2-9]{20}$/);
    expect(asked.map(({ environment, method }) => [environment, method])).toEqual([
      ['env_a', 'resetAdmin'],
      ['env_c', 'resetAdmin'],
    ]);
    for (const { payload } of asked) {
      expect(JSON.stringify(payload)).not.toContain(password);
      const { hash, ...of } = payload;
      expect(of).toEqual({ name: 'crm', uid: 'uid-1' });
      expect(await isPassword(password, hash)).toBe(true);
    }
  });

  it('is another one each time', async () => {
    const { made } = resets({ env_a: 'running' });
    expect((await made.ofApp(CRM, '7')).password).not.toBe((await made.ofApp(CRM, '7')).password);
  });

  it('starts an app that starts when visited, in one environment', async () => {
    const { made, asked } = resets({ env_a: 'unknown', env_b: 'dormant', env_c: 'dormant' });
    await made.ofApp(CRM, '7');
    expect(asked.map(({ environment }) => environment)).toEqual(['env_b']);
  });

  it('is refused, and nothing recorded, where the app neither runs nor starts', async () => {
    const { made, events } = resets({ env_a: 'stopped', env_b: 'error', env_c: 'unknown' });
    await expect(made.ofApp(CRM, '7')).rejects.toMatchObject({ code: 'APP_NOT_RUNNING', status: 409 });
    expect(events).toEqual([]);
  });

  it('is recorded with who requested it, before anything is done, and without the password', async () => {
    const { made, events, silent } = resets({ env_a: 'running' });
    silent.add('env_a');
    await expect(made.ofApp(CRM, '7')).rejects.toThrow('No answer.');
    expect(events).toMatchObject([
      {
        kind: 'change',
        appName: 'crm',
        appUid: 'uid-1',
        createdById: '7',
        message: { code: 'ADMIN_RESET', params: { app: 'crm' } },
        at: new FakeClock().wall,
        endedAt: new FakeClock().wall,
      },
    ]);
  });

  it('names the environments that did not confirm after another one has', async () => {
    const { made, silent } = resets({ env_a: 'running', env_b: 'running', env_c: 'running' });
    silent.add('env_b');
    expect(await made.ofApp(CRM, '7')).toMatchObject({ ...WHO, unconfirmed: ['env_b'] });
  });
});

describe('a new password for the administrator of a Worker', () => {
  it('goes to that environment, and is recorded as of it', async () => {
    const { made, asked, events } = resets({});
    await made.ofEnvironment('env_a', '7');
    expect(asked).toMatchObject([{ environment: 'env_a', payload: { name: 'main', uid: 'env_a' } }]);
    expect(events).toMatchObject([{ environment: 'env_a', appName: null, message: { code: 'WORKER_ADMIN_RESET' } }]);
  });

  it('is refused for one that is not known', async () => {
    await expect(resets({}).made.ofEnvironment('env_x', '7')).rejects.toMatchObject({ code: 'UNKNOWN_ENVIRONMENT' });
  });
});
