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
 * @param user the package that loads it, if another one may be there for others
 * @throws AppSupervisorError GUARD_MISSING if this release has none of that name
 */
export function moduleOf(nodeModulesPath: string, module: string, name: string, user?: string): unknown {
  const from = createRequire(path.resolve(nodeModulesPath, 'index.js'));
  let found: unknown;
  try {
    found = (user ? createRequire(from.resolve(user)) : from)(module)[name];
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

/**
 * The file of a package that another plugin brings with it.
 *
 * @param file of the plugin that loads it, as in `classOfPlugin`
 * @throws AppSupervisorError GUARD_MISSING if this release of the plugin has none of that name
 */
export function libraryOfPlugin(nodeModulesPath: string, plugin: string, file: string, library: string): string {
  const module = `@nocobase/plugin-${plugin}/dist/server/${file}.js`;
  try {
    const from = createRequire(path.resolve(nodeModulesPath, 'index.js')).resolve(module);
    return createRequire(from).resolve(library);
  } catch {
    throw new AppSupervisorError('GUARD_MISSING', { what: `${module}:${library}` });
  }
}
