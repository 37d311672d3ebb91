import { isIP } from 'node:net';
import path from 'node:path';
import { z } from 'zod';
import { ConfigError } from '.';
import { type RedisStateConfig, redisStateOf } from './redis-address';
import { serverAddress } from './server-address';
import { type Env, httpUrl, list, Variables } from './variables';

/** What the operator of a door sets; all else comes with the table that the Supervisor publishes. */
export interface DoorConfig {
  /** Of its table, of what HAProxy reads, and of the sockets between the two: `APP_SUPERVISOR_DOOR_FOLDER`. */
  folder: string;
  /** `host:port`, `[host]:port`, or `:port` for all addresses; null: none. `APP_SUPERVISOR_DOOR_HTTP`, `APP_SUPERVISOR_DOOR_HTTPS`. */
  http: string | null;
  https: string | null;
  /** Folder with certificates and their keys: `APP_SUPERVISOR_DOOR_CERTIFICATES`. */
  certificates: string | null;
  /** Whether HTTP only leads to HTTPS: `APP_SUPERVISOR_DOOR_REDIRECT`. */
  redirects: boolean;
  /** Whether a load balancer before it speaks the PROXY protocol: `APP_SUPERVISOR_DOOR_PROXY_PROTOCOL`. */
  proxyProtocol: boolean;
  /** Addresses of the Supervisors: `APP_SUPERVISOR_DOOR_SUPERVISORS`. */
  supervisors: string[];
  /** `host:port` of HAProxy's metrics; null: none. `APP_SUPERVISOR_DOOR_METRICS`. */
  metrics: string | null;
  /** Null: one for each core. `APP_SUPERVISOR_DOOR_THREADS`. */
  threads: number | null;
  /** Most connections at the same time, as far as the system lets it have them; null: all of these. `APP_SUPERVISOR_DOOR_CONNECTIONS`. */
  connections: number | null;
  /** File with the authorities that sign certificates of Workers; null: those of the system. `APP_SUPERVISOR_DOOR_AUTHORITIES`. */
  authorities: string | null;
  redis: RedisStateConfig;
  /** Of the Supervisor: `APP_SUPERVISOR_PUBLIC_KEY`. */
  publicKey: string;
}

/** It becomes part of HAProxy's configuration, in which spaces end a word. */
const PLAIN_PATH = /^\/[\w.+~@/-]*$/;

const listenAddress = z.string().refine((text) => {
  const [, host, port] = /^(.*):(\d{1,5})$/.exec(text) ?? [];
  if (port === undefined || Number(port) < 1 || Number(port) > 65_535) return false;
  return host === '' || host === '*' || isIP(host) === 4 || (/^\[.*\]$/.test(host) && isIP(host.slice(1, -1)) === 6);
});

/**
 * @param env as the process has it
 * @throws ConfigError with every problem at once
 */
export function doorConfig(env: Env = process.env): DoorConfig {
  const variables = new Variables(env);
  const listener = (name: string, fallback: string) => {
    const form = 'an address such as :8080, 127.0.0.1:8080 or [::1]:8080, or "none"';
    const value = variables.read(name, z.union([z.literal('none'), listenAddress]), form, fallback);
    return value === 'none' ? null : value;
  };
  const folderOf = (name: string, fallback: string) =>
    variables.read(
      name,
      z.string().regex(PLAIN_PATH),
      'an absolute path of letters, digits and . _ - + ~ @ /',
      fallback,
    );
  const supervisors = list(env.APP_SUPERVISOR_DOOR_SUPERVISORS, []);
  const config: DoorConfig = {
    folder: path.resolve(folderOf('APP_SUPERVISOR_DOOR_FOLDER', '/var/lib/nocobase-door')),
    http: listener('APP_SUPERVISOR_DOOR_HTTP', ':8080'),
    https: listener('APP_SUPERVISOR_DOOR_HTTPS', 'none'),
    certificates: folderOf('APP_SUPERVISOR_DOOR_CERTIFICATES', '') || null,
    redirects: variables.flag('APP_SUPERVISOR_DOOR_REDIRECT'),
    proxyProtocol: variables.flag('APP_SUPERVISOR_DOOR_PROXY_PROTOCOL'),
    supervisors: supervisors.flatMap((address) => httpUrl.safeParse(address).data ?? []),
    metrics: listener('APP_SUPERVISOR_DOOR_METRICS', 'none'),
    threads: variables.whole('APP_SUPERVISOR_DOOR_THREADS', 0, 64, 0) || null,
    connections: variables.whole('APP_SUPERVISOR_DOOR_CONNECTIONS', 0, 1_000_000, 0) || null,
    authorities: folderOf('APP_SUPERVISOR_DOOR_AUTHORITIES', '') || null,
    redis: redisStateOf(variables),
    publicKey: variables.read(
      'APP_SUPERVISOR_PUBLIC_KEY',
      z.string().regex(/^[\w-]{43}$/),
      'the public key of the Supervisor, which dist/server/keys.js --door writes',
    ),
  };
  if (!supervisors.length || config.supervisors.length < supervisors.length) {
    const value = supervisors.length ? `"${supervisors.join()}"` : 'not set';
    variables.problems.push(
      `APP_SUPERVISOR_DOOR_SUPERVISORS is ${value}; it must be the addresses of the Supervisors, such as http://supervisor:13000, separated by commas.`,
    );
  }
  for (const address of config.supervisors.filter((each) => serverAddress(each) === null)) {
    variables.problems.push(
      `APP_SUPERVISOR_DOOR_SUPERVISORS has "${address}"; the host must be a valid name, and with https:// not an IP address, because the door compares certificates with names.`,
    );
  }
  if (config.https && !config.certificates) {
    variables.problems.push(
      'APP_SUPERVISOR_DOOR_CERTIFICATES is not set; with APP_SUPERVISOR_DOOR_HTTPS it must be the folder with the certificates.',
    );
  }
  if (!config.http && !config.https) {
    variables.problems.push('APP_SUPERVISOR_DOOR_HTTP and APP_SUPERVISOR_DOOR_HTTPS are both "none"; set one of them.');
  }
  if (config.redirects && !config.https) {
    variables.problems.push(
      'APP_SUPERVISOR_DOOR_REDIRECT is "true", and APP_SUPERVISOR_DOOR_HTTPS is not set; set both.',
    );
  }
  if (variables.problems.length) throw new ConfigError(variables.problems, 'The door');
  return config;
}
