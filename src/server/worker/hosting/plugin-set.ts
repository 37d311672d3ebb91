import type { Model } from '@nocobase/database';
import type { Application } from '@nocobase/server';
import type { AppPlugin } from '../../../shared/messages';
import type { FindInstalled } from '../../nocobase/installed-plugins';
import type { PluginVersion } from './start-kind';

/** The enabled plugins of an app. */
export interface PluginSet {
  /** All of them, with versions, in one comparable text. */
  text: string;
  /** Those that not every app has. */
  own: AppPlugin[];
}

/** The plugins of a running app, as its database says now. @throws errors of the database */
export async function pluginsIn(app: Application): Promise<PluginVersion[]> {
  const rows = await app.db.getRepository('applicationPlugins').find();
  return rows.map((row: Model) => ({
    name: row.get('name') as string,
    version: row.get('version') as string,
    enabled: Boolean(row.get('enabled')),
    builtIn: Boolean(row.get('builtIn')),
  }));
}

/** Those of them that are enabled, and whether each that not every app has is installed here. */
export async function pluginSetOf(plugins: PluginVersion[], findInstalled: FindInstalled): Promise<PluginSet> {
  const enabled = plugins.filter((plugin) => plugin.enabled);
  const own = enabled.filter((plugin) => !plugin.builtIn);
  const found = own.length ? await findInstalled(own.map((plugin) => plugin.name)) : [];
  const here = new Set(found.map((plugin) => plugin.name));
  return {
    text: enabled
      .map(({ name, version }) => `${name}@${version}`)
      .sort()
      .join(),
    own: own.map(({ name, version }) => ({ name, version, installed: here.has(name) })),
  };
}
