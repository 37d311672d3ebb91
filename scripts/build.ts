/** `npm run build`: server, legacy client, modern client, translations and version list into `dist`. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { build } from './build/build';
import { sourceHash } from './build/source-hash.mjs';
import { ROOT } from './lib/root.mjs';

const startedAt = Date.now();
const hash = sourceHash();
const { name: packageName } = JSON.parse(await fs.readFile(path.join(ROOT, 'package.json'), 'utf8'));
const dist = path.join(ROOT, 'dist');
const { problems, files } = await build({ packageName, source: path.join(ROOT, 'src'), dist });

for (const { file, bytes } of files) console.log(`${(bytes / 1024).toFixed(1).padStart(9)} kB  dist/${file}`);
if (problems.length) {
  console.error(`\nBuild failed:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
  process.exit(1);
}
await fs.writeFile(path.join(dist, '.source-hash'), hash);
console.log(`Built in ${((Date.now() - startedAt) / 1000).toFixed(1)} s.`);
