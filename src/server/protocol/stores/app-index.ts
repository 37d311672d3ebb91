/**
 * The app index: what everybody in the fleet may know of each app, and who manages the fleet. The leading Supervisor writes it, all
 * others follow its changes.
 *
 * - A change is one transaction and applies to one version: a writer that does not know the present version changes nothing. Writing it
 *   anew (`from: null`) takes several steps; meanwhile there is no index for readers.
 * - A reader never sees a half of a change as the whole: what it reads belongs to the version that it is told, or to a later one whose
 *   change it reads next.
 * - Lost content costs nothing: the next write is refused, and the writer writes all again.
 * - Every method rejects when the store cannot be reached. After a rejected write the writer does not know what is there, and writes all.
 */
export interface AppIndexStore {
  /** False when the index is not (or no longer) as the writer left it: nothing was written. */
  write(write: AppIndexWrite): Promise<boolean>;
  /** What has changed since `version`, which is empty for a first time; null while there is no index. */
  read(version: string): Promise<AppIndexRead | null>;
}

export interface AppIndexWrite {
  /** The version that the index must have; null replaces the whole index by `entries`. */
  from: string | null;
  /** The version that it has afterwards. One content has one version: who has read that content does not read it again. */
  version: string;
  /** By name, as JSON. */
  entries: Map<string, string>;
  /** Names of apps that are no more. */
  gone: string[];
  /** Who manages the apps, as JSON. */
  supervisor: string;
}

export interface AppIndexRead {
  version: string;
  /** Whether `entries` is all there is; if not, an app that is neither there nor in `gone` is as it was. */
  complete: boolean;
  /** By name, unparsed. */
  entries: Map<string, unknown>;
  gone: string[];
  supervisor: unknown;
}
