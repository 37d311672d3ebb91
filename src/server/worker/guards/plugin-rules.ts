import { PLUGIN } from '../../../shared/names';

/**
 * Plugins of NocoBase itself that reach other apps or the host: servers of foreign tables connect to any database, the
 * others manage apps, or read and delete files by any path. An operator who trusts the administrators of apps allows them
 * by name (`APP_SUPERVISOR_APP_PLUGINS`).
 */
const RISKY = ['collection-fdw', 'multi-app-manager', 'multi-app-share-collection', 'backup-restore'];

const PREFIX = /^@nocobase\/(?:plugin-|preset-)/;
const nameOf = (plugin: string): string => plugin.replace(PREFIX, '');

/** The plugins that a request or a command names: several, in one text or a list. */
export const pluginsOf = (named: unknown): string[] =>
  [named]
    .flat()
    .flatMap((one) => String(one ?? '').split(','))
    .map((one) => one.trim())
    .filter(Boolean);

/** The first of these plugins that an app may not enable. `*` means every plugin that is there. */
export function notToEnable(plugins: string[], allowed: readonly string[]): string | null {
  const refused = RISKY.filter((name) => !allowed.some((one) => nameOf(one) === name));
  return plugins.find((plugin) => plugin === '*' || refused.includes(nameOf(plugin))) ?? null;
}

/** This plugin, if an app disables it: operators see the app by it, and its visitors the others. */
export const notToDisable = (plugins: string[]): string | null =>
  plugins.find((plugin) => nameOf(plugin) === nameOf(PLUGIN)) ?? null;

/** Whether a text is the name of a package; not a path, which NocoBase would run commands from. */
export const isPackageName = (name: unknown): boolean =>
  typeof name === 'string' && /^(?:@[a-z0-9][a-z0-9._-]*\/)?[a-z0-9][a-z0-9._-]*$/i.test(name) && !name.includes('..');
