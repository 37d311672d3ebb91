import type { Application } from '@nocobase/server';
import { resetRequest } from '../../shared/messages';
import type { Clock } from '../clock';
import { AppSupervisorError } from '../errors';
import type { CoreAppRegistry } from '../nocobase/core-app-registry';
import type { RequestHandlers } from '../protocol/bus';
import { setAdminPassword } from './hosting/first-administrator';

/** How long an app that starts for this may take, in ms. */
const STARTS_WITHIN = 60_000;
const LOOK_AGAIN = 250;

export interface AdminResetOptions {
  coreApps: CoreAppRegistry;
  clock: Clock;
  environment: string;
  isRunning(name: string): boolean;
  /** A visit to this incarnation of an app, which starts it if it starts when visited; false if it is not here. */
  visit(name: string, uid: string): boolean;
}

/**
 * The request `resetAdmin`, which the message bus authenticates: gives the administrator of an app, or of the main app, a new password, which ends the
 * sessions that the account has here.
 *
 * @throws AppSupervisorError UNKNOWN_APP, APP_NOT_RUNNING, ADMIN_MISSING
 */
export const adminReset =
  (options: AdminResetOptions): RequestHandlers[string] =>
  async (payload) => {
    const { name, uid, hash } = resetRequest.parse(payload);
    return setAdminPassword(await runningApp(name, uid, options), name, hash);
  };

async function runningApp(
  name: string,
  uid: string,
  { coreApps, clock, environment, isRunning, visit }: AdminResetOptions,
): Promise<Application> {
  if (name === 'main' && uid === environment) return coreApps.apps.main;
  if (name === 'main' || !visit(name, uid)) throw new AppSupervisorError('UNKNOWN_APP', { app: name });
  const begin = clock.now().mono;
  while (!isRunning(name)) {
    if (clock.now().mono - begin > STARTS_WITHIN) throw new AppSupervisorError('APP_NOT_RUNNING', { app: name });
    await clock.sleep(LOOK_AGAIN);
  }
  return coreApps.apps[name];
}
