import { randomBytes } from 'node:crypto';
import { constants, copyFileSync, existsSync, linkSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/**
 * Sees to it that the main app has a JWT secret of its own, in the file that NocoBase prefers to `APP_KEY`. One that is there
 * stays: tokens were signed with it.
 * @throws when it cannot be written
 */
export function ensureMainSecret(file: string): void {
  if (existsSync(file)) return;
  mkdirSync(path.dirname(file), { recursive: true });
  const draft = `${file}.${randomBytes(6).toString('hex')}`;
  // NocoBase takes exactly this length.
  writeFileSync(draft, randomBytes(32), { flag: 'wx', mode: 0o600 });
  try {
    appearAs(draft, file);
  } finally {
    rmSync(draft);
  }
}

/** Whole or not at all, and never in place of another: a process of the same storage may do the same at this moment. */
function appearAs(draft: string, file: string): void {
  try {
    linkSync(draft, file);
  } catch {
    // A file system without links.
    if (!existsSync(file)) copyFileSync(draft, file, constants.COPYFILE_EXCL);
  }
}
