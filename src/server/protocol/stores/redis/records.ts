import { z } from 'zod';
import { jsonText } from '../../../../shared/json-text';
import { type AppRecord, appRecord } from '../../../../shared/messages';
import { bodyOf, SUPERVISOR } from '../../envelope';
import { hasSealedSecrets, RecordSealer } from '../../secrets';
import { COUNT, count } from '../counts';
import type { RecordStore, RecordsRead, RecordsWrite } from '../records';
import { placeOf, type Script, type StoreConnection } from './connection';

/**
 * The mark of an environment's records. Its order is the floor. The Supervisor signs it for all environments, so that also a Worker reads it
 * whose key has ended with the former floor.
 */
const recordsHead = z.object({
  count,
  /** Of the Supervisor, with the proof for a Worker that knows none: by its environment's key. */
  publicKey: z.string(),
  proof: z.string(),
});
type RecordsHead = z.infer<typeof recordsHead>;

export function recordsMark(
  connection: StoreConnection,
  environment: string,
  written: Pick<RecordsWrite, 'count' | 'floor'>,
): string {
  const { keyring } = connection.envelope;
  const publicKey = keyring.publicKey ?? '';
  const proof = keyring.proofFor(environment, publicKey, written.floor) ?? '';
  const head = { count: written.count, publicKey, proof } satisfies RecordsHead;
  return connection.sign(SUPERVISOR, placeOf(connection.keys.records(environment), COUNT), written.floor, head);
}

const headText = jsonText(recordsHead);

type Head = Pick<RecordsRead, 'hasOtherKey' | 'floor' | 'count'>;

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
    // What follows is signed for who reads by this floor.
    connection.envelope.keyring.raise(environment, write.floor);
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
    return { mark: found, ...head, records, ...(refused.length ? { refused } : {}) };
  }

  async readSome(environment: string, uids: string[]): Promise<Pick<RecordsRead, 'floor' | 'records'>> {
    const { redis, keys } = this.connection;
    const [mark, ...texts] = await redis.hmget(keys.records(environment), COUNT, ...uids);
    const { floor } = this.openHead(environment, mark ?? '');
    return { floor, records: uids.flatMap((uid, i) => this.open(environment, uid, texts[i]) ?? []) };
  }

  /** However records are read, a Worker knows from then on what the Supervisor has signed. */
  private openHead(environment: string, mark: string): Head {
    const { connection } = this;
    const { keyring, refusals } = connection.envelope;
    const place = placeOf(connection.keys.records(environment), COUNT);
    // It may not be believed.
    const said = headText.safeParse(bodyOf(mark) ?? '').data;
    const isProven = () => said !== undefined && keyring.proofFor(environment, said.publicKey) === said.proof;
    if (said && isProven()) keyring.learn(said.publicKey);
    const read = connection.open(SUPERVISOR, place, mark || null, recordsHead);
    // Whoever has the keys of all environments follows; a Worker has its own key, or one of before.
    if (read) keyring.raise(environment, read.order);
    const hasOtherKey = said !== undefined && keyring.own === environment && !isProven();
    if (hasOtherKey) refusals.note(place, 'key');
    return { floor: read?.order ?? null, count: read?.value.count ?? null, ...(hasOtherKey ? { hasOtherKey } : {}) };
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
