import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensurePrograms } from './programs.mjs';
import { retried } from './retried.mjs';
import { ROOT } from './root.mjs';

const FOLDER = path.join(ROOT, '.fleet/drivers');
/** Also for `NODE_PATH`: a process that preserves symlinks finds the driver's dependencies only here. */
export const SQLITE_MODULES = path.join(FOLDER, 'node_modules');
const INSTALLED = path.join(SQLITE_MODULES, 'sqlite3');
const LINK = path.join(ROOT, 'node_modules/sqlite3');
const VERSION = '6.0.1';

/**
 * The one driver that NocoBase does not bring and that may have to be compiled: only the tests of SQLite need it, and
 * `npm start` should neither wait for a compiler nor fail for want of one. So it is no dependency of this package.
 *
 * @param {(line: string) => void} print
 */
export function ensureSqliteDriver(print) {
  if (!existsSync(path.join(INSTALLED, 'build/Release/node_sqlite3.node'))) {
    print('Installing the SQLite driver for its tests …');
    // Not in its final place, because node-gyp cannot compile below a folder with a space in its name.
    const folder = mkdtempSync(path.join(tmpdir(), 'sqlite-driver-'));
    try {
      installIn(folder, print);
      rmSync(FOLDER, { recursive: true, force: true });
      cpSync(folder, `${FOLDER}.new`, { recursive: true, verbatimSymlinks: true });
      renameSync(`${FOLDER}.new`, FOLDER);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  if (existsSync(LINK)) return;
  rmSync(LINK, { force: true });
  symlinkSync(INSTALLED, LINK, 'dir');
}

/**
 * @param {string} folder
 * @param {(line: string) => void} print
 */
function installIn(folder, print) {
  writeFileSync(path.join(folder, 'package.json'), JSON.stringify({ private: true, allowScripts: { sqlite3: true } }));
  const args = ['install', '--no-audit', '--no-fund', `sqlite3@${VERSION}`];
  // The compiler needs a third of the time for code that is fast enough for tests, and a third of that without its warnings.
  // They are turned off one by one: -w alone hides what it has looked for.
  const quick = '-O0 -w -Wno-all -Wno-extra';
  const env = { CFLAGS: quick, CXXFLAGS: quick, ...process.env };
  const install = () =>
    spawnSync('npm', args, { cwd: folder, env, stdio: ['ignore', 'ignore', 'inherit'] }).status === 0;
  if (install()) return;
  // There was no prebuilt one to download.
  ensurePrograms(['compiler', 'make', 'python'], print);
  retried(print, () => {
    if (!install()) throw new Error('The SQLite driver could not be compiled; see the lines above.');
  });
}

// As a separate process, next to other work.
if (process.argv[1] === fileURLToPath(import.meta.url)) ensureSqliteDriver(console.log);
