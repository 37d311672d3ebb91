import type { Message } from '../../../shared/message';
import type { AppRecord } from '../../../shared/messages';
import type { Feed } from '../../feed';
import type { DoorStore } from './doors';
import type { FleetStore } from './fleet';
import type { LeaseStore } from './leases';
import type { ManifestStore } from './manifests';
import type { PublishedStore } from './published';
import type { RecordStore } from './records';
import type { SsoStore } from './sso';
import type { StatusStore } from './statuses';

/**
 * The data exchanged between Supervisors and Workers, by subject. Two implementations: Redis, and memory for one
 * process.
 *
 * All of it is a cache of the desired state in the Supervisor's database and of what Workers observe: losing all
 * content loses nothing. Only the code that assembles a process knows all stores; every other class takes only the
 * stores that it uses.
 */
export interface Stores {
  readonly records: RecordStore;
  readonly leases: LeaseStore;
  readonly fleet: FleetStore;
  readonly statuses: StatusStore;
  readonly appIndex: PublishedStore;
  readonly routes: PublishedStore;
  readonly doors: DoorStore;
  readonly manifests: ManifestStore;
  readonly sso: SsoStore;
  /**
   * The store can be used: at first, and again after it could not. It may hold an older state than before, and what was
   * sent to it meanwhile is lost.
   */
  readonly returns: Feed<void>;
  /** Keys and channels of what was not believed, also on the bus; absent where there can be none. */
  readonly ignored?: Feed<string>;
  /**
   * A record as its environment reads it: with its secrets sealed for that environment alone. Equal records give equal results.
   * Absent where nobody else can read the store.
   */
  readonly sealed?: (environment: string, record: AppRecord) => AppRecord;
  /** Begins to connect without waiting: until then every method rejects. */
  open(): void;
  /** Settings of the store that break its guarantees. Rejects if it cannot be reached. */
  warnings(): Promise<Message[]>;
  close(): Promise<void>;
}
