import { type StatusEntry, statusEntry } from '../../../../shared/messages';
import writeStatuses from '../../scripts/writeStatuses-3.lua';
import type { StatusMark, StatusStore, StatusWrite } from '../statuses';
import type { Script, StoreConnection } from './connection';

/** `StatusStore` in a hash for each environment, written by a script that checks the lease. */
export class RedisStatuses implements StatusStore {
  private readonly writeStatuses: Script;
  /** By environment, the last statuses by their texts: most are unchanged at the next read. */
  private readonly parsed = new Map<string, Map<string, StatusEntry>>();

  constructor(private readonly connection: StoreConnection) {
    this.writeStatuses = connection.script('writeStatuses', 3, writeStatuses);
  }

  async write(write: StatusWrite): Promise<boolean> {
    const { keys } = this.connection;
    const written = await this.writeStatuses(
      keys.lease(write.environment),
      keys.statuses(write.environment),
      keys.version(write.environment),
      write.instance,
      write.epoch,
      write.version,
      write.from ?? '',
      JSON.stringify(write.removed),
      ...write.entries.flatMap((entry) => [entry.name, JSON.stringify(entry)]),
    );
    return written === 1;
  }

  async read(environment: string): Promise<StatusEntry[]> {
    const { connection } = this;
    const key = connection.keys.statuses(environment);
    const before = this.parsed.get(environment);
    const now = new Map<string, StatusEntry>();
    for (const text of await connection.redis.hvals(key)) {
      const entry = before?.get(text) ?? connection.parse(text, statusEntry, key);
      if (entry) now.set(text, entry);
    }
    this.parsed.set(environment, now);
    return [...now.values()];
  }

  async mark(environment: string): Promise<StatusMark> {
    const { redis, keys } = this.connection;
    const [version, count] = await Promise.all([
      redis.get(keys.version(environment)),
      redis.hlen(keys.statuses(environment)),
    ]);
    return { version: Number(version ?? 0), count };
  }

  /** Frees the memory of an environment. */
  forget(environment: string): void {
    this.parsed.delete(environment);
  }
}
