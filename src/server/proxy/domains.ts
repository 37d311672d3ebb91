import type { IncomingMessage, ServerResponse } from 'node:http';
import { DOMAIN_PATH, NONCE, type ProveDomain } from '../protocol/domain-proof';
import { visitorHost } from './headers';
import { peerOf } from './peer';
import { hostnameOf, type RoutingTable } from './table';
import { pathOf } from './url';

export interface DomainFrontOptions {
  table: RoutingTable;
  trusts: (address: string) => boolean;
  prove: ProveDomain;
  /** `APP_PUBLIC_PATH`, with trailing slash. */
  publicPath: string;
}

/** @returns whether it has answered */
export type DomainFront = (req: IncomingMessage, res: ServerResponse) => boolean;

/**
 * Answers the question of a Supervisor of this fleet whether a domain leads here (supervisor/domains). Only at custom domains of
 * apps, and by the host that visitors are told apart by: a front that does not pass the host on is found out.
 */
export function createDomainFront({ table, trusts, prove, publicPath }: DomainFrontOptions): DomainFront {
  const begin = `${publicPath}${DOMAIN_PATH}`;
  return (req, res) => {
    if (req.method !== 'GET' || !req.url?.startsWith(begin)) return false;
    const nonce = pathOf(req.url).slice(begin.length);
    const host = hostnameOf(visitorHost(req, peerOf(req.socket, trusts)) ?? '');
    const app = table.app(table.appByDomain(host) ?? '');
    if (!NONCE.test(nonce) || !app?.cname || hostnameOf(app.cname) !== host) return false;
    res.statusCode = 200;
    res.setHeader('Content-Type', 'text/plain');
    res.setHeader('Cache-Control', 'no-store');
    res.end(prove(host, nonce));
    return true;
  };
}
