import { findBuiltInPlugins, PluginManager } from '@nocobase/server';

/** A plugin as installed in this environment. */
export interface HostPlugin {
  name: string;
  version: string;
  /** Whether every app has it. */
  builtIn: boolean;
}

/** Finds which of these plugins, and of those that every app has, are installed here, with their versions. */
export type FindInstalled = (names: string[]) => Promise<HostPlugin[]>;

/**
 * Reads the packages themselves, like the core when it writes the versions of an app (plugin-manager-repository.ts:84).
 * The main app's own table is not sufficient: it lacks plugins that only apps use, and has old versions of plugins that
 * the main app has disabled.
 */
export const findInstalled: FindInstalled = async (names) => {
  const builtIn = new Set(await findBuiltInPlugins());
  const found = await Promise.all(
    [...new Set([...builtIn, ...names])].map(async (name) => {
      const version = await versionOf(name);
      return version === null ? null : { name, version, builtIn: builtIn.has(name) };
    }),
  );
  return found.filter((plugin) => plugin !== null);
};

/** Null if the package is not installed here. */
async function versionOf(name: string): Promise<string | null> {
  const json = await PluginManager.getPackageJson(name).catch(() => null);
  return json ? String(json.version) : null;
}
