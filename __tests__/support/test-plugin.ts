import fs from 'node:fs';
import path from 'node:path';
import { PACKAGE_NAME, PLUGIN_STORAGE } from '../../scripts/fleet/plugin';
import { ROOT } from '../../scripts/lib/root.mjs';

const SOURCES = path.join(ROOT, '__tests__/support');

/** Where the core looks for what a plugin brings, if it does. */
const PLACES: Record<string, string> = {
  'package.json': 'package.json',
  'server.cjs': 'dist/server/index.js',
  'command.cjs': 'dist/server/commands/index.js',
  'client.cjs': 'dist/client/index.js',
};

/**
 * Installs a plugin of the tests beside ours, before a fleet starts.
 *
 * @param name of its folder in `__tests__/support`
 * @returns the environment variables that make an instance's main app and its apps have it
 */
export function installTestPlugin(name: string): Record<string, string> {
  const packageName = `@nocobase/plugin-${name}`;
  const installed = path.join(PLUGIN_STORAGE, packageName);
  const link = path.join(ROOT, 'node_modules', packageName);
  for (const [source, place] of Object.entries(PLACES)) {
    const [from, to] = [path.join(SOURCES, name, source), path.join(installed, place)];
    if (!fs.existsSync(from)) continue;
    // Another fleet may be reading it.
    if (!fs.existsSync(to) || !fs.readFileSync(to).equals(fs.readFileSync(from))) fs.cpSync(from, to);
  }
  if (!fs.existsSync(link)) {
    fs.rmSync(link, { force: true });
    fs.symlinkSync(installed, link, 'dir');
  }
  return { APPEND_PRESET_BUILT_IN_PLUGINS: `${PACKAGE_NAME},${packageName}` };
}
