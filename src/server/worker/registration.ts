import type { Model } from '@nocobase/database';
import type { Application } from '@nocobase/server';
import { say } from '../../shared/message';
import type { AdminPassword, Registration } from '../../shared/messages';
import type { ServerRoles } from '../databases';
import { workerAdminWarning } from '../protocol/administrator';
import { fingerprint } from '../protocol/secrets';
import type { WorkerPartOptions } from './services';

export interface RegistrationOptions
  extends Pick<WorkerPartOptions, 'environment' | 'aesKey' | 'hasOwnKey' | 'appKey' | 'warnings'> {
  /** Of this process's tenure. */
  epoch: number;
  /** Apps on which work does not end. */
  stuck: string[];
  /** When the environment was last forgotten, as the Worker knows it. */
  floor: number;
  /** Null if its database server did not answer. */
  roles: ServerRoles | null;
}

/**
 * The current registration of an environment.
 * @param adminPassword the problem of the password of the main app's root user; null if there is none
 */
export async function registrationOf(
  main: Application,
  { environment, aesKey, hasOwnKey = false, epoch, appKey, warnings, stuck, floor, roles }: RegistrationOptions,
  adminPassword: AdminPassword | null,
): Promise<Registration> {
  const rows = await main.db
    .getRepository('applicationPlugins')
    .find({ filter: { enabled: true, builtIn: true }, sort: ['name'] });
  return {
    name: environment.name,
    url: environment.url,
    proxyUrl: environment.proxyUrl,
    appVersion: main.getPackageVersion(),
    plugins: rows.map((row: Model) => `${row.get('name')}@${row.get('version')}`),
    serves: environment.serves,
    fingerprints: { appKey: fingerprint(appKey), aesKey: aesKey ? fingerprint(aesKey.toString('hex')) : null },
    warnings: [
      ...warnings,
      ...(adminPassword ? [workerAdminWarning(environment.name, environment.url)] : []),
      ...(stuck.length ? [say('APPS_STUCK', { environment: environment.name, apps: stuck.join(', ') })] : []),
      ...(roles?.warnings ?? []),
    ],
    setsInitialAdmin: true,
    databaseRole: roles && { mode: roles.mode, user: roles.user, server: roles.server, sql: roles.sql },
    signs: true,
    epoch,
    floor,
    hasOwnKey,
  };
}
