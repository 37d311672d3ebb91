import type { Message } from '../../../shared/message';
import type { AppIndexStore } from './app-index';
import type { FleetStore } from './fleet';
import type { LeaseStore } from './leases';
import type { ManifestStore } from './manifests';
import type { RecordStore } from './records';
import type { StatusStore } from './statuses';

/**
 * What passes between those who manage apps and those who host them, by subject. Two implementations: Redis, and memory for one process.
 *
 * All of it is a cache of what the Supervisor's database wishes and of what Workers observe: losing the whole content loses nothing. Only
 * what puts a process together knows all stores; everything else takes those that it uses.
 */
export interface Stores {
  readonly records: RecordStore;
  readonly leases: LeaseStore;
  readonly fleet: FleetStore;
  readonly statuses: StatusStore;
  readonly appIndex: AppIndexStore;
  readonly manifests: ManifestStore;
  /** Begins to connect, and does not wait for it: until then everything rejects. */
  open(): void;
  /** What in the store's own settings breaks its promises. Rejects when it cannot be reached. */
  warnings(): Promise<Message[]>;
  close(): Promise<void>;
}
