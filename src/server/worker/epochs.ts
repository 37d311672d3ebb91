import { z } from 'zod';
import { type Clock, within } from '../clock';
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
  /** Whether another process may have hosted since this one was last known to: it was without its lock for a while. */
  isDoubtful = false;
  private saved = 0;

  constructor(
    private readonly store: HostStore,
    private readonly instance: string,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {}

  /** Reads who hosted last. Never rejects. */
  async recall(): Promise<void> {
    this.isDoubtful = false;
    const found = await this.read();
    if (found && found.instance !== this.instance) this.above = Math.max(this.above, found.epoch);
  }

  /**
   * Whether another process has hosted after this one did in `epoch`; the doubt stays if the database does not answer. Never rejects.
   */
  async isOvertaken(epoch: number): Promise<boolean> {
    const found = this.isDoubtful ? await this.read() : undefined;
    if (found === undefined) return false;
    this.isDoubtful = false;
    if (found?.instance === this.instance) return false;
    // An older copy, which names a former host: this one is written once more.
    this.saved = 0;
    return found !== null && found.epoch > epoch;
  }

  /** Undefined if the database does not answer. */
  private read(): Promise<LastHost | null | undefined> {
    const reading: Promise<LastHost | null | undefined> = this.store.loadHost();
    return within(
      this.clock,
      PATIENCE,
      reading.catch(() => undefined),
      undefined,
    );
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
