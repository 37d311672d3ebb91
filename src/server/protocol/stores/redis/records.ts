import { z } from 'zod';
import { type AppRecord, appRecord } from '../../../../shared/messages';
import { hasSealedSecrets, RecordSealer } from '../../secrets';
import { COUNT, type Count, count } from '../counts';
import type { RecordStore, RecordsRead, RecordsWrite } from '../records';
import { placeOf, type Script, type StoreConnection } from './connection';

/** The mark of an environment's records. Its order is the incarnation. */
const recordsHead = z.object({
  count,
  /** Of the Supervisor, for what several environments read. */
  publicKey: z.string(),
});

export function recordsMark(
  connection: StoreConnection,
  environment: string,
  written: Pick<RecordsWrite, 'count' | 'incarnation'>,
): string {
  const publicKey = connection.envelope.keyring.publicKey ?? '';
  const head = { count: written.count, publicKey } satisfies z.infer<typeof recordsHead>;
  return connection.sign(environment, placeOf(connection.keys.records(environment), COUNT), written.incarnation, head);
}

/** `RecordStore` in a hash for each environment. */
export class RedisRecords implements RecordStore {
  private readonly sealer: RecordSealer;

  constructor(
    private readonly connection: StoreConnection,
    private readonly writeHash: Script,
  ) {
    this.sealer = new RecordSealer(connection.envelope.keyring);
  }

  /** As in `Stores`. */
  readonly sealed = (environment: string, record: AppRecord): AppRecord => this.sealer.seal(environment, record);

  async write(environment: string, write: RecordsWrite): Promise<string | null> {
    const { connection } = this;
    const { keys } = connection;
    const { from, records, removed, term } = write;
    const mark = recordsMark(connection, environment, write);
    const texts = records.flatMap((record) => [record.uid, this.signed(environment, record)]);
    const args = [COUNT, from, mark, removed.length, ...removed, ...texts];
    const isWritten = await connection.underTerm(term, this.writeHash, [keys.records(environment), keys.term()], args);
    return isWritten ? mark : null;
  }

  async mark(environment: string): Promise<string> {
    const { redis, keys } = this.connection;
    return (await redis.hget(keys.records(environment), COUNT)) ?? '';
  }

  async read(environment: string, mark: string | null): Promise<RecordsRead | null> {
    const { connection } = this;
    if (mark && (await this.mark(environment)) === mark) return null;
    const key = connection.keys.records(environment);
    const { [COUNT]: found = '', ...texts } = await connection.redis.hgetall(key);
    const head = this.openHead(environment, found);
    const refused: string[] = [];
    const records: AppRecord[] = [];
    for (const [uid, text] of Object.entries(texts)) {
      const record = this.open(environment, uid, text);
      if (record) records.push(record);
      else refused.push(uid);
    }
    const { count = null, incarnation = null } = head ?? {};
    return { mark: found, count, incarnation, records, ...(refused.length ? { refused } : {}) };
  }

  async readSome(environment: string, uids: string[]): Promise<Pick<RecordsRead, 'incarnation' | 'records'>> {
    const { redis, keys } = this.connection;
    const [mark, ...texts] = await redis.hmget(keys.records(environment), COUNT, ...uids);
    const records = uids.flatMap((uid, i) => this.open(environment, uid, texts[i]) ?? []);
    return { incarnation: this.openHead(environment, mark ?? '')?.incarnation ?? null, records };
  }

  /** However records are read, a Worker knows from then on what the Supervisor has signed. */
  private openHead(environment: string, mark: string): { incarnation: number; count: Count } | undefined {
    const { connection } = this;
    const place = placeOf(connection.keys.records(environment), COUNT);
    const read = connection.open(environment, place, mark || null, recordsHead);
    if (!read) return undefined;
    connection.envelope.keyring.learn(read.value.publicKey);
    return { incarnation: read.order, count: read.value.count };
  }

  private signed(environment: string, record: AppRecord): string {
    const { connection } = this;
    const place = placeOf(connection.keys.records(environment), record.uid);
    return connection.sign(environment, place, record.generation, this.sealed(environment, record));
  }

  private open(environment: string, uid: string, text: string | null): AppRecord | null {
    const { connection } = this;
    const place = placeOf(connection.keys.records(environment), uid);
    const record = connection.open(environment, place, text, appRecord)?.value;
    if (!record || record.uid !== uid) return null;
    if (hasSealedSecrets(record)) return record;
    connection.envelope.refusals.note(place, 'unsealed');
    return null;
  }
}
