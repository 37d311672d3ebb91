import type { Message } from '../../../../shared/message';
import type { Clock } from '../../../clock';
import { Feed } from '../../../feed';
import type { Random } from '../../../random';
import type { Stores } from '..';
import { MemoryDoors } from './doors';
import { MemoryFleet } from './fleet';
import { MemoryLeases } from './leases';
import { MemoryManifests } from './manifests';
import { MemoryPublished } from './published';
import { MemoryRecords } from './records';
import { MemorySso } from './sso';
import { MemoryStatuses } from './statuses';
import { MemoryTerm } from './term';

export interface MemoryStoresOptions {
  clock: Clock;
  random: Random;
  /** Whether no other process can hold a lease; see `MemoryLeases`. */
  isAlone: boolean;
}

/** `Stores` of one process. */
export class MemoryStores implements Stores {
  readonly records: MemoryRecords;
  readonly leases: MemoryLeases;
  readonly statuses: MemoryStatuses;
  readonly fleet: MemoryFleet;
  readonly appIndex: MemoryPublished;
  readonly routes: MemoryPublished;
  readonly doors = new MemoryDoors();
  readonly manifests: MemoryManifests;
  readonly sso: MemorySso;
  /** Never: it is never away. */
  readonly returns = new Feed<void>();

  constructor({ clock, random, isAlone }: MemoryStoresOptions) {
    const term = new MemoryTerm();
    this.records = new MemoryRecords(term);
    this.appIndex = new MemoryPublished(term);
    this.routes = new MemoryPublished(term);
    this.manifests = new MemoryManifests(random);
    this.sso = new MemorySso(clock, random);
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
