import dns from 'node:dns';
import { isIP } from 'node:net';
import { promisify } from 'node:util';
import Redis, { type AbstractConnector, type RedisOptions, ReplyError } from 'ioredis';
import { SentinelConnector, StandaloneConnector } from 'ioredis/built/connectors';
import type { Clock, Timer } from '../clock';
import { sentinelsOf } from '../config/redis-address';
import { messageOf } from '../errors';
import { Feed } from '../feed';
import type { Log } from '../log';

/**
 * A connection that nothing has proved for so long is probed, in ms. It is longer than the time between two heartbeats, which
 * prove the connection of a Worker at no cost; with the time limit of a command, a silent server is seen within 10 s.
 */
const PROVED_FOR = 5_500;
/** The same while there is trouble. */
const PROBE_IN_TROUBLE_EVERY = 2_000;
/** Interval at which it is decided whether to probe, in ms. */
const LOOK_EVERY = 500;
/** How long a command may take, in ms: a server that vanished never answers. */
const COMMAND_TIMEOUT = 3_000;
/** What arrived while this process was held up is read within this time, in ms. */
const READ_WITHIN = 50;
/** Interval at which the name of the server is resolved, in ms. It is believed when it says the same twice. */
const RESOLVE_EVERY = 4_000;

/** What a server says of itself in `INFO`. */
export type ServerInfo = Record<string, string>;
/** Why a server cannot be used. */
export type Unusable = 'cluster' | 'replica';

const REASONS: Record<Unusable, string> = {
  cluster: 'it is a node of a Redis Cluster, which is not supported. Use one Redis, or Redis with Sentinel',
  replica: 'it is a replica, which accepts no changes',
};

/** Null if a server can be used; null also if its user may not ask. */
export function unusable({ cluster_enabled, role }: ServerInfo): Unusable | null {
  if (cluster_enabled === '1') return 'cluster';
  return role === 'slave' ? 'replica' : null;
}

export interface RedisConnectionOptions {
  /** A URL, or Sentinels: redis-address.ts. */
  address: string;
  /** What it is for, in the log. */
  role: string;
  log: Log;
  clock: Clock;
  /** Asks the server for what the connection is for. A text that it answers is `INFO`. Rejects with the server's error. */
  probe(redis: Redis): Promise<unknown>;
}

/**
 * One connection to Redis. Its commands fail fast while the server is away (callers retry with their own timers). It
 * reconnects by itself: when it is closed, when a probe is not answered, when the server is no primary any more, and when
 * its name has another address. It never emits an unhandled `error`.
 *
 * Not opened at first, because an open connection would keep every command-line run alive forever.
 */
export class RedisConnection {
  readonly redis: Redis;
  /** A probe has succeeded: the first one of each connection, and the first one after each trouble. */
  readonly returns = new Feed<void>();
  /** What is wrong with the server itself; null while it can be used or cannot be reached. */
  unusable: Unusable | null = null;
  /** What is wrong, in words; null while all is well. */
  reason: string | null = null;
  /** Null while all is well. */
  private trouble: 'away' | 'refuses' | Unusable | null = null;
  /** Whether the return was announced. */
  private isBack = false;
  private timers: Timer[] = [];
  /** When the server last did what the connection is for, and when it was last asked, by the monotonic clock. */
  private provedAt = Number.NEGATIVE_INFINITY;
  private probedAt = Number.NEGATIVE_INFINITY;
  private isProbing = false;
  /** Consecutive answers of the resolver without the address of this connection. */
  private elsewhere = 0;

  constructor(private readonly options: RedisConnectionOptions) {
    this.redis = createRedis(options.address, (info) => this.accept(info));
    this.redis.on('error', (error: Error) => this.note('away', error.message || error.name));
    this.redis.on('ready', () => void this.probe());
    // Without an error, too: a Sentinel has announced another primary.
    this.redis.on('close', () => {
      this.isBack = false;
    });
  }

  /** Begins to connect, without waiting for it. */
  open(): void {
    const { redis, options } = this;
    if (this.timers.length === 0) {
      this.timers = [
        options.clock.interval(LOOK_EVERY, () => this.isDue() && void this.probe()),
        options.clock.interval(RESOLVE_EVERY, () => void this.checkAddress()),
      ];
    }
    if (redis.status === 'wait') redis.connect().catch(() => undefined);
  }

  close(): void {
    for (const timer of this.timers.splice(0)) timer.cancel();
    this.redis.disconnect();
  }

  /** The server has just done what a probe would ask it for. */
  proved(): void {
    this.provedAt = this.now();
  }

  /**
   * Leaves this server for the one that is found anew.
   * @param reason why, if this connection has not said it yet
   */
  reconnect(reason?: string | null): void {
    if (this.redis.status !== 'ready') return;
    if (reason) this.note('away', reason);
    this.redis.disconnect(true);
  }

  /** Whether a server that was just reached can be used. */
  private accept(info: ServerInfo): boolean {
    this.unusable = unusable(info);
    if (this.unusable) this.note(this.unusable, REASONS[this.unusable]);
    return this.unusable === null;
  }

  private now(): number {
    return this.options.clock.now().mono;
  }

  private isDue(): boolean {
    const now = this.now();
    return this.isBack ? now - this.provedAt >= PROVED_FOR : now - this.probedAt >= PROBE_IN_TROUBLE_EVERY;
  }

  /** Never rejects. */
  private async probe(): Promise<void> {
    const { redis } = this;
    if (this.isProbing || redis.status !== 'ready') return;
    this.isProbing = true;
    this.probedAt = this.now();
    const { stream } = redis;
    const read = stream.bytesRead;
    const isSame = () => redis.stream === stream && redis.status === 'ready';
    try {
      const answer = await this.options.probe(redis);
      this.proved();
      if (typeof answer === 'string' && !this.accept(parseInfo(answer))) this.reconnect();
      else this.recover();
    } catch (error) {
      if (isAnswer(error)) this.note('refuses', messageOf(error));
      else if (isSame()) {
        // In a process that was held up itself, the time is over before an answer that is there is read.
        await new Promise<void>((resolve) => this.options.clock.timeout(READ_WITHIN, resolve));
        if (!isSame() || stream.bytesRead > read) return;
        this.note('away', 'it does not answer');
        this.reconnect();
      }
    } finally {
      this.isProbing = false;
    }
  }

  /** Reconnects if the name of the server has other addresses by now. Never rejects. */
  private async checkAddress(): Promise<void> {
    const { redis } = this;
    const { host, sentinels } = redis.options;
    const here = redis.status === 'ready' && redis.stream.remoteAddress?.replace(/^::ffff:/, '');
    if (!here || !host || sentinels || isIP(host)) return;
    // No answer says nothing of the server.
    const found = await promisify(dns.lookup)(host, { all: true }).catch(() => null);
    const isHere = found === null || found.some(({ address }) => address === here);
    this.elsewhere = isHere ? 0 : this.elsewhere + 1;
    if (this.elsewhere < 2) return;
    this.elsewhere = 0;
    this.note('away', `${host} is no longer ${here}`);
    this.reconnect();
  }

  /** Logs a trouble once, and another one once more. */
  private note(trouble: NonNullable<RedisConnection['trouble']>, reason: string): void {
    const { log, role } = this.options;
    this.isBack = false;
    this.reason = reason;
    if (this.trouble === trouble || (this.trouble !== null && trouble === 'away')) return;
    this.trouble = trouble;
    if (trouble === 'cluster') log.error(`Redis (${role}) cannot be used: ${reason}.`);
    else if (trouble === 'replica') log.warn(`Redis (${role}) cannot be used: ${reason}. Trying again until it can.`);
    else if (trouble === 'refuses') log.warn(`Redis (${role}) refuses commands: ${reason}`);
    else log.warn(`Redis (${role}) is away: ${reason}. Trying again until it is back.`);
  }

  private recover(): void {
    if (this.isBack) return;
    if (this.trouble) this.options.log.info(`Redis (${this.options.role}) is back.`);
    this.trouble = null;
    this.reason = null;
    this.isBack = true;
    this.returns.emit();
  }
}

/** @param accept whether a server that was reached is used; it is left and tried again otherwise */
function createRedis(address: string, accept: (info: ServerInfo) => boolean): Redis {
  const sentinels = sentinelsOf(address);
  const options: RedisOptions = {
    lazyConnect: true,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    connectTimeout: 5_000,
    commandTimeout: COMMAND_TIMEOUT,
    // A server that vanished never confirms that a connection is closed.
    disconnectTimeout: 500,
    retryStrategy: (attempt) => Math.min(100 * 2 ** attempt, 2_000),
    maxLoadingRetryTime: 1_000,
    // Saves a round trip of every connection.
    disableClientInfo: true,
    keepAlive: 10_000,
    // The primary was demoted and kept the connection.
    reconnectOnError: ({ message }) => message.includes('READONLY'),
    Connector: acceptedBy(sentinels ? SentinelConnector : StandaloneConnector, accept),
  };
  if (!sentinels) return new Redis(address, options);
  const failover: RedisOptions = {
    sentinelCommandTimeout: 5_000,
    // An old primary that is cut off from its Sentinels goes on as if nothing had happened.
    failoverDetector: true,
    sentinelReconnectStrategy: () => 5_000,
  };
  return new Redis({ ...sentinels, ...options, ...failover });
}

type Connector = new (options: any) => AbstractConnector;

function acceptedBy(Base: Connector, accept: (info: ServerInfo) => boolean): Connector {
  abstract class Accepted extends Base {
    /** Called by ioredis with `INFO`, before a connection is used. */
    check(info: ServerInfo): boolean {
      return super.check(info) && accept(info);
    }

    /** Called by ioredis for each Sentinel; it adds no listener to the connections that wait for a failover. */
    connectToSentinel(...args: unknown[]): Redis {
      const inherited = (Base.prototype as { connectToSentinel(...args: unknown[]): Redis }).connectToSentinel;
      return inherited.apply(this, args).on('error', () => undefined);
    }
  }
  return Accepted as unknown as Connector;
}

function parseInfo(text: string): ServerInfo {
  const lines = text.split('\r\n').filter((line) => line.includes(':'));
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]));
}

/** Whether the server itself has said this. */
const isAnswer = (error: unknown): boolean => error instanceof ReplyError;
