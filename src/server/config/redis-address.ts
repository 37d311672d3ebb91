import type { RedisOptions } from 'ioredis';
import { z } from 'zod';
import { jsonText } from '../../shared/json-text';
import type { Variables } from './variables';

export interface RedisStateConfig {
  /** Records, leases, statuses, manifests, routes: `APP_SUPERVISOR_REDIS_URL`. */
  stateUrl: string;
  /** First part of every key and channel: `APP_SUPERVISOR_KEY_PREFIX`. */
  prefix: string;
}

export const redisStateOf = (variables: Variables): RedisStateConfig => ({
  stateUrl: variables.read('APP_SUPERVISOR_REDIS_URL', redisAddress, REDIS_ADDRESS_FORM),
  prefix: variables.read(
    'APP_SUPERVISOR_KEY_PREFIX',
    z.string().regex(/^[A-Za-z0-9_.-]{1,64}$/),
    'up to 64 letters, digits, "_", "-" or "."',
    'app-supervisor',
  ),
});

const endpoint = z.strictObject({
  host: z.string().min(1),
  port: z.number().int().min(1).max(65_535).default(26_379),
  family: z.union([z.literal(4), z.literal(6)]).optional(),
});

/** No option of TLS but the expected name: the certificate is always verified. */
const tls = z.strictObject({ servername: z.string().optional() });

/** Options of ioredis for Sentinel, with its names and meanings. */
const sentinelOptions = z.strictObject({
  sentinels: z.array(endpoint).min(1),
  name: z.string().min(1),
  username: z.string().optional(),
  password: z.string().optional(),
  db: z.number().int().min(0).optional(),
  sentinelUsername: z.string().optional(),
  sentinelPassword: z.string().optional(),
  tls: tls.optional(),
  sentinelTLS: tls.optional(),
  enableTLSForSentinelMode: z.boolean().optional(),
  natMap: z.record(z.string(), z.strictObject({ host: z.string().min(1), port: z.number().int() })).optional(),
});

const sentinelAddress = jsonText(sentinelOptions);

/** What a valid address looks like, for error messages. */
export const REDIS_ADDRESS_FORM =
  'a Redis address such as redis://localhost:6379/0, or Sentinels such as {"sentinels":[{"host":"sentinel-1","port":26379}],"name":"mymaster"}';

/** `redis://`, `rediss://`, or the options of ioredis for Sentinel as JSON. The result is the text itself. */
export const redisAddress = z.string().refine((text) => {
  if (isSentinel(text)) return sentinelAddress.safeParse(text).success;
  const url = URL.canParse(text) ? new URL(text) : null;
  return url !== null && ['redis:', 'rediss:'].includes(url.protocol) && url.hostname !== '';
});

/** The options of ioredis for Sentinels; null if the address is a URL. @throws if it is not a valid address */
export function sentinelsOf(address: string): RedisOptions | null {
  return isSentinel(address) ? sentinelAddress.parse(address) : null;
}

/** Whether other people must not see this address. */
export function hasSecret(address: string): boolean {
  const sentinels = sentinelsOf(address);
  if (sentinels) return Boolean(sentinels.password || sentinels.sentinelPassword);
  const { password, search } = new URL(address);
  return Boolean(password || search);
}

/** Whether this process signs in to the Redis server with a password. */
export function hasPassword(address: string): boolean {
  const sentinels = sentinelsOf(address);
  return Boolean(sentinels ? sentinels.password : new URL(address).password);
}

const isSentinel = (address: string): boolean => address.trimStart().startsWith('{');
