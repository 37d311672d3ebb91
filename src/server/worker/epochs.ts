import { z } from 'zod';
import { type Clock, within } from '../clock';
import { isCredible } from '../credible';
import { messageOf } from '../errors';
import type { Log } from '../log';

/** The store writes numbers with 14 digits: an epoch above this one is none that a process has had. As in claimLease-6.lua. */
export const HIGHEST_EPOCH = 99_999_999_999_999;
/** Which process hosted an environment last. */
export const lastHost = z.object({ instance: z.string(), epoch: z.number().int().nonnegative().max(HIGHEST_EPOCH) });
export type LastHost = z.infer<typeof lastHost>;

/** Keeps it in the environment's main database. */
export interface HostStore {
  loadHost(): Promise<LastHost | null>;
  saveHost(host: LastHost): Promise<void>;
}

/** How long a heartbeat waits for the database, in ms. */
const PATIENCE = 3_000;

/**
 * The highest epoch of another process that is known from databases: an epoch is above it, whatever the store has lost. Databases that
 * fell back to an older copy know less, and then the store and its clock know more.
 */
export class Epochs {
  /** Of others. */
  above = 0;
  private saved = 0;
  /** How often this process lost or got its lock while it hosted, and how many of these the last answer of the database covers. */
  private readonly doubts = { count: 0, answered: 0 };

  constructor(
    private readonly store: HostStore,
    private readonly instance: string,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {}

  /** Whether another process may have hosted since this one was last known to: it was without its lock for a while. */
  get isDoubtful(): boolean {
    return this.doubts.answered < this.doubts.count;
  }

  /** An answer that is under way may not know yet what happens from now on. */
  doubt(): void {
    this.doubts.count++;
  }

  /** The next epoch will be above this one of another process. @returns whether a process can have had it */
  exceed(epoch: number): boolean {
    if (!isCredible(epoch, this.clock.now().wall)) return false;
    this.above = Math.max(this.above, epoch);
    return true;
  }

  /** Reads who hosted last. Never rejects. */
  async recall(): Promise<void> {
    const found = await this.read();
    if (found && found.instance !== this.instance) this.above = Math.max(this.above, found.epoch);
  }

  /**
   * Whether another process has hosted after this one did in `epoch`; the doubt stays if the database does not answer. Never rejects.
   */
  async isOvertaken(epoch: number): Promise<boolean> {
    const found = this.isDoubtful ? await this.read() : undefined;
    if (found === undefined) return false;
    if (found?.instance === this.instance) return false;
    // An older copy, which names a former host: this one is written once more.
    this.saved = 0;
    return found !== null && found.epoch > epoch;
  }

  /** Undefined if the database does not answer: then the doubt stays. */
  private async read(): Promise<LastHost | null | undefined> {
    const { count } = this.doubts;
    const reading: Promise<LastHost | null | undefined> = this.store.loadHost();
    const found = await within(
      this.clock,
      PATIENCE,
      reading.catch(() => undefined),
      undefined,
    );
    if (found !== undefined) this.doubts.answered = count;
    return found;
  }

  /** Writes that this process hosts; tried again with the next call if it fails. Never rejects. */
  async remember(epoch: number): Promise<void> {
    if (this.saved === epoch) return;
    const saving = this.store.saveHost({ instance: this.instance, epoch }).then(
      () => true,
      (error) => {
        this.log.warn(`The epoch of this environment could not be written: ${messageOf(error)}`);
        return false;
      },
    );
    if (await within(this.clock, PATIENCE, saving, false)) this.saved = epoch;
  }
}
