import type { Message } from '../../../../shared/message';
import type { Clock } from '../../../clock';
import type { Stores } from '..';
import { MemoryAppIndex } from './app-index';
import { MemoryFleet } from './fleet';
import { MemoryLeases } from './leases';
import { MemoryManifests } from './manifests';
import { MemoryRecords } from './records';
import { MemoryStatuses } from './statuses';

export interface MemoryStoresOptions {
  clock: Clock;
  /** Whether no other process can hold a lease; see `MemoryLeases`. */
  isAlone: boolean;
}

/** `Stores` of one process. */
export class MemoryStores implements Stores {
  readonly records = new MemoryRecords();
  readonly leases: MemoryLeases;
  readonly statuses: MemoryStatuses;
  readonly fleet: MemoryFleet;
  readonly appIndex = new MemoryAppIndex();
  readonly manifests = new MemoryManifests();

  constructor({ clock, isAlone }: MemoryStoresOptions) {
    this.statuses = new MemoryStatuses((...lease) => this.leases.holds(...lease));
    this.leases = new MemoryLeases(clock, isAlone, (environment) => this.statuses.forget(environment));
    this.fleet = new MemoryFleet(this.records, this.leases, this.statuses);
  }

  open(): void {}

  async warnings(): Promise<Message[]> {
    return [];
  }

  async close(): Promise<void> {}
}
