/** Where a door runs: what the operator of this machine sets, beside the table that the Supervisor publishes. */
export interface DoorPlace {
  /** Absolute path of the folder with the files of `DoorFiles`, and of the runtime socket. */
  folder: string;
  /** Whether a table has ever come: before that, any name may be an app's. */
  hasTable: boolean;
  listeners: readonly Listener[];
  /** Whether the machine has IPv6: `:port` is then of it, too. */
  hasIPv6: boolean;
  /** `host:port` of HAProxy's own metrics; null: none. */
  metrics: string | null;
  /** Base addresses of the Supervisors, which answer what the rules leave to them. The first that is there is asked. */
  supervisors: readonly string[];
  /** Null: one for each core. */
  threads: number | null;
  /** Most connections at the same time, as far as the system lets it have them; null: all of these. */
  connections: number | null;
  /** File with the certificates of authorities that sign those of Workers; null: those of the system. */
  authorities: string | null;
  /** Further lines of the section `global`, such as user, group and `chroot`. */
  globals: readonly string[];
}

export interface Listener {
  /** `host:port`, or `:port` for all addresses. */
  address: string;
  /** Folder with certificates, for HTTPS with HTTP/2; null: HTTP. */
  certificates: string | null;
  /** Whether a load balancer before it speaks the PROXY protocol. */
  proxyProtocol: boolean;
  /** Whether visitors are sent to HTTPS. */
  redirects: boolean;
}

/** As `bind` takes it. Two sockets for all addresses: one for both would name IPv4 visitors as IPv6 (`::ffff:`). */
export function boundTo(address: string, hasIPv6: boolean): string {
  const [, port] = /^\*?:(\d+)$/.exec(address) ?? [];
  return port !== undefined && hasIPv6 ? `:${port},:::${port} v6only` : address;
}

/** What HAProxy reads, by name of the file in the folder. */
export type DoorFiles = Record<string, string>;

export const MAPS = { apps: 'apps.map', hosts: 'hosts.map', pins: 'pins.map', names: 'names.map' } as const;
export const CONFIGURATION = 'haproxy.cfg';
export const LUA = 'door.lua';
/** Of the certificates that it reads, below the folder. */
export const CERTIFICATES = 'certificates';
/** The runtime socket, below the folder. */
export const SOCKET = 'haproxy.sock';
/** The socket of its master, below the folder: whoever starts HAProxy names it. */
export const MASTER_SOCKET = 'master.sock';

/** With what HAProxy is started. @param folder with the files of `DoorFiles` */
export const haproxyArguments = (folder: string): string[] => [
  ...['-W', '-S', `${folder}/${MASTER_SOCKET},mode,600`],
  ...['-f', `${folder}/${CONFIGURATION}`],
];

/** Names of the tables in which HAProxy counts; the first is by uid of an app, the others are limits. */
export const TABLES = {
  apps: 'counted/apps',
  sockets: 'sockets',
  addresses: 'addresses',
  signIns: 'sign-ins',
} as const;

/** The backend of an environment, or of an app's first two, of which the second takes what the first refuses. */
export const backendOf = (environment: string, second?: string): string =>
  second === undefined ? `at:${environment}` : `at:${environment}:${second}`;
/** The backend of its WebSockets. */
export const socketsOf = (backend: string): string => `ws:${backend}`;
