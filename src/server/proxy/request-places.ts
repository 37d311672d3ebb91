import type { IncomingMessage, ServerResponse } from 'node:http';
import PQueue from 'p-queue';
import type { AnswerCode } from './answers';
import type { Context } from './context';
import { isGone, onGone } from './gone';
import { type Peer, visitorAddress } from './peer';
import { pathOf } from './url';

/** NocoBase reads users from the database, and hashes a password, which takes a core for about a tenth of a second. */
const SIGN_IN = /\/auth(?::|%3a)sign(?:in|up)(?:\/|$)/i;

/** Whether the request is for a sign-in or sign-up, in any spelling. NocoBase decodes paths, and answers none that it cannot decode. */
export function isSignIn(url: string): boolean {
  const path = pathOf(url);
  try {
    return SIGN_IN.test(path.includes('%') ? decodeURI(path) : path);
  } catch {
    return false;
  }
}

/** NocoBase's name for signing in with a password, and what it takes where none is named. */
const BY_PASSWORD = new Set([undefined, '', 'basic']);

/**
 * Lets sign-ins with a password follow each other: the steps of many at once would come between those of everybody else. Other
 * ways to sign in wait for other servers.
 */
export class SignInTurns {
  readonly #queue = new PQueue({ concurrency: 2 });

  /** Whether the request has to wait for its turn. */
  has({ url = '', headers }: IncomingMessage): boolean {
    return isSignIn(url) && BY_PASSWORD.has(headers['x-authenticator'] as string | undefined);
  }

  /** @returns once it is its turn, which lasts until the answer is sent; false if the visitor has left */
  take(req: IncomingMessage, res: ServerResponse): Promise<boolean> {
    return new Promise((resolve) => {
      void this.#queue.add(async () => {
        resolve(!isGone(req, res));
        await new Promise<void>((done) => onGone(req, res, done));
      });
    });
  }
}

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
    onGone(req, res, leave);
    return null;
  }
  metrics?.limited(app, 'requests_per_app');
  return 'APP_BUSY';
}
