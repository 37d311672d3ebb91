import { createRequire, isBuiltin } from 'node:module';
import path from 'node:path';
import { ROOT } from '../lib/root.mjs';

/**
 * Packages whose version the core would compare with a range that the one in use does not meet, so that the plugin would
 * be shown as incompatible: axios, of which the core itself installs a newer one, and sqlite3, which is not its to have.
 */
const LEFT_OUT = new Set(['axios', 'sqlite3']);

/** Every package of NocoBase carries the version of the core; the browser's ones are not on the registry. */
const HOST = '@nocobase/server';

const require = createRequire(path.join(ROOT, 'package.json'));

/**
 * The versions built against, by package: the plugin manager compares them with its own and marks the plugin as
 * incompatible where they differ.
 *
 * @param ids what the bundles leave to the host.
 */
export function externalVersions(ids: string[]): Record<string, string> {
  const packages = [...new Set(ids.filter((id) => !isBuiltin(id)).map(packageOf))]
    .filter((name) => !LEFT_OUT.has(name))
    .sort();
  const versions = packages.map((name) => [name, versionOf(name.startsWith('@nocobase/') ? HOST : name)] as const);
  return Object.fromEntries(versions.filter((entry): entry is [string, string] => entry[1] !== null));
}

const packageOf = (id: string) =>
  id
    .split('/')
    .slice(0, id.startsWith('@') ? 2 : 1)
    .join('/');

function versionOf(name: string): string | null {
  try {
    return require(path.join(ROOT, 'node_modules', name, 'package.json')).version;
  } catch {
    return null;
  }
}
