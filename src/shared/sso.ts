import { SSO_MAPPINGS, type SsoMapping } from './words';

/**
 * Sign-in to apps by the main app (docs/app-sso.md): the settings of an app, and the rules that both sides have. No Node
 * here: pages import this file.
 */

export interface SsoSettings {
  enabled: boolean;
  /** What has to be equal for an existing account to be taken at a user's first sign-in. */
  mapping: SsoMapping;
  /** Whether a user without an account gets one. */
  autoSignup: boolean;
  /** Empty: the app's default role. */
  signupRole: string;
  /** Empty: everybody who sees the app. */
  signupFor: string[];
  /** Whether the app's own sign-in stays available. */
  passwordSignIn: boolean;
}

export const NO_SSO: SsoSettings = {
  enabled: false,
  mapping: 'none',
  autoSignup: false,
  signupRole: '',
  signupFor: [],
  passwordSignIn: true,
};

/** @param stored as in a definition, a record or the app index; whatever it does not say has its default */
export function ssoOf(stored: Record<string, unknown> | null | undefined): SsoSettings {
  const { enabled, mapping, autoSignup, signupRole, signupFor, passwordSignIn } = stored ?? {};
  return {
    enabled: enabled === true,
    mapping: SSO_MAPPINGS.find((each) => each === mapping) ?? NO_SSO.mapping,
    autoSignup: autoSignup === true,
    signupRole: typeof signupRole === 'string' ? signupRole : NO_SSO.signupRole,
    signupFor: Array.isArray(signupFor) ? signupFor.filter((role) => typeof role === 'string') : [],
    passwordSignIn: passwordSignIn !== false,
  };
}

/** A user of the main app, for the apps of a fleet and whatever comes from another one. */
export const subjectOf = (fleet: string, user: string): string => `${fleet}:${user}`;

/** When a row was created, in s since 1970, as every database keeps it; 0: not known. */
export function createdIn(at: unknown): number {
  const ms = at instanceof Date ? at.getTime() : new Date(String(at ?? '')).getTime();
  return Number.isFinite(ms) ? Math.max(0, Math.floor(ms / 1_000)) : 0;
}

/** Whether both are users of the same fleet. */
export const isSameFleet = (one: string, other: string): boolean => one.split(':', 1)[0] === other.split(':', 1)[0];

/** The name of the authenticator in apps, as NocoBase's own plugin for App SSO calls it. */
export const SSO_AUTHENTICATOR = 'app-sso';

/** Of an answer that there is no session, where the main app may begin one: `ended` or `none`. */
export const SSO_HEADER = 'x-app-sso';

/** A session by the main app has ended, or the visitor has had none. */
export type NoSession = 'ended' | 'none';

/** Pages of an app that need a session, below the base path of a client; others are for everybody, such as public forms. */
export const INNER_PAGE = /^(?:$|(?:admin|mobile|m|x)(?:\/|$))/;

/**
 * Pages to which a sign-in or a link of ours may lead, below the base path of a client. A list of what is allowed: at an app's
 * own host, everything else below `/` may be an API, which runs actions with the visitor's rights.
 */
export const TARGET_PAGE = /^(?:$|(?:admin|mobile|m|x|settings|embed|public-forms|idp-oauth)(?:\/|$))/;

/** The resource of all endpoints: `appSso:start`, `appSso:authorize`, `appSso:callback`. */
export const SSO_RESOURCE = 'appSso';

/** The page of the main app from which a visitor goes on once he is signed in there, below the client's base path. */
export const SSO_PAGE = '/app-sso';

/**
 * The key in `sessionStorage` by which the page of `appSso:callback` gives a session to the client of the app. A session in an
 * address would get into logs, histories and `Referer`.
 * @param client the name by which the client knows the app; `main` at the app's own host
 */
export const sessionKey = (client: string): string => `appSsoSession:${client}`;

/** How long a code is valid, in ms. An app that has to start first takes most of it. */
export const CODE_LIFETIME = 120_000;

/** How much the clocks of two processes may differ, in ms; as for requests. */
export const CLOCK_DIFFERENCE = 300_000;

interface FetchHeaders {
  'sec-fetch-mode'?: string | string[];
  'sec-fetch-dest'?: string | string[];
  accept?: string;
}

/**
 * Whether a request is what a browser's address bar, a link or a redirect makes, and no script, frame or picture: a script
 * of one app must not read what its visitor is given for another one.
 *
 * Browsers send `Sec-Fetch-*` to HTTPS and to localhost only. Over plain HTTP nothing tells a script from a person, and
 * whoever is on the way reads everything: there the request passes if it asks for a page.
 */
export function isTopLevel(headers: FetchHeaders, protocol: string): boolean {
  const { 'sec-fetch-mode': mode, 'sec-fetch-dest': destination, accept = '' } = headers;
  if (mode === undefined && destination === undefined) return protocol === 'http' && accept.includes('text/html');
  return mode === 'navigate' && destination === 'document';
}

/** Why somebody is not signed in; every code has a text for visitors. */
export const SSO_REFUSALS = [
  /** The app does not take part. */
  'SSO_OFF',
  /** The app is not for this user. */
  'SSO_NOT_FOR_YOU',
  /** The code is used, expired, for another app, for another browser, or the user has signed out meanwhile. */
  'SSO_EXPIRED',
  /** There is no account, and none may be created. */
  'SSO_NO_ACCOUNT',
  /** An account exists, and its permissions are too many for a name to prove who he is. */
  'SSO_PRIVILEGED',
  /** An account exists, and belongs to another user. */
  'SSO_TAKEN',
  /** The account was deleted in the app. */
  'SSO_ACCOUNT_GONE',
  /** The user has nothing by which an account could be found or made. */
  'SSO_NO_NAME',
  /** A script, a frame, or a browser that says nothing about its requests. */
  'SSO_NOT_TOP_LEVEL',
  /** Redis cannot be reached. */
  'SSO_UNAVAILABLE',
  /** The address of the main app is not known, which a domain of its own needs. */
  'SSO_NO_ADDRESS',
  /** The app's custom domain is not verified: somebody else may have it. */
  'SSO_DOMAIN_UNVERIFIED',
] as const;
export type SsoRefusal = (typeof SSO_REFUSALS)[number];
