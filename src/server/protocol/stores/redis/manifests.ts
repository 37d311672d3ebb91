import { z } from 'zod';
import { jsonText } from '../../../../shared/json-text';
import { type ManifestItem, manifestItem } from '../../../../shared/messages';
import type { Random } from '../../../random';
import { bodyOf, SUPERVISOR } from '../../envelope';
import writeManifests from '../../scripts/writeManifests-2.lua';
import { type ManifestStore, type ManifestsRead, manifestField } from '../manifests';
import { placeOf, type Script, type StoreConnection } from './connection';

/** An item as it is signed: by a Worker that has only its environment's key for the Supervisor alone. */
const signedItem = z.object({ environment: z.string().nullable(), item: manifestItem });
type SignedItem = z.infer<typeof signedItem>;
const itemText = jsonText(signedItem);

/** What such a Worker sets is beside what counts. */
const fieldOf = ({ environment, item }: SignedItem): string =>
  environment === null ? manifestField(item) : `${manifestField(item)} ${environment}`;

/** `ManifestStore` in one hash for the whole fleet. */
export class RedisManifests implements ManifestStore {
  private readonly writeManifests: Script;
  /** By field and text: a signature is checked once. */
  private opened = new Map<string, SignedItem | null>();

  constructor(
    private readonly connection: StoreConnection,
    private readonly random: Random,
  ) {
    this.writeManifests = connection.script('writeManifests', 2, writeManifests);
  }

  async write(items: ManifestItem[]): Promise<void> {
    const { keys } = this.connection;
    const args = items.flatMap((item) => this.signed(item));
    await this.writeManifests(keys.manifests(), keys.manifestsVersion(), this.random.id(), args);
  }

  /** Not at one moment: an item that is written meanwhile for another incarnation of the app is told again by whoever has it. */
  async forget(uids: string[]): Promise<void> {
    const { redis, keys } = this.connection;
    const ended = (await this.items()).filter(({ item }) => uids.includes(item.uid)).map(fieldOf);
    if (!ended.length) return;
    await redis.hdel(keys.manifests(), ...ended);
    await redis.set(keys.manifestsVersion(), this.random.id());
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

  /** Field, order and text. */
  private signed(item: ManifestItem): [string, number, string] {
    const { connection } = this;
    const environment = connection.envelope.keyring.own;
    const signed = { environment, item } satisfies SignedItem;
    const field = fieldOf(signed);
    const place = placeOf(connection.keys.manifests(), field);
    return [field, item.at, connection.sign(environment ?? SUPERVISOR, place, item.at, signed)];
  }

  private async items(): Promise<SignedItem[]> {
    const { redis, keys } = this.connection;
    const texts = Object.entries(await redis.hgetall(keys.manifests()));
    const before = this.opened;
    this.opened = new Map(
      texts.map(([field, text]) => [`${field} ${text}`, before.get(`${field} ${text}`) ?? this.open(field, text)]),
    );
    return [...this.opened.values()].filter((item) => item !== null);
  }

  private open(field: string, text: string): SignedItem | null {
    const { connection } = this;
    const { envelope } = connection;
    const place = placeOf(connection.keys.manifests(), field);
    const signer = signerOf(text);
    const read = connection.open(signer, place, text, signedItem);
    if (!read || fieldOf(read.value) === field) return read?.value ?? null;
    envelope.refusals.note(place, 'forged');
    return null;
  }
}

/** Who has to have signed an item, as it says itself. */
const signerOf = (text: string): string => itemText.safeParse(bodyOf(text) ?? '').data?.environment ?? SUPERVISOR;
