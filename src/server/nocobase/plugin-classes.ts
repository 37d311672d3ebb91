import { createRequire } from 'node:module';
import path from 'node:path';
import { AppSupervisorError } from '../errors';

interface PluginClass {
  prototype: object;
}

/**
 * A class inside another plugin: the one that the plugin itself uses, since modules are loaded once.
 *
 * @param nodeModulesPath `NODE_MODULES_PATH`
 * @param plugin such as `backups`
 * @param file below the plugin's `dist/server`, without extension
 * @throws AppSupervisorError GUARD_MISSING if this release of the plugin has none of that name
 */
export function classOfPlugin(nodeModulesPath: string, plugin: string, file: string, name: string): PluginClass {
  const from = createRequire(path.resolve(nodeModulesPath, 'index.js'));
  const what = `${plugin}/${file}:${name}`;
  let found: unknown;
  try {
    found = from(`@nocobase/plugin-${plugin}/dist/server/${file}.js`)[name];
  } catch {
    throw new AppSupervisorError('GUARD_MISSING', { what });
  }
  if (typeof found !== 'function') throw new AppSupervisorError('GUARD_MISSING', { what });
  return found as unknown as PluginClass;
}
