import { isIP } from 'node:net';

/** The names of `APP_SUPERVISOR_TRUSTED_PROXIES`, as the module reads them (proxy/peer.ts). */
const NETWORKS: Record<string, readonly string[]> = {
  '*': ['0.0.0.0/0', '::/0'],
  loopback: ['127.0.0.0/8', '::1/128'],
  linklocal: ['169.254.0.0/16', 'fe80::/10'],
  uniquelocal: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'],
};
NETWORKS.private = NETWORKS.uniquelocal;

/** The networks whose forwarded fields are believed; an entry that is none is left out, as the module does. */
export const networksOf = (trusted: readonly string[]): string[] => [
  ...new Set(trusted.flatMap((entry) => NETWORKS[entry] ?? (isNetwork(entry) ? [entry] : []))),
];

function isNetwork(entry: string): boolean {
  const [address, length, ...more] = entry.split('/');
  const kind = isIP(address);
  if (kind === 0 || more.length) return false;
  return length === undefined || (/^\d{1,3}$/.test(length) && Number(length) <= (kind === 4 ? 32 : 128));
}
