import { randomBytes } from 'node:crypto';
import { constants, copyFileSync, existsSync, linkSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/**
 * Makes sure that the main app has its own JWT secret, in the file that NocoBase prefers to `APP_KEY`. An existing file
 * stays, because tokens were signed with it.
 * @throws if it cannot be written
 */
export function ensureMainSecret(file: string): void {
  if (existsSync(file)) return;
  mkdirSync(path.dirname(file), { recursive: true });
  const draft = `${file}.${randomBytes(6).toString('hex')}`;
  // NocoBase requires exactly this length.
  writeFileSync(draft, randomBytes(32), { flag: 'wx', mode: 0o600 });
  try {
    appearAs(draft, file);
  } finally {
    rmSync(draft);
  }
}

/**
 * Writes the file atomically, and never replaces another one: a process with the same storage may do the same at this
 * moment.
 */
function appearAs(draft: string, file: string): void {
  try {
    linkSync(draft, file);
  } catch {
    // A file system without links.
    if (!existsSync(file)) copyFileSync(draft, file, constants.COPYFILE_EXCL);
  }
}
