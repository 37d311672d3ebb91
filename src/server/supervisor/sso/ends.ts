import { type Model, Op } from '@nocobase/database';
import type { SsoEnd } from '../../../shared/messages';
import type { Clock } from '../../clock';
import { messageOf } from '../../errors';
import type { Log } from '../../log';
import type { WithDatabase } from '../../nocobase/main-database';
import type { SsoStore } from '../../protocol/stores/sso';

/** How long an end is kept, in ms: no session in an app is older. */
const KEEP = 90 * 24 * 3_600_000;

export interface SsoEndsOptions {
  store: Pick<SsoStore, 'writeEnds' | 'endsVersion'>;
  /** The main app as it is now. */
  main(): WithDatabase | undefined;
  clock: Clock;
  log: Log;
}

/**
 * The ends of sign-ins to apps: who signs out of the main app, is deleted there, or gets another password. The database
 * of the main app has them, so that Workers learn of them that were away, and a store that has lost its content.
 */
export class SsoEnds {
  /** The store lacks something that the database has. */
  private isBehind = true;
  /** By user, when sign-ins ended that the database or the store has not taken yet. */
  private readonly pending = new Map<string, number>();

  constructor(private readonly options: SsoEndsOptions) {}

  /**
   * Ends all sign-ins of a user. Never rejects: what Workers cannot be told now, they are told when the store is back.
   * @param user id in the main app
   */
  async end(user: string): Promise<void> {
    const { clock, log } = this.options;
    this.pending.set(user, clock.now().wall);
    try {
      await this.write(user);
    } catch (error) {
      this.isBehind = true;
      log.warn(`The apps were not told yet that a user has signed out: ${messageOf(error)}`);
    }
  }

  private async write(user: string): Promise<void> {
    const asked = this.pending.get(user);
    if (asked === undefined) return;
    const at = Math.max(asked, (await this.lastOf(user)) + 1);
    await this.model?.upsert({ user, at });
    await this.options.store.writeEnds([{ user, at }]);
    if (this.pending.get(user) === asked) this.pending.delete(user);
  }

  /** When the sign-ins of a user last ended, in ms since 1970; 0: never. */
  async lastOf(user: string): Promise<number> {
    const row = await this.model?.findByPk(user);
    return row ? Number(row.get('at')) : 0;
  }

  /** The store was away: it may be an older copy. */
  noteReturned(): void {
    this.isBehind = true;
    void this.publish();
  }

  /** Writes again what the store has lost, or could not be told. Never rejects. */
  async publish(): Promise<void> {
    const { store, log, clock } = this.options;
    try {
      const { model } = this;
      if (!model) return;
      for (const user of this.pending.keys()) await this.write(user);
      if (!this.isBehind && (await store.endsVersion()) !== '') return;
      const rows = await model.findAll();
      const oldest = clock.now().wall - KEEP;
      const ends = rows.map((row: Model): SsoEnd => ({ user: String(row.get('user')), at: Number(row.get('at')) }));
      const old = ends.filter(({ at }) => at < oldest).map(({ user }) => user);
      if (old.length) await model.destroy({ where: { user: old, at: { [Op.lt]: oldest } } });
      this.isBehind = false;
      await store.writeEnds(ends.filter(({ at }) => at >= oldest));
    } catch (error) {
      this.isBehind = true;
      log.rooms.fleet?.('The ends of sign-ins were not written, it is tried again', { cause: messageOf(error) });
    }
  }

  private get model() {
    const db = this.options.main()?.db;
    return db?.hasCollection('appSsoEnds') ? db.getModel('appSsoEnds') : null;
  }
}
