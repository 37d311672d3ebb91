import { z } from 'zod';
import type { Random } from '../../../random';
import draftAppIndex from '../../scripts/draftAppIndex-2.lua';
import writeAppIndex from '../../scripts/writeAppIndex-5.lua';
import type { AppIndexRead, AppIndexStore, AppIndexWrite } from '../app-index';
import { StaleTerm } from '../terms';
import { AT_ONCE, type Script, type StoreConnection } from './connection';

/** A reader that has missed more changes reads the whole index. */
const KEPT_CHANGES = 200;
const appIndexChange = z.object({ version: z.string(), names: z.array(z.string()) });

const NO_CHANGE = { complete: false, entries: new Map<string, unknown>(), gone: [] };

/** `AppIndexStore` in a hash, with a list of its last changes. While the list exists, the hash is complete. */
export class RedisAppIndex implements AppIndexStore {
  private readonly writeChange: Script;
  private readonly writeDraft: Script;

  constructor(
    private readonly connection: StoreConnection,
    private readonly random: Random,
  ) {
    this.writeChange = connection.script('writeAppIndex', 5, writeAppIndex);
    this.writeDraft = connection.script('draftAppIndex', 2, draftAppIndex);
  }

  async write(write: AppIndexWrite): Promise<boolean> {
    const { from, version, entries, gone, supervisor, term } = write;
    const owner = from === null ? this.random.id() : '';
    if (owner && !(await this.draft(owner, write))) return false;
    const { keys } = this.connection;
    const change = { version, names: owner ? [] : [...gone, ...entries.keys()] } satisfies z.infer<
      typeof appIndexChange
    >;
    const [written, newest] = await this.writeChange(
      keys.appIndex(),
      keys.directoryChanges(),
      keys.supervisor(),
      keys.term(),
      keys.appIndexDraft(),
      term,
      owner,
      from ?? '',
      JSON.stringify(change),
      supervisor,
      KEPT_CHANGES,
      gone.length,
      ...gone,
      ...(owner ? [] : [...entries].flat()),
    );
    if (newest !== term) throw new StaleTerm(newest);
    return written === 1;
  }

  /** Writes the whole apart from what is read, part by part. @returns whether it is still this writer's */
  private async draft(owner: string, { entries, term }: AppIndexWrite): Promise<boolean> {
    const { keys } = this.connection;
    const texts = [...entries];
    for (let i = 0; i === 0 || i < texts.length; i += AT_ONCE) {
      const part = texts.slice(i, i + AT_ONCE).flat();
      const [written, newest] = await this.writeDraft(
        keys.appIndexDraft(),
        keys.term(),
        term,
        owner,
        i ? 0 : 1,
        ...part,
      );
      if (newest !== term) throw new StaleTerm(newest);
      if (written !== 1) return false;
    }
    return true;
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
