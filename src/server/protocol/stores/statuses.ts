import type { StatusEntry } from '../../../shared/messages';

/**
 * Statuses: the observed state of each app in each environment. The holder of the environment's lease writes them; the
 * Supervisor and other Workers read them.
 *
 * - A write is one transaction, and is refused unless the writer holds the lease with that epoch.
 * - Writes have increasing versions, so that a reader knows whether there is anything new.
 * - Lost content costs nothing: every 30 s the holder compares the stored statuses with what it wrote, and writes all
 * of them again.
 * - Every method rejects if the store cannot be reached; the holder writes the then current statuses later.
 */
export interface StatusStore {
  /**
   * Writes statuses under a lease. False if the lease is not (or no longer) the writer's, or if the stored statuses are not
   * those that the write changes: nothing was written.
   */
  write(write: StatusWrite): Promise<boolean>;
  /**
   * All statuses of `environment`, unordered. Statuses that do not parse are skipped. An unchanged entry may be the
   * same object again.
   */
  read(environment: string): Promise<StatusEntry[]>;
  /** The version of the last write, and the number of statuses. */
  mark(environment: string): Promise<StatusMark>;
}

export interface StatusWrite {
  environment: string;
  instance: string;
  epoch: number;
  entries: StatusEntry[];
  removed: string[];
  /** Increases with every write, so that a reader knows whether there is anything new. */
  version: number;
  /**
   * The version of the stored statuses that this changes. A store that is an old copy has another one, and its other entries
   * would be taken for new ones. Null: `entries` is complete, and other stored entries are removed.
   */
  from: number | null;
}

export interface StatusMark {
  version: number;
  count: number;
}

/**
 * A report without what is no change, as text: visits are as many as there are visitors, and nobody has to know of them at once.
 */
export const changeIn = (entry: StatusEntry): string => JSON.stringify({ ...entry, lastVisitAt: null });

/** Apps whose reports say something else; a visit is no change. */
export function changesBetween(
  before: ReadonlyMap<string, StatusEntry>,
  now: ReadonlyMap<string, StatusEntry>,
): string[] {
  const isChanged = ([app, entry]: [string, StatusEntry]) => {
    const old = before.get(app);
    return old !== entry && (!old || changeIn(old) !== changeIn(entry));
  };
  const changed = [...now].filter(isChanged).map(([app]) => app);
  return [...changed, ...[...before.keys()].filter((app) => !now.has(app))];
}
