import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { findOnPath } from '../lib/programs.mjs';
import type { Command } from './part';

/**
 * PostgreSQL refuses to run as root, and containers have no other user at work. There it runs as `nobody`, which exists
 * everywhere.
 */

/** @param dataDir a folder that the command works in. */
export function asUnprivileged(command: Command, dataDir: string): Command {
  const ids = unprivilegedIds();
  if (!ids) return command;
  if (othersMayEnter(command.program) && othersMayEnter(path.dirname(dataDir))) {
    return { ...command, options: { ...command.options, ...ids } };
  }
  // Below a folder such as /root, which others may not even pass through, the user alone is not enough.
  if (!findOnPath(['setpriv'])) {
    throw new Error(`PostgreSQL runs as "nobody", who may not enter ${dataDir}. Move the project, or set DB_HOST.`);
  }
  const identity = [`--reuid=${ids.uid}`, `--regid=${ids.gid}`, '--clear-groups'];
  const capability = ['--inh-caps=+dac_override', '--ambient-caps=+dac_override'];
  return { ...command, program: 'setpriv', args: [...identity, ...capability, command.program, ...command.args] };
}

export async function giveToUnprivileged(file: string): Promise<void> {
  const ids = unprivilegedIds();
  if (ids) await fs.promises.chown(file, ids.uid, ids.gid);
}

function unprivilegedIds(): { uid: number; gid: number } | null {
  if (process.getuid?.() !== 0) return null;
  const id = (flag: string) => Number(execFileSync('id', [flag, 'nobody'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

function othersMayEnter(file: string): boolean {
  const OTHERS_EXECUTE = 0o001;
  for (let at = file; ; at = path.dirname(at)) {
    if (fs.existsSync(at) && !(fs.statSync(at).mode & OTHERS_EXECUTE)) return false;
    if (at === path.dirname(at)) return true;
  }
}
