import { setTimeout as sleep } from 'node:timers/promises';
import { changedBetween, type Snapshot } from './changes';
import { type Concerned, concernedBy } from './concerned';

/** Time between two polls of the files, in ms. */
const EVERY = 100;

/** The effects of the loop. */
export interface Loop {
  look(): Snapshot;
  /**
   * Builds into a separate folder.
   * @returns the problems, each with its file and line
   */
  build(): Promise<string[]>;
  /**
   * Copies the build to where the running processes serve it.
   * @returns the files of `dist` that differ
   */
  install(): string[];
  /**
   * Begins to restart the processes that run this code, without waiting.
   * @returns the names of those parts
   */
  restart(concerned: Concerned): string[];
  print(line: string): void;
  signal: AbortSignal;
  pause?(ms: number): Promise<unknown>;
}

/**
 * Rebuilds what changes and restarts the processes concerned, until aborted.
 * @param since the files when they were last built
 */
export async function developSince(since: Snapshot, loop: Loop): Promise<void> {
  const { signal, pause = (ms) => sleep(ms, undefined, { signal }) } = loop;
  const pending = new Set<string>();
  let seen = since;
  let quiet = true;
  while (!signal.aborted) {
    await pause(EVERY).catch(() => {});
    const now = loop.look();
    const changed = changedBetween(seen, now);
    seen = now;
    for (const file of changed) pending.add(file);
    // An editor or a checkout of a branch writes one file after the other.
    if (changed.length) quiet = false;
    else if (!quiet) {
      quiet = true;
      if (await rebuild([...pending], loop)) pending.clear();
    }
  }
}

/** @returns whether it was built */
async function rebuild(changed: string[], { build, install, restart, print }: Loop): Promise<boolean> {
  const since = performance.now();
  const problems = await build().catch((error: Error) => [error.message]);
  const took = `${Math.round(performance.now() - since)} ms`;
  if (problems.length) {
    print(`\n${named(changed)}: not built, what runs stays as it is\n\n${problems.join('\n\n')}\n`);
    return false;
  }
  const files = install();
  const lanes = ['client', 'client-v2'].filter((lane) => files.some((file) => file.startsWith(`${lane}/`)));
  const texts = files.some((file) => file.startsWith('locale/'));
  const pages = [...lanes, ...(texts ? ['texts'] : [])];
  const restarting = files.includes('server/index.js') ? restart(concernedBy(changed)) : [];
  const effects = [
    ...(pages.length ? [`${pages.join(', ')}: reload the page`] : []),
    ...(restarting.length ? [`restarting ${restarting.join(', ')}`] : []),
  ];
  print(`${named(changed)}: built in ${took}; ${effects.join('; ') || 'nothing that runs has changed'}`);
  return true;
}

function named(changed: string[]): string {
  const [first, second, ...more] = changed.map((file) => `src/${file}`);
  return [first, ...(second ? [second] : []), ...(more.length ? [`${more.length} more`] : [])].join(', ');
}
