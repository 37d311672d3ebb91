import { type Model, Op, UniqueConstraintError } from '@nocobase/database';
import type { SsoEnd } from '../../../shared/messages';
import { subjectOf } from '../../../shared/sso';
import type { Clock } from '../../clock';
import { AppSupervisorError, messageOf } from '../../errors';
import type { Log } from '../../log';
import type { WithDatabase } from '../../nocobase/main-database';
import type { SsoStore } from '../../protocol/stores/sso';

/** How long an end is kept, in ms: no session in an app is older. */
const KEEP = 90 * 24 * 3_600_000;

export interface SsoEndsOptions {
  store: Pick<SsoStore, 'writeEnds' | 'endsVersion' | 'readEnds'>;
  /** The main app as it is now. */
  main(): WithDatabase | undefined;
  /** The fleet's id; empty while it is not known yet. */
  fleet(): string;
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
    const at = await this.note(user, asked);
    await this.options.store.writeEnds([{ user: this.subjectOf(user), at }]);
    if (this.pending.get(user) === asked) this.pending.delete(user);
  }

  /** Stores an end that is later than any before, whatever the clocks of several Supervisors say. @returns it */
  private async note(user: string, asked: number): Promise<number> {
    const { model } = this;
    if (!model) return asked;
    for (;;) {
      const last = await this.lastOf(user);
      const at = Math.max(asked, last + 1);
      if (last > 0) {
        const [changed] = await model.update({ at }, { where: { user, at: last } });
        if (changed > 0) return at;
      } else {
        try {
          await model.create({ user, at });
          return at;
        } catch (error) {
          // Another Supervisor has just noted the first one.
          if (!(error instanceof UniqueConstraintError)) throw error;
        }
      }
    }
  }

  /** When the sign-ins of a user last ended, in ms since 1970, as the database says; 0: never. */
  private async lastOf(user: string): Promise<number> {
    const row = await this.model?.findByPk(user);
    return row ? Number(row.get('at')) : 0;
  }

  /**
   * The last end that a code may be younger than. The store has a later one than a database that was restored.
   * Rejects if the store cannot be reached.
   */
  async newestOf(user: string): Promise<number> {
    const subject = this.subjectOf(user);
    const [stored, read] = await Promise.all([this.lastOf(user), this.options.store.readEnds([subject])]);
    return Math.max(stored, read.get(subject) ?? 0);
  }

  /** @throws AppSupervisorError NOT_READY while the fleet's id is not known */
  subjectOf(user: string): string {
    const fleet = this.options.fleet();
    if (fleet === '') throw new AppSupervisorError('NOT_READY');
    return subjectOf(fleet, user);
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
      if (!model || this.options.fleet() === '') return;
      for (const user of this.pending.keys()) await this.write(user);
      if (!this.isBehind && (await store.endsVersion()) !== '') return;
      const rows = await model.findAll();
      const oldest = clock.now().wall - KEEP;
      const all = rows.map((row: Model) => ({ user: String(row.get('user')), at: Number(row.get('at')) }));
      const old = all.filter(({ at }) => at < oldest).map(({ user }) => user);
      if (old.length) await model.destroy({ where: { user: old, at: { [Op.lt]: oldest } } });
      this.isBehind = false;
      const ends: SsoEnd[] = all.map(({ user, at }) => ({ user: this.subjectOf(user), at }));
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
