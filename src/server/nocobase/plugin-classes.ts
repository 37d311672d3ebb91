import { createRequire } from 'node:module';
import path from 'node:path';
import { AppSupervisorError } from '../errors';

interface PluginClass {
  prototype: object;
}

/**
 * What a module of NocoBase exports: the very one that NocoBase itself uses, since modules are loaded once.
 *
 * @param nodeModulesPath `NODE_MODULES_PATH`
 * @throws AppSupervisorError GUARD_MISSING if this release has none of that name
 */
export function moduleOf(nodeModulesPath: string, module: string, name: string): unknown {
  const from = createRequire(path.resolve(nodeModulesPath, 'index.js'));
  let found: unknown;
  try {
    found = from(module)[name];
  } catch {
    found = undefined;
  }
  if (found === undefined) throw new AppSupervisorError('GUARD_MISSING', { what: `${module}:${name}` });
  return found;
}

/**
 * A class inside another plugin.
 *
 * @param plugin such as `backups`
 * @param file below the plugin's `dist/server`, without extension
 * @throws AppSupervisorError GUARD_MISSING if this release of the plugin has none of that name
 */
export function classOfPlugin(nodeModulesPath: string, plugin: string, file: string, name: string): PluginClass {
  const module = `@nocobase/plugin-${plugin}/dist/server/${file}.js`;
  const found = moduleOf(nodeModulesPath, module, name);
  if (typeof found !== 'function') throw new AppSupervisorError('GUARD_MISSING', { what: `${module}:${name}` });
  return found as unknown as PluginClass;
}
