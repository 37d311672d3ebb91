import type { Clock } from '../../clock';
import type { WithDatabase } from '../../nocobase/main-database';
import type { Random } from '../../random';

/** A lead that did not move for this long, by the challenger's own clock, is over; in ms. */
const LEAD_EXPIRY = 10_000;
/** How often a lead is renewed at most, in ms. */
const RENEW_EVERY = 1_000;

/**
 * Which of several supervisor processes drives operations: one row, taken and renewed by a conditional update. No clock is
 * compared: a challenger waits until it has itself seen the same beat for `LEAD_EXPIRY`.
 */
export class Leadership {
  fleet = '';
  private seen: { holder: string | null; beat: number; at: number } | null = null;
  leads = false;
  /** When the lead was last renewed, by the monotonic clock. */
  private renewedAt = 0;
  private claiming: Promise<boolean> | null = null;
  /** Whoever still ticks must not take the lead again. */
  private resigned = false;

  constructor(
    private readonly app: WithDatabase,
    private readonly me: string,
    private readonly clock: Clock,
    private readonly random: Random,
    private readonly expiry = LEAD_EXPIRY,
    /** Nobody else can be there, as with SQLite, where a beat would be a write that others' transactions fail on. */
    private readonly alone = false,
  ) {}

  /** Whether this process still has the lead for certain, without asking: nobody takes it before `expiry` has passed. */
  get isSure(): boolean {
    return this.leads && (this.alone || this.clock.now().mono - this.renewedAt < this.expiry / 2);
  }

  /** Renews or takes the lead; answers whether this process has it now. */
  claim(): Promise<boolean> {
    if (this.resigned) return Promise.resolve(false);
    this.claiming ??= this.claimNow().finally(() => {
      this.claiming = null;
    });
    return this.claiming;
  }

  private async claimNow(): Promise<boolean> {
    // Asked at every event: once a second is often enough to be seen alive.
    if (this.leads && (this.alone || this.clock.now().mono - this.renewedAt < RENEW_EVERY)) return true;
    const row = await this.row();
    const holder = row.get('holder') as string | null;
    const beat = Number(row.get('beat') ?? 0);
    this.fleet = row.get('fleet') as string;
    if (this.alone) {
      this.leads = true;
      return true;
    }
    const now = this.clock.now().mono;
    if (holder !== this.me && (this.seen?.holder !== holder || this.seen.beat !== beat))
      this.seen = { holder, beat, at: now };
    const expired = holder === null || (this.seen !== null && now - this.seen.at >= this.expiry);
    if (holder !== this.me && !expired) {
      this.leads = false;
      return false;
    }
    const [count] = await this.app.db
      .getModel('appSupervisorLeaders')
      .update({ holder: this.me, beat: beat + 1 }, { where: { id: 1, holder, beat } });
    this.leads = count === 1;
    this.renewedAt = now;
    return this.leads;
  }

  /** Passes the lead on at once, for good: this process ends. */
  async resign(): Promise<void> {
    this.resigned = true;
    // It may be about to get the lead.
    await this.claiming?.catch(() => undefined);
    if (!this.leads) return;
    this.leads = false;
    if (this.alone) return;
    await this.app.db.getModel('appSupervisorLeaders').update({ holder: null }, { where: { id: 1, holder: this.me } });
  }

  private async row() {
    const repository = this.app.db.getRepository('appSupervisorLeaders');
    const row = await repository.findOne({ filterByTk: 1 });
    if (row) return row;
    // Two first starts at once: the loser's insert fails on the primary key, and the winner's row is read.
    await repository
      .create({ values: { id: 1, fleet: this.random.id(), holder: null, beat: 0 } })
      .catch(() => undefined);
    return repository.findOne({ filterByTk: 1 });
  }
}
