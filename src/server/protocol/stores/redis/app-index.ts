import { z } from 'zod';
import type { Random } from '../../../random';
import { bodyOf, SUPERVISOR } from '../../envelope';
import draftAppIndex from '../../scripts/draftAppIndex-2.lua';
import writeAppIndex from '../../scripts/writeAppIndex-5.lua';
import { SetDigest } from '../../set-digest';
import type { AppIndexRead, AppIndexStore, AppIndexWrite } from '../app-index';
import { AT_ONCE, type Script, type StoreConnection } from './connection';

/** A reader that has missed more changes reads the whole index. */
const KEPT_CHANGES = 200;
/** How often a read is repeated because the index changes meanwhile. */
const TURNS = 3;

const appIndexChange = z.object({
  version: z.string(),
  names: z.array(z.string()),
  /** Of the whole index after this change (`SetDigest`). */
  root: z.string(),
  /** Counts the changes of a term, which is the order. */
  turn: z.number(),
});
type Change = z.infer<typeof appIndexChange> & { term: number };

/** What a reader has read: it knows the rest of the index by its digest. */
interface Known {
  version: string;
  digest: SetDigest;
}

const NO_CHANGE = { complete: false, entries: new Map<string, unknown>(), gone: [] };

/**
 * `AppIndexStore` in a hash, with a list of its last changes. While the list exists, the hash is complete. The last change
 * carries the signature of the Supervisor over the whole index: one for all, however many apps there are.
 */
export class RedisAppIndex implements AppIndexStore {
  private readonly writeChange: Script;
  private readonly writeDraft: Script;
  /** What this process wrote, as Supervisor. */
  private written = new SetDigest();
  private turn = 0;
  /** What this process read. */
  private known: Known | null = null;
  /** The newest change that was believed. */
  private newest: Pick<Change, 'term' | 'turn'> = { term: 0, turn: 0 };
  private supervisor: { value: unknown; order: number } | null = null;

  constructor(
    private readonly connection: StoreConnection,
    private readonly random: Random,
  ) {
    this.writeChange = connection.scriptUnderTerm('writeAppIndex', 5, writeAppIndex);
    this.writeDraft = connection.scriptUnderTerm('draftAppIndex', 2, draftAppIndex);
  }

  async write(write: AppIndexWrite): Promise<boolean> {
    const { from, version, entries, gone, supervisor, term } = write;
    const owner = from === null ? this.random.id() : '';
    if (owner && !(await this.draft(owner, write))) return false;
    const { connection } = this;
    const { keys } = connection;
    if (owner) this.written = new SetDigest();
    for (const name of gone) this.written.set(name);
    for (const [name, text] of entries) this.written.set(name, text);
    const names = owner ? [] : [...gone, ...entries.keys()];
    const change = { version, names, root: this.written.root, turn: ++this.turn };
    const signed = [
      connection.sign(SUPERVISOR, keys.directoryChanges(), term, change satisfies z.infer<typeof appIndexChange>),
      connection.envelope.sign(SUPERVISOR, keys.supervisor(), term, supervisor),
    ];
    return connection.underTerm(term, (signedTerm) =>
      this.writeChange(
        keys.appIndex(),
        keys.directoryChanges(),
        keys.supervisor(),
        keys.term(),
        keys.appIndexDraft(),
        signedTerm,
        owner,
        from ?? '',
        ...signed,
        KEPT_CHANGES,
        gone.length,
        ...gone,
        ...(owner ? [] : [...entries].flat()),
      ),
    );
  }

  /** Writes the whole apart from what is read, part by part. @returns whether it is still this writer's */
  private async draft(owner: string, { entries, term }: AppIndexWrite): Promise<boolean> {
    const { connection } = this;
    const { keys } = connection;
    const texts = [...entries];
    for (let i = 0; i === 0 || i < texts.length; i += AT_ONCE) {
      const part = texts.slice(i, i + AT_ONCE).flat();
      const isWritten = await connection.underTerm(term, (signedTerm) =>
        this.writeDraft(keys.appIndexDraft(), keys.term(), signedTerm, owner, i ? 0 : 1, ...part),
      );
      if (!isWritten) return false;
    }
    return true;
  }

  async read(version: string): Promise<AppIndexRead | null> {
    const { redis, keys } = this.connection;
    const [last, supervisor] = await Promise.all([
      redis.lindex(keys.directoryChanges(), -1),
      redis.get(keys.supervisor()),
    ]);
    const current = this.openChange(last);
    if (!current) return null;
    const found = current.version === version ? { version, ...NO_CHANGE } : await this.readChanges(version);
    return found && { ...found, supervisor: this.openSupervisor(supervisor) };
  }

  /** The change that is the last one now; null if there is none, or none that is believed. */
  private openChange(text: string | null): Change | null {
    const { connection, newest } = this;
    const place = connection.keys.directoryChanges();
    const read = connection.open(SUPERVISOR, place, text, appIndexChange);
    if (!read) return null;
    const change = { ...read.value, term: read.order };
    const isOld = (change.term - newest.term || change.turn - newest.turn) < 0;
    if (isOld) connection.envelope.refusals.note(place, 'replayed');
    else this.newest = change;
    return isOld ? null : change;
  }

  /** What was believed before stays until there is something newer that is believed. */
  private openSupervisor(text: string | null): unknown {
    const { connection } = this;
    const place = connection.keys.supervisor();
    const read = connection.open(SUPERVISOR, place, text, z.unknown());
    if (read && read.order >= (this.supervisor?.order ?? 0)) this.supervisor = read;
    else if (read) connection.envelope.refusals.note(place, 'replayed');
    return this.supervisor?.value ?? null;
  }

  private async readChanges(version: string): Promise<Omit<AppIndexRead, 'supervisor'> | null> {
    const { redis, keys, envelope } = this.connection;
    for (let turn = 0; turn < TURNS && this.known?.version === version; turn++) {
      const texts = await redis.lrange(keys.directoryChanges(), 0, -1);
      const names = namesSince(texts, version);
      if (!names) break;
      const [last, values] = await this.readWith((work) => work.hmget(keys.appIndex(), ...names, ''));
      // It has changed meanwhile.
      if (last !== texts[texts.length - 1]) continue;
      const change = this.openChange(last);
      if (!change) return null;
      const found = names.map((name, i) => [name, values[i]] as const);
      // Names that are missing, or entries that were changed, show in the digest.
      if (this.believes(change, found, this.known.digest)) return this.readOf(change, found, false);
      break;
    }
    this.known = null;
    const [last, values] = await this.readWith((work) => work.hgetall(keys.appIndex()));
    const change = this.openChange(last);
    if (!change) return null;
    const found = Object.entries(values as Record<string, string>);
    if (this.believes(change, found, new SetDigest())) return this.readOf(change, found, true);
    envelope.refusals.note(keys.appIndex(), 'forged');
    return null;
  }

  /** Reads entries and the last change in one transaction: while changes exist, the index is complete. */
  private async readWith(
    read: (work: ReturnType<StoreConnection['redis']['multi']>) => ReturnType<StoreConnection['redis']['multi']>,
  ): Promise<[string | null, any]> {
    const { redis, keys } = this.connection;
    const answers = await read(redis.multi().lindex(keys.directoryChanges(), -1)).exec();
    const [[, last], [, values]] = answers as [[unknown, string | null], [unknown, any]];
    return [last, values];
  }

  private believes(change: Change, found: Array<readonly [string, string | null]>, digest: SetDigest): boolean {
    for (const [name, text] of found) digest.set(name, text ?? undefined);
    if (digest.root !== change.root) return false;
    this.known = { version: change.version, digest };
    return true;
  }

  private readOf({ version }: Change, found: Array<readonly [string, string | null]>, complete: boolean) {
    const { connection } = this;
    const entries = new Map<string, unknown>();
    const gone: string[] = [];
    for (const [name, text] of found) {
      if (text === null) gone.push(name);
      else entries.set(name, connection.parse(connection.keys.appIndex(), text, z.unknown()));
    }
    return { version, complete, entries, gone };
  }
}

/** Of the apps that have changed since a version; null if the changes do not go back to it. */
function namesSince(texts: string[], version: string): string[] | null {
  const changes = texts.map((text) => {
    try {
      return appIndexChange.parse(JSON.parse(bodyOf(text) ?? ''));
    } catch {
      return null;
    }
  });
  const seen = changes.findLastIndex((change) => change?.version === version);
  return seen < 0 ? null : [...new Set(changes.slice(seen + 1).flatMap((change) => change?.names ?? []))];
}
