import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { sourceHash } from '../build/source-hash.mjs';
import { ROOT } from '../lib/root.mjs';
import { FLEETS } from './config';

const run = promisify(execFile);

export const PACKAGE_NAME = '@nocobase/plugin-app-supervisor';

/**
 * Shared by all instances. They also share `node_modules`, where each would otherwise change the plugin's link to its
 * own storage while the others load from there.
 */
export const PLUGIN_STORAGE = path.join(FLEETS, 'plugins');

/** The plugin that all instances load. */
export const INSTALLED_PLUGIN = path.join(PLUGIN_STORAGE, PACKAGE_NAME);
const INSTALLED_HASH = path.join(FLEETS, 'plugin-hash');
const LINK = path.join(ROOT, 'node_modules', PACKAGE_NAME);

export interface InstalledPlugin {
  /** What identifies it. */
  hash: string;
  /** Whether it had to be built. */
  built: boolean;
}

/** Builds and installs the plugin if its sources changed. */
export async function installPlugin(): Promise<InstalledPlugin> {
  const built = await ensureBuilt();
  return { built, hash: await ensurePluginInstalled() };
}

/**
 * Builds the plugin if its sources changed.
 * @returns whether it did
 */
export async function ensureBuilt(): Promise<boolean> {
  if (readHash(path.join(ROOT, 'dist/.source-hash')) === sourceHash()) return false;
  try {
    await run(process.execPath, ['node_modules/tsx/dist/cli.mjs', 'scripts/build.ts'], { cwd: ROOT });
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    throw new Error(`${stdout}${stderr}`.trim());
  }
  return true;
}

/**
 * Copies the files of the packed plugin to where an unpacked archive would be, and links them into `node_modules`: the
 * core creates that link only after it has looked for the plugin, so a first start without it fails.
 *
 * @returns an id of the installed plugin
 */
export async function ensurePluginInstalled(): Promise<string> {
  const hash = sourceHash();
  if (readHash(INSTALLED_HASH) !== hash || !fs.existsSync(INSTALLED_PLUGIN)) {
    const folder = `${INSTALLED_PLUGIN}.new`;
    fs.rmSync(folder, { recursive: true, force: true });
    for (const file of await packedFiles()) fs.cpSync(path.join(ROOT, file), path.join(folder, file));
    fs.rmSync(INSTALLED_PLUGIN, { recursive: true, force: true });
    fs.renameSync(folder, INSTALLED_PLUGIN);
    fs.writeFileSync(INSTALLED_HASH, hash);
  }
  if (!fs.existsSync(LINK) || fs.realpathSync(LINK) !== fs.realpathSync(INSTALLED_PLUGIN)) {
    fs.rmSync(LINK, { recursive: true, force: true });
    fs.symlinkSync(INSTALLED_PLUGIN, LINK, 'dir');
  }
  return hash;
}

/** The files of `npm pack`. */
export async function packedFiles(): Promise<string[]> {
  const { stdout } = await run('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: ROOT });
  return JSON.parse(stdout)[0].files.map(({ path }: { path: string }) => path);
}

/** The next start installs it again. */
export function forgetInstalledPlugin(): void {
  fs.rmSync(INSTALLED_HASH, { force: true });
}

function readHash(file: string): string | null {
  return fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : null;
}
