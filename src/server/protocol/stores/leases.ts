import { z } from 'zod';
import type { Lease, Registration } from '../../../shared/messages';

/**
 * Announcements: which process holds which environment, as the row in its main database has decided. The store decides nothing; it refuses
 * what a newer tenure has overtaken, and a second installation.
 *
 * - Each call is one transaction. An announcement expires by the store's own clock.
 * - Whoever announces a new tenure takes the statuses of the former one away.
 * - Lost content is there again with the next announcement.
 * - Every method rejects if the store cannot be reached. A holder continues then: apps do not depend on it.
 */
export interface LeaseStore {
  /**
   * Announces a tenure, and writes the registration of its environment if `lease.registered` says that it is another one than the last. If the
   * registration or the name alone was removed, one in five beats writes it again.
   */
  announce(announcement: Announcement): Promise<Announced>;
  /** Says for `ttl` ms that a process waits for the environment: another process of its installation holds it, or another installation. */
  wait(environment: string, waiting: Waiting, ttl: number): Promise<void>;
  /** Takes an announcement back at once, with its statuses. Does nothing to one of another instance or epoch. */
  release(environment: string, instance: string, epoch: number): Promise<void>;
  /** The remaining time of each of these announcements without another one, in ms; 0 if nobody holds it. */
  left(environments: string[]): Promise<Map<string, number>>;
  /** Whether a process of release 0.2.0 says that it holds the environment: it signed nothing. */
  hasFormer(environment: string): Promise<boolean>;
}

export interface Announcement {
  environment: string;
  lease: Lease;
  registration: Registration;
  /** How long it lasts without another one, in ms. */
  ttl: number;
  /** Whether the store has accepted its holder: an older tenure of another installation, which somebody may have kept, counts as absent. */
  isKnown?: boolean;
  /** Whether the key has ended by which it is signed: it gives way to one that it cannot open, which is its successor's. */
  hasEnded?: boolean;
}

export const waiting = z.object({ instance: z.string().max(200), place: z.string().max(200) });
export type Waiting = z.infer<typeof waiting>;

export type Announced =
  /** `fresh`: the store did not have this tenure, so statuses have to be written again. */
  | { by: 'me'; fresh: boolean }
  /** Refused: a process of another installation, which has another main database, holds an environment of this name. */
  | { by: 'otherInstallation'; instance: string }
  /** Refused: a tenure with this epoch was announced, which is not below the announced one. `instance`: who announces it still, if anybody. */
  | { by: 'newer'; epoch: number; instance: string | null };
