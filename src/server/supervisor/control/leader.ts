import type { Transaction } from '@nocobase/database';
import type { Clock } from '../../clock';
import { AppSupervisorError } from '../../errors';
import { Lease } from '../../lease/lease';
import { OwnConnection } from '../../lease/own-connection';
import { supervisorLeaders } from '../../lease/tables';
import type { Log } from '../../log';
import { transact, type WithDatabase } from '../../nocobase/main-database';
import type { Random } from '../../random';
import { LEADER_INTERVAL } from '../../timing';

/** A write of a term that is over. It was not executed. */
export class TermOver extends Error {
  constructor() {
    super('Another Supervisor leads by now.');
  }
}

/** How processes named themselves before 0.3.0: since then there are eight digits (core/foundation.ts). */
const FORMER_INSTANCE = /:\d+:[\da-f]{6}$/;

export interface LeadershipOptions {
  app: WithDatabase;
  /** Identifies this process among all that ever ran. */
  instance: string;
  clock: Clock;
  random: Random;
  log: Log;
  /** How long the lead lasts that is not renewed, in ms; by default as long as any lease. */
  expiry?: number;
}

/**
 * Which of several Supervisor processes acts. Two guarantees separate terms: a leader that could not renew stops writing (`leads`) before a
 * challenger may begin, and every write to the database carries its term (`write`): it fails if a newer term exists, or if the database
 * has lost beats of this one, and so what else was written since.
 */
export class Leadership {
  private readonly lease: Lease;
  private fleetId = '';
  private told = false;
  private readonly listeners: Array<(leads: boolean) => void> = [];

  constructor(private readonly options: LeadershipOptions) {
    const { app, instance, clock, random, log, expiry } = options;
    this.lease = new Lease({
      connection: new OwnConnection(app, supervisorLeaders),
      table: supervisorLeaders.name,
      key: { id: 1 },
      // A database that fell back to a copy from before the first start has lost it: the fleet is still the same.
      values: () => ({ fleet: this.fleetId || random.id() }),
      what: 'the lead',
      instance,
      interval: LEADER_INTERVAL,
      expiry,
      clock,
      log,
    });
    this.lease.changes.listen(() => this.notify());
    this.lease.changes.listen(() => {
      if (this.former) log.error(this.former.message);
    });
  }

  /** The fleet's id; empty before the lease is read. */
  get fleet(): string {
    this.fleetId = (this.lease.row.fleet as string | undefined) ?? this.fleetId;
    return this.fleetId;
  }

  /** The term of this process's lead, or of its last one: never a successor's. 0 before the first. */
  get term(): number {
    return this.lease.term;
  }

  /** Names the process that leads, if it is of a release before 0.3.0: it does not know the rows of this one. */
  get former(): AppSupervisorError | null {
    const instance = this.lease.isHeld ? null : (this.lease.row.holder as string | null | undefined);
    return instance && FORMER_INSTANCE.test(instance)
      ? new AppSupervisorError('FORMER_SUPERVISOR', { instance })
      : null;
  }

  /** Whether this process certainly leads: no challenger can have begun yet. */
  get leads(): boolean {
    return this.lease.leads;
  }

  /** @param listener called when this process begins to lead, and when it stops */
  onChange(listener: (leads: boolean) => void): void {
    this.listeners.push(listener);
  }

  /**
   * Takes the lead now, if it may, and renews on its own timer from here on: no work delays it.
   * @throws if the database cannot be reached now
   */
  start(): Promise<void> {
    return this.lease.start();
  }

  /** Ends the renewal, when the process is about to end. */
  stop(): void {
    this.lease.stop();
  }

  /** Renews or takes the lead. @returns whether this process has it now */
  take(): Promise<boolean> {
    this.lease.want();
    return this.lease.take();
  }

  /**
   * Executes a write of the leader in a transaction, during which no newer term can begin.
   * @throws TermOver if this process does not lead (any more); nothing was written
   */
  async write<T>(work: (transaction?: Transaction) => Promise<T>): Promise<T> {
    if (!this.leads) throw new TermOver();
    if (this.lease.isAlone) return work();
    return transact(this.options.app, async (transaction) => {
      await this.holdTerm(transaction);
      return work(transaction);
    });
  }

  /**
   * Makes a transaction one of the leader: during it no newer term can begin.
   * @throws TermOver if this process does not lead (any more)
   */
  async holdTerm(transaction: Transaction): Promise<void> {
    const { app, instance } = this.options;
    if (!this.leads) throw new TermOver();
    if (this.lease.isAlone) return;
    const row = await app.db.getModel(supervisorLeaders.name).findOne({
      where: { id: 1, holder: instance, term: this.term },
      transaction,
      // A process that takes the lead changes this row, and waits until the write has ended.
      lock: transaction.LOCK.SHARE,
    });
    if (row && Number(row.get('beat')) >= this.lease.beat) return;
    this.lease.doubt();
    throw new TermOver();
  }

  /** The newest term on record, of whoever leads: what a request writes to the store is of that term. */
  async newestTerm(): Promise<number> {
    const row = await this.options.app.db.getModel(supervisorLeaders.name).findOne({ where: { id: 1 } });
    return Number(row?.get('term') ?? 0);
  }

  /** @throws TermOver if this process does not lead (any more) */
  async assertLeads(): Promise<void> {
    await this.write(async () => undefined);
  }

  /**
   * Goes on with a newer term than the store has seen: the database, which decides who leads, was restored from a backup.
   * @param newest the term that the store has seen
   */
  async raiseTerm(newest: number): Promise<void> {
    if (newest >= this.term && this.leads) await this.lease.raiseAbove(newest);
  }

  /** Hands the lead over immediately and permanently: this process ends. */
  resign(): Promise<void> {
    return this.lease.resign();
  }

  private notify(): void {
    const { leads } = this;
    if (leads === this.told) return;
    this.told = leads;
    for (const listener of this.listeners) listener(leads);
  }
}
