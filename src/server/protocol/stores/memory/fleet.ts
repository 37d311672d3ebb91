import type { Registration } from '../../../../shared/messages';
import { type FleetObservation, type FleetStore, foreignTo } from '../fleet';
import type { MemoryLeases } from './leases';
import type { MemoryRecords } from './records';
import type { MemoryStatuses } from './statuses';

/** `FleetStore` of one process, over the other stores. */
export class MemoryFleet implements FleetStore {
  private fleet: string | null = null;

  constructor(
    private readonly records: MemoryRecords,
    private readonly leases: MemoryLeases,
    private readonly statuses: MemoryStatuses,
  ) {}

  async poll(): Promise<FleetObservation> {
    const sightOf = (name: string) => ({
      lease: structuredClone(this.leases.leaseOf(name)),
      statusVersion: this.statuses.versionOf(name),
      standby: this.leases.standbyOf(name)?.instance ?? null,
      ...foreignTo(this.leases.leaseOf(name), this.leases.standbyOf(name)?.place),
    });
    const environments = new Map(this.leases.names().map((name) => [name, sightOf(name)]));
    return { fleet: this.fleet, isNew: false, environments };
  }

  async nameFleet(id: string): Promise<string> {
    this.fleet ??= id;
    return this.fleet;
  }

  async readRegistration(environment: string): Promise<Registration | null> {
    return structuredClone(this.leases.registrationOf(environment));
  }

  async forget(environment: string, floor: number, term: number): Promise<boolean> {
    if (!this.records.forget(environment, floor, term)) return false;
    for (const store of [this.leases, this.statuses]) store.forget(environment);
    return true;
  }
}
