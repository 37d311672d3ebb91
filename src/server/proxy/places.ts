import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AnswerCode } from './answers';
import type { Context } from './context';
import type { Occupancy } from './occupancy';
import { type Peer, visitorAddress } from './peer';
import { pathOf } from './url';

/** A sign-in or sign-up: NocoBase hashes its password, which takes a core for about a tenth of a second. */
const SIGN_IN = /\/auth(?::|%3a)sign(?:in|up)(?:\/|$)/i;

/**
 * Takes a place for a sign-in, for as long as its answer is not sent.
 * @param addressOf the visitor's, asked only of sign-ins
 * @returns false if the address has as many under way as it may; true also for every other request
 */
export function mayTry(
  occupancy: Occupancy,
  url: string,
  addressOf: () => string | null,
  res: ServerResponse,
): boolean {
  if (!SIGN_IN.test(pathOf(url))) return true;
  const leave = occupancy.signIn(addressOf());
  if (leave) res.once('close', leave);
  return leave !== null;
}

/**
 * Takes the places that a request of an app needs until it is answered.
 * @returns why it gets none, or null
 */
export function enter(
  { occupancy, trusts, metrics }: Context,
  app: string,
  url: string,
  req: IncomingMessage,
  res: ServerResponse,
  peer: Peer,
): AnswerCode | null {
  if (!mayTry(occupancy, url, () => visitorAddress(req.headers['x-forwarded-for'], peer, trusts), res)) {
    metrics?.limited(app, 'sign_ins_per_address');
    return 'ADDRESS_BUSY';
  }
  const leave = occupancy.request(app);
  if (leave) {
    res.once('close', leave);
    return null;
  }
  metrics?.limited(app, 'requests_per_app');
  return 'APP_BUSY';
}
