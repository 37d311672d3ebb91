import type { AppRecord } from '../../../shared/messages';
import type { SnapshotHeader } from './floor';
import type { Remembered, Snapshot, SnapshotStore } from './snapshot';

/**
 * One app of the snapshot that another process of this environment writes, for a process that runs only that app
 * (`STARTUP_SUBAPP`). It reads the snapshot and never writes it, because the other process would take its writes for
 * its own.
 */
export class OneAppSnapshot implements Snapshot {
  private last: AppRecord | null = null;

  constructor(
    private readonly store: SnapshotStore,
    private readonly name: string,
  ) {}

  async load(): Promise<Remembered[]> {
    const found = await this.store.find(this.name);
    return found
      ? [{ record: this.follow(found.record), applied: found.applied && { ...found.applied, unfinished: null } }]
      : [];
  }

  /** The app in its current desired state; stopped once it is removed. */
  async records(): Promise<AppRecord[]> {
    const found = await this.store.find(this.name);
    if (found) return [this.follow(found.record)];
    if (!this.last) return [];
    return [{ ...this.last, desired: 'stopped', generation: this.last.generation + 1 }];
  }

  async save(): Promise<void> {}

  async remove(): Promise<void> {}

  /** Of the environment as a whole; that this app was removed, the other process says by removing it. */
  async loadHeader(): Promise<SnapshotHeader | null> {
    const header = await this.store.loadHeader();
    return header && { ...header, removed: [] };
  }

  async saveHeader(): Promise<void> {}

  private follow(record: AppRecord): AppRecord {
    this.last = { ...record, provision: 'none', desired: DESIRED[record.desired] };
    return this.last;
  }
}

/** The process exists for this app, so it does not wait for a visit; and it does not remove the app's data. */
const DESIRED = { running: 'running', onDemand: 'running', stopped: 'stopped', removed: 'stopped' } as const;
