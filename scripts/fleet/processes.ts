import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/**
 * Identifies a process even if another one gets its number later. A fleet uses only these two values to act on its
 * parts, so that any process that reads them can do it, not only the parent.
 */
export interface ProcessIdentity {
  pid: number;
  /** The system's own value for its start; only equality is meaningful. */
  startedAt: string;
}

export function identify(pid: number): ProcessIdentity | null {
  const seen = look(pid);
  return seen && { pid, startedAt: seen.startedAt };
}

/** False also for a zombie: a dead process that nobody has waited for. While a thread of it still ends, its ports are taken. */
export function isAlive(identity: ProcessIdentity | null | undefined): boolean {
  if (!identity) return false;
  const seen = look(identity.pid);
  return seen !== null && !seen.zombie && seen.startedAt === identity.startedAt;
}

/** To the whole process group, of which every part is the leader. */
export function signal(identity: ProcessIdentity, name: NodeJS.Signals): void {
  if (!isAlive(identity)) return;
  try {
    process.kill(-identity.pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function look(pid: number): { startedAt: string; zombie: boolean } | null {
  return process.platform === 'linux' ? lookInProc(pid) : lookByPs(pid);
}

function lookInProc(pid: number) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name before these fields may contain spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { zombie: /^[ZX]$/.test(fields[0]) && Number(fields[17]) <= 1, startedAt: fields[19] };
  } catch {
    return null;
  }
}

function lookByPs(pid: number) {
  try {
    const line = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim();
    const [state, ...startedAt] = line.split(/\s+/);
    return { zombie: state.startsWith('Z'), startedAt: startedAt.join(' ') };
  } catch {
    return null;
  }
}
