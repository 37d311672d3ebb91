import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from '../lib/root.mjs';

/** Everything that decides what `dist` holds. */
const INPUTS = ['src', 'package.json', 'package-lock.json', 'scripts/build.ts', 'scripts/build'];

/** @returns {string} a hash of the sources; kept beside the build so that the next start can skip it. */
export function sourceHash() {
  const hash = createHash('sha256');
  for (const input of INPUTS) {
    for (const file of filesOf(path.join(ROOT, input)))
      hash.update(path.relative(ROOT, file)).update(readFileSync(file));
  }
  return hash.digest('hex');
}

/** @param {string} entry @returns {string[]} */
function filesOf(entry) {
  if (!existsSync(entry)) return [];
  if (!statSync(entry).isDirectory()) return [entry];
  return readdirSync(entry)
    .sort()
    .flatMap((name) => filesOf(path.join(entry, name)));
}
