import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Clock } from '../../../clock';
import { bodyOf, SUPERVISOR } from '../../envelope';
import { COUNT, type Count, isAfter } from '../counts';
import {
  type PublishedFound,
  type PublishedHead,
  type PublishedRead,
  type PublishedStore,
  type PublishedValue,
  type PublishedWrite,
  publishedHead,
} from '../published';
import { placeOf, type Script, type StoreConnection } from './connection';

/** How many signatures are made or checked without a pause: each takes about 0.1 ms. */
const WITHOUT_PAUSE = 50;

/** An entry that was believed. */
interface Believed extends PublishedValue {
  /** Of its text; null once it was gone at that count. */
  digest: string | null;
}

const digestOf = (text: string): string => createHash('sha256').update(text).digest('base64');

/**
 * `PublishedStore` in a hash. The Supervisor signs each entry and the head by themselves; the order is the term, and the text begins with
 * the number of the write.
 */
export class RedisPublished implements PublishedStore {
  /** As the Supervisor that this process is: by field, what is stored and was signed with its key. */
  private texts = new Map<string, string>();
  /** As a reader: a signature is checked once, and what is older than this is not believed. */
  private readonly believed = new Map<string, Believed>();
  /** What is older, and was not there at this count, was gone. */
  private begun: Count | null = null;
  /** The last mark that was believed. */
  private opened: { mark: string; head: PublishedHead } | null = null;

  /**
   * @param writeHash null in a process that only reads
   * @param former keys where it was before, which go
   */
  constructor(
    private readonly connection: StoreConnection,
    private readonly writeHash: Script | null,
    private readonly clock: Clock,
    private readonly key: string,
    private readonly former: string[] = [],
  ) {}

  /** As a reader that was started again: what it believed at that count. */
  begin(count: Count, entries: ReadonlyMap<string, PublishedValue>): void {
    this.begun = count;
    for (const [field, entry] of entries) this.believed.set(field, { ...entry, digest: '' });
  }

  async write(write: PublishedWrite): Promise<string | null> {
    const { connection, key, former, writeHash } = this;
    const { count, changes, entries, gone, term } = write;
    const mark = this.sign(COUNT, count, JSON.stringify({ count, changes } satisfies PublishedHead));
    const texts: Array<[field: string, text: string]> = [];
    await this.each(entries, ([field, text]) => texts.push([field, this.sign(field, count, text)]));
    if (!write.from && former.length) await connection.redis.del(...former);
    const args = [COUNT, write.from, mark, gone.length, ...gone, ...texts.flat()];
    if (!writeHash || !(await connection.underTerm(term, writeHash, [key, connection.keys.term()], args))) return null;
    for (const field of gone) this.texts.delete(field);
    for (const [field, text] of texts) this.texts.set(field, text);
    return mark;
  }

  async mark(): Promise<string> {
    return (await this.connection.redis.hget(this.key, COUNT)) ?? '';
  }

  async count(): Promise<Count | null> {
    return this.openHead(await this.mark())?.count ?? null;
  }

  async inspect(): Promise<PublishedFound> {
    const { connection, key } = this;
    const { [COUNT]: mark = '', ...found } = await connection.redis.hgetall(key);
    const entries: PublishedFound['entries'] = new Map();
    const texts = new Map<string, string>();
    await this.each(Object.entries(found), ([field, text]) => {
      const isOurs = this.texts.get(field) === text || connection.envelope.open(SUPERVISOR, placeOf(key, field), text);
      if (isOurs) texts.set(field, text);
      entries.set(field, isOurs ? splitOf(bodyOf(text) ?? '').text : null);
    });
    this.texts = texts;
    return { mark, head: this.openHead(mark), entries };
  }

  async read(since: Count | null): Promise<PublishedRead | null> {
    const { key } = this;
    const { redis, envelope } = this.connection;
    const head = this.openHead((await redis.hget(key, COUNT)) ?? '');
    if (!head) return null;
    if (since && isAfter(since, head.count)) envelope.refusals.note(placeOf(key, COUNT), 'replayed');
    if (since && !isAfter(head.count, since)) return null;
    const fields = since && fieldsSince(head, since);
    if (!fields) return this.readAll();
    const [mark, ...texts] = await redis.hmget(key, COUNT, ...fields);
    const now = this.openHead(mark ?? '');
    // It has changed meanwhile: whoever changed it notifies once more.
    if (!now || isAfter(now.count, head.count)) return this.readAll();
    return this.take(head, new Map(fields.map((field, i) => [field, texts[i]])));
  }

  private async readAll(): Promise<PublishedRead | null> {
    const { [COUNT]: mark = '', ...found } = await this.connection.redis.hgetall(this.key);
    const head = this.openHead(mark);
    const gone = [...this.believed.keys()].map((field): [string, null] => [field, null]);
    return head && this.take(head, new Map<string, string | null>([...gone, ...Object.entries(found)]));
  }

  private async take({ count }: PublishedHead, found: Map<string, string | null>): Promise<PublishedRead> {
    await this.each(found, ([field, text]) => (text === null ? this.leave(field, count) : this.open(field, text)));
    return { count, entries: new Map([...this.believed].filter(([, { digest }]) => digest !== null)) };
  }

  /** An entry that comes back as it was before it was gone is not believed. */
  private leave(field: string, at: Count): void {
    const last = this.believed.get(field);
    if (last && !isAfter(last.at, at)) this.believed.set(field, { at, digest: null, value: null });
  }

  /** What is known of an entry that is not believed stands. */
  private open(field: string, text: string): void {
    const { envelope } = this.connection;
    const place = placeOf(this.key, field);
    const digest = digestOf(text);
    const last = this.believed.get(field);
    if (last?.digest === digest) return;
    const opened = envelope.open(SUPERVISOR, place, text);
    if (!opened) return;
    const { n, text: json } = splitOf(opened.body);
    const at = { term: opened.order, n };
    const isOld = last
      ? isAfter(last.at, at) || (last.digest === null && !isAfter(at, last.at))
      : this.begun !== null && !isAfter(at, this.begun);
    if (isOld) envelope.refusals.note(place, 'replayed');
    else this.believed.set(field, { at, digest, value: envelope.parse(place, json, z.unknown()) });
  }

  /** Null if there is none, or none that is believed. */
  private openHead(mark: string): PublishedHead | null {
    if (!mark) return null;
    if (mark === this.opened?.mark) return this.opened.head;
    const { envelope } = this.connection;
    const place = placeOf(this.key, COUNT);
    const opened = envelope.open(SUPERVISOR, place, mark);
    const head = opened && envelope.parse(place, splitOf(opened.body).text, publishedHead);
    if (head) this.opened = { mark, head };
    return head;
  }

  private sign(field: string, { term, n }: Count, text: string): string {
    return this.connection.envelope.sign(SUPERVISOR, placeOf(this.key, field), term, `${n} ${text}`);
  }

  /** With pauses, in which the process does what else it has to do. */
  private async each<T>(all: Iterable<T>, work: (one: T) => void): Promise<void> {
    let done = 0;
    for (const one of all) {
      work(one);
      if (++done % WITHOUT_PAUSE === 0) await this.clock.sleep(0);
    }
  }
}

/** The number of the write, and the JSON. */
function splitOf(body: string): { n: number; text: string } {
  const at = body.indexOf(' ');
  return { n: Number(body.slice(0, at)), text: body.slice(at + 1) };
}

/** Null if the changes do not go back to that count. */
function fieldsSince({ changes }: PublishedHead, since: Count): string[] | null {
  const seen = changes.findLastIndex(({ count }) => count.term === since.term && count.n === since.n);
  return seen < 0 ? null : [...new Set(changes.slice(seen + 1).flatMap(({ fields }) => fields))];
}
