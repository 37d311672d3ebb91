import type { AppRecord } from '../../shared/messages';
import type { Remembered, Snapshot, SnapshotStore } from './snapshot';

/**
 * One app of the snapshot that another process of this environment keeps, for a process that runs that app alone
 * (`STARTUP_SUBAPP`). It is followed and never written: the other one would take what it reads for its own doing.
 */
export class FollowedSnapshot implements Snapshot {
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

  /** The app as it is wished now; stopped once it is gone. */
  async records(): Promise<AppRecord[]> {
    const found = await this.store.find(this.name);
    if (found) return [this.follow(found.record)];
    if (!this.last) return [];
    return [{ ...this.last, desired: 'stopped', generation: this.last.generation + 1 }];
  }

  async save(): Promise<void> {}

  async remove(): Promise<void> {}

  private follow(record: AppRecord): AppRecord {
    this.last = { ...record, claim: 'none', desired: DESIRED[record.desired] };
    return this.last;
  }
}

/** The process exists for this app, so there is no visit to wait for; and its data are for others to remove. */
const DESIRED = { running: 'running', onDemand: 'running', stopped: 'stopped', removed: 'stopped' } as const;
