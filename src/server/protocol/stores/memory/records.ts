import type { AppRecord } from '../../../../shared/messages';
import type { Random } from '../../../random';
import { OtherIncarnation, type RecordStore, type RecordsRead } from '../records';
import type { MemoryTerm } from './term';

interface Stored {
  version: string;
  incarnation: number | null;
  byName: Map<string, AppRecord>;
}

/** `RecordStore` of one process. */
export class MemoryRecords implements RecordStore {
  private readonly environments = new Map<string, Stored>();

  constructor(
    private readonly random: Random,
    private readonly term: MemoryTerm,
  ) {}

  async publish(environment: string, records: AppRecord[], term: number, incarnation: number): Promise<void> {
    this.term.check(term);
    if (this.environments.get(environment)?.incarnation !== incarnation) throw new OtherIncarnation(environment);
    const stored = this.environments.get(environment)?.byName;
    const taken = records.filter(({ name, generation }) => (stored?.get(name)?.generation ?? -1) <= generation);
    if (!taken.length) return;
    const { byName } = this.change(environment);
    for (const record of taken) byName.set(record.name, structuredClone(record));
  }

  async admit(environment: string, incarnation: number, term: number): Promise<void> {
    this.term.check(term);
    const stored = this.environments.get(environment)?.incarnation ?? -1;
    if (stored >= incarnation) return;
    if (incarnation > 0) this.environments.delete(environment);
    this.change(environment).incarnation = incarnation;
  }

  async unpublish(environment: string, names: string[], term: number): Promise<void> {
    if (!names.length) return;
    this.term.check(term);
    const { byName } = this.change(environment);
    for (const name of names) byName.delete(name);
  }

  async read(environment: string): Promise<AppRecord[]> {
    return structuredClone([...(this.environments.get(environment)?.byName.values() ?? [])]);
  }

  async readNamed(environment: string, names: string[]): Promise<Pick<RecordsRead, 'incarnation' | 'records'>> {
    const { incarnation = null, byName = new Map<string, AppRecord>() } = this.environments.get(environment) ?? {};
    return structuredClone({ incarnation, records: names.flatMap((name) => byName.get(name) ?? []) });
  }

  async readSince(environment: string, version: string | null): Promise<RecordsRead | null> {
    const { version: current = null, incarnation = null } = this.environments.get(environment) ?? {};
    if (current !== null && current === version) return null;
    return { version: current, incarnation, records: await this.read(environment) };
  }

  /** @returns whether it was not forgotten before */
  forget(environment: string, incarnation: number, term: number): boolean {
    this.term.check(term);
    if ((this.environments.get(environment)?.incarnation ?? -1) >= incarnation) return false;
    this.environments.delete(environment);
    this.change(environment).incarnation = incarnation;
    return true;
  }

  private change(environment: string): Stored {
    const stored = this.environments.get(environment) ?? { version: '', incarnation: null, byName: new Map() };
    stored.version = this.random.id();
    this.environments.set(environment, stored);
    return stored;
  }
}
