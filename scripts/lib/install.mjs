import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readlinkSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { retried } from './retried.mjs';
import { ROOT } from './root.mjs';

/** The bundler and the test runner need this version; the built plugin runs on any Node.js 20. */
const LEAST_NODE = [20, 19];

/** Links that other scripts create in `node_modules`, and that npm removes because it has not installed them. */
const LINKS = ['sqlite3', '@nocobase/plugin-app-supervisor'];

/** @throws unless this Node.js can run the project's tools. */
export function ensureNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > LEAST_NODE[0] || (major === LEAST_NODE[0] && minor >= LEAST_NODE[1])) return;
  throw new Error(`Node.js ${LEAST_NODE.join('.')} or newer is needed; this is ${process.versions.node}.`);
}

/**
 * Installs the npm packages if they are missing or older than package-lock.json.
 *
 * @param {(line: string) => void} print
 */
export function ensureInstalled(print) {
  const missing = !existsSync(path.join(ROOT, 'node_modules/.package-lock.json'));
  if (!missing && !outdated().length) return;
  // On an existing tree, `npm install` changes what differs; `npm ci` would first delete it.
  const command = missing ? 'ci' : 'install';
  print(`Installing npm packages (npm ${command}); the first time takes a few minutes …`);
  const npm = process.env.npm_execpath?.endsWith('.js') ? [process.execPath, process.env.npm_execpath] : ['npm'];
  const [program, ...args] = [...npm, command, '--no-audit', '--no-fund'];
  const links = LINKS.flatMap((name) => linkOf(path.join(ROOT, 'node_modules', name)));
  retried(print, () => {
    const { status, error } = spawnSync(program, args, { cwd: ROOT, stdio: 'inherit' });
    if (error || status !== 0) throw new Error(`npm ${command} failed${error ? `: ${error.message}` : ''}.`);
  });
  for (const { file, target } of links) if (!existsSync(file)) symlinkSync(target, file, 'dir');
}

/** @param {string} file @returns {Array<{ file: string, target: string }>} none if it is no link, or leads nowhere */
function linkOf(file) {
  try {
    return existsSync(file) ? [{ file, target: readlinkSync(file) }] : [];
  } catch {
    return [];
  }
}

/**
 * @returns {string[]} packages of package-lock.json that node_modules lacks or holds in another version. Those that this
 *   platform need not have are not asked for.
 */
export function outdated() {
  const wanted = packagesOf('package-lock.json');
  const present = packagesOf('node_modules/.package-lock.json');
  return Object.keys(wanted).filter(
    (name) => name && !wanted[name].optional && wanted[name].version !== present[name]?.version,
  );
}

/**
 * @param {string} file
 * @returns {Record<string, { version?: string, optional?: boolean }>}
 */
function packagesOf(file) {
  return JSON.parse(readFileSync(path.join(ROOT, file), 'utf8')).packages;
}

// Before `npm run check`: after a pull, the packages may be older than package-lock.json.
if (process.argv[1] === fileURLToPath(import.meta.url)) ensureInstalled(console.log);
