import type { Context, Next } from '@nocobase/actions';
import type { Model, Transaction } from '@nocobase/database';
import type { Application } from '@nocobase/server';
import { z } from 'zod';
import { type ClientPaths, clientOf, clientPath } from '../../../shared/client-paths';
import { addressOf } from '../../../shared/origins';
import {
  CODE_LIFETIME,
  createdIn,
  isTopLevel,
  SSO_PAGE,
  SSO_RESOURCE,
  type SsoRefusal,
  ssoOf,
} from '../../../shared/sso';
import type { Clock } from '../../clock';
import { messageOf } from '../../errors';
import type { Log } from '../../log';
import type { SsoStore } from '../../protocol/stores/sso';
import { pageAsked, SSO_HEADERS, signInPage, ssoPage } from '../../proxy';
import { secretBytes } from '../../random';
import type { AppDefinition } from '../../supervisor/definitions/repository';
import type { SsoEnds } from '../../supervisor/sso/ends';
import { type Creation, type MainUser, vouchFor, vouchForCreator } from '../../supervisor/sso/vouching';
import { languageOf } from '../../visitor-texts';

/** The part of a sign-in to an app that runs in the main app: `appSso:authorize` (docs/app-sso.md). */

export interface MainSsoOptions {
  store: Pick<SsoStore, 'issue'>;
  ends: SsoEnds;
  /** The fleet's id; empty while it is not known yet. */
  fleet(): string;
  app(name: string): AppDefinition | null;
  /** Null if the app was adopted, or nobody knows any more. */
  creationOf(app: AppDefinition): Promise<Creation | null>;
  /** The app's own hosts to which codes may be sent: a verified custom domain, and a label below the apps' domain. */
  ownHosts(app: string): string[];
  publicUrl: string | null;
  appsDomain: string | null;
  paths: ClientPaths & { apiBase: string };
  /** Records who was let in, from where. Never rejects. */
  record(app: AppDefinition, user: MainUser, ctx: Context): void;
  clock: Clock;
  log: Log;
}

const query = z.object({
  app: z.string().max(100),
  state: z.string().regex(/^[0-9a-f]{4,32}$/),
  challenge: z.string().regex(/^[\w-]{43}$/),
  redirect: z.string().max(4_000).catch(''),
  /** The app's own host, where the visitor is. */
  own: z.string().max(253).optional().catch(undefined),
  /** The visitor has just created the app. */
  first: z.literal('1').optional().catch(undefined),
  /** The page of the main app has already looked for a session that the browser's cookie does not show. */
  tried: z.literal('1').optional().catch(undefined),
});
type Query = z.infer<typeof query>;

/** What NocoBase's ACL stores of the user whose request it is. */
const currentUser = z.object({
  id: z.union([z.number(), z.string()]).transform(String),
  username: z.string().nullish(),
  email: z.string().nullish(),
  nickname: z.string().nullish(),
  roles: z.array(z.object({ name: z.string() })),
});

/** As far as NocoBase's service for tokens is used here. */
interface Tokens {
  jwt: { decode(token: string): Promise<{ iat?: number; userId?: number | string }> };
  tokenController: { getConfig(): Promise<{ tokenExpirationTime: number } | null> };
}

const tokensOf = (main: Application) => main.authManager as unknown as Tokens;

/** Called for each start of the main app. */
export function vouchForUsers(main: Application, options: MainSsoOptions): void {
  main.resourceManager.define({
    name: SSO_RESOURCE,
    only: ['authorize', 'about'],
    actions: {
      // For the page of the sign-in: a visitor reads the title of an app that he asks for on other pages, too.
      about: async (ctx: Context, next: Next) => {
        const app = options.app(String(ctx.query.app));
        ctx.body = app && ssoOf(app.sso).enabled ? { name: app.name, title: app.title, icon: app.icon } : null;
        await next();
      },
      authorize: async (ctx: Context, next: Next) => {
        await authorize(main, ctx, options);
        await next();
      },
    },
  });
  main.acl.allow(SSO_RESOURCE, 'authorize', 'loggedIn');
  main.acl.allow(SSO_RESOURCE, 'about', 'public');

  /**
   * A browser that follows a link has nothing but its cookie, which NocoBase accepts for no API. Here alone it counts, and
   * passes all that NocoBase and other plugins check of a session. It is not renewed: the pages of the main app would
   * not learn of the new token, and lose their session.
   */
  async function readCookie(ctx: Context, next: Next): Promise<void> {
    const { resourceName, actionName } = ctx.action ?? {};
    if (resourceName !== SSO_RESOURCE || actionName !== 'authorize') return void (await next());
    const token = ctx.cookies.get(`nb_auth_token_${main.name}`);
    if (!isTopLevel(ctx.req.headers, protocolOf(ctx))) return refuse(ctx, options, 'SSO_NOT_TOP_LEVEL');
    const user = token ? await freshUser(main, token, options.clock) : null;
    if (user === null) return askToSignIn(ctx, options);
    // Before the session is checked: whoever signs out after that has a later end than the code knows of.
    const endedAt = await options.ends.newestOf(user).catch((error) => cannotSignIn(options, error));
    if (endedAt === null) return refuse(ctx, options, 'SSO_UNAVAILABLE');
    checking(ctx)[ENDED_AT] = endedAt;
    ctx.req.headers.authorization = `Bearer ${token}`;
    const authenticator = ctx.cookies.get(`nb_authenticator_${main.name}`);
    if (authenticator) ctx.req.headers['x-authenticator'] = authenticator;
    try {
      await next();
    } catch (error) {
      if ((error as { status?: number }).status !== 401) throw error;
      askToSignIn(ctx, options);
    }
  }
  main.resourceManager.use(readCookie as never, { tag: 'appSupervisorSso', before: 'auth' });

  /** Who signs in over somebody else's session, in the same browser, ends it: apps must not show the former user. */
  async function endFormer(ctx: Context, next: Next): Promise<void> {
    const { resourceName, actionName } = ctx.action ?? {};
    if (resourceName !== 'auth' || actionName !== 'signIn') return void (await next());
    const token = ctx.cookies.get(`nb_auth_token_${main.name}`);
    const former = token
      ? (
          await tokensOf(main)
            .jwt.decode(token)
            .catch(() => null)
        )?.userId
      : undefined;
    await next();
    const now = (ctx.body as { user?: { id?: number } } | undefined)?.user?.id;
    if (former !== undefined && now !== undefined && String(former) !== String(now))
      await options.ends.end(String(former));
  }
  main.resourceManager.use(endFormer as never, { tag: 'appSupervisorSsoSwitch', before: 'auth' });
  followEnds(main, options.ends);
}

/** Signing out, a new password, and the end of the account end all sign-ins to apps. */
function followEnds(main: Application, ends: SsoEnds): void {
  main.on('auth:signOut', async ({ ctx }: { ctx: Context }) => {
    const user = ctx.state.currentUser?.id ?? (await userOf(main, ctx));
    if (user !== undefined) await ends.end(String(user));
  });
  const endAfter = (user: Model, { transaction }: { transaction?: Transaction }) => {
    const end = () => void ends.end(String(user.get('id')));
    if (transaction) transaction.afterCommit(end);
    else end();
  };
  main.db.on('users.afterDestroy', endAfter);
  main.db.on('users.afterUpdate', (user: Model, options: { transaction?: Transaction }) => {
    if (user.changed('passwordChangeTz' as never)) endAfter(user, options);
  });
}

/** Whose token it is, if it was signed here. */
async function userOf(main: Application, ctx: Context): Promise<string | number | undefined> {
  const { jwt } = tokensOf(main);
  const token = (ctx as unknown as { getBearerToken(): string | undefined }).getBearerToken();
  return token ? (await jwt.decode(token).catch(() => null))?.userId : undefined;
}

/** Whose token it is, as long as it needs no renewal. */
async function freshUser(main: Application, token: string, clock: Clock): Promise<string | null> {
  const { jwt, tokenController } = tokensOf(main);
  try {
    const { iat = 0, userId } = await jwt.decode(token);
    const policy = await tokenController.getConfig();
    const isFresh = clock.now().wall - iat * 1_000 < (policy?.tokenExpirationTime ?? 0);
    return isFresh && userId !== undefined ? String(userId) : null;
  } catch {
    return null;
  }
}

/** When the user's sign-ins last ended, read before his session was checked. */
const ENDED_AT = Symbol('the last end of sign-ins');
const checking = (ctx: Context) => ctx.state as { [ENDED_AT]?: number };

function cannotSignIn({ log }: MainSsoOptions, error: unknown): null {
  log.warn(`A user could not be signed in to an app: ${messageOf(error)}`);
  return null;
}

/** When a user was created, in s since 1970; 0: not known. */
async function sinceOf(main: Application, user: string): Promise<number> {
  const row = await main.db.getRepository('users').findOne({ filterByTk: user, fields: ['id', 'createdAt'] });
  return createdIn(row?.get('createdAt'));
}

async function authorize(main: Application, ctx: Context, options: MainSsoOptions): Promise<void> {
  const asked = query.safeParse(ctx.query).data;
  const user = currentUser.safeParse(ctx.state.currentUser).data;
  if (!asked || !user) return refuse(ctx, options, 'SSO_EXPIRED');
  const app = options.app(asked.app);
  // Whether there is such an app is none of the visitor's business.
  if (!app) return refuse(ctx, options, 'SSO_OFF');
  const { id, username = null, email = null, nickname = null } = user;
  const since = await sinceOf(main, id);
  const known = { id, since, username, email, nickname, roles: user.roles.map(({ name }) => name) };
  const vouched = asked.first
    ? vouchForCreator(known, options.fleet(), await options.creationOf(app), options.clock.now().wall)
    : vouchFor(known, options.fleet(), ssoOf(app.sso), app);
  if (typeof vouched === 'string') return refuse(ctx, options, vouched);
  const address = callbackOf(app, asked, options);
  if (address === null)
    return refuse(ctx, options, options.publicUrl === null ? 'SSO_NO_ADDRESS' : 'SSO_DOMAIN_UNVERIFIED');
  const code = secretBytes(32).toString('base64url');
  try {
    const { [ENDED_AT]: endedAt = 0 } = checking(ctx);
    const at = options.clock.now().wall;
    await options.store.issue(
      code,
      {
        app: app.uid,
        challenge: asked.challenge,
        user: vouched,
        at,
        endedAt,
        ...(asked.first ? { isFirst: true } : {}),
      },
      CODE_LIFETIME,
    );
  } catch (error) {
    options.log.warn(`A user could not be signed in to app ${app.name}: ${messageOf(error)}`, { app: app.name });
    return refuse(ctx, options, 'SSO_UNAVAILABLE');
  }
  options.record(app, known, ctx);
  respond(ctx);
  ctx.redirect(`${address}?${new URLSearchParams({ code, state: asked.state, redirect: asked.redirect })}`);
}

/** Null if the app has no such host, or it is not verified: nobody is sent anywhere else. */
const hostIn = (app: AppDefinition, own: string, { ownHosts }: MainSsoOptions): string | null =>
  ownHosts(app.name).find((host) => host === own) ?? null;

/** Computed here alone: a request names no address to which a code is sent. Null if it is not known. */
function callbackOf(app: AppDefinition, { own }: Query, options: MainSsoOptions): string | null {
  const { apiBase } = options.paths;
  if (!own) return `${apiBase}/__app/${app.name}/${SSO_RESOURCE}:callback`;
  const host = hostIn(app, own, options);
  if (host === null || options.publicUrl === null) return null;
  return `${addressOf(host, options)}${apiBase}/${SSO_RESOURCE}:callback`;
}

/**
 * To a page of the main app: it may have a session that the cookie does not show, or one that has to be renewed. Otherwise the
 * visitor signs in, and goes on.
 */
function askToSignIn(ctx: Context, options: MainSsoOptions): void {
  const asked = query.safeParse(ctx.query).data;
  if (!asked) {
    refuse(ctx, options, 'SSO_EXPIRED');
    return;
  }
  const app = options.app(asked.app);
  const client = clientPath(options.paths, app && clientOf(placeOf(app, asked, options).page, options.paths));
  const isModern = clientOf(client, options.paths) === 'modern';
  const { tried, own, first, state, challenge, redirect } = asked;
  const kept = { ...(own ? { own } : {}), ...(first ? { first } : {}) };
  const rest = new URLSearchParams({ app: asked.app, state, challenge, redirect, ...kept });
  const page = `${SSO_PAGE}?${rest}`;
  const address = client.replace(/\/$/, '') + page;
  respond(ctx);
  // The modern client names its pages with its base path, and the classic one without.
  ctx.redirect(tried ? `${client}signin?redirect=${encodeURIComponent(isModern ? address : page)}` : address);
}

/**
 * The page that was asked for, the app's own sign-in page, and the address before both where the app has a host of its own; that
 * is null where nobody is sent.
 */
function placeOf(
  app: AppDefinition,
  asked: Query,
  options: MainSsoOptions,
): { origin: string | null; page: string; signIn: string } {
  const isOwnHost = asked.own !== undefined;
  const place = { ...options.paths, isOwnHost };
  const page = pageAsked(app, asked.redirect, place);
  const host = asked.own === undefined ? null : hostIn(app, asked.own, options);
  const signIn = signInPage(page, app.name, place);
  if (!isOwnHost) return { origin: '', page, signIn };
  return { origin: host === null ? null : addressOf(host, options), page, signIn };
}

function refuse(ctx: Context, options: MainSsoOptions, why: SsoRefusal): void {
  const asked = query.safeParse(ctx.query).data;
  const found = asked ? options.app(asked.app) : null;
  // Of an app that the user is not to see, he learns nothing.
  const app = found && why !== 'SSO_OFF' && why !== 'SSO_NOT_FOR_YOU' ? found : null;
  const { origin = null, page, signIn } = (app && asked && placeOf(app, asked, options)) || {};
  const ways = {
    page: origin === null ? null : `${origin}${page}`,
    signIn: origin !== null && ssoOf(app?.sso).passwordSignIn ? `${origin}${signIn}` : null,
  };
  const { status, html } = ssoPage(why, app, languageOf(ctx.req.headers), ways);
  respond(ctx);
  ctx.status = status;
  ctx.type = 'text/html';
  ctx.body = html;
}

function respond(ctx: Context): void {
  ctx.withoutDataWrapping = true;
  for (const [name, value] of Object.entries(SSO_HEADERS)) ctx.set(name, value);
}

const protocolOf = (ctx: Context): string => ctx.get('X-Forwarded-Proto').split(',')[0].trim() || ctx.protocol;
