import { PLUGIN } from '../../../shared/names';
import { AppSupervisorError } from '../../errors';

/**
 * Plugins of NocoBase itself that reach other apps or the host: servers of foreign tables connect to any database, the
 * others manage apps, or read and delete files by any path. An operator who trusts the administrators of apps allows them
 * by name (`APP_SUPERVISOR_APP_PLUGINS`).
 */
const RISKY = ['collection-fdw', 'multi-app-manager', 'multi-app-share-collection', 'backup-restore'];

const PREFIX = /^@nocobase\/(?:plugin-|preset-)/;
const nameOf = (plugin: string): string => plugin.replace(PREFIX, '');

/** The plugins that a request or a command names: several, in one text or a list. */
const pluginsOf = (named: unknown): string[] =>
  [named]
    .flat()
    .flatMap((one) => String(one ?? '').split(','))
    .map((one) => one.trim())
    .filter(Boolean);

/**
 * Why an app may not enable these plugins; null if it may. `*` means every plugin that is there.
 * @param named by a request or a command
 */
export function refusalToEnable(named: unknown, allowed: readonly string[]): AppSupervisorError | null {
  const refused = RISKY.filter((name) => !allowed.some((one) => nameOf(one) === name));
  const plugin = pluginsOf(named).find((one) => one === '*' || refused.includes(nameOf(one)));
  return plugin === undefined ? null : new AppSupervisorError('PLUGIN_REFUSED', { plugin });
}

/** Why an app may not disable these plugins: operators see the app by this plugin, and its visitors the others. */
export function refusalToDisable(named: unknown): AppSupervisorError | null {
  const plugin = pluginsOf(named).find((one) => nameOf(one) === nameOf(PLUGIN));
  return plugin === undefined ? null : new AppSupervisorError('PLUGIN_KEPT', { plugin });
}

/** Whether a text is the name of a package; not a path, which NocoBase would run commands from. */
export const isPackageName = (name: unknown): boolean =>
  typeof name === 'string' && /^(?:@[a-z0-9][a-z0-9._-]*\/)?[a-z0-9][a-z0-9._-]*$/i.test(name) && !name.includes('..');
