import type Redis from 'ioredis';
import type { z } from 'zod';
import type { Lease } from '../../../../shared/messages';
import type { Clock } from '../../../clock';
import type { Log } from '../../../log';
import { RedisConnection } from '../../connect';
import { type Envelope, SUPERVISOR } from '../../envelope';
import type { Keys } from '../../redis-keys';
import commonLua from '../../scripts/common.lua';
import { StaleTerm } from '../terms';

/** A Lua script, called with its keys and then its arguments; either may be lists. */
export type Script = (...args: unknown[]) => Promise<any>;

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
  /** By environment, the newest lease that was believed: what is older was written again by somebody else. */
  readonly newest = new Map<string, Pick<Lease, 'epoch' | 'beat'>>();

  constructor(
    address: string,
    readonly keys: Keys,
    readonly envelope: Envelope,
    log: Log,
    clock: Clock,
    /** As in `RedisConnectionOptions`. */
    probe: () => Promise<unknown> = () => this.write(),
  ) {
    this.connection = new RedisConnection({ address, role: 'state', log, clock, probe });
  }

  get redis(): Redis {
    return this.connection.redis;
  }

  /** Rejects while the server accepts no changes: full, read-only, loading. */
  write(): Promise<unknown> {
    return this.redis.set(this.keys.probe(), '');
  }

  script(name: string, numberOfKeys: number, lua: string): Script {
    this.redis.defineCommand(name, { numberOfKeys, lua: commonLua + lua });
    const { [name]: command } = this.redis as unknown as Record<string, Script>;
    return command.bind(this.redis);
  }

  /**
   * Writes under the term of a leading Supervisor.
   * @param script its first argument is the signed term; it answers whether it wrote, and the newest term
   * @throws StaleTerm if a Supervisor has written under a newer one
   */
  async underTerm(term: number, script: Script, keys: string[], args: unknown[]): Promise<boolean> {
    const place = this.keys.term();
    if (this.term.term !== term) this.term = { term, signed: this.sign(SUPERVISOR, place, term, null) };
    const { signed } = this.term;
    const [written, newest]: [number, string] = await script(keys, signed, args);
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
    const opened = typeof text === 'string' ? this.envelope.open(signer, place, text) : null;
    const value = opened && this.envelope.parse(place, opened.body, schema);
    return opened && value !== null ? { value, order: opened.order } : null;
  }
}
