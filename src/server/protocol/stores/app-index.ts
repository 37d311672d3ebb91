/**
 * The app index: the public data of each app, and the Supervisor that manages the fleet. The leading Supervisor writes
 * it; all other processes follow its changes.
 *
 * - A change is one transaction and applies to one version: a writer that does not know the current version changes
 * nothing. A complete rewrite (`from: null`) is written beside the index, and replaces it in one transaction.
 * - Writes carry the term of the leading Supervisor. A write of an older term than the store has seen changes nothing and
 * rejects with `StaleTerm`.
 * - A reader never sees half of a change as the whole: what it reads belongs to the version that it gets, or to a later
 * one whose change it reads next.
 * - Lost content costs nothing: the next write is refused, and the writer writes everything again.
 * - Every method rejects if the store cannot be reached. After a rejected write the writer does not know the content,
 * and writes everything.
 */
export interface AppIndexStore {
  /**
   * False if the index is not (or no longer) as the writer left it, or if another writer began a rewrite: nothing was
   * written.
   */
  write(write: AppIndexWrite): Promise<boolean>;
  /** The changes since `version`, which is empty for a first read; null while there is no index. */
  read(version: string): Promise<AppIndexRead | null>;
}

export interface AppIndexWrite {
  /** The version that the index must have; null replaces the whole index with `entries`. */
  from: string | null;
  /**
   * The version that the index has afterwards. Equal content has an equal version, so a reader that has read it does
   * not read it again.
   */
  version: string;
  /** By name, as JSON. */
  entries: Map<string, string>;
  /** Names of apps that no longer exist. */
  gone: string[];
  /** The Supervisor that manages the apps, as JSON. */
  supervisor: string;
  term: number;
}

export interface AppIndexRead {
  version: string;
  /** Whether `entries` is the whole index; if not, an app that is neither in it nor in `gone` is unchanged. */
  complete: boolean;
  /** By name, unparsed. */
  entries: Map<string, unknown>;
  gone: string[];
  supervisor: unknown;
}
