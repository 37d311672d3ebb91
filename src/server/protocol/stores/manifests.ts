import type { ManifestItem } from '../../../shared/messages';

/**
 * Manifests: data that other plugins set on apps. Every process of the fleet writes and reads them.
 *
 * - Of each item (app, namespace, key) the newest one stays, in whatever order it is written; a removal is an item
 * without a value.
 * - Each item is written as a whole. A call that writes many is not one transaction: when it rejects, some may be
 * written.
 * - Lost content costs nothing: each process has its items in its own database, and writes them again.
 * - Every method rejects if the store cannot be reached; callers retry later.
 */
export interface ManifestStore {
  write(items: ManifestItem[]): Promise<void>;
  /** Removes everything about these incarnations of apps, which have ended: no item of them is written any more. */
  forget(uids: string[]): Promise<void>;
  /** All items, unordered; null while they still have the reader's version, which is empty if there are none. */
  read(version: string): Promise<ManifestsRead | null>;
}

export interface ManifestsRead {
  version: string;
  items: ManifestItem[];
  /**
   * Items that Workers with no key but their environment's have set: they count once a Supervisor has written them. Absent where
   * there can be none.
   */
  offered?: Array<{ environment: string; item: ManifestItem }>;
}

/** The key of an item: of all incarnations of an app, the newest one has it. */
export const manifestField = ({ app, namespace, key }: Pick<ManifestItem, 'app' | 'namespace' | 'key'>): string =>
  JSON.stringify([app, namespace, key]);

/** Whether `item` replaces `stored`; as in writeManifests-2.lua. */
export const isNewer = (item: ManifestItem, stored: ManifestItem | undefined): boolean => item.at > (stored?.at ?? -1);
