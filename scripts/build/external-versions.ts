import { createRequire, isBuiltin } from 'node:module';
import path from 'node:path';
import { SUPPORTED_LINES } from '../../src/shared/nocobase-releases';
import { ROOT } from '../lib/root.mjs';

/**
 * Packages whose version would make the core show the plugin as incompatible, because the used version is outside of
 * the core's range: axios, of which the core itself installs a newer one, and sqlite3, which NocoBase may not have.
 */
const LEFT_OUT = new Set(['axios', 'sqlite3']);

/** Every package of NocoBase has the version of the core; those for the browser are not on the registry. */
const HOST = '@nocobase/server';

const require = createRequire(path.join(ROOT, 'package.json'));

/**
 * The versions of the build, by package: the plugin manager compares them with its own and marks the plugin as
 * incompatible if they differ.
 *
 * @param ids what the bundles leave to the host
 */
export function externalVersions(ids: string[]): Record<string, string> {
  const packages = [...new Set(ids.filter((id) => !isBuiltin(id)).map(packageOf))]
    .filter((name) => !LEFT_OUT.has(name))
    .sort();
  const versions = packages.map((name) => [name, versionOf(name.startsWith('@nocobase/') ? HOST : name)] as const);
  return Object.fromEntries(versions.filter((entry): entry is [string, string] => entry[1] !== null));
}

/**
 * `dist/externalVersion.js`. The plugin manager accepts packages of NocoBase in its own release line only, and one archive
 * serves several lines: in each it names the release that it finds.
 */
export const externalVersionsScript = (
  ids: string[],
): string => `const versions = ${JSON.stringify(externalVersions(ids), null, 2)};
let version;
try {
  version = require('${HOST}/package.json').version;
} catch {}
if (${JSON.stringify(SUPPORTED_LINES)}.some((line) => version?.startsWith(line + '.'))) {
  for (const name of Object.keys(versions)) if (name.startsWith('@nocobase/')) versions[name] = version;
}
module.exports = versions;
`;

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
