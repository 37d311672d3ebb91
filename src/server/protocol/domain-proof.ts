import { createHmac } from 'node:crypto';

/**
 * How a Supervisor finds out whether a domain leads to its own fleet: it asks there for the proof of a number that nobody has
 * heard before. Only who has the fleet's key can answer.
 */

/** Below the public path, followed by the number. */
export const DOMAIN_PATH = '.well-known/app-supervisor/';

export const NONCE = /^[0-9a-f]{32}$/;

/** @param domain as the visitor's browser names it, in lower case, without port */
export type ProveDomain = (domain: string, nonce: string) => string;

export const proveDomainBy =
  (key: Buffer): ProveDomain =>
  (domain, nonce) =>
    createHmac('sha256', key).update(`${domain}\n${nonce}`).digest('hex');
