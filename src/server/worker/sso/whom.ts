import { createHash, timingSafeEqual } from 'node:crypto';
import type { SsoCode, SsoUser } from '../../../shared/messages';
import {
  CLOCK_DIFFERENCE,
  CODE_LIFETIME,
  type NoSession,
  SSO_AUTHENTICATOR,
  type SsoRefusal,
  type SsoSettings,
} from '../../../shared/sso';

/** Whom an app signs in by a code of the main app, as pure functions. */

/** What an app knows when a browser brings a code. */
export interface Brought {
  /** What was redeemed; null if there was nothing. */
  code: SsoCode | null;
  /** The secret of the browser's cookie. */
  secret: string;
  /** The uid of this app. */
  uid: string;
  settings: SsoSettings;
  /** When the sign-ins of the user last ended, as the store says now; 0: never. */
  endedAt: number;
  /** In ms since 1970. */
  now: number;
}

/** Why a code is worth nothing here, or null. */
export function refusalOf({ code, secret, uid, settings, endedAt, now }: Brought): SsoRefusal | null {
  if (!settings.enabled && !code?.isFirst) return 'SSO_OFF';
  if (code === null || code.app !== uid) return 'SSO_EXPIRED';
  const challenge = createHash('sha256').update(secret).digest();
  const wanted = Buffer.from(code.challenge, 'base64url');
  if (wanted.length !== challenge.length || !timingSafeEqual(wanted, challenge)) return 'SSO_EXPIRED';
  // The store lets it expire; this is for one that somebody puts there again.
  if (now - code.at > CODE_LIFETIME + CLOCK_DIFFERENCE) return 'SSO_EXPIRED';
  return endedAt > code.endedAt ? 'SSO_EXPIRED' : null;
}

/** An account of the app. */
export interface Account {
  id: string;
  /** When it was created, in s since 1970; 0: not known. */
  since: number;
  /** Whether it may change more than data: NocoBase's roles `root` and `admin`, or the settings of plugins. */
  isPrivileged: boolean;
  /** Whether it is bound to a user of the main app. */
  isBound: boolean;
}

export interface Known {
  /** The account that is bound to the user; undefined: none was ever; null: it was deleted. */
  bound: Account | null | undefined;
  /** The account that has the user's name or address, as the settings say. */
  named: Account | null;
}

export type Entrance =
  | { do: 'signIn'; account: Account }
  | { do: 'bind'; account: Account }
  | { do: 'signUp' }
  | { do: 'refuse'; why: SsoRefusal };

const refuse = (why: SsoRefusal): Entrance => ({ do: 'refuse', why });

/**
 * Who the user becomes in the app. Once he is bound to an account, nothing else counts: a name that he takes later, in
 * the main app or in the app, leads nowhere.
 */
export function entranceOf(user: SsoUser, { bound, named }: Known, settings: SsoSettings): Entrance {
  if (bound) return { do: 'signIn', account: bound };
  if (bound === null) return refuse('SSO_ACCOUNT_GONE');
  if (named) {
    if (named.isBound) return refuse('SSO_TAKEN');
    // Everybody may call himself what he likes, and may sign up to the main app. Its own root could reset the password.
    if (named.isPrivileged && !user.isRoot) return refuse('SSO_PRIVILEGED');
    return { do: 'bind', account: named };
  }
  const hasName = settings.mapping === 'none' || nameOf(user, settings) !== null;
  if (!hasName || !(user.username || user.email)) return refuse('SSO_NO_NAME');
  return settings.autoSignup && user.maySignUp ? { do: 'signUp' } : refuse('SSO_NO_ACCOUNT');
}

/** By what an account is looked up; null if the user has no such name, or the settings look none up. */
export function nameOf(
  { username, email }: SsoUser,
  { mapping }: Pick<SsoSettings, 'mapping'>,
): { username: string } | { email: string } | null {
  if (mapping === 'username') return username ? { username } : null;
  if (mapping === 'email') return email ? { email } : null;
  return null;
}

/** `pm` are the settings of plugins, `app` restarts, `ui` the pages of everybody; NocoBase takes patterns, which may stand for any of them. */
const PRIVILEGED = /^(?:(?:pm|app|ui)(?:\.|$)|(?!!)[^.]*[^\w.-])/;

/** Whether a role gives more than data. */
export const isPrivilegedRole = (name: string, snippets: readonly string[]): boolean =>
  name === 'root' || name === 'admin' || snippets.some((snippet) => PRIVILEGED.test(snippet));

/** What a request says of its visitor's session; empty: nothing. */
export interface Presented {
  bearer: string;
  authenticator: string;
  cookie: string;
  cookieAuthenticator: string;
}

/**
 * What ended where the app refuses a request. One without a token says nothing of the session in the cookie, which may go on.
 * @returns `why`: why the main app may begin a session, or null; `isInCookie`: the browser's cookie has the session that has
 * ended, and no other one
 */
export function sessionOf({ bearer, authenticator, cookie, cookieAuthenticator }: Presented): {
  why: NoSession | null;
  isInCookie: boolean;
} {
  if (bearer === '' && cookie === '') return { isInCookie: false, why: 'none' };
  const isCookieOfSso = cookie !== '' && cookieAuthenticator === SSO_AUTHENTICATOR;
  const isInCookie = isCookieOfSso && bearer === cookie;
  const isOfSso = bearer === '' ? isCookieOfSso : isInCookie || authenticator === SSO_AUTHENTICATOR;
  return { isInCookie, why: isOfSso ? 'ended' : null };
}
