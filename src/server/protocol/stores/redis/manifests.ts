import { z } from 'zod';
import { type ManifestItem, manifestItem } from '../../../../shared/messages';
import type { Random } from '../../../random';
import { bodyOf, SUPERVISOR } from '../../envelope';
import forgetManifests from '../../scripts/forgetManifests-3.lua';
import writeManifests from '../../scripts/writeManifests-2.lua';
import { type ManifestStore, type ManifestsRead, manifestField } from '../manifests';
import { AT_ONCE, placeOf, type Script, type StoreConnection } from './connection';

/** An item as it is signed: by a Worker that has only its environment's key for the Supervisor alone. */
const signedItem = z.object({ environment: z.string().nullable(), item: manifestItem });

/** `ManifestStore` in one hash for the whole fleet. */
export class RedisManifests implements ManifestStore {
  private readonly writeManifests: Script;
  private readonly forgetManifests: Script;
  /** By field and text: a signature is checked once. */
  private opened = new Map<string, z.infer<typeof signedItem> | null>();

  constructor(
    private readonly connection: StoreConnection,
    private readonly random: Random,
  ) {
    this.writeManifests = connection.script('writeManifests', 2, writeManifests);
    this.forgetManifests = connection.script('forgetManifests', 3, forgetManifests);
  }

  async write(items: ManifestItem[]): Promise<void> {
    const { keys } = this.connection;
    for (let i = 0; i < items.length; i += AT_ONCE) {
      const slice = items.slice(i, i + AT_ONCE);
      const args = slice.flatMap((item) => [manifestField(item), item.at, this.signed(item)]);
      await this.writeManifests(keys.manifests(), keys.manifestsVersion(), this.random.id(), ...args);
    }
  }

  async forget(uids: string[], term: number | null): Promise<void> {
    const { connection } = this;
    const { keys } = connection;
    const forget = (signedTerm: string) =>
      this.forgetManifests(
        keys.manifests(),
        keys.manifestsVersion(),
        keys.term(),
        signedTerm,
        this.random.id(),
        JSON.stringify(uids),
      ) as Promise<[number, string]>;
    if (term === null) await forget('');
    else await connection.underTerm(term, forget);
  }

  async read(version: string): Promise<ManifestsRead | null> {
    const { redis, keys } = this.connection;
    const current = (await redis.get(keys.manifestsVersion())) ?? '';
    if (current === version) return null;
    const items = await this.items();
    const offered = items.flatMap(({ environment, item }) => (environment === null ? [] : { environment, item }));
    return {
      version: current,
      items: items.flatMap(({ environment, item }) => (environment === null ? item : [])),
      ...(offered.length ? { offered } : {}),
    };
  }

  private signed(item: ManifestItem): string {
    const { connection } = this;
    const { keyring } = connection.envelope;
    const environment = keyring.isWhole ? null : keyring.own;
    const place = placeOf(connection.keys.manifests(), manifestField(item));
    const signed = { environment, item } satisfies z.infer<typeof signedItem>;
    return connection.sign(environment ?? SUPERVISOR, place, item.at, signed);
  }

  private async items(): Promise<z.infer<typeof signedItem>[]> {
    const { redis, keys } = this.connection;
    const texts = Object.entries(await redis.hgetall(keys.manifests()));
    const before = this.opened;
    this.opened = new Map(
      texts.map(([field, text]) => [`${field} ${text}`, before.get(`${field} ${text}`) ?? this.open(field, text)]),
    );
    return [...this.opened.values()].filter((item) => item !== null);
  }

  private open(field: string, text: string): z.infer<typeof signedItem> | null {
    const { connection } = this;
    const { envelope } = connection;
    const place = placeOf(connection.keys.manifests(), field);
    const signer = signerOf(text);
    // It is for the Supervisor.
    if (signer !== SUPERVISOR && !envelope.keyring.of(signer)) return null;
    const read = connection.open(signer, place, text, signedItem);
    if (!read || manifestField(read.value.item) === field) return read?.value ?? null;
    envelope.refusals.note(place, 'forged');
    return null;
  }
}

/** Who has to have signed an item, as it says itself. */
function signerOf(text: string): string {
  try {
    return signedItem.pick({ environment: true }).parse(JSON.parse(bodyOf(text) ?? '')).environment ?? SUPERVISOR;
  } catch {
    return SUPERVISOR;
  }
}
