import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { retried } from './retried.mjs';
import { ROOT } from './root.mjs';

/**
 * Programs that npm cannot install. Found on the PATH; else installed from the distribution's packages where that needs
 * no question (root on Debian or Ubuntu); else the error names the one command that installs them.
 *
 * @typedef {{ names: string[], files?: string[], apt: string, dnf: string, apk: string, brew: string }} Program
 * @type {Record<'redis' | 'valkey' | 'postgresql' | 'mariadb' | 'pgbouncer' | 'nginx' | 'haproxy' | 'caddy' | 'wrk' | 'compiler' | 'make' | 'python' | 'chromium' | 'kubectl' | 'docker' | 'dockerCli' | 'compose' | 'buildx' | 'iptables' | 'debootstrap' | 'chineseFont', Program>}
 */
const PROGRAMS = {
  redis: { names: ['redis-server', 'valkey-server'], apt: 'redis-server', dnf: 'valkey', apk: 'redis', brew: 'redis' },
  postgresql: {
    names: ['pg_dump'],
    apt: 'postgresql',
    dnf: 'postgresql-server',
    apk: 'postgresql',
    brew: 'postgresql',
  },
  mariadb: { names: ['mariadbd'], apt: 'mariadb-server', dnf: 'mariadb-server', apk: 'mariadb', brew: 'mariadb' },
  pgbouncer: { names: ['pgbouncer'], apt: 'pgbouncer', dnf: 'pgbouncer', apk: 'pgbouncer', brew: 'pgbouncer' },
  valkey: { names: ['valkey-server'], apt: 'valkey-server', dnf: 'valkey', apk: 'valkey', brew: 'valkey' },
  nginx: { names: ['nginx'], apt: 'nginx-light', dnf: 'nginx', apk: 'nginx', brew: 'nginx' },
  haproxy: { names: ['haproxy'], apt: 'haproxy', dnf: 'haproxy', apk: 'haproxy', brew: 'haproxy' },
  caddy: { names: ['caddy'], apt: 'caddy', dnf: 'caddy', apk: 'caddy', brew: 'caddy' },
  wrk: { names: ['wrk'], apt: 'wrk', dnf: 'wrk', apk: 'wrk', brew: 'wrk' },
  compiler: { names: ['g++', 'clang++'], apt: 'g++', dnf: 'gcc-c++', apk: 'g++', brew: 'llvm' },
  make: { names: ['make'], apt: 'make', dnf: 'make', apk: 'make', brew: 'make' },
  python: { names: ['python3'], apt: 'python3', dnf: 'python3', apk: 'python3', brew: 'python3' },
  chromium: {
    names: ['chromium', 'google-chrome', 'google-chrome-stable'],
    files: [
      '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
      '/Applications/Chromium.app/Contents/MacOS/Chromium',
    ],
    apt: 'chromium',
    dnf: 'chromium',
    apk: 'chromium',
    brew: 'google-chrome',
  },
  kubectl: { names: ['kubectl'], apt: 'kubectl', dnf: 'kubernetes-client', apk: 'kubectl', brew: 'kubernetes-cli' },
  docker: { names: ['dockerd'], apt: 'docker.io', dnf: 'moby-engine', apk: 'docker', brew: 'docker' },
  dockerCli: { names: ['docker'], apt: 'docker-cli', dnf: 'docker-cli', apk: 'docker-cli', brew: 'docker' },
  compose: {
    names: ['docker-compose'],
    files: plugin('compose'),
    apt: 'docker-compose',
    dnf: 'docker-compose',
    apk: 'docker-cli-compose',
    brew: 'docker-compose',
  },
  buildx: {
    names: [],
    files: plugin('buildx'),
    apt: 'docker-buildx',
    dnf: 'docker-buildx',
    apk: 'docker-cli-buildx',
    brew: 'docker-buildx',
  },
  iptables: { names: ['iptables'], apt: 'iptables', dnf: 'iptables', apk: 'iptables', brew: 'iptables' },
  debootstrap: {
    names: ['debootstrap'],
    apt: 'debootstrap',
    dnf: 'debootstrap',
    apk: 'debootstrap',
    brew: 'debootstrap',
  },
  // Without one a browser draws boxes.
  chineseFont: {
    names: [],
    files: [
      '/usr/share/fonts/truetype/wqy/wqy-microhei.ttc',
      '/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc',
      '/usr/share/fonts/noto/NotoSansCJK-Regular.ttc',
      '/usr/share/fonts/google-noto-sans-cjk-fonts/NotoSansCJK-Regular.ttc',
      '/System/Library/Fonts/PingFang.ttc',
      '/System/Library/Fonts/STHeiti Medium.ttc',
    ],
    apt: 'fonts-wqy-microhei',
    dnf: 'google-noto-sans-cjk-fonts',
    apk: 'font-noto-cjk',
    brew: 'font-noto-sans-cjk',
  },
};

/** @param {string} name of a plugin of Docker's command line @returns {string[]} */
function plugin(name) {
  const folders = ['/usr/libexec', '/usr/lib', '/usr/local/lib', '/usr/local/libexec'];
  return folders.map((folder) => `${folder}/docker/cli-plugins/docker-${name}`);
}

/** @typedef {keyof typeof PROGRAMS} ProgramName */

/**
 * @param {ProgramName[]} wanted
 * @param {(line: string) => void} print
 */
export function ensurePrograms(wanted, print) {
  const missing = () => wanted.filter((program) => !findProgram(program));
  if (!missing().length) return;
  if (process.getuid?.() === 0 && findOnPath(['apt-get'])) installByApt(missing(), print);
  if (missing().length) {
    const names = missing().map((program) => (program === 'haproxy' ? 'haproxy 3.0 or later' : program));
    const without = missing().includes('haproxy') ? '\nOr start without a door: npm start -- --no-door\n' : '';
    throw new Error(
      `Not installed: ${names.join(', ')}. This command installs it:\n\n  ${commandFor(missing())}\n${without}`,
    );
  }
}

/**
 * @param {ProgramName} program
 * @returns {string | null} its path
 */
export function findProgram(program) {
  const { names, files = [] } = PROGRAMS[program];
  if (program === 'chromium' && process.env.CHROMIUM_PATH) return process.env.CHROMIUM_PATH;
  const downloaded = program === 'chromium' ? downloadedChromiums() : [];
  const found = findOnPath(names) ?? [...files, ...downloaded].find((file) => existsSync(file)) ?? null;
  return found && program === 'haproxy' && isOldHAProxy(found) ? null : found;
}

/** The rules of the door need 3.0. @param {string} file */
function isOldHAProxy(file) {
  const { stdout = '' } = spawnSync(file, ['-v'], { encoding: 'utf8' });
  return Number(/version (\d+)/i.exec(stdout)?.[1] ?? 0) < 3;
}

/**
 * @param {ProgramName[]} programs
 * @param {(line: string) => void} print
 */
function installByApt(programs, print) {
  // Ubuntu's package of that name only refers to snap, so its Chromium comes from Playwright.
  const byPlaywright = programs.includes('chromium') && distribution() === 'ubuntu';
  const packages = programs
    .filter((program) => program !== 'chromium' || !byPlaywright)
    .flatMap((program) => PROGRAMS[program].apt.split(' '));
  if (packages.length) {
    print(`Installing ${packages.join(', ')} (apt-get) …`);
    retried(print, () => {
      run('apt-get', [...APT_OPTIONS, 'update']);
      run('apt-get', [...APT_OPTIONS, 'install', '-y', '--no-install-recommends', ...packages]);
    });
  }
  if (byPlaywright) {
    print('Installing Chromium (Playwright) …');
    retried(print, () => run(process.execPath, [PLAYWRIGHT, 'install', '--with-deps', 'chromium']));
  }
}

/** Waits for another apt, and asks no questions about configuration files. */
const APT_SETTINGS = [
  'Acquire::Retries=5',
  'DPkg::Lock::Timeout=300',
  'Dpkg::Options::=--force-confdef',
  'Dpkg::Options::=--force-confold',
];
const APT_OPTIONS = ['-qq', ...APT_SETTINGS.flatMap((setting) => ['-o', setting])];

/**
 * @param {ProgramName[]} programs
 * @returns {string}
 */
function commandFor(programs) {
  /** @param {'apt' | 'dnf' | 'apk' | 'brew'} manager */
  const packages = (manager) => programs.map((program) => PROGRAMS[program][manager]).join(' ');
  // Their own packages are older.
  if (programs.length === 1 && programs[0] === 'haproxy') {
    if (isOldUbuntu()) return 'sudo add-apt-repository -y ppa:vbernat/haproxy-3.0 && sudo apt-get install -y haproxy';
    if (isBookworm()) return HAPROXY_ON_BOOKWORM;
  }
  if (process.platform === 'darwin') return `brew install ${packages('brew')}`;
  if (findOnPath(['dnf'])) return `sudo dnf install -y ${packages('dnf')}`;
  if (findOnPath(['apk'])) return `sudo apk add ${packages('apk')}`;
  const others = /** @type {ProgramName[]} */ (programs.filter((program) => program !== 'chromium'));
  if (distribution() !== 'ubuntu' || others.length === programs.length) {
    return `sudo apt-get install -y ${packages('apt')}`;
  }
  const chromium = 'npx playwright-core install --with-deps chromium';
  return others.length ? `${commandFor(others)} && ${chromium}` : chromium;
}

/** Neither Debian 12 nor its backports have it: from the packages of Debian's own maintainers of HAProxy. */
const HAPROXY_ON_BOOKWORM = [
  'sudo curl -fsSo /usr/share/keyrings/haproxy.gpg https://haproxy.debian.net/haproxy-archive-keyring.gpg',
  'echo "deb [signed-by=/usr/share/keyrings/haproxy.gpg] http://haproxy.debian.net bookworm-backports-3.0 main" | sudo tee /etc/apt/sources.list.d/haproxy.list',
  'sudo apt-get update',
  'sudo apt-get install -y haproxy',
].join(' && ');

const PLAYWRIGHT = path.join(ROOT, 'node_modules/playwright-core/cli.js');

/** @returns {string[]} where Playwright puts the browsers that it downloads */
function downloadedChromiums() {
  const { stdout = '' } = spawnSync(process.execPath, [PLAYWRIGHT, 'install', '--dry-run', 'chromium'], {
    encoding: 'utf8',
  });
  const folders = [...stdout.matchAll(/Install location:\s+(.+)/g)].map(([, folder]) => folder.trim());
  return folders.flatMap((folder) => [
    path.join(folder, 'chrome-linux/chrome'),
    path.join(folder, 'chrome-linux64/chrome'),
  ]);
}

/**
 * @param {string[]} names
 * @returns {string | null}
 */
export function findOnPath(names) {
  // Servers are in sbin, which is not on everybody's PATH.
  const folders = [...(process.env.PATH ?? '').split(path.delimiter).filter(Boolean), '/usr/sbin', '/usr/local/sbin'];
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
 * @param {string} program
 * @param {string[]} args
 */
function run(program, args) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', NEEDRESTART_SUSPEND: '1' };
  const { status, stderr, error } = spawnSync(program, args, {
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'ignore', 'pipe'],
    maxBuffer: Number.POSITIVE_INFINITY,
  });
  if (error || status !== 0) throw new Error(`${program} ${args.join(' ')} failed:\n${error?.message ?? stderr}`);
}

/** Before 25.04 */
function isOldUbuntu() {
  return distribution() === 'ubuntu' && Number(/^VERSION_ID="?([\d.]+)/m.exec(osRelease())?.[1] ?? 0) < 25.04;
}

/** Debian 12 */
function isBookworm() {
  return distribution() === 'debian' && osRelease().includes('VERSION_CODENAME=bookworm');
}

/** @returns {string} such as `debian` or `ubuntu` */
function distribution() {
  return /^ID="?([a-z]+)/m.exec(osRelease())?.[1] ?? '';
}

function osRelease() {
  try {
    return readFileSync('/etc/os-release', 'utf8');
  } catch {
    return '';
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  ensurePrograms(/** @type {ProgramName[]} */ (process.argv.slice(2)), console.log);
}
