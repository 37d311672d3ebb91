import { BlockList, isIP, type Socket } from 'node:net';

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

const NAMED: Record<string, string[]> = {
  loopback: ['127.0.0.0/8', '::1/128'],
  linklocal: ['169.254.0.0/16', 'fe80::/10'],
  private: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'],
};

/**
 * @param list addresses, networks (`10.0.0.0/8`), `loopback`, `linklocal`, `private`, or `*` for everybody
 * @param refused is told each entry that is none of these
 */
export function trustOf(list: readonly string[], refused: (entry: string) => void): (address: string) => boolean {
  const trusted = new BlockList();
  let everybody = false;
  for (const entry of list.flatMap((one) => NAMED[one] ?? [one])) {
    const [address, bits] = entry.split('/');
    const family = isIP(address);
    const length = bits === undefined ? (family === 6 ? 128 : 32) : /^\d{1,3}$/.test(bits) ? Number(bits) : -1;
    if (entry === '*') everybody = true;
    else if (!family || length < 0 || length > (family === 6 ? 128 : 32)) refused(entry);
    else trusted.addSubnet(address, length, family === 6 ? 'ipv6' : 'ipv4');
  }
  return (address) => {
    if (everybody) return true;
    const family = isIP(address);
    return family !== 0 && trusted.check(address, family === 6 ? 'ipv6' : 'ipv4');
  };
}
