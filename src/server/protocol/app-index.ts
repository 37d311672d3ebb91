import { z } from 'zod';
import { type AppIndexEntry, appIndexEntry } from '../../shared/messages';
import type { Clock } from '../clock';
import { PublishedWriter } from './published';
import { type Count, isAfter } from './stores/counts';
import { ParsedValues, type PublishedStore } from './stores/published';

/** The Supervisor, as its workers know it. */
export const supervisorEntry = z.object({
  /** The leading process, `host:pid:random`. */
  instance: z.string(),
  /** `APP_SUPERVISOR_PUBLIC_URL` of the Supervisor. */
  publicUrl: z.string().nullable(),
  /** `APP_SUPERVISOR_APPS_DOMAIN` of the Supervisor; absent before 0.3.0. */
  appsDomain: z.string().nullish(),
});
export type SupervisorEntry = z.infer<typeof supervisorEntry>;

/** The field of the Supervisor's entry, beside those of apps. */
const MANAGER = ':supervisor';

/** Writes the index of all apps for processes that host some of them. */
export function createAppIndexWriter(
  store: PublishedStore,
  supervisor: SupervisorEntry,
  clock: Pick<Clock, 'now'>,
): PublishedWriter<AppIndexEntry> {
  const writer = new PublishedWriter(store, appIndexEntry, clock);
  writer.stage(MANAGER, supervisor);
  return writer;
}

/** A hosting process's copy of the index. It reads only changes; without a change a read costs one value. */
export class AppIndexReader {
  private count: Count | null = null;
  private readonly parsed = new ParsedValues();
  /** By name: of two incarnations the one that was written last. */
  private byName = new Map<string, AppIndexEntry>();
  /** Null until the Supervisor has published itself. */
  supervisor: SupervisorEntry | null = null;

  constructor(private readonly store: Pick<PublishedStore, 'read'>) {}

  /** @returns whether anything has changed */
  async read(): Promise<boolean> {
    const found = await this.store.read(this.count);
    // One that began later may have ended earlier.
    if (!found || (this.count && !isAfter(found.count, this.count))) return false;
    this.count = found.count;
    this.supervisor = supervisorEntry.safeParse(found.entries.get(MANAGER)?.value).data ?? null;
    const inOrder = [...found.entries].sort(([, one], [, other]) => (isAfter(one.at, other.at) ? 1 : -1));
    this.byName = new Map();
    for (const [field, { value }] of inOrder) {
      const entry = this.parsed.of(value, appIndexEntry);
      if (entry?.uid === field) this.byName.set(entry.name, entry);
    }
    return true;
  }

  /** The uid of the app with this name; null if there is none, undefined if nothing has been published. */
  uidOf(name: string): string | null | undefined {
    if (!this.count) return undefined;
    return this.byName.get(name)?.uid ?? null;
  }

  all(): AppIndexEntry[] {
    return [...this.byName.values()];
  }
}
