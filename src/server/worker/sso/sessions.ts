import { type Model, Op, type Transaction } from '@nocobase/database';
import type { Application } from '@nocobase/server';
import { SSO_AUTHENTICATOR } from '../../../shared/sso';
import { type Clock, type Timer, within } from '../../clock';
import { messageOf } from '../../errors';
import type { Log } from '../../log';
import type { SsoStore } from '../../protocol/stores/sso';
import type { Random } from '../../random';
import { Identities } from './identities';

/** Interval of asking the store for new ends, in ms: one value while there are none. */
const EVERY = 3_000;
/** How long it waits for the databases of the apps before it asks the store again, in ms. */
const PATIENCE = 10_000;
/** How the tokens of an ended session are marked, for the other processes that run the app; the token's id follows. */
const ENDED = `${SSO_AUTHENTICATOR}-ended:`;
/** Each statement sees what others have committed. Sequelize's name. */
const READ_COMMITTED = 'READ COMMITTED' as Transaction.ISOLATION_LEVELS;
/** How much longer than a session an ended token is remembered, in ms. */
const MARGIN = 24 * 3_600_000;

export interface SsoSessionsOptions {
  store: Pick<SsoStore, 'endsVersion' | 'readEnds'>;
  /** The apps that run in this process. */
  running(): Application[];
  clock: Clock;
  random: Random;
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
  jwt: {
    decode(token: string): Promise<{ jti: string }>;
    blacklist: {
      add(values: { token: string; expiration: Date }): Promise<unknown>;
      has(token: string): Promise<boolean>;
    };
  };
  tokenController: {
    getConfig(): Promise<{ sessionExpirationTime: number } | null>;
    /** @param jti the id of a token that has expired. @returns that of the new one */
    renew(jti: string): Promise<{ jti: string }>;
  };
}

/**
 * For 10 s NocoBase remembers what it has made of an expired token, and lets everybody in who brings that one, also once what it
 * has made of it has ended.
 */
function renewNothingEnded({ jwt, tokenController }: Tokens): void {
  const renew = tokenController.renew.bind(tokenController);
  tokenController.renew = async (jti) => {
    const renewed = await renew(jti);
    if (!(await jwt.blacklist.has(renewed.jti))) return renewed;
    // NocoBase's own text and code, which it translates and answers with 401.
    throw Object.assign(new Error('Your session has expired. Please sign in again.'), { code: 'TOKEN_RENEW_FAILED' });
  };
}

/**
 * Marks tokens of the main app's sign-in as ended. NocoBase renews a token by its id, in one statement: that id is taken away
 * here, so a token is either renewed before, and marked with its new id, or not at all.
 */
async function markEnded(app: Application, which: object, random: Random, transaction?: Transaction): Promise<void> {
  const tokens = app.db.getModel('issuedTokens');
  for (;;) {
    const rows = await tokens.findAll({ where: { ...which, authenticator: SSO_AUTHENTICATOR }, transaction });
    if (!rows.length) return;
    for (const row of rows) {
      const [id, jti] = [row.get('id'), row.get('jti')];
      await tokens.update({ jti: random.id(), authenticator: `${ENDED}${jti}` }, { where: { id, jti }, transaction });
    }
  }
}

/** Ends sessions in apps whose users have signed out of the main app, or are gone there. */
export class SsoSessions {
  private readonly hosted = new WeakMap<object, Hosted>();
  private timer: Timer | null = null;
  private checking: Promise<void> | null = null;
  /** NocoBase's services that renew nothing that has ended. */
  private readonly guarded = new WeakSet<object>();

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
   * @param user `<fleet>:<id in the main app>`
   * @param at when his sign-ins ended, in ms since 1970
   */
  async end(app: Application, user: string, at: number): Promise<void> {
    const { identities, followed } = this.of(app.db);
    if ((followed.get(user) ?? 0) >= at) return;
    const accounts = await identities.accountsOf(user);
    if (accounts.length) {
      // Both or nothing: what is noted is not done again. MySQL would otherwise read the tokens as they were at first, however often.
      await app.db.sequelize.transaction({ isolationLevel: READ_COMMITTED }, async (transaction: Transaction) => {
        if (await identities.noteEnd(user, at, transaction))
          await markEnded(app, { userId: accounts }, this.options.random, transaction);
      });
      // What another process has ended, this one has to refuse, too: each has its own memory of refused tokens.
      const where = { userId: accounts, authenticator: { [Op.startsWith]: ENDED } };
      const ended = await app.db.getModel('issuedTokens').findAll({ where });
      await this.refuse(
        app,
        ended.map((row: Model) => String(row.get('authenticator')).slice(ENDED.length)),
      );
    }
    followed.set(user, at);
  }

  /** Ends one session, whose token nobody has been given yet. */
  async endOne(app: Application, token: string): Promise<void> {
    const { jti } = await (app.authManager as unknown as Tokens).jwt.decode(token);
    await markEnded(app, { jti }, this.options.random);
    await this.refuse(app, [jti]);
  }

  private async refuse(app: Application, ids: string[]): Promise<void> {
    if (!ids.length) return;
    const tokens = app.authManager as unknown as Tokens;
    const { jwt, tokenController } = tokens;
    if (!this.guarded.has(tokenController)) {
      this.guarded.add(tokenController);
      renewNothingEnded(tokens);
    }
    const lifetime = (await tokenController.getConfig())?.sessionExpirationTime ?? 0;
    const expiration = new Date(this.options.clock.now().wall + lifetime + MARGIN);
    for (const token of ids) await jwt.blacklist.add({ token, expiration });
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
