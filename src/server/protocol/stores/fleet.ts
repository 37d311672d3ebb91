import type { Lease, Registration } from '../../../shared/messages';
import type { Refusal } from '../refusals';

/**
 * The fleet as a whole: its environments, their registrations, and the fleet's id.
 *
 * - A poll is not one transaction: two environments may be read at two moments, but each of them consistently.
 * - Lost content removes the fleet's id and all environments. The leading Supervisor writes the id again; each Worker
 * returns with its next heartbeat and then writes its registration.
 * - Every method rejects if the store cannot be reached; callers retry later.
 */
export interface FleetStore {
  /**
   * Reads all environments with as many commands, however many there are. Rejects also if the store accepts no changes:
   * then a lease that is missing could not be renewed, and proves nothing.
   */
  poll(): Promise<FleetObservation>;
  /**
   * Writes this fleet's id if there is none. Returns the id in the store: a different one means that the store belongs
   * to another fleet.
   */
  nameFleet(id: string): Promise<string>;
  /** The registration of the environment's last holder; null if there is none, or none that is believed. */
  readRegistration(environment: string): Promise<Registration | null>;
  /**
   * Removes everything about an environment in one transaction: registration, lease, records and statuses. What
   * remains is the floor that its next records are for. Does nothing if that is known already: the environment may have
   * come back meanwhile.
   * @param term as in `RecordStore`
   * @returns whether anything was removed
   * @throws StaleTerm if a newer term has written; then nothing was removed
   */
  forget(environment: string, floor: number, term: number): Promise<boolean>;
}

export interface FleetObservation {
  /** Null if the store has lost its content since it was named. */
  fleet: string | null;
  /** The store was reached anew since the last poll: it may be an older copy, which has never had a lease or has lost it. */
  isNew: boolean;
  /** All environments that ever had a lease and were not forgotten. */
  environments: Map<string, EnvironmentObservation>;
}

export interface EnvironmentObservation {
  /** Null while nobody holds it. */
  lease: Lease | null;
  /** Why the stored lease is not believed: then it says nothing, not even that nobody holds it. */
  doubt?: Refusal;
  /** Version of the last write of statuses; 0 if there was none under this holder. */
  statusVersion: number;
  /** The instance that waits for the environment; null once it has said so for the last time. */
  standby: string | null;
  /** Present if the standby has another main database than the holder: it belongs to another installation. */
  isForeign?: true;
}

/** @param place of the standby */
export const foreignTo = (lease: Lease | null, place: string | undefined): Pick<EnvironmentObservation, 'isForeign'> =>
  lease?.place !== undefined && place !== undefined && lease.place !== place ? { isForeign: true } : {};
