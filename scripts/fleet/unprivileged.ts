import { execFileSync, type SpawnOptions, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

/**
 * PostgreSQL refuses to run as root, so as root it is started as `nobody`, a user that exists everywhere. That user
 * cannot reach anything below a folder such as /root, where a clone often is. A capability does not help: PostgreSQL
 * uses access(2), which ignores the capabilities of every user but root.
 */
interface User {
  uid: number;
  gid: number;
}

/** Root copies here what `nobody` has to run but cannot reach; it may be deleted at any time. */
const COPIES = '/var/cache/nocobase-fleet';

/**
 * Options to start a program in this folder, and the name of the folder there.
 *
 * The working directory is entered before the user changes, and a process needs no permission for the parents of its
 * working directory. `/proc/self/cwd` leads there directly, also in the processes that PostgreSQL starts.
 */
export function inFolder(folder: string): { name: string; options: SpawnOptions } {
  const user = unprivilegedUser();
  const here = '/proc/self/cwd';
  if (!user) return { name: folder, options: {} };
  return { name: fs.existsSync(here) ? here : folder, options: { cwd: folder, ...user } };
}

/**
 * @param folder of programs and the files that they need
 * @param program in it, which supports `--version`
 * @param key identifies this folder's content, with its version
 * @returns the folder, or a copy of it if the unprivileged user cannot reach it
 */
export function reachable(folder: string, program: string, key: string): string {
  const user = unprivilegedUser();
  const runs = (at: string) => spawnSync(path.join(at, program), ['--version'], { ...user, cwd: '/' }).status === 0;
  if (!user || runs(folder)) return folder;
  const copy = path.join(COPIES, key);
  try {
    if (!fs.existsSync(copy)) copyForAll(folder, copy);
  } catch (error) {
    throw new Error(`"nobody" cannot reach ${folder}, and a copy failed: ${(error as Error).message}`);
  }
  if (runs(copy)) return copy;
  throw new Error(`"nobody" can run the programs neither in ${folder} nor in ${copy}.`);
}

export async function giveToUnprivileged(file: string): Promise<void> {
  const user = unprivilegedUser();
  if (user) await fs.promises.chown(file, user.uid, user.gid);
}

function unprivilegedUser(): User | null {
  if (process.getuid?.() !== 0) return null;
  const id = (flag: string) => Number(execFileSync('id', [flag, 'nobody'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

function copyForAll(folder: string, copy: string): void {
  fs.mkdirSync(COPIES, { recursive: true });
  fs.chmodSync(COPIES, 0o755);
  const begun = fs.mkdtempSync(`${copy}-`);
  try {
    fs.cpSync(folder, begun, { recursive: true, verbatimSymlinks: true });
    // Whatever the umask of the installation was.
    execFileSync('chmod', ['-R', 'u=rwX,go=rX', begun]);
    fs.renameSync(begun, copy);
  } catch (error) {
    fs.rmSync(begun, { recursive: true, force: true });
    // Two fleets started at the same moment.
    if (!fs.existsSync(copy)) throw error;
  }
}
