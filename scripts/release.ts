/**
 * `npm run release -- X.Y.Z` tests this commit, writes the version and the changelog, and makes what is published, in
 * `release/`: the archive, its SHA-256 checksum and its bill of materials. It commits, tags and publishes nothing.
 *
 * `--skip-tests` leaves out the tests, not the checks. `--archive` instead of a version makes what is published for the
 * version that package.json has, as the workflow does for a tag.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { build } from './build/build';
import { sourceHash } from './build/source-hash.mjs';
import { ROOT } from './lib/root.mjs';
import { type Bill, billOf } from './release/bill';
import { unreleased, withRelease } from './release/changelog';
import { refusalsOf } from './release/refusals';

const FOLDER = path.join(ROOT, 'release');
const CHANGELOG = path.join(ROOT, 'CHANGELOG.md');
/** Files that are written before the archive is made. */
const WRITTEN = ['CHANGELOG.md', 'package.json', 'package-lock.json'];

const read = (program: string, ...args: string[]) =>
  execFileSync(program, args, { cwd: ROOT, encoding: 'utf8', maxBuffer: 1e9, stdio: ['ignore', 'pipe', 'inherit'] });
const run = (program: string, ...args: string[]) => void execFileSync(program, args, { cwd: ROOT, stdio: 'inherit' });
const manifest = (): { name: string; version: string } =>
  JSON.parse(fs.readFileSync(path.join(ROOT, 'package.json'), 'utf8'));

try {
  await main();
} catch (error) {
  console.error(`\n${(error as Error).message}`);
  process.exit(1);
}

async function main(): Promise<void> {
  const { version, skipTests } = options();
  const changelog = fs.readFileSync(CHANGELOG, 'utf8');
  const refusals = refusalsOf({
    version,
    present: manifest().version,
    changes: read('git', 'status', '--porcelain'),
    tags: read('git', 'tag').split('\n'),
    changelog,
  });
  if (refusals.length) throw new Error(refusals.join('\n'));
  if (version === null) return publish(await makeArchive());
  if (skipTests) run('npm', 'run', 'check');
  else for (const script of ['test', 'test:long']) run('npm', 'run', script);
  try {
    const date = new Date().toISOString().slice(0, 10);
    fs.writeFileSync(CHANGELOG, withRelease(changelog, version, date));
    run('npm', 'version', version, '--no-git-tag-version', '--ignore-scripts');
    publish(await makeArchive());
  } catch (error) {
    run('git', 'checkout', '--', ...WRITTEN);
    throw error;
  }
  fs.writeFileSync(path.join(FOLDER, 'notes.md'), `${version}\n\n${unreleased(changelog)}\n`);
  console.log(`\nLook at the changes. Then:
  git commit -m "Release ${version}" ${WRITTEN.join(' ')}
  git tag -a v${version} --cleanup=verbatim -F release/notes.md
  git push --atomic origin HEAD v${version}`);
}

function options(): { version: string | null; skipTests: boolean } {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { archive: { type: 'boolean', default: false }, 'skip-tests': { type: 'boolean', default: false } },
  });
  if (positionals.length !== (values.archive ? 0 : 1)) {
    throw new Error('Usage: npm run release -- X.Y.Z [--skip-tests]\n       npm run release -- --archive');
  }
  return { version: positionals[0] ?? null, skipTests: values['skip-tests'] };
}

/** @returns its path, and the bill of what is in it */
async function makeArchive(): Promise<{ archive: string; bill: Bill }> {
  const { name } = manifest();
  const hash = sourceHash();
  const { problems, packages } = await build({
    packageName: name,
    source: path.join(ROOT, 'src'),
    dist: path.join(ROOT, 'dist'),
  });
  if (problems.length) throw new Error(`Build failed:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
  fs.writeFileSync(path.join(ROOT, 'dist/.source-hash'), hash);
  const installed = JSON.parse(read('npm', 'sbom', '--sbom-format', 'cyclonedx', '--package-lock-only'));
  const bill = billOf(installed, name, packages);
  fs.rmSync(FOLDER, { recursive: true, force: true });
  fs.mkdirSync(FOLDER);
  const [packed] = JSON.parse(read('npm', 'pack', '--json', '--ignore-scripts', '--pack-destination', FOLDER));
  return { archive: path.join(FOLDER, packed.filename), bill };
}

function publish({ archive, bill }: { archive: string; bill: Bill }): void {
  const checksum = createHash('sha256').update(fs.readFileSync(archive)).digest('hex');
  fs.writeFileSync(`${archive}.sha256`, `${checksum}  ${path.basename(archive)}\n`);
  fs.writeFileSync(archive.replace(/\.tgz$/, '.cdx.json'), `${JSON.stringify(bill, null, 2)}\n`);
  console.log(
    `\nrelease/${path.basename(archive)}, SHA-256 ${checksum}, with ${bill.components.length} packages in it`,
  );
}
