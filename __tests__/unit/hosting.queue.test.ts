import type { Application, AppSupervisor } from '@nocobase/server';
import { describe, expect, it } from 'vitest';
import { CoreAppRegistry } from '../../src/server/nocobase/core-app-registry';
import { AppHost } from '../../src/server/worker/hosting/host';
import { type Message, say } from '../../src/shared/message';
import { turnOf } from '../support/boot-turn';
import { FakeClock } from '../support/clock';
import { secretsOf } from '../support/envelope';
import { recordOf } from '../support/fixtures';
import { recordedLog } from '../support/log';

const APPS = 50;

describe('fifty apps that start with the main app', () => {
  it('boot two at a time, and each reports its position in the queue (#1931, #5571, #7749)', async () => {
    const core = { emit: () => true } as unknown as AppSupervisor;
    const bootstrap = { concurrency: 2, interval: 0, intervalCap: 1 };
    const none = async () => [];
    const coreApps = new CoreAppRegistry(core);
    const host = new AppHost(
      core,
      coreApps,
      secretsOf(null),
      bootstrap,
      'env_a',
      { logPath: '/nowhere', storagePath: '/nowhere', databaseHosts: [] },
      new FakeClock(),
      recordedLog(),
      none,
    );
    let [booting, most] = [0, 0];
    const order: string[] = [];
    /** What each said first: its place when it came. */
    const said = new Map<string, Message>();
    const boot = (name: string) => {
      // A boot lets others have the event loop.
      const destroy = async () => {
        most = Math.max(most, ++booting);
        await new Promise((resolve) => setImmediate(resolve));
        booting--;
      };
      coreApps.apps[name] = { destroy, removeAllListeners() {} } as unknown as Application;
      const begin = () => void order.push(name);
      const progress = (message: Message, waiting: boolean) => {
        if (waiting && !said.has(name)) said.set(name, message);
      };
      return host.boot(name, turnOf(recordOf({ name }), 'start', { begin, progress }));
    };
    const names = Array.from({ length: APPS }, (_, index) => `app_${index}`);
    const ended = await Promise.allSettled(names.map(boot));
    expect(ended.every(({ status }) => status === 'rejected')).toBe(true);
    expect(most).toBe(2);
    expect(order).toEqual(names);
    expect([...said.values()]).toEqual(names.slice(2).map((_, place) => say('IN_BOOT_QUEUE', { place: place + 1 })));
  });
});
