import { type Fleet, query } from '../../scripts/fleet';
import { type RecordedProcess, readRecordings, recordingsOf } from '../../scripts/fleet/process-recorder';

/** What a fleet is judged by when all tests on it have ended, whatever each of them looked at. */
export interface Evidence {
  /** Parts that ended and that nobody ended. */
  lost: string[];
  /** Locks on apps' databases that somebody still holds. */
  locks: string[];
  processes: RecordedProcess[];
}

/** What is wrong, in words; empty when nothing is. */
export function verdict({ lost, locks, processes }: Evidence): string[] {
  return [
    ...lost.map((part) => `${part} ended by itself.`),
    ...locks.map((lock) => `A lock was left behind: ${lock}.`),
    ...processes.flatMap(({ part, pid, crashes }) =>
      crashes.map(({ message }) => `${part} (process ${pid}) did not catch ${message}`),
    ),
  ];
}

/**
 * Ends a fleet whose processes had `recorderEnv`.
 * @throws when it did not come through unharmed, whatever the tests on it looked at
 */
export async function endUnharmed(fleet: Fleet): Promise<void> {
  const locks = await leftLocks(fleet);
  const { lost } = fleet;
  await fleet.stop();
  const { name } = fleet.config;
  const found = verdict({ lost, locks, processes: readRecordings(recordingsOf(name)) });
  if (found.length) throw new Error(`Fleet ${name} did not come through unharmed:\n${found.join('\n')}`);
}

/** A boot that a test began and did not wait for is given this long to end, in ms. */
const ENDING = 30_000;

/** Advisory locks that are held though nothing boots; those by which Workers hold their environments apart. */
async function leftLocks(fleet: Fleet): Promise<string[]> {
  const deadline = performance.now() + ENDING;
  for (;;) {
    const { rows } = await query(
      fleet.postgresServer,
      'postgres',
      `SELECT DISTINCT application_name AS name, datname FROM pg_locks JOIN pg_stat_activity USING (pid)
       WHERE locktype = 'advisory' AND application_name NOT LIKE 'nocobase lock: main by %'`,
    );
    if (!rows.length || performance.now() > deadline) return rows.map(({ name, datname }) => `"${name}" in ${datname}`);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}
