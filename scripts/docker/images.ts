import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { ensurePrograms } from '../lib/programs.mjs';
import { ROOT } from '../lib/root.mjs';
import { packagesOf } from './closure';
import type { DockerEngine } from './engine';

const run = promisify(execFile);

/**
 * Stand-ins for official images, made out of Debian and npm packages (images/Dockerfile), because tests have no registry of
 * images. Each is made again only when something that it is made of has changed.
 */

const SOURCES = path.join(import.meta.dirname, 'images');
const LABEL = 'app-supervisor.made-from';
const DEBIAN = 'trixie';
/** Of Debian: what every image has beside the smallest system. */
const SERVERS = ['ca-certificates', 'haproxy', 'nginx-light', 'redis-server', 'postgresql'];
const NODE = `node-linux-${process.arch}@22`;
/** As the image has it: NocoBase and what it needs, and nothing that only this repository needs. */
const PACKAGES = ['@nocobase/app', 'yarn'];
const TARGETS = ['redis', 'postgres', 'haproxy', 'node', 'nocobase'] as const;
type Target = (typeof TARGETS)[number];

/** The names under which the images are needed. */
export type ImageNames = Record<Target, string>;

export async function makeImages(engine: DockerEngine, names: ImageNames): Promise<void> {
  const missing: Target[] = [];
  for (const target of TARGETS) {
    if ((await labelOf(engine, names[target])) !== versionOf(target)) missing.push(target);
  }
  if (!missing.length) return;
  console.log(`Making the images ${missing.map((target) => names[target]).join(', ')} …`);
  const base = await makeDebian(engine);
  const stage = fs.mkdtempSync(path.join(engine.folder, 'stage-'));
  try {
    await fillStage(stage, missing);
    for (const target of missing) {
      const made = ['--label', `${LABEL}=${versionOf(target)}`, '--build-arg', `BASE=${base}`];
      await engine.docker(['build', '--quiet', '--target', target, '--tag', names[target], ...made, stage]);
    }
  } finally {
    fs.rmSync(stage, { recursive: true, force: true });
  }
}

/** Changes with all that an image is made of. */
function versionOf(target: Target): string {
  const hash = createHash('sha256')
    .update([DEBIAN, ...SERVERS].join())
    .update(fs.readFileSync(path.join(SOURCES, 'Dockerfile')));
  if (target === 'node' || target === 'nocobase') hash.update(NODE);
  if (target !== 'node' && target !== 'haproxy')
    hash.update(fs.readFileSync(path.join(SOURCES, `${target}-entrypoint.sh`)));
  if (target === 'nocobase') hash.update(JSON.stringify(packagesOf(...PACKAGES)));
  return hash.digest('hex').slice(0, 16);
}

const labelOf = (engine: DockerEngine, image: string): Promise<string | null> =>
  engine.docker(['image', 'inspect', '--format', `{{index .Config.Labels "${LABEL}"}}`, image]).catch(() => null);

/** What all of them have: one system, with every server. */
async function makeDebian(engine: DockerEngine): Promise<string> {
  const image = `app-supervisor-debian:${[DEBIAN, ...SERVERS].join('.')}`;
  if ((await labelOf(engine, image)) !== null) return image;
  ensurePrograms(['debootstrap'], console.log);
  const folder = fs.mkdtempSync(path.join(engine.folder, 'debian-'));
  try {
    await shell(`debootstrap --variant=minbase --include=${SERVERS.join()} ${DEBIAN} "$1"`, folder);
    const left = ['var/cache/apt', 'var/lib/apt/lists', 'usr/share/doc', 'usr/share/man', 'usr/share/locale'];
    const excluded = left.map((each) => `--exclude=./${each}/*`).join(' ');
    const archive = path.join(folder, '../debian.tar');
    await shell(`tar -C "$1" ${excluded} -cf "$2" .`, folder, archive);
    await engine.docker(['import', archive, image]);
    fs.rmSync(archive);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
  return image;
}

/** @param stage becomes the folder of which the Dockerfile takes what these need */
async function fillStage(stage: string, targets: Target[]): Promise<void> {
  for (const name of fs.readdirSync(SOURCES)) fs.copyFileSync(path.join(SOURCES, name), path.join(stage, name));
  if (targets.includes('node') || targets.includes('nocobase')) await addNode(stage);
  if (!targets.includes('nocobase')) return;
  fs.writeFileSync(path.join(stage, 'packages'), ['node_modules/.bin', ...packagesOf(...PACKAGES)].join('\n'));
  await shell('mkdir nocobase; tar -C "$2" -c --files-from=packages | tar -x -C nocobase', stage, ROOT);
  const scripts = { nocobase: 'nocobase-v1', start: 'nocobase-v1 start', postinstall: 'nocobase-v1 postinstall' };
  fs.writeFileSync(path.join(stage, 'nocobase/package.json'), JSON.stringify({ private: true, scripts }));
}

/** With this machine's npm, and its certificates, which the registry may need. */
async function addNode(stage: string): Promise<void> {
  await shell(
    `mkdir -p node/bin node/lib/node_modules
     npm pack --silent ${NODE} && tar -xzf node-linux-*.tgz package/bin/node && mv package/bin/node node/bin/
     cp -r "$(npm root --global)/npm" node/lib/node_modules/
     cp -r "$2/node_modules/yarn" node/lib/node_modules/
     cp /etc/ssl/certs/ca-certificates.crt node/
     for name in npm npx; do ln -s "../lib/node_modules/npm/bin/$name-cli.js" "node/bin/$name"; done
     ln -s ../lib/node_modules/yarn/bin/yarn.js node/bin/yarn`,
    stage,
    ROOT,
  );
}

/** @param folder in which it runs, `$1` */
const shell = (commands: string, folder: string, ...args: string[]) =>
  run('bash', ['-euo', 'pipefail', '-c', commands, '-', folder, ...args], { cwd: folder, maxBuffer: 2 ** 26 });
