import type { Application } from '@nocobase/server';
import { SSO_AUTHENTICATOR } from '../../../shared/sso';
import { type Clock, type Timer, within } from '../../clock';
import { messageOf } from '../../errors';
import type { Log } from '../../log';
import type { SsoStore } from '../../protocol/stores/sso';
import { Identities } from './identities';

/** Interval of asking the store for new ends, in ms: one value while there are none. */
const EVERY = 3_000;
/** How long it waits for the databases of the apps before it asks the store again, in ms. */
const PATIENCE = 10_000;
/** How the tokens of an ended session are marked, for the other processes that run the app. */
const ENDED = `${SSO_AUTHENTICATOR}-ended`;
/** How much longer than a session an ended token is remembered, in ms. */
const MARGIN = 24 * 3_600_000;

export interface SsoSessionsOptions {
  store: Pick<SsoStore, 'endsVersion' | 'readEnds'>;
  /** The apps that run in this process. */
  running(): Application[];
  clock: Clock;
  log: Log;
}

/** What is known of an app. Its database is another object after each start. */
interface Hosted {
  identities: Identities;
  /** Whether the app has ever signed somebody in. */
  isUsed: boolean;
  /** The store's version of the ends that the app has followed. */
  version: string;
  /** By user of the main app: the end that this process has followed. */
  followed: Map<string, number>;
  /** Its database is asked now. */
  isFollowing: boolean;
}

/** As far as NocoBase's own service for tokens is used here. */
interface Tokens {
  jwt: { blacklist: { add(values: { token: string; expiration: Date }): Promise<unknown> } };
  tokenController: { getConfig(): Promise<{ sessionExpirationTime: number } | null> };
}

/** Ends sessions in apps whose users have signed out of the main app, or are gone there. */
export class SsoSessions {
  private readonly hosted = new WeakMap<object, Hosted>();
  private timer: Timer | null = null;
  private checking: Promise<void> | null = null;

  constructor(private readonly options: SsoSessionsOptions) {}

  start(): void {
    this.timer ??= this.options.clock.interval(EVERY, () => void this.check());
  }

  stop(): void {
    this.timer?.cancel();
    this.timer = null;
  }

  identities({ db }: Application): Identities {
    return this.of(db).identities;
  }

  /** The app signs somebody in from now on: it has to follow ends. */
  noteUse({ db }: Application): void {
    this.of(db).isUsed = true;
  }

  /** Follows what the store says. Never rejects. */
  check(): Promise<void> {
    this.checking ??= this.checkNow().finally(() => {
      this.checking = null;
    });
    return this.checking;
  }

  /**
   * Ends the sessions of one user in one app.
   * @param at when his sign-ins ended, in ms since 1970
   */
  async end(app: Application, user: string, at: number): Promise<void> {
    const { identities, followed } = this.of(app.db);
    if ((followed.get(user) ?? 0) >= at) return;
    const identity = await identities.ofUser(user);
    if (identity) {
      const tokens = app.db.getModel('issuedTokens');
      const { account: userId } = identity;
      if (await identities.noteEnd(user, at))
        await tokens.update({ authenticator: ENDED }, { where: { userId, authenticator: SSO_AUTHENTICATOR } });
      // What another process has ended, this one has to refuse, too: each has its own memory of refused tokens.
      const ended = await tokens.findAll({ where: { userId, authenticator: ENDED } });
      const { jwt, tokenController } = app.authManager as unknown as Tokens;
      const lifetime = (await tokenController.getConfig())?.sessionExpirationTime ?? 0;
      const expiration = new Date(this.options.clock.now().wall + lifetime + MARGIN);
      for (const token of ended) await jwt.blacklist.add({ token: String(token.get('jti')), expiration });
    }
    followed.set(user, at);
  }

  private async checkNow(): Promise<void> {
    const { store, running, clock, log } = this.options;
    try {
      const version = await store.endsVersion();
      if (version === '') return;
      // One whose database hangs must not keep the others from it.
      const all = Promise.all(running().map((app) => this.follow(app, version)));
      await within(clock, PATIENCE, all, []);
    } catch (error) {
      log.rooms.fleet?.('The ends of sign-ins could not be read', { cause: messageOf(error) });
    }
  }

  /** Never rejects: one app must not keep the others from it. */
  private async follow(app: Application, version: string): Promise<void> {
    const state = this.of(app.db);
    if (state.version === version || state.isFollowing) return;
    state.isFollowing = true;
    try {
      state.isUsed ||= await state.identities.exists();
      if (state.isUsed) {
        const ends = await this.options.store.readEnds(await state.identities.users());
        for (const [user, at] of ends) await this.end(app, user, at);
      }
      state.version = version;
    } catch (error) {
      this.options.log.warn(`The sign-outs of app ${app.name} are followed later: ${messageOf(error)}`, {
        app: app.name,
      });
    } finally {
      state.isFollowing = false;
    }
  }

  private of(db: Application['db']): Hosted {
    const known = this.hosted.get(db);
    if (known) return known;
    const made = {
      identities: new Identities(db),
      isUsed: false,
      version: '',
      followed: new Map(),
      isFollowing: false,
    };
    this.hosted.set(db, made);
    return made;
  }
}
