import { z } from 'zod';
import { type AppRecord, appRecord } from '../../../../shared/messages';
import type { Random } from '../../../random';
import writeRecords from '../../scripts/writeRecords-2.lua';
import type { RecordStore, RecordsRead } from '../records';
import { StaleTerm } from '../terms';
import { AT_ONCE, type Script, type StoreConnection } from './connection';

/** Fields in the hash of an environment's records that no app can have as its name, so that they are lost together with it. */
export const VERSION = ':version';
export const INCARNATION = ':incarnation';

const PUBLISHED_INCARNATION = z.number().int().nonnegative();

interface Write {
  incarnation?: number;
  removed?: string[];
  /** Name, generation and JSON of each record. */
  args?: unknown[];
}

/** `RecordStore` in a hash for each environment. */
export class RedisRecords implements RecordStore {
  private readonly writeSome: Script;

  constructor(
    private readonly connection: StoreConnection,
    private readonly random: Random,
  ) {
    this.writeSome = connection.script('writeRecords', 2, writeRecords);
  }

  async publish(environment: string, records: AppRecord[], term: number): Promise<void> {
    for (let i = 0; i < records.length; i += AT_ONCE) {
      const slice = records.slice(i, i + AT_ONCE);
      const args = slice.flatMap((record) => [record.name, record.generation, JSON.stringify(record)]);
      await this.write(environment, term, { args });
    }
  }

  async admit(environment: string, incarnation: number, term: number): Promise<void> {
    await this.write(environment, term, { incarnation });
  }

  async unpublish(environment: string, names: string[], term: number): Promise<void> {
    for (let i = 0; i < names.length; i += AT_ONCE) {
      const slice = names.slice(i, i + AT_ONCE);
      await this.write(environment, term, { removed: slice });
    }
  }

  private async write(environment: string, term: number, { incarnation = -1, removed = [], args = [] }: Write) {
    const { keys } = this.connection;
    const version = this.random.id();
    const newest = await this.writeSome(
      keys.records(environment),
      keys.term(),
      term,
      VERSION,
      version,
      INCARNATION,
      incarnation,
      removed.length,
      ...removed,
      ...args,
    );
    if (newest !== term) throw new StaleTerm(newest);
  }

  async read(environment: string, names?: string[]): Promise<AppRecord[]> {
    if (!names) return (await this.readAll(environment)).records;
    const { connection } = this;
    const key = connection.keys.records(environment);
    return names.length ? connection.parseAll(await connection.redis.hmget(key, ...names), appRecord, key) : [];
  }

  async readSince(environment: string, version: string | null): Promise<RecordsRead | null> {
    const { redis, keys } = this.connection;
    const current = version && (await redis.hget(keys.records(environment), VERSION));
    return current && current === version ? null : this.readAll(environment);
  }

  private async readAll(environment: string): Promise<RecordsRead> {
    const { connection } = this;
    const key = connection.keys.records(environment);
    const { [VERSION]: version = null, [INCARNATION]: text, ...values } = await connection.redis.hgetall(key);
    const incarnation = connection.parse(text, PUBLISHED_INCARNATION, key);
    return { version, incarnation, records: connection.parseAll(Object.values(values), appRecord, key) };
  }
}
