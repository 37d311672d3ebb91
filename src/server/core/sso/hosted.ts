import type { IncomingHttpHeaders } from 'node:http';
import type { Context, Next } from '@nocobase/actions';
import { BaseAuth } from '@nocobase/auth';
import type { Application } from '@nocobase/server';
import { z } from 'zod';
import type { ClientPaths } from '../../../shared/client-paths';
import type { AppRecord, SsoCode, SsoUser } from '../../../shared/messages';
import {
  isTopLevel,
  SSO_AUTHENTICATOR,
  SSO_HEADER,
  SSO_RESOURCE,
  type SsoRefusal,
  sessionKey,
  ssoOf,
} from '../../../shared/sso';
import type { Clock } from '../../clock';
import { AppSupervisorError, answerOf, messageOf } from '../../errors';
import type { Log } from '../../log';
import type { SsoStore } from '../../protocol/stores/sso';
import { handOver, pageAsked, SSO_HEADERS, signInPage, ssoCookie, ssoPage } from '../../proxy';
import { languageOf } from '../../visitor-texts';
import { enter, firstAccount } from '../../worker/sso/accounts';
import type { SsoSessions } from '../../worker/sso/sessions';
import { refusalOf, sessionOf } from '../../worker/sso/whom';

/** The part of a sign-in by the main app that runs in the app: `appSso:callback` (docs/app-sso.md). */

export interface HostedSsoOptions {
  store: Pick<SsoStore, 'redeem' | 'readEnds'>;
  sessions: SsoSessions;
  /** Undefined: this process knows no such app. */
  recordOf(app: string): AppRecord | undefined;
  /** Whether the request has come through the Supervisor: elsewhere nobody leads a browser to the main app. */
  canStart(headers: IncomingHttpHeaders): boolean;
  /** Whether the host is the app's own. */
  isOwnHost(app: string, host: string): boolean;
  paths: ClientPaths & { apiBase: string };
  clock: Clock;
  log: Log;
}

/** Whom the callback signs in. Nothing of a request reaches it. */
const ADMITTED = Symbol('signed in by the main app');
interface Admitting {
  state: { [ADMITTED]?: unknown };
}

/** No sign-in but that of the callback succeeds: whoever else asks for this authenticator gets nobody. */
class SsoAuth extends BaseAuth {
  constructor(config: { ctx: Context }) {
    super({ ...config, userCollection: config.ctx.db.getCollection('users') } as never);
  }

  async validate(): Promise<never> {
    return ((this.ctx as unknown as Admitting).state[ADMITTED] ?? null) as never;
  }

  forget(): void {
    this.clearAuthCookies();
  }
}

const query = z.object({
  code: z.string().regex(/^[\w-]{20,100}$/),
  state: z.string().regex(/^[0-9a-f]{4,32}$/),
  redirect: z.string().max(4_000).catch(''),
});

/** The app's own ways in. */
const OWN_WAYS = new Set(['signIn', 'signUp', 'lostPassword', 'resetPassword']);

/** Called each time the app has loaded: a reload creates resources and middleware again. */
export function offerSso(app: Application, options: HostedSsoOptions): void {
  const { recordOf, sessions, canStart } = options;
  const settingsOf = () => ssoOf(recordOf(app.name)?.sso);
  if (!app.authManager.getAuthConfig(SSO_AUTHENTICATOR))
    app.authManager.registerTypes(SSO_AUTHENTICATOR, { auth: SsoAuth as never, hidden: true } as never);
  app.authManager.registerBuiltInAuthenticator({ name: SSO_AUTHENTICATOR, authType: SSO_AUTHENTICATOR } as never);
  app.resourceManager.define({
    name: SSO_RESOURCE,
    only: ['callback'],
    actions: {
      callback: async (ctx: Context, next: Next) => {
        await new Callback(app, ctx, options).answer();
        await next();
      },
    },
  });
  app.acl.allow(SSO_RESOURCE, 'callback', 'public');
  async function refuseOwnWays(ctx: Context, next: Next): Promise<void> {
    const { resourceName, actionName } = ctx.action ?? {};
    const { enabled, passwordSignIn } = settingsOf();
    if (!enabled) return void (await next());
    if (!passwordSignIn && resourceName === 'auth' && OWN_WAYS.has(actionName)) {
      const error = new AppSupervisorError('OWN_SIGN_IN_OFF', { app: app.name });
      ctx.withoutDataWrapping = true;
      ctx.status = error.status;
      ctx.body = answerOf(error);
      return;
    }
    await forgetDead(app, ctx, next, canStart);
    const isSignInPage = resourceName === 'authenticators' && actionName === 'publicList';
    if (isSignInPage && canStart(ctx.req.headers)) offerOnPage(ctx, passwordSignIn);
  }
  app.resourceManager.use(refuseOwnWays as never, { tag: 'appSupervisorSso', before: 'auth' });
  // Who has signed out while it did not run is signed out now.
  void sessions.check();
}

/** On the app's sign-in page, whose client has a button for this type. */
function offerOnPage(ctx: Context, besideOthers: boolean): void {
  const own = { name: SSO_AUTHENTICATOR, authType: SSO_AUTHENTICATOR, authTypeTitle: '', title: '', options: {} };
  ctx.body = [own, ...(besideOthers && Array.isArray(ctx.body) ? ctx.body : [])];
}

/**
 * A session by the main app that has ended leaves a cookie, which says to the front that there is one. It goes, and the page
 * learns that it may ask the main app again. Sessions by the app's own sign-in, and a newer one in the cookie, stay.
 *
 * A page without any session learns it, too, when it asks who its visitor is: the nginx of NocoBase's image serves pages from
 * its disk, and no front has led the visitor to the main app.
 */
async function forgetDead(
  app: Application,
  ctx: Context,
  next: Next,
  canStart: HostedSsoOptions['canStart'],
): Promise<void> {
  try {
    await next();
  } catch (error) {
    const { resourceName, actionName } = ctx.action ?? {};
    if ((error as { status?: number }).status === 401 && actionName !== 'signIn') {
      const { why, isInCookie } = sessionOf({
        bearer: ctx.get('Authorization').replace(/^Bearer\s+/i, ''),
        authenticator: ctx.get('X-Authenticator'),
        cookie: ctx.cookies.get(`nb_auth_token_${app.name}`) ?? '',
        cookieAuthenticator: ctx.cookies.get(`nb_authenticator_${app.name}`) ?? '',
      });
      if (isInCookie) ((await app.authManager.get(SSO_AUTHENTICATOR, ctx as never)) as SsoAuth).forget();
      const isAsked = why === 'ended' || (resourceName === 'auth' && actionName === 'check');
      if (why && isAsked && canStart(ctx.req.headers)) ctx.set(SSO_HEADER, why);
    }
    throw error;
  }
}

/** One visitor who comes back from the main app. */
class Callback {
  private readonly place: HostedSsoOptions['paths'] & { isOwnHost: boolean };
  private page: string;

  constructor(
    private readonly app: Application,
    private readonly ctx: Context,
    private readonly options: HostedSsoOptions,
  ) {
    const host = firstOf(ctx.get('X-Forwarded-Host')) || ctx.get('Host');
    this.place = { ...options.paths, isOwnHost: options.isOwnHost(app.name, host) };
    this.page = pageAsked({ name: app.name }, null, this.place);
  }

  async answer(): Promise<void> {
    const { ctx, app } = this;
    ctx.withoutDataWrapping = true;
    let why: SsoRefusal | null;
    try {
      why = await this.signIn();
    } catch (error) {
      this.options.log.warn(`A sign-in by the main app failed: ${messageOf(error)}`, { app: app.name });
      why = 'SSO_UNAVAILABLE';
    }
    if (why) this.refuse(why);
  }

  private get protocol(): string {
    return firstOf(this.ctx.get('X-Forwarded-Proto')) || this.ctx.protocol;
  }

  private async signIn(): Promise<SsoRefusal | null> {
    const { app, ctx, options, place } = this;
    const record = options.recordOf(app.name);
    if (!record) return 'SSO_UNAVAILABLE';
    if (!isTopLevel(ctx.req.headers, this.protocol)) return 'SSO_NOT_TOP_LEVEL';
    const asked = query.safeParse(ctx.query).data;
    if (!asked) return 'SSO_EXPIRED';
    this.page = pageAsked({ name: app.name }, asked.redirect, place);
    const cookie = ssoCookie(asked.state, app.name);
    const secret = ctx.cookies.get(cookie);
    // Without the cookie the code is somebody else's, who may still need it.
    if (!secret) return 'SSO_EXPIRED';
    const code = await options.store.redeem(asked.code);
    ctx.cookies.set(cookie, null, { path: `${place.apiBase}/`, httpOnly: true, sameSite: 'lax' });
    const user = code?.user;
    const endedAt = user ? await this.endOf(user) : 0;
    const settings = ssoOf(record.sso);
    const now = options.clock.now().wall;
    const refusal = refusalOf({ code, secret, uid: record.uid, settings, endedAt, now });
    if (refusal || !code) return refusal;
    if (!code.isFirst) return this.admit(code.user, settings, code.endedAt);
    const first = await firstAccount(app, code.user);
    return first === null ? 'SSO_EXPIRED' : this.begin(first, code);
  }

  /** When the sign-ins of a user last ended, as the store says now; 0: never. */
  private async endOf({ id }: SsoUser): Promise<number> {
    return (await this.options.store.readEnds([id])).get(id) ?? 0;
  }

  private async admit(user: SsoUser, settings: ReturnType<typeof ssoOf>, endedAt: number): Promise<SsoRefusal | null> {
    const { app } = this;
    const { sessions } = this.options;
    const identities = sessions.identities(app);
    await identities.prepare();
    sessions.noteUse(app);
    const entered = await enter(app, user, settings, identities, endedAt);
    if ('why' in entered) return entered.why;
    // Sessions from before the user signed out of the main app end before this one begins: later they could not be told apart.
    await sessions.end(app, user.id, endedAt);
    return this.begin(entered.account, { user, endedAt });
  }

  /** Begins the session of an account. @param endedAt the last end of the user's sign-ins that the code knows of */
  private async begin(id: string, { user, endedAt }: Pick<SsoCode, 'user' | 'endedAt'>): Promise<SsoRefusal | null> {
    const { app, ctx, options } = this;
    const { sessions } = options;
    const account = await app.db.getRepository('users').findOne({ filterByTk: id });
    (ctx as unknown as Admitting).state[ADMITTED] = account;
    const auth = (await app.authManager.get(SSO_AUTHENTICATOR, ctx as never)) as SsoAuth;
    const { token } = (await auth.signIn()) as { token: string };
    // Whoever ends the user's sessions from here on finds this one; who did it before may have missed it.
    const hasEnded = await this.endOf(user).then(
      (now) => now > endedAt,
      () => true,
    );
    if (hasEnded) {
      await sessions.endOne(app, token);
      auth.forget();
      return 'SSO_EXPIRED';
    }
    // At its own host the client takes the app for the main one.
    const { html, headers } = handOver(sessionKey(this.place.isOwnHost ? 'main' : app.name), token, this.page);
    this.respond(200, html, headers);
    return null;
  }

  private refuse(why: SsoRefusal): void {
    const { app, ctx, options, page, place } = this;
    const record = options.recordOf(app.name);
    const signIn = ssoOf(record?.sso).passwordSignIn ? signInPage(page, app.name, place) : null;
    const { status, html } = ssoPage(why, { name: app.name, title: record?.title }, languageOf(ctx.req.headers), {
      page,
      signIn,
    });
    this.respond(status, html, SSO_HEADERS);
  }

  private respond(status: number, html: string, headers: Record<string, string>): void {
    const { ctx } = this;
    for (const [name, value] of Object.entries(headers)) ctx.set(name, value);
    ctx.status = status;
    ctx.type = 'text/html';
    ctx.body = html;
  }
}

const firstOf = (header: string): string => header.split(',')[0].trim();
