import { z } from 'zod';
import { type AppRecord, appRecord } from '../../../../shared/messages';
import type { Random } from '../../../random';
import writeRecords from '../../scripts/writeRecords-2.lua';
import { hasSealedSecrets, RecordSealer } from '../../secrets';
import { OtherIncarnation, type RecordStore, type RecordsRead } from '../records';
import { AT_ONCE, placeOf, type Script, type StoreConnection } from './connection';

/** Fields in the hash of an environment's records that no app can have as its name, so that they are lost together with it. */
export const VERSION = ':version';
export const INCARNATION = ':incarnation';

/** What an environment has to know besides its records. Its order is the incarnation. */
const environmentHead = z.object({
  /** Of the Supervisor, for what several environments read. */
  publicKey: z.string(),
});

/** The incarnation of an environment, signed. */
export function incarnationOf(connection: StoreConnection, environment: string, incarnation: number): string {
  const head = { publicKey: connection.envelope.keyring.publicKey ?? '' } satisfies z.infer<typeof environmentHead>;
  const place = placeOf(connection.keys.records(environment), INCARNATION);
  return connection.sign(environment, place, incarnation, head);
}

interface Write {
  /** The incarnation that is admitted, with its order. */
  admitted?: [order: number, text: string];
  /** The incarnation for which records are published. */
  published?: number;
  removed?: string[];
  /** Name, generation and JSON of each record. */
  args?: unknown[];
}

/** `RecordStore` in a hash for each environment. */
export class RedisRecords implements RecordStore {
  private readonly writeSome: Script;
  private readonly sealer: RecordSealer;

  constructor(
    private readonly connection: StoreConnection,
    private readonly random: Random,
  ) {
    this.sealer = new RecordSealer(connection.envelope.keyring);
    this.writeSome = connection.scriptUnderTerm('writeRecords', 2, writeRecords);
  }

  async publish(environment: string, records: AppRecord[], term: number, incarnation: number): Promise<void> {
    for (let i = 0; i < records.length; i += AT_ONCE) {
      const slice = records.slice(i, i + AT_ONCE);
      const args = slice.flatMap((record) => [record.name, record.generation, this.signed(environment, record)]);
      await this.write(environment, term, { published: incarnation, args });
    }
  }

  /** As in `Stores`. */
  readonly sealed = (environment: string, record: AppRecord): AppRecord => this.sealer.seal(environment, record);

  async admit(environment: string, incarnation: number, term: number): Promise<void> {
    const text = incarnationOf(this.connection, environment, incarnation);
    await this.write(environment, term, { admitted: [incarnation, text] });
  }

  async unpublish(environment: string, names: string[], term: number): Promise<void> {
    for (let i = 0; i < names.length; i += AT_ONCE) {
      const slice = names.slice(i, i + AT_ONCE);
      await this.write(environment, term, { removed: slice });
    }
  }

  private async write(environment: string, term: number, write: Write): Promise<void> {
    const { admitted = [-1, ''], published = -1, removed = [], args = [] } = write;
    const { connection } = this;
    const { keys } = connection;
    const version = this.random.id();
    const fields = [VERSION, version, INCARNATION, ...admitted, published, removed.length, ...removed, ...args];
    const isWritten = await connection.underTerm(term, (signedTerm) =>
      this.writeSome(keys.records(environment), keys.term(), signedTerm, ...fields),
    );
    if (!isWritten) throw new OtherIncarnation(environment);
  }

  async read(environment: string): Promise<AppRecord[]> {
    return (await this.readAll(environment)).records;
  }

  async readNamed(environment: string, names: string[]): Promise<Pick<RecordsRead, 'incarnation' | 'records'>> {
    const { redis, keys } = this.connection;
    const [head, ...texts] = await redis.hmget(keys.records(environment), INCARNATION, ...names);
    const records = names.flatMap((name, i) => this.open(environment, name, texts[i]) ?? []);
    return { incarnation: this.openHead(environment, head)?.order ?? null, records };
  }

  async readSince(environment: string, version: string | null): Promise<RecordsRead | null> {
    const { redis, keys } = this.connection;
    const current = version && (await redis.hget(keys.records(environment), VERSION));
    return current && current === version ? null : this.readAll(environment);
  }

  private async readAll(environment: string): Promise<RecordsRead> {
    const { connection } = this;
    const key = connection.keys.records(environment);
    const { [VERSION]: version = null, [INCARNATION]: text, ...texts } = await connection.redis.hgetall(key);
    const head = this.openHead(environment, text ?? null);
    if (head) connection.envelope.keyring.learn(head.value.publicKey);
    const refused = text !== undefined && !head ? [INCARNATION] : [];
    const records: AppRecord[] = [];
    for (const [name, text] of Object.entries(texts)) {
      const record = this.open(environment, name, text);
      if (record) records.push(record);
      else refused.push(name);
    }
    return { version, incarnation: head?.order ?? null, records, ...(refused.length ? { refused } : {}) };
  }

  private openHead(environment: string, text: string | null) {
    const { connection } = this;
    return connection.open(
      environment,
      placeOf(connection.keys.records(environment), INCARNATION),
      text,
      environmentHead,
    );
  }

  private signed(environment: string, record: AppRecord): string {
    const { connection } = this;
    const place = placeOf(connection.keys.records(environment), record.name);
    return connection.sign(environment, place, record.generation, this.sealed(environment, record));
  }

  private open(environment: string, name: string, text: string | null): AppRecord | null {
    const { connection } = this;
    const place = placeOf(connection.keys.records(environment), name);
    const read = connection.open(environment, place, text, appRecord);
    if (!read) return null;
    if (hasSealedSecrets(read.value)) return read.value;
    connection.envelope.refusals.note(place, 'unsealed');
    return null;
  }
}
