import { timingSafeEqual } from 'node:crypto';
import dns from 'node:dns';
import http from 'node:http';
import https from 'node:https';
import type { LookupFunction } from 'node:net';
import type { DomainReason } from '../../../shared/words';
import type { Clock } from '../../clock';
import { DOMAIN_PATH, type ProveDomain } from '../../protocol/domain-proof';
import { secretBytes } from '../../random';

/** How long an answer may take, in ms. */
const TIMEOUT = 5_000;

export interface DomainProbeOptions {
  prove: ProveDomain;
  /** `APP_PUBLIC_PATH`, with trailing slash. */
  publicPath: string;
  clock: Clock;
}

/**
 * Whether a domain leads to this fleet.
 * @param address of the domain: scheme, host and port
 * @returns why it does not; null if it does. Never rejects.
 */
export type ProbeDomain = (address: string) => Promise<DomainReason | null>;

/**
 * Sends one request, to the address that the domain has for this process, and follows nothing. Of what is answered only its
 * equality with the proof is used, so that nobody learns anything of what is at an address inside.
 */
export function createDomainProbe({ prove, publicPath, clock }: DomainProbeOptions): ProbeDomain {
  return (address) => {
    const nonce = secretBytes(16).toString('hex');
    const url = new URL(`${publicPath}${DOMAIN_PATH}${nonce}`, address);
    const expected = Buffer.from(prove(url.hostname, nonce));
    return new Promise((resolve) => {
      const isSecure = url.protocol === 'https:';
      let isConnected = false;
      const request = (isSecure ? https : http).get(url, { agent: false, timeout: TIMEOUT, lookup });
      // An answer may also come drop by drop.
      const deadline = clock.timeout(TIMEOUT, () => end('unreachable'));
      const end = (reason: DomainReason | null) => {
        deadline.cancel();
        resolve(reason);
        request.destroy();
      };
      request.on('socket', (socket) => {
        socket.once('connect', () => {
          isConnected = true;
        });
        socket.once('secureConnect', () => {
          isConnected = false;
        });
      });
      request.on('response', (response) => {
        if (response.statusCode !== 200) return end('elsewhere');
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => {
          parts.push(part);
          if (parts.reduce((sum, { length }) => sum + length, 0) > expected.length) end('elsewhere');
        });
        response.on('end', () => {
          const answer = Buffer.concat(parts);
          end(answer.length === expected.length && timingSafeEqual(answer, expected) ? null : 'elsewhere');
        });
        response.on('error', () => end('unreachable'));
      });
      request.on('timeout', () => end(isSecure && isConnected ? 'tls' : 'unreachable'));
      request.on('error', (error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOTFOUND' || error.code === 'EAI_AGAIN') end('unresolved');
        else end(isSecure && isConnected ? 'tls' : 'unreachable');
      });
    });
  };
}

/** Names below `localhost` are this machine for every browser, and unknown to most resolvers. */
const lookup: LookupFunction = (hostname, options, callback) =>
  dns.lookup(/(?:^|\.)localhost$/.test(hostname) ? '127.0.0.1' : hostname, options, callback);
