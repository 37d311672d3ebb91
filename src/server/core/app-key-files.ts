import { chmodSync, readdirSync } from 'node:fs';
import path from 'node:path';

/** Below the storage folder: where NocoBase stores keys, in one folder for each app. */
const FOLDERS = ['apps', 'environment-variables'];

/**
 * Makes an app's key files readable for this user alone. NocoBase writes the keys with which an app encrypts its
 * secrets with the permissions of any other file.
 *
 * @throws if a file that exists cannot be changed
 */
export function closeKeyFiles(storage: string, app: string): void {
  for (const folder of FOLDERS.map((name) => path.join(storage, name, app)))
    for (const file of filesIn(folder)) if (file.endsWith('.dat')) chmodSync(path.join(folder, file), 0o600);
}

function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
