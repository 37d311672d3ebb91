import { isIP, type Socket } from 'node:net';
import proxyAddr from 'proxy-addr';

/**
 * Who is at the other end of a connection, and whether its `X-Forwarded-*` may be believed. Worked out once per
 * connection, not per request.
 */
export interface Peer {
  address: string;
  trusted: boolean;
  /** What the visitor used to reach this very process. */
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

/** An IPv4 address as a dual-stack socket shows it (`::ffff:10.0.0.1`) is that IPv4 address. */
function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
}

const ALL_IPV4 = ['0.0.0.0/1', '128.0.0.0/1'];

/** A name that proxy-addr does not have, and the networks of everybody, which it refuses. */
const NAMED: Record<string, string[]> = {
  private: ['uniquelocal'],
  '0.0.0.0/0': ALL_IPV4,
  '::/0': ['::/1', '8000::/1', ...ALL_IPV4],
};

/**
 * @param list addresses, networks (`10.0.0.0/8`), `loopback`, `linklocal`, `private`, or `*` for everybody
 * @param refused is told each entry that is none of these
 */
export function trustOf(list: readonly string[], refused: (entry: string) => void): (address: string) => boolean {
  if (list.includes('*')) return () => true;
  const isNetwork = (entry: string) => {
    try {
      proxyAddr.compile(entry);
      // It takes `1.2.3` for `1.2.0.3`, as C does.
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
