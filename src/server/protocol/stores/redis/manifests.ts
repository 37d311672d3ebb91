import { type ManifestItem, manifestItem } from '../../../../shared/messages';
import type { Random } from '../../../random';
import writeManifests from '../../scripts/writeManifests-2.lua';
import { type ManifestStore, type ManifestsRead, manifestField } from '../manifests';
import { AT_ONCE, type Script, type StoreConnection } from './connection';

/** `ManifestStore` in one hash for the whole fleet. */
export class RedisManifests implements ManifestStore {
  private readonly writeManifests: Script;

  constructor(
    private readonly connection: StoreConnection,
    private readonly random: Random,
  ) {
    this.writeManifests = connection.script('writeManifests', 2, writeManifests);
  }

  async write(items: ManifestItem[]): Promise<void> {
    const { keys } = this.connection;
    for (let i = 0; i < items.length; i += AT_ONCE) {
      const slice = items.slice(i, i + AT_ONCE);
      const args = slice.flatMap((item) => [manifestField(item), item.at, JSON.stringify(item)]);
      await this.writeManifests(keys.manifests(), keys.manifestsVersion(), this.random.id(), ...args);
    }
  }

  async forget(uids: string[]): Promise<void> {
    const { redis, keys } = this.connection;
    const gone = (await this.items()).filter(({ uid }) => uids.includes(uid));
    if (!gone.length) return;
    await redis
      .multi()
      .hdel(keys.manifests(), ...gone.map(manifestField))
      .set(keys.manifestsVersion(), this.random.id())
      .exec();
  }

  async read(version: string): Promise<ManifestsRead | null> {
    const { redis, keys } = this.connection;
    const current = (await redis.get(keys.manifestsVersion())) ?? '';
    return current === version ? null : { version: current, items: await this.items() };
  }

  private async items(): Promise<ManifestItem[]> {
    const { connection } = this;
    const key = connection.keys.manifests();
    return connection.parseAll(await connection.redis.hvals(key), manifestItem, key);
  }
}
