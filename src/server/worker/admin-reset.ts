import type { Application } from '@nocobase/server';
import { z } from 'zod';
import { resetRequest } from '../../shared/messages';
import type { Clock } from '../clock';
import { AppSupervisorError } from '../errors';
import type { CoreAppRegistry } from '../nocobase/core-app-registry';
import type { RequestHandlers } from '../protocol/bus';
import { isSealed, unseal } from '../protocol/secrets';
import { setAdminPassword } from './hosting/administrator';

/** How long an app that starts for this may take, in ms. */
const STARTS_WITHIN = 60_000;
const LOOK_AGAIN = 250;

export interface AdminResetOptions {
  coreApps: CoreAppRegistry;
  clock: Clock;
  aesKey: Buffer | null;
  /** Whether requests come from this process alone; those of others are believed only with a sealed password. */
  isAlone: boolean;
  environment: string;
  isRunning(name: string): boolean;
  /** A visit to this incarnation of an app, which starts it if it starts when visited; false if it is not here. */
  visit(name: string, uid: string): boolean;
}

/** What was sealed: a value that was sealed for another app, or for something else, does not parse or does not match. */
const sealed = z.strictObject({ name: z.string(), uid: z.string(), hash: z.string().regex(/^[0-9a-f]{64}$/) });

/**
 * The request `resetAdmin`: gives the administrator of an app, or of the main app, a new password, which ends the
 * sessions that the account has here.
 *
 * @throws AppSupervisorError KEY_MISSING, UNKNOWN_APP, APP_NOT_RUNNING, ADMIN_MISSING
 */
export const adminReset =
  (options: AdminResetOptions): RequestHandlers[string] =>
  async (payload) => {
    const { name, uid, password } = resetRequest.parse(payload);
    const { aesKey, isAlone } = options;
    if (!isAlone && !isSealed(password)) throw new AppSupervisorError('KEY_MISSING', { app: name, key: '-' });
    const content = sealed.parse(JSON.parse(unseal(password, aesKey, name)));
    if (content.name !== name || content.uid !== uid) throw new AppSupervisorError('UNKNOWN_APP', { app: name });
    return setAdminPassword(await runningApp(name, uid, options), name, content.hash);
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
