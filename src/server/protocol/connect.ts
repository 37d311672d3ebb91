import Redis, { type RedisOptions } from 'ioredis';
import type { Log } from '../log';

/**
 * The configuration of all Redis connections: they fail fast while Redis is down (callers retry with their own timers),
 * reconnect by themselves, and never emit an unhandled `error`.
 *
 * Not opened here, because an open connection would keep every command-line run alive forever.
 */
export function createRedis(url: string, log: Log, role: string, options: RedisOptions = {}): Redis {
  const client = new Redis(url, {
    lazyConnect: true,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    connectTimeout: 5_000,
    // A frozen Redis keeps its sockets open: without this a command would wait forever.
    commandTimeout: 3_000,
    retryStrategy: (attempt) => Math.min(100 * 2 ** attempt, 2_000),
    // Three missed probes end a half-open connection.
    keepAlive: 10_000,
    ...options,
  });
  let down = false;
  client.on('error', (error: Error) => {
    if (!down) log.warn(`Redis (${role}) is away: ${error.message || error.name}. Trying again until it is back.`);
    down = true;
  });
  client.on('ready', () => {
    if (down) log.info(`Redis (${role}) is back.`);
    down = false;
  });
  return client;
}

/** Opens a connection without waiting for it; its own retries establish it. */
export function open(client: Redis): void {
  if (client.status === 'wait') client.connect().catch(() => undefined);
}
