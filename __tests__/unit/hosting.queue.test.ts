import type { Application, AppSupervisor } from '@nocobase/server';
import { describe, expect, it } from 'vitest';
import { CoreAppRegistry } from '../../src/server/nocobase/core-app-registry';
import { AppHost } from '../../src/server/worker/hosting/host';
import { say } from '../../src/shared/message';
import { FakeClock } from '../support/clock';
import { secretsOf } from '../support/envelope';
import { recordOf } from '../support/fixtures';
import { recordedLog } from '../support/log';
import { Boots, bootQueueOf } from '../support/worker-boots';

const APPS = 50;

describe('fifty apps that start with the main app', () => {
  it('boot two at a time, and each reports its position in the queue (#1931, #5571, #7749)', async () => {
    const core = { emit: () => true } as unknown as AppSupervisor;
    const none = async () => [];
    const coreApps = new CoreAppRegistry(core);
    const clock = new FakeClock();
    const host = new AppHost(
      core,
      coreApps,
      secretsOf(null),
      'env_a',
      { logPath: '/nowhere', storagePath: '/nowhere', databaseHosts: [] },
      clock,
      recordedLog(),
      none,
    );
    const boots = new Boots({ host, coreApps, clock, bootQueue: bootQueueOf(clock, 2) });
    let [booting, most] = [0, 0];
    const order: string[] = [];
    const boot = (name: string) => {
      // A boot lets others have the event loop.
      const destroy = async () => {
        order.push(name);
        most = Math.max(most, ++booting);
        await new Promise((resolve) => setImmediate(resolve));
        booting--;
      };
      coreApps.apps[name] = { destroy, removeAllListeners() {} } as unknown as Application;
      return boots.boot(recordOf({ name }));
    };
    const names = Array.from({ length: APPS }, (_, index) => `app_${index}`);
    const ended = await Promise.allSettled(names.map(boot));
    expect(ended.every(({ status }) => status === 'rejected')).toBe(true);
    expect(most).toBe(2);
    expect(order).toEqual(names);
    const places = names.map((name) => boots.said.get(name)?.find(({ code }) => code === 'IN_BOOT_QUEUE'));
    expect(places.slice(2)).toEqual(names.slice(2).map((_, place) => say('IN_BOOT_QUEUE', { place: place + 1 })));
  });
});
