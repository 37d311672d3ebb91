import type { Lease, Registration } from '../../../shared/messages';

/**
 * The fleet as a whole: which environments there are, what they say of themselves, and whose fleet it is.
 *
 * - A look is not one transaction: two environments may be seen at two moments, and each of them is seen as it was at one moment.
 * - Lost content takes the fleet's id and all environments away. The leading Supervisor writes the id again; each Worker is there again
 *   with its next beat and writes its registration then.
 * - Every method rejects when the store cannot be reached; callers try again later.
 */
export interface FleetStore {
  /** Looks at all environments, at a cost of two commands, however many there are. */
  look(): Promise<FleetSight>;
  /** Writes this fleet's id, unless one is there. Answers the id that the store has: another one means that the store is another fleet's. */
  claim(id: string): Promise<string>;
  /** What the environment's last holder said of itself; null when there is nothing, or nothing that parses. */
  readRegistration(environment: string): Promise<Registration | null>;
  /** Replaces the registration of the environment that it names. Its writer holds the lease and says in its next beat that it changed. */
  writeRegistration(registration: Registration): Promise<void>;
  /** Removes all that is kept of an environment, in one transaction: registration, lease, last holder, records and statuses. */
  forget(environment: string): Promise<void>;
}

export interface FleetSight {
  /** Null when the store lost its content since the last claim. */
  fleet: string | null;
  /** All that ever had a lease and were not forgotten. */
  environments: Map<string, EnvironmentSight>;
}

export interface EnvironmentSight {
  /** Null while nobody holds it. */
  lease: Lease | null;
  /** Of the last write of statuses; 0 when there was none under this holder. */
  statusVersion: number;
  /** The instance that asked for the lease last and did not get it; forgotten when it stops asking. */
  standby: string | null;
}
