import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { SsoRefusal } from '../../shared/sso';
import { titled, type VisitorLanguage } from '../visitor-texts';
import { PAGE_POLICY } from './answers';
import { escaped, type Face, htmlPage } from './visitor-page';

/**
 * What a visitor sees who is not signed in to an app by the main app. He learns what he can do, and nothing of other
 * accounts: whether one exists is said only where it has his name.
 */

/** Status, what happened, and what to do, in each language. `%app` is the app. */
type Entry = readonly [status: number, en: string, enHint: string, zh: string, zhHint: string];

const ASK_EN = 'Ask an administrator of the app for access.';
const ASK_ZH = '请联系该应用的管理员开通访问权限。';
const NOT_LET_IN = ['You cannot enter %app with your account', '您的账号无法进入%app'] as const;
const [NO_EN, NO_ZH] = NOT_LET_IN;

const TEXTS: Record<SsoRefusal, Entry> = {
  SSO_OFF: [
    403,
    '%app does not use the sign-in of the main app',
    'Sign in to the app itself.',
    '%app未启用主应用登录',
    '请直接登录该应用。',
  ],
  SSO_NOT_FOR_YOU: [403, NO_EN, ASK_EN, NO_ZH, ASK_ZH],
  SSO_EXPIRED: [403, 'This sign-in is no longer valid', 'Open the app again.', '本次登录已失效', '请重新打开该应用。'],
  SSO_NO_ACCOUNT: [403, 'You have no account in %app', ASK_EN, '您在%app中没有账号', ASK_ZH],
  SSO_PRIVILEGED: [
    403,
    'The account with your name in %app is not bound to you',
    'It is an administrator, and a name alone does not prove that it is yours. Sign in with its password.',
    '%app中的同名账号未与您绑定',
    '该账号是管理员账号，仅凭名称不能证明属于您。请使用其密码登录。',
  ],
  SSO_TAKEN: [
    403,
    'The account with your name in %app belongs to somebody else',
    ASK_EN,
    '%app中的同名账号属于其他用户',
    ASK_ZH,
  ],
  SSO_ACCOUNT_GONE: [403, 'Your account in %app was deleted', ASK_EN, '您在%app中的账号已被删除', ASK_ZH],
  SSO_NO_NAME: [
    403,
    NO_EN,
    'Your account in the main app has no name by which %app knows its users. Add it in your profile there.',
    NO_ZH,
    '您在主应用中的账号缺少%app用于识别用户的名称。请在主应用的个人资料中补充。',
  ],
  SSO_NOT_TOP_LEVEL: [
    403,
    'A page cannot sign you in to %app',
    'Open the app in a tab of its own.',
    '无法由其他页面登录%app',
    '请在单独的标签页中打开该应用。',
  ],
  SSO_UNAVAILABLE: [
    503,
    'Signing in to %app does not work right now',
    'Try again in a moment. Whoever is signed in can go on.',
    '暂时无法登录%app',
    '请稍后重试。已登录的用户不受影响。',
  ],
  SSO_NO_ADDRESS: [
    503,
    'The main app cannot be found from here',
    'Its address has to be configured. Ask an administrator.',
    '无法从此处找到主应用',
    '需要配置主应用的地址，请联系管理员。',
  ],
  SSO_DOMAIN_UNVERIFIED: [
    503,
    'The main app cannot sign you in at this address of %app',
    'The domain is not verified. Ask an administrator, or open the app from the main app.',
    '无法通过主应用在此地址登录%app',
    '该域名尚未通过验证。请联系管理员，或从主应用打开该应用。',
  ],
};

/** Refusals after which another attempt may succeed. */
const AGAIN: ReadonlySet<SsoRefusal> = new Set(['SSO_EXPIRED', 'SSO_UNAVAILABLE']);
const TRY_AGAIN = { en: 'Try again', zh: '重试' };
const SIGN_IN = { en: 'Sign in with a password of the app', zh: '使用该应用的密码登录' };

export interface SsoPage {
  status: number;
  html: string;
}

/** Where the visitor may go on; null: nowhere. */
export interface WaysOn {
  /** The page of the app that he asked for. */
  page: string | null;
  /** The app's own sign-in page. */
  signIn: string | null;
}

/** @param app absent if it is not known */
export function ssoPage(
  refusal: SsoRefusal,
  app: Face | null,
  language: VisitorLanguage,
  { page, signIn }: WaysOn,
): SsoPage {
  const [status, en, enHint, zh, zhHint] = TEXTS[refusal];
  const say = (text: string) => text.replace('%app', () => titled(app?.title ?? app?.name ?? '', language));
  const [headline, hint] = language === 'zh' ? [zh, zhHint] : [en, enHint];
  const links = [
    ...(page !== null && AGAIN.has(refusal) ? [{ href: page, text: TRY_AGAIN[language] }] : []),
    ...(signIn === null ? [] : [{ href: signIn, text: SIGN_IN[language] }]),
  ];
  return { status, html: htmlPage({ language, app, headline: say(headline), hint: say(hint), links }) };
}

/** Headers of every page of a sign-in: addresses with codes must not be kept, or named to another page. */
export const SSO_HEADERS = {
  'Cache-Control': 'no-store',
  'Referrer-Policy': 'no-referrer',
  'Content-Security-Policy': PAGE_POLICY,
};

const HAND_OVER =
  'const { key, session, page } = document.body.dataset; sessionStorage.setItem(key, session); location.replace(page);';
const HAND_OVER_POLICY = `default-src 'none'; script-src 'sha256-${createHash('sha256').update(HAND_OVER).digest('base64')}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

/**
 * Gives a new session to the client of the app, and goes on to the page that was asked for. It is the answer to the request
 * that brought the code: the session is in no address, and whichever environment signs the visitor in answers it itself.
 * @param key `sessionKey` of the app's client
 * @param page a path at this origin
 */
export function handOver(
  key: string,
  session: string,
  page: string,
): { html: string; headers: Record<string, string> } {
  const data = Object.entries({ key, session, page }).map(([name, value]) => `data-${name}="${escaped(value)}"`);
  return {
    html: `<!doctype html><html><head><meta charset="utf-8"><title>…</title></head><body ${data.join(' ')}><script>${HAND_OVER}</script></body></html>`,
    headers: { ...SSO_HEADERS, 'Content-Security-Policy': HAND_OVER_POLICY },
  };
}

/** Answers with the page. */
export function refuseSignIn(
  req: IncomingMessage,
  res: ServerResponse,
  refusal: SsoRefusal,
  app: Face & { sso?: RouteSso | null },
  language: VisitorLanguage,
  { page, signIn }: WaysOn,
): void {
  const ways = { page, signIn: app.sso?.passwordSignIn === false ? null : signIn };
  const { status, html } = ssoPage(refusal, app, language, ways);
  res.statusCode = status;
  for (const [name, value] of Object.entries(SSO_HEADERS)) res.setHeader(name, value);
  res.setHeader('Content-Type', 'text/html; charset=utf-8');
  res.setHeader('Content-Length', Buffer.byteLength(html));
  res.on('error', () => {}); // the visitor may leave during the write
  res.end(req.method === 'HEAD' ? undefined : html);
}

/** What the front needs to know of an app's settings; null where it does not take part. */
export interface RouteSso {
  passwordSignIn: boolean;
}
