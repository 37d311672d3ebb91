import os from 'node:os';
import type { AppSupervisor } from '@nocobase/server';
import { CHANGED } from '../../shared/names';
import { type Clock, systemClock } from '../clock';
import type { ActiveConfig } from '../config';
import { replaceCoreCreators } from '../databases';
import { createLog, type Log, type LogSink } from '../log';
import { CoreAppRegistry } from '../nocobase/core-app-registry';
import type { FindInstalled } from '../nocobase/installed-plugins';
import type { Random } from '../random';
import type { WorkLog } from '../worker/watchdog/busy-with';
import { MainAdminPassword } from './admin-password';
import { MainApp } from './main-app';
import { MainSignUp } from './main-sign-up';
import { systemRandom } from './system';
import { createWire, type Wire } from './wire';

/** The common base of every runtime, whatever its role. */
export interface Foundation {
  /** Identifies this process among all that ever ran, in leases and on the page. */
  instance: string;
  host: AppSupervisor;
  coreApps: CoreAppRegistry;
  findInstalled: FindInstalled;
  log: Log;
  clock: Clock;
  random: Random;
  wire: Wire;
  mainApp: MainApp;
  adminPassword: MainAdminPassword;
  /** Where it is noted what the event loop works on. */
  work: WorkLog;
  signUp: MainSignUp;
}

export function layFoundation(
  config: ActiveConfig,
  host: AppSupervisor,
  findInstalled: FindInstalled,
  work: WorkLog,
): Foundation {
  const instance = `${os.hostname()}:${process.pid}:${systemRandom.hex(4)}`;
  const about = config.part === 'worker' ? { environment: config.environment.name } : {};
  const log = createLog(host.logger as unknown as LogSink, config.debug, about);
  const coreApps = new CoreAppRegistry(host);
  replaceCoreCreators(host);
  return {
    instance,
    host,
    coreApps,
    findInstalled,
    log,
    clock: systemClock,
    random: systemRandom,
    wire: createWire(config, instance, log),
    mainApp: new MainApp(coreApps, config.active, config.host.isBuiltIn),
    adminPassword: new MainAdminPassword(systemClock),
    work,
    signUp: new MainSignUp(),
  };
}

/**
 * Notifies open pages of a change. The message has no content, because visitors who are not signed in may receive it;
 * users with permission then load the data.
 */
export function notifyPages(mainApp: MainApp): void {
  mainApp.app?.emit('ws:sendToCurrentApp', { message: { type: CHANGED, payload: {} } });
}
