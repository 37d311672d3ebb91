import type { ManifestItem } from '../../../../shared/messages';
import type { Random } from '../../../random';
import { isNewer, type ManifestStore, type ManifestsRead, manifestField } from '../manifests';

/** `ManifestStore` of one process. */
export class MemoryManifests implements ManifestStore {
  private readonly items = new Map<string, ManifestItem>();
  private version = '';

  constructor(private readonly random: Random) {}

  async write(items: ManifestItem[]): Promise<void> {
    for (const item of items) {
      const field = manifestField(item);
      if (!isNewer(item, this.items.get(field))) continue;
      this.items.set(field, structuredClone(item));
      this.version = this.random.id();
    }
  }

  async forget(uids: string[]): Promise<void> {
    const gone = [...this.items].filter(([, { uid }]) => uids.includes(uid));
    for (const [field] of gone) this.items.delete(field);
    if (gone.length) this.version = this.random.id();
  }

  async read(version: string): Promise<ManifestsRead | null> {
    return this.version === version
      ? null
      : { version: this.version, items: structuredClone([...this.items.values()]) };
  }
}
