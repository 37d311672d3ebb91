import { isIP, type Socket } from 'node:net';
import proxyAddr from 'proxy-addr';

/**
 * The other end of a connection, and whether its `X-Forwarded-*` headers are trusted. Computed once for each
 * connection, not for each request.
 */
export interface Peer {
  address: string;
  trusted: boolean;
  /** The protocol with which the visitor reached this process. */
  protocol: 'http' | 'https';
}

const PEER = Symbol('app-supervisor.peer');
type Known = Socket & { [PEER]?: Peer; encrypted?: boolean };

export function peerOf(socket: Socket, trusts: (address: string) => boolean): Peer {
  const known = socket as Known;
  let peer = known[PEER];
  if (!peer) {
    const address = plainAddress(socket.remoteAddress ?? '');
    peer = { address, trusted: trusts(address), protocol: known.encrypted ? 'https' : 'http' };
    known[PEER] = peer;
  }
  return peer;
}

/** An IPv4 address in the form of a dual-stack socket (`::ffff:10.0.0.1`) becomes that IPv4 address. */
function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
}

/** In characters; an IPv6 address has at most 45. */
const MAX_ADDRESS = 64;

/**
 * The visitor's own address, for limits; null if it is not known. The last address that trusted proxies did not name for
 * each other is the one that reached them. If all are trusted, visitors are in a trusted network, and the first one is theirs.
 */
export function visitorAddress(
  forwardedFor: string | string[] | undefined,
  peer: Peer,
  trusts: (address: string) => boolean,
): string | null {
  if (!peer.trusted) return peer.address || null;
  const named = String(forwardedFor ?? '').split(',');
  let first: string | null = null;
  for (let i = named.length - 1; i >= 0; i--) {
    const address = plainAddress(named[i].trim().slice(0, MAX_ADDRESS));
    if (isIP(address) === 0) return null;
    if (!trusts(address)) return address;
    first = address;
  }
  return first;
}

const ALL_IPV4 = ['0.0.0.0/1', '128.0.0.0/1'];

/** A name that proxy-addr does not know, with the networks of all addresses, which proxy-addr rejects. */
const NAMED: Record<string, string[]> = {
  private: ['uniquelocal'],
  '0.0.0.0/0': ALL_IPV4,
  '::/0': ['::/1', '8000::/1', ...ALL_IPV4],
};

/**
 * @param list addresses, networks (`10.0.0.0/8`), `loopback`, `linklocal`, `private`, or `*` for all
 * @param refused called with each entry that is none of these
 */
export function trustOf(list: readonly string[], refused: (entry: string) => void): (address: string) => boolean {
  if (list.includes('*')) return () => true;
  const isNetwork = (entry: string) => {
    try {
      proxyAddr.compile(entry);
      // proxy-addr reads `1.2.3` as `1.2.0.3`, like C.
      return isIP(entry.split('/')[0]) !== 0 || /^[a-z]+$/.test(entry);
    } catch {
      return false;
    }
  };
  const entries = list.flatMap((entry) => NAMED[entry] ?? [entry]);
  for (const entry of entries) if (!isNetwork(entry)) refused(entry);
  const trusts = proxyAddr.compile(entries.filter(isNetwork));
  return (address) => trusts(address, 0);
}
