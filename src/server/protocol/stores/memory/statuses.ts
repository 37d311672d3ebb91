import type { StatusEntry } from '../../../../shared/messages';
import type { StatusMark, StatusStore, StatusWrite } from '../statuses';

interface Stored {
  version: number;
  byName: Map<string, StatusEntry>;
}

/** `StatusStore` of one process. */
export class MemoryStatuses implements StatusStore {
  private readonly environments = new Map<string, Stored>();

  /** @param holds whether this instance holds the lease of an environment with this epoch */
  constructor(private readonly holds: (environment: string, instance: string, epoch: number) => boolean) {}

  async write(write: StatusWrite): Promise<boolean> {
    const { environment, instance, epoch, entries, removed, version, from } = write;
    if (!this.holds(environment, instance, epoch)) return false;
    if (from !== null && this.versionOf(environment) !== from) return false;
    const byName = from === null ? new Map() : (this.environments.get(environment)?.byName ?? new Map());
    for (const name of removed) byName.delete(name);
    for (const entry of entries) byName.set(entry.name, structuredClone(entry));
    this.environments.set(environment, { version, byName });
    return true;
  }

  async read(environment: string): Promise<StatusEntry[]> {
    return structuredClone([...(this.environments.get(environment)?.byName.values() ?? [])]);
  }

  async mark(environment: string): Promise<StatusMark> {
    const stored = this.environments.get(environment);
    return { version: stored?.version ?? 0, count: stored?.byName.size ?? 0 };
  }

  versionOf(environment: string): number {
    return this.environments.get(environment)?.version ?? 0;
  }

  forget(environment: string): void {
    this.environments.delete(environment);
  }
}
