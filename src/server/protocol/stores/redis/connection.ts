import type Redis from 'ioredis';
import type { z } from 'zod';
import type { Clock } from '../../../clock';
import { Feed } from '../../../feed';
import type { Log } from '../../../log';
import { RedisConnection } from '../../connect';
import type { Keys } from '../../keys';

/** A Lua script, called with its keys and then its arguments. */
export type Script = (...args: unknown[]) => Promise<any>;

/** Maximum number of items for each call: a script's arguments are limited, and a long one blocks other clients. */
export const AT_ONCE = 500;

/** The connection that all stores of a process share, and how they parse values. */
export class StoreConnection {
  readonly ignored = new Feed<string>();
  readonly connection: RedisConnection;

  constructor(
    address: string,
    readonly keys: Keys,
    private readonly log: Log,
    clock: Clock,
  ) {
    this.connection = new RedisConnection({ address, role: 'state', log, clock, probe: () => this.write() });
  }

  get redis(): Redis {
    return this.connection.redis;
  }

  /** Rejects while the server accepts no changes: full, read-only, loading. */
  write(): Promise<unknown> {
    return this.redis.set(this.keys.probe(), '');
  }

  script(name: string, numberOfKeys: number, lua: string): Script {
    this.redis.defineCommand(name, { numberOfKeys, lua });
    const { [name]: command } = this.redis as unknown as Record<string, Script>;
    return command.bind(this.redis);
  }

  parseAll<T>(values: Array<string | null>, schema: z.ZodType<T>, key: string): T[] {
    return values.map((value) => this.parse(value, schema, key)).filter((value) => value !== null);
  }

  /** Null if a value is missing or invalid; an invalid one is logged, without its content. */
  parse<T>(value: string | null | undefined, schema: z.ZodType<T>, key: string): T | null {
    if (value === null || value === undefined) return null;
    try {
      return schema.parse(JSON.parse(value));
    } catch (error) {
      this.log.warn(`Redis key ${key} holds something that is not ours; it is ignored.`, {
        problem: String(error).slice(0, 300),
      });
      this.ignored.emit(key);
      return null;
    }
  }
}
