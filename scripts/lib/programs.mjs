import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from './root.mjs';

/**
 * Programs that npm cannot install. Found on the PATH; else installed from the distribution's packages where that needs
 * no question (root on Debian or Ubuntu); else the error names the one command that installs them.
 */

const HINTS = {
  redis: { darwin: 'brew install redis', apt: 'redis-server', dnf: 'valkey', apk: 'redis' },
  chromium: { darwin: 'brew install --cask chromium', apt: 'chromium', dnf: 'chromium', apk: 'chromium' },
};

const CHROMIUM_NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const CHROMIUM_ELSEWHERE = [
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
];

/**
 * @param {(line: string) => void} say
 * @returns {string} path of redis-server or valkey-server
 */
export function ensureRedisServer(say) {
  const find = () => findOnPath(['redis-server', 'valkey-server']);
  return find() ?? install('redis', 'redis-server', say, find);
}

/**
 * @param {(line: string) => void} say
 * @returns {Promise<string>} path of a Chromium
 */
export async function ensureChromium(say) {
  const found = await findChromium();
  if (found) return found;
  // Ubuntu's package of that name only asks for snap, so its browser comes from Playwright.
  if (isRoot() && distribution().includes('ubuntu')) {
    say('Installing Chromium (playwright-core install --with-deps chromium) …');
    run([
      process.execPath,
      path.join(ROOT, 'node_modules/playwright-core/cli.js'),
      'install',
      '--with-deps',
      'chromium',
    ]);
    const downloaded = await findChromium();
    if (downloaded) return downloaded;
  }
  return install('chromium', 'chromium', say, () => findOnPath(CHROMIUM_NAMES));
}

/** @returns {Promise<string | null>} */
export async function findChromium() {
  if (process.env.CHROMIUM_PATH) return process.env.CHROMIUM_PATH;
  const found = findOnPath(CHROMIUM_NAMES) ?? CHROMIUM_ELSEWHERE.find((file) => existsSync(file));
  if (found) return found;
  const { chromium } = await import('playwright-core');
  return existsSync(chromium.executablePath()) ? chromium.executablePath() : null;
}

/**
 * @param {string[]} names
 * @returns {string | null}
 */
export function findOnPath(names) {
  const folders = (process.env.PATH ?? '').split(path.delimiter).filter(Boolean);
  for (const name of names) {
    for (const folder of folders) {
      const file = path.join(folder, name);
      try {
        accessSync(file, constants.X_OK);
        return file;
      } catch {
        // not in this folder
      }
    }
  }
  return null;
}

/**
 * @param {keyof typeof HINTS} what
 * @param {string} aptPackage
 * @param {(line: string) => void} say
 * @param {() => string | null} find
 * @returns {string}
 */
function install(what, aptPackage, say, find) {
  if (isRoot() && findOnPath(['apt-get']) && /debian|ubuntu/.test(distribution())) {
    say(`Installing ${aptPackage} (apt-get) …`);
    run(['apt-get', 'update', '-qq']);
    run(['apt-get', 'install', '-y', '-qq', '--no-install-recommends', aptPackage]);
    const installed = find();
    if (installed) return installed;
  }
  throw new Error(`${what === 'redis' ? 'Redis' : 'Chromium'} is missing. Install it with:\n\n  ${commandFor(what)}\n`);
}

/** @param {keyof typeof HINTS} what */
function commandFor(what) {
  const hint = HINTS[what];
  if (process.platform === 'darwin') return hint.darwin;
  if (findOnPath(['dnf'])) return `sudo dnf install -y ${hint.dnf}`;
  if (findOnPath(['apk'])) return `sudo apk add ${hint.apk}`;
  return `sudo apt-get install -y ${hint.apt}`;
}

/** @param {string[]} command */
function run([program, ...args]) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const { status, stderr, error } = spawnSync(program, args, { env, encoding: 'utf8' });
  if (error || status !== 0) throw new Error(`${program} ${args.join(' ')} failed:\n${error?.message ?? stderr}`);
}

const isRoot = () => process.getuid?.() === 0;

/** @returns {string} the distribution's id and what it is like, such as `ubuntu debian` */
function distribution() {
  try {
    const lines = readFileSync('/etc/os-release', 'utf8').split('\n');
    return lines.filter((line) => /^ID(_LIKE)?=/.test(line)).join(' ');
  } catch {
    return '';
  }
}
