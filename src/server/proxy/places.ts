import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AnswerCode } from './answers';
import type { Context } from './context';
import { type Peer, visitorAddress } from './peer';
import { pathOf } from './url';

/** NocoBase reads users from the database, and hashes a password, which takes a core for about a tenth of a second. */
const SIGN_IN = /\/auth(?::|%3a)sign(?:in|up)(?:\/|$)/i;

/** Whether the request is for a sign-in or sign-up. */
export const isSignIn = (url: string): boolean => SIGN_IN.test(pathOf(url));

/**
 * Takes the places that a request of an app needs until it is answered.
 * @returns why it gets none, or null
 */
export function enter(
  { occupancy, trusts, metrics, now }: Context,
  app: string,
  url: string,
  req: IncomingMessage,
  res: ServerResponse,
  peer: Peer,
): AnswerCode | null {
  const address = () => visitorAddress(req.headers['x-forwarded-for'], peer, trusts);
  if (isSignIn(url) && !occupancy.maySignIn(address(), now())) {
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
