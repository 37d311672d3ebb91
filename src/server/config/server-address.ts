import { isIP } from 'node:net';

/** Where a server is that a door connects to. */
export interface ServerAddress {
  /** A name, an IPv4 address, or an IPv6 address in brackets. */
  host: string;
  isName: boolean;
  port: number;
  secure: boolean;
  /** Before the path of each request, without trailing slash. */
  prefix: string;
}

/**
 * Null: HAProxy has no server for it. It refuses its whole configuration for a name that none can have, and it compares a certificate with
 * names alone, so that HTTPS needs one.
 */
export function serverAddress(url: string): ServerAddress | null {
  if (!URL.canParse(url)) return null;
  const { protocol, hostname: host, port, pathname } = new URL(url);
  const secure = protocol === 'https:';
  const isName = isIP(host.replace(/^\[(.*)\]$/, '$1')) === 0;
  if (isName ? !isNameOfHost(host) : secure) return null;
  return { host, isName, port: Number(port) || (secure ? 443 : 80), secure, prefix: pathname.replace(/\/+$/, '') };
}

const isNameOfHost = (host: string): boolean =>
  host.length <= 253 && host.split('.').every((label) => /^[A-Za-z0-9_-]{1,63}$/.test(label));
