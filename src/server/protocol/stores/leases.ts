import type { Lease } from '../../../shared/messages';

/**
 * Leases: which process hosts which environment. Workers claim and release them; the store decides who gets them.
 *
 * - Each call is one transaction. At most one instance holds the lease of an environment.
 * - A lease expires by the store's own clock, counted from when its claim was sent: one that a frozen store or a stalled link has kept
 * does not say that its claimer still lives. Its last holder gets it back with the same epoch; every other holder gets a higher epoch
 * than all before it.
 * - Lost content makes all leases free. Their last holders take them again with their known epochs; a newcomer has to
 * wait (`mayTake`) until it may assume that none of them is alive.
 * - A claimer with a higher epoch than the holder's took over from it: the store lost its content, or is an older copy. It gets the
 * lease back at once.
 * - Every method rejects if the store cannot be reached. A holder continues then: apps do not depend on the lease.
 */
export interface LeaseStore {
  /**
   * Takes, renews or requests a lease; see `LeaseClaim`. A new holder does not inherit the statuses of the previous
   * one.
   */
  claim(claim: LeaseClaim): Promise<LeaseAnswer>;
  /** Releases a lease immediately, with its statuses. Does nothing to a lease of another instance or epoch. */
  release(environment: string, instance: string, epoch: number): Promise<void>;
  /** The remaining time of each of these leases without a renewal, in ms; 0 if nobody holds it. */
  left(environments: string[]): Promise<Map<string, number>>;
}

export interface LeaseClaim {
  environment: string;
  /** The content of the lease; `epoch` is the one last held, 0 for none. */
  lease: Lease;
  /** How long it lasts without renewal, in ms. */
  ttl: number;
  /** Whether the claimer may take a lease that nobody holds and that it did not hold last. */
  mayTake: boolean;
  /** The epoch has to be higher: what databases know of former holders. */
  above?: number;
  /**
   * Fingerprint of the main database whose session lock the claimer holds, or null. A lease with the same fingerprint
   * belongs to a dead process, because only one process can hold that lock, and is taken over immediately.
   */
  provenBy: string | null;
  /** Fingerprint of the claimer's main database, whether or not it holds the lock there. */
  place?: string;
}

export type LeaseAnswer =
  /** Renewed, as before. */
  | { held: true; epoch: number; fresh: false }
  /** Taken or retaken: registration and statuses have to be written again. */
  | { held: true; epoch: number; fresh: true }
  /** Another live instance holds it. */
  | { held: false; holder: { instance: string; epoch: number } }
  /** Nobody holds it and the claimer may not take it yet. */
  | { held: false; holder: null };
