import type Redis from 'ioredis';
import type { z } from 'zod';
import type { Clock } from '../../../clock';
import type { Log } from '../../../log';
import { RedisConnection } from '../../connect';
import { type Envelope, SUPERVISOR } from '../../envelope';
import type { Keys } from '../../keys';
import termLua from '../../scripts/term.lua';
import { StaleTerm } from '../terms';

/** A Lua script, called with its keys and then its arguments. */
export type Script = (...args: unknown[]) => Promise<any>;

/** Maximum number of items for each call: a script's arguments are limited, and a long one blocks other clients. */
export const AT_ONCE = 500;

/** A field of a key, as what is signed names it. */
export const placeOf = (key: string, field: string): string => `${key} ${field}`;

/** A value that was read, and believed. */
export interface Read<T> {
  value: T;
  /** As signed: a generation, an epoch, a version. */
  order: number;
}

/** The connection that all stores of a process share, and how they write and believe values. */
export class StoreConnection {
  readonly connection: RedisConnection;
  /** The last term under which this process wrote. */
  private term = { term: -1, signed: '' };
  /** By environment, the epoch of the lease that was last believed. */
  readonly epochs = new Map<string, number>();

  constructor(
    address: string,
    readonly keys: Keys,
    readonly envelope: Envelope,
    log: Log,
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

  /** The same, of a script that `underTerm` calls: behind what every one of them begins with. */
  scriptUnderTerm(name: string, numberOfKeys: number, lua: string): Script {
    return this.script(name, numberOfKeys, termLua + lua);
  }

  /**
   * Writes under the term of a leading Supervisor.
   * @param write calls a script with the signed term, which answers whether it wrote, and the newest term
   * @throws StaleTerm if a Supervisor has written under a newer one
   */
  async underTerm(
    term: number,
    write: (signedTerm: string) => Promise<[written: number, term: string]>,
  ): Promise<boolean> {
    const place = this.keys.term();
    if (this.term.term !== term) this.term = { term, signed: this.sign(SUPERVISOR, place, term, null) };
    const { signed } = this.term;
    const [written, newest] = await write(signed);
    if (newest === signed) return written === 1;
    const opened = this.envelope.open(SUPERVISOR, place, newest);
    if (opened) throw new StaleTerm(opened.order);
    await this.redis.del(place);
    throw new Error('The term in Redis was not written by a Supervisor; it is tried again.');
  }

  /** @param place the key, with its field if it has any: `placeOf` */
  sign(signer: string, place: string, order: number, value: unknown): string {
    return this.envelope.sign(signer, place, order, JSON.stringify(value));
  }

  /** Null if a value is missing, not signed for this place, or invalid; what is ignored is noted, without its content. */
  open<T>(signer: string, place: string, text: string | null | undefined, schema: z.ZodType<T>): Read<T> | null {
    if (text === null || text === undefined) return null;
    const opened = this.envelope.open(signer, place, text);
    const value = opened && this.parse(place, opened.body, schema);
    return value === null ? null : { value, order: opened?.order ?? 0 };
  }

  /** Null if it is not what the schema says, which is noted. */
  parse<T>(place: string, text: string, schema: z.ZodType<T>): T | null {
    try {
      return schema.parse(JSON.parse(text));
    } catch (error) {
      this.envelope.refusals.note(place, 'unreadable', String(error).slice(0, 300));
      return null;
    }
  }
}
