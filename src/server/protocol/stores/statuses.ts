import type { StatusEntry } from '../../../shared/messages';

/**
 * Statuses: what each app is observed to be in each environment. The holder of the environment's lease writes them; the
 * Supervisor and other Workers read them.
 *
 * - A write is one transaction, and is refused unless its writer holds the lease with that epoch.
 * - Writes have growing versions, by which a reader knows whether there is something to read.
 * - Lost content costs nothing: the holder compares every 30 s what is there with what it wrote, and writes all again.
 * - Every method rejects when the store cannot be reached; what was not written is written later, as it is then.
 */
export interface StatusStore {
  /** Writes statuses under a lease. False when the lease is not (or no longer) the writer's: nothing was written. */
  write(write: StatusWrite): Promise<boolean>;
  /** All statuses of `environment`, in no order. What does not parse is left out. An unchanged entry may be the same object again. */
  read(environment: string): Promise<StatusEntry[]>;
  /** The version of the last write, and how many statuses there are. */
  mark(environment: string): Promise<StatusMark>;
}

export interface StatusWrite {
  environment: string;
  instance: string;
  epoch: number;
  entries: StatusEntry[];
  removed: string[];
  /** Grows with every write, so that a reader knows whether there is something to read. */
  version: number;
  /** Whether `entries` is all there is: what else is stored is removed. */
  complete: boolean;
}

export interface StatusMark {
  version: number;
  count: number;
}
