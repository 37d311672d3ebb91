import { spawnSync } from 'node:child_process';
import fs from 'node:fs';

/**
 * Lets a running process have this many files open, where that is permitted: to root, unless its container took that away.
 *
 * @returns how many it may have open now
 */
export function allowOpenFiles(pid: number, wanted: number): number {
  const allowed = () => {
    const limits = fs.readFileSync(`/proc/${pid}/limits`, 'utf8');
    return Number(/^Max open files\s+(\d+)/m.exec(limits)![1]);
  };
  if (allowed() < wanted) spawnSync('prlimit', ['--pid', String(pid), `--nofile=${wanted}:${wanted}`]);
  return allowed();
}
