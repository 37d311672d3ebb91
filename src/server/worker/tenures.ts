import { within } from '../clock';
import { isCredible } from '../credible';
import { messageOf } from '../errors';
import { Feed } from '../feed';
import type { Lease } from '../lease/lease';
import { PATIENCE } from '../timing';
import { Announcer, type AnnouncerOptions, type Overtaken } from './announcer';
import type { HostingAuthority } from './hosting/claim';

/**
 * What a process is in its environment.
 * - `challenger`: another process may hold it. Hosts nothing.
 * - `holder`: it may do everything.
 * - `holding`: it could not renew its lease, or another process has it, too, in another copy of the database. Serves, announces and reports, and begins nothing.
 * - `ending`: it was displaced, and ends what it runs.
 * - `spent`: something that it ran could not be ended. Only another process in its place may host again.
 */
export type WorkerState = 'challenger' | 'holder' | 'holding' | 'ending' | 'spent';

/** How often in a tenure its term is raised above that of another process that announces itself. */
const CONTESTS = 2;

/** What a state follows from. */
export interface StateFacts extends Pick<Lease, 'isHeld' | 'leads'> {
  isEnding: boolean;
  isSpent: boolean;
}

export function stateOf({ isHeld, leads, isEnding, isSpent }: StateFacts): WorkerState {
  if (isSpent) return 'spent';
  if (isEnding) return 'ending';
  if (!isHeld) return 'challenger';
  return leads ? 'holder' : 'holding';
}

export interface TenuresOptions extends Omit<AnnouncerOptions, 'term'> {
  lease: Lease;
  /** Ends all apps. @returns whether nothing runs any more */
  end(): Promise<boolean>;
}

/** Follows the lease of an environment: begins and ends the tenures of this process, and has them announced. */
export class Tenures {
  /** A tenure begins. */
  readonly begins = new Feed<void>();
  /** Within a tenure, the store has lost what was told in it. */
  readonly losses = new Feed<void>();
  /** Something may be begun again: the lease is renewed after a while without. */
  readonly resumes = new Feed<void>();
  /** Nothing more can be hosted by this process. */
  readonly spends = new Feed<void>();
  readonly announcer: Announcer;
  private readonly lease: Lease;
  private isEnding = false;
  private isSpent = false;
  private hasLeft = false;
  /** How often the term of this tenure was contested by another process. */
  private contests = 0;
  /** The apps whose rows have raised it. */
  private readonly raisedFor = new Set<string>();
  private isToldAhead = false;
  /** The term of this tenure, whether its process could begin things when that was last looked at, and whether it was told that it begins. */
  private readonly seen = { term: 0, leads: false, isTold: false };

  constructor(private readonly options: TenuresOptions) {
    this.lease = options.lease;
    this.announcer = new Announcer({ ...options, term: () => (this.hosts ? this.term : null) });
    this.announcer.accepted.listen(async ({ fresh }) => {
      if (fresh) await (this.seen.isTold ? this.losses.emitAndWait() : this.tell());
    });
    this.announcer.overtaken.listen((by) => this.overtaken(by));
  }

  get state(): WorkerState {
    const { lease, isEnding, isSpent } = this;
    const leads = lease.leads && this.contests <= CONTESTS;
    return stateOf({ isHeld: lease.isHeld && !this.hasLeft, leads, isEnding, isSpent });
  }

  get term(): number {
    return this.lease.term;
  }

  /** Whether this process may host apps. */
  get hosts(): boolean {
    return this.state === 'holder' || this.state === 'holding';
  }

  /** Whether another process holds the environment, as the row of the lease said last. */
  get isElsewhere(): boolean {
    const { holder } = this.lease.row;
    return !this.hosts && typeof holder === 'string' && holder !== this.options.instance;
  }

  get mayBegin(): boolean {
    return this.state === 'holder' && !this.announcer.isRefused;
  }

  /** Whether this process holds its environment, as the main database says now. Never rejects. */
  async confirm(): Promise<boolean> {
    return this.hosts && (await this.lease.confirm()) && this.mayBegin;
  }

  /**
   * A process hosted in this term, and this one holds the environment: its main database has fallen back. Never rejects.
   * @returns whether the term is above that one now
   */
  async raise(term: number): Promise<boolean> {
    if (!isCredible(term, this.options.clock.now().wall) || !(await this.confirm())) return false;
    return this.lease.raiseAbove(term);
  }

  /** The same by the row of an app, once in a tenure: whoever administers the app can write any number. */
  private async raiseFor(app: string, term: number): Promise<boolean> {
    if (this.raisedFor.has(app)) return false;
    const isRaised = await this.raise(term);
    if (isRaised) this.raisedFor.add(app);
    return isRaised;
  }

  /** @param environment as in rows of apps' databases */
  authority(environment: string): HostingAuthority {
    return {
      environment,
      holder: this.options.instance,
      term: () => this.term,
      now: () => this.options.clock.now().wall,
      confirm: () => this.confirm(),
      raise: (term, app) => this.raiseFor(app, term),
    };
  }

  /** Never rejects. */
  async start(): Promise<void> {
    const { lease, options } = this;
    // Not earlier: a start that fails before this leaves nobody behind who follows the lease.
    lease.changes.listen(() => this.follow());
    await lease
      .start()
      .catch((error) => options.log.warn(`The main database does not say who hosts: ${messageOf(error)}`));
    if (!this.hasLeft) await this.announcer.start();
  }

  /** Leaves at once; others see it immediately. Never rejects. */
  async stop(): Promise<void> {
    this.hasLeft = true;
    this.announcer.stop();
    const { clock, log } = this.options;
    const release = this.lease.resign().catch((error) => log.warn(`The lease was not given back: ${messageOf(error)}`));
    await within<unknown>(clock, PATIENCE, Promise.all([release, this.announcer.withdraw()]), undefined);
  }

  private follow(): void {
    const { lease, seen } = this;
    const { hosts } = this;
    if (hosts && seen.term === 0) void this.begin();
    else if (hosts && lease.leads && seen.term !== lease.term) this.goOn();
    else if (hosts && lease.leads && !seen.leads) this.resumes.emit();
    else if (!lease.isHeld && seen.term !== 0 && !this.isEnding && !this.hasLeft) void this.endTenure();
    seen.leads = hosts && lease.leads;
  }

  private async begin(): Promise<void> {
    this.seen.term = this.term;
    const { environment, log } = this.options;
    log.rooms.lease?.('A tenure begins', { term: this.term });
    await this.announcer.announce();
    // The store cannot be reached, its first answer was lost, or another one has announced: what is known decides.
    if (this.hosts && !this.seen.isTold)
      await this.tell().catch((error) => log.warn(`${environment} could not begin: ${messageOf(error)}`));
  }

  private tell(): Promise<void> {
    this.seen.isTold = true;
    return this.begins.emitAndWait();
  }

  /** In another term, because the database or the store has lost something. */
  private goOn(): void {
    this.seen.term = this.term;
    void this.announcer.announce();
  }

  /** Another process holds the environment. Never rejects. */
  private async endTenure(): Promise<void> {
    const { environment, log, end } = this.options;
    log.warn(`Environment ${environment} is held by another process; this one ends what it runs.`);
    this.isEnding = true;
    Object.assign(this.seen, { term: 0, isTold: false });
    this.contests = 0;
    this.raisedFor.clear();
    this.lease.pause();
    void this.announcer.withdraw();
    const hasEnded = await end().catch((error) => {
      log.warn(`${environment} was not left: ${messageOf(error)}`);
      return false;
    });
    this.isEnding = false;
    if (this.hasLeft) return;
    this.isSpent = !hasEnded;
    if (hasEnded) return this.lease.want();
    log.error(`Apps of ${environment} could not be ended. Restart this process: it hosts nothing until then.`);
    this.spends.emit();
  }

  /** The store knows a term that is not below this one. */
  private async overtaken({ epoch: term, instance }: Overtaken): Promise<void> {
    if (!isCredible(term, this.options.clock.now().wall)) this.tellAhead(term);
    if (this.lease.leads) this.contest(instance);
    if (await this.raise(term)) return;
    // The database does not say that it is not so.
    if (!this.lease.leads) this.lease.lose();
  }

  /** @param instance the process that announces a higher term; null: one that does not any more, and so contests nothing */
  private contest(instance: string | null): void {
    const { environment, log, instance: me } = this.options;
    if (instance === me) return;
    this.contests = instance === null ? 0 : this.contests + 1;
    if (this.contests !== CONTESTS + 1) return;
    log.error(
      `Environment ${environment} is held by this process and by ${instance}, each as its main database says: are there two copies of it? Nothing is begun here.`,
    );
  }

  private tellAhead(term: number): void {
    const { environment, log } = this.options;
    if (this.isToldAhead) return;
    this.isToldAhead = true;
    log.warn(
      `Redis has a term of ${environment} that is more than a day ahead of this clock (${term}): it is shown as down. Set the clock, or forget the environment.`,
    );
  }
}
