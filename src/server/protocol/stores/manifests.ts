import type { ManifestItem } from '../../../shared/messages';

/**
 * Manifests: what other plugins said of apps. Every process of the fleet writes and reads them.
 *
 * - Of each item (app, namespace, key) the newest stays, whoever writes in which order; a removal is an item without a value.
 * - Each item is written as a whole. A call that writes many is not one transaction: when it rejects, some may be written.
 * - Lost content costs nothing: each process has what it said in its own database, and writes it again.
 * - Every method rejects when the store cannot be reached; callers try again later.
 */
export interface ManifestStore {
  write(items: ManifestItem[]): Promise<void>;
  /** Removes everything of these incarnations of apps. */
  forget(uids: string[]): Promise<void>;
  /** All items, in no order; null while they still have the version that the reader gives, which is empty where there are none. */
  read(version: string): Promise<ManifestsRead | null>;
}

export interface ManifestsRead {
  version: string;
  items: ManifestItem[];
}

/** The place of an item: of all incarnations of an app, the newest has it. */
export const manifestField = ({ app, namespace, key }: Pick<ManifestItem, 'app' | 'namespace' | 'key'>): string =>
  JSON.stringify([app, namespace, key]);

/** Whether `item` takes the place of `stored`; as in writeManifests-2.lua. */
export const isNewer = (item: ManifestItem, stored: ManifestItem | undefined): boolean => item.at > (stored?.at ?? -1);
