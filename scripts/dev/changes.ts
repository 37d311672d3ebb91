import fs from 'node:fs';
import path from 'node:path';

/** For each file, by its path in the folder, a value that differs once it was written. */
export type Snapshot = ReadonlyMap<string, string>;

/**
 * Polls the files instead of watching them: it costs some milliseconds, and misses neither an editor that replaces
 * files nor a folder that a virtual machine or a container shares.
 */
export function snapshotOf(folder: string): Snapshot {
  const found = new Map<string, string>();
  const walk = (at: string) => {
    for (const entry of fs.readdirSync(path.join(folder, at), { withFileTypes: true })) {
      const name = path.posix.join(at, entry.name);
      if (entry.isDirectory()) walk(name);
      else if (entry.isFile() && !isTemporary(entry.name)) addFile(name);
    }
  };
  const addFile = (name: string) => {
    const stat = fs.statSync(path.join(folder, name), { throwIfNoEntry: false });
    if (stat) found.set(name, `${stat.mtimeMs} ${stat.size} ${stat.ino}`);
  };
  walk('');
  return found;
}

/** Temporary files of editors. */
const isTemporary = (name: string) => /^\.|~$|^#|\.(sw[a-z]|tmp)$/.test(name);

/** Files that were written, added or removed. */
export function changedBetween(before: Snapshot, after: Snapshot): string[] {
  const names = new Set([...before.keys(), ...after.keys()]);
  return [...names].filter((name) => before.get(name) !== after.get(name)).sort();
}
