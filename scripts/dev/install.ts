import fs from 'node:fs';
import path from 'node:path';

/**
 * Copies files that differ, each one atomically, because processes are serving them. Files that are no longer built
 * stay: open pages may still request their chunks.
 *
 * @returns the files that differ, without source maps
 */
export function installDist(from: string, to: string): string[] {
  const changed = filesOf(from).filter((file) => !isSame(path.join(from, file), path.join(to, file)));
  for (const file of changed.sort(entriesLast)) {
    const target = path.join(to, file);
    fs.mkdirSync(path.dirname(target), { recursive: true });
    fs.copyFileSync(path.join(from, file), `${target}.new`);
    fs.renameSync(`${target}.new`, target);
  }
  return changed.filter((file) => !file.endsWith('.map'));
}

/** An entry names its chunks. */
const entriesLast = (one: string, other: string) => Number(isEntry(one)) - Number(isEntry(other));
const isEntry = (file: string) => path.basename(file) === 'index.js';

const filesOf = (folder: string): string[] =>
  fs
    .readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)));

const isSame = (one: string, other: string) =>
  fs.existsSync(other) && fs.readFileSync(one).equals(fs.readFileSync(other));
