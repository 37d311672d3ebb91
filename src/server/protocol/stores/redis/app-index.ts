import { z } from 'zod';
import writeAppIndex from '../../scripts/writeAppIndex-3.lua';
import type { AppIndexRead, AppIndexStore, AppIndexWrite } from '../app-index';
import { AT_ONCE, type Script, type StoreConnection } from './connection';

/** A reader that has missed more changes reads the whole index. */
const KEPT_CHANGES = 200;
const appIndexChange = z.object({ version: z.string(), names: z.array(z.string()) });

const NO_CHANGE = { complete: false, entries: new Map<string, unknown>(), gone: [] };

/** `AppIndexStore` in a hash, with a list of its last changes. While the list exists, the hash is complete. */
export class RedisAppIndex implements AppIndexStore {
  private readonly writeAppIndex: Script;

  constructor(private readonly connection: StoreConnection) {
    this.writeAppIndex = connection.script('writeAppIndex', 3, writeAppIndex);
  }

  async write({ from, version, entries, gone, supervisor }: AppIndexWrite): Promise<boolean> {
    const { redis, keys } = this.connection;
    const { appIndex, directoryChanges } = keys;
    const texts = [...entries];
    // Readers do not read while there is no list of changes.
    if (from === null) await redis.del(appIndex(), directoryChanges());
    while (texts.length > AT_ONCE) await redis.hset(appIndex(), new Map(texts.splice(0, AT_ONCE)));
    const names = from === null ? [] : [...gone, ...entries.keys()];
    const written = await this.writeAppIndex(
      appIndex(),
      directoryChanges(),
      keys.supervisor(),
      from ?? '',
      JSON.stringify({ version, names } satisfies z.infer<typeof appIndexChange>),
      supervisor,
      KEPT_CHANGES,
      gone.length,
      ...gone,
      ...texts.flat(),
    );
    return written === 1;
  }

  async read(version: string): Promise<AppIndexRead | null> {
    const { connection } = this;
    const { redis, keys } = connection;
    const [last, supervisor] = await Promise.all([
      redis.lindex(keys.directoryChanges(), -1),
      redis.get(keys.supervisor()),
    ]);
    const current = connection.parse(last, appIndexChange, keys.directoryChanges());
    if (!current) return null;
    const found = current.version === version ? { version, ...NO_CHANGE } : await this.readChanges(version);
    return found && { ...found, supervisor: connection.parse(supervisor, z.unknown(), keys.supervisor()) };
  }

  /** Reads index and changes in one transaction: while changes exist, the index is complete. */
  private async readChanges(version: string): Promise<Omit<AppIndexRead, 'supervisor'> | null> {
    const { connection } = this;
    const { redis, keys } = connection;
    const { appIndex, directoryChanges } = keys;
    const texts = await redis.lrange(directoryChanges(), 0, -1);
    const changes = connection.parseAll(texts, appIndexChange, directoryChanges());
    const seen = changes.findLastIndex((change) => change.version === version);
    const names = [...new Set(changes.slice(seen + 1).flatMap((change) => change.names))];
    const complete = seen < 0;
    if (!complete && !names.length) return { version: changes[changes.length - 1].version, ...NO_CHANGE };
    const work = redis.multi().lindex(directoryChanges(), -1);
    const answers = await (complete ? work.hgetall(appIndex()) : work.hmget(appIndex(), ...names)).exec();
    const [[, last], [, values]] = answers as [[unknown, string | null], [unknown, any]];
    const current = connection.parse(last, appIndexChange, directoryChanges());
    if (!current) return null;
    const found: Array<[string, string | null]> = complete
      ? Object.entries(values)
      : names.map((name, i) => [name, values[i]]);
    const entries = new Map<string, unknown>();
    const gone: string[] = [];
    for (const [name, text] of found) {
      if (text === null) gone.push(name);
      else entries.set(name, connection.parse(text, z.unknown(), appIndex()));
    }
    // Not the version of a later change, whose entries were not requested.
    const read = complete ? current : changes[changes.length - 1];
    return { version: read.version, complete, entries, gone };
  }
}
