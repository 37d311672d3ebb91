import fs from 'node:fs';
import path from 'node:path';
import { ROOT } from '../lib/root.mjs';

interface Locked {
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
}

/**
 * Packages with all that they need, as they are installed in this repository.
 *
 * @returns folders below the root such as `node_modules/@nocobase/app`, sorted; what lies within one belongs to it
 */
export function packagesOf(...names: string[]): string[] {
  const file = path.join(ROOT, 'node_modules/.package-lock.json');
  const installed: Record<string, Locked> = JSON.parse(fs.readFileSync(file, 'utf8')).packages;
  const found = new Set<string>();
  const visit = (from: string, name: string) => {
    const at = resolve(installed, from, name);
    if (!at || found.has(at)) return;
    found.add(at);
    const { dependencies, optionalDependencies, peerDependencies } = installed[at];
    for (const need of Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies })) visit(at, need);
  };
  for (const name of names) visit('', name);
  const tops = [...found].map((folder) => /^node_modules\/(?:@[^/]+\/)?[^/]+/.exec(folder)![0]);
  return [...new Set(tops)].sort();
}

/** As Node.js looks for it: beside the one that needs it, then further up. Null if it is not installed. */
function resolve(installed: Record<string, Locked>, from: string, name: string): string | null {
  for (let at = from; ; ) {
    const folder = path.posix.join(at, 'node_modules', name);
    if (installed[folder]) return folder;
    if (!at) return null;
    at = at.slice(0, Math.max(0, at.lastIndexOf('/node_modules/')));
  }
}
