import { readFileSync } from 'node:fs';

/** Units of /proc in a second, on every Linux. */
const TICKS = 100;

/**
 * The processor time, `user + sys`, of the processes that this one has started and that have ended, with those that they have waited for.
 * Known on Linux alone.
 */
export class CpuTime {
  /** @type {Map<string, number>} by name, in seconds */
  #byName = new Map();
  #noted = 0;

  /**
   * To be called when a process has ended: what has come since the last call is its.
   *
   * @param {string} name of what it did
   */
  note(name) {
    const now = secondsOfChildren();
    this.#byName.set(name, (this.#byName.get(name) ?? 0) + now - this.#noted);
    this.#noted = now;
  }

  /** @returns {string} one line */
  text() {
    const all = [...this.#byName].filter(([, seconds]) => seconds >= 1).sort(([, one], [, other]) => other - one);
    if (!all.length) return 'processor time: not known on this system';
    const parts = all.map(([name, seconds]) => `${name} ${minutes(seconds)}`);
    const { user, system } = process.cpuUsage();
    return `processor time: ${minutes(secondsOfChildren() + (user + system) / 1e6)} min (${parts.join(', ')})`;
  }
}

/** @param {number} seconds */
const minutes = (seconds) => (seconds / 60).toFixed(1);

/** @returns {number} 0 where it is not known */
function secondsOfChildren() {
  try {
    return childrenIn(readFileSync('/proc/self/stat', 'utf8'));
  } catch {
    return 0;
  }
}

/**
 * @param {string} stat of a process, as in /proc
 * @returns {number} seconds that its children have taken that have ended
 */
export function childrenIn(stat) {
  // The second field is the name, in brackets, and may contain spaces and brackets: the ones after it are counted from its end.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[13]) + Number(fields[14])) / TICKS;
}
