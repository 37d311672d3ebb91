import { findBuiltInPlugins, PluginManager } from '@nocobase/server';

/** A plugin as it is installed in this environment. */
export interface HostPlugin {
  name: string;
  version: string;
  /** Whether every app has it. */
  builtIn: boolean;
}

/** Which of these plugins, and of those that every app has, are installed here, and in which versions. */
export type FindInstalled = (names: string[]) => Promise<HostPlugin[]>;

/**
 * By the packages themselves, as the core does when it writes the versions of an app (plugin-manager-repository.ts:84). The main app's own
 * table does not tell: it has none of the plugins that only apps use, and old versions of those that it has disabled.
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

/** Null when there is no such package here. */
async function versionOf(name: string): Promise<string | null> {
  const json = await PluginManager.getPackageJson(name).catch(() => null);
  return json ? String(json.version) : null;
}
