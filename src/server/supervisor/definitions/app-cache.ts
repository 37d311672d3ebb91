import { isDeepStrictEqual } from 'node:util';
import PQueue from 'p-queue';
import type { StatusEntry } from '../../../shared/messages';
import { Feed } from '../../feed';
import { type AppDefinition, type AppRepository, type Tombstone, versionOf } from './repository';

/**
 * All definitions in memory, for routing, the list and the rollout. It follows the database: changed names immediately,
 * everything every 30 s, so that a missed message only costs time. It reads only what has changed: the rows of 10,000
 * apps would block the event loop for a second.
 */
export class AppCache {
  /** Increases with every change of a definition. */
  version = 0;
  readonly apps = new Map<string, AppDefinition>();
  readonly tombstones = new Map<string, Tombstone>();
  /** One after the other: one that began before a change must not end after the one made for that change. */
  private readonly reads = new PQueue({ concurrency: 1 });

  /** Names of apps that are new, changed or deleted, or whose tombstones are. */
  readonly changes = new Feed<string[]>();

  constructor(private readonly appRepository: AppRepository) {}

  load(): Promise<void> {
    return this.reads.add(() => this.loadNow());
  }

  refresh(names: string[]): Promise<void> {
    return this.reads.add(() => (names.length > 20 ? this.loadNow() : this.refreshNow(names)));
  }

  private async loadNow(): Promise<void> {
    const versions = await this.appRepository.versions();
    const isKnown = ([name, version]: [string, string]) => {
      const app = this.apps.get(name);
      return app !== undefined && versionOf(app) === version;
    };
    const changed = [...versions].filter((one) => !isKnown(one)).map(([name]) => name);
    const gone = [...this.apps.keys()].filter((name) => !versions.has(name));
    const read = await this.read(changed);
    // After the apps: one that is deleted meanwhile is in one of the two.
    const tombstones = await this.appRepository.openTombstones();
    this.replaceApps([...changed, ...gone], read);
    // In the order in which they are shown.
    const all = [...versions.keys()].flatMap((name) => this.apps.get(name) ?? []);
    this.apps.clear();
    for (const app of all) this.apps.set(app.name, app);
    const names = [...changed, ...gone, ...this.replaceTombstones(tombstones)];
    if (names.length) this.changed(names);
  }

  private async refreshNow(names: string[]): Promise<void> {
    const read = await this.read(names);
    const isBuried = read.size < names.length || [...this.tombstones.values()].some(({ name }) => names.includes(name));
    const tombstones = isBuried ? await this.appRepository.openTombstones() : null;
    this.replaceApps(names, read);
    this.changed([...names, ...(tombstones ? this.replaceTombstones(tombstones) : [])]);
  }

  private async read(names: string[]): Promise<Map<string, AppDefinition>> {
    const found = new Map<string, AppDefinition>();
    // The number of parameters of a statement is limited, and a long result blocks the process.
    for (let i = 0; i < names.length; i += 500) {
      for (const app of await this.appRepository.some(names.slice(i, i + 500))) found.set(app.name, app);
    }
    return found;
  }

  private replaceApps(names: readonly string[], read: ReadonlyMap<string, AppDefinition>): void {
    for (const name of names) {
      const app = read.get(name);
      if (app) this.apps.set(name, app);
      else this.apps.delete(name);
    }
  }

  /** @returns the names of those that are new, gone or changed */
  private replaceTombstones(read: readonly Tombstone[]): string[] {
    const before = new Map(this.tombstones);
    this.tombstones.clear();
    for (const tombstone of read) {
      const { uid, name } = tombstone;
      this.tombstones.set(uid, tombstone);
      if (this.apps.get(name)?.uid === uid) this.apps.delete(name);
    }
    const isReplaced = ({ uid }: Tombstone) => !isDeepStrictEqual(before.get(uid), this.tombstones.get(uid));
    return [...before.values(), ...read].filter(isReplaced).map(({ name }) => name);
  }

  private changed(names: string[]): void {
    this.version++;
    this.changes.emit([...new Set(names)]);
  }

  /** A definition by incarnation, alive or deleted. */
  byUid(name: string, uid: string): AppDefinition | null {
    const app = this.apps.get(name);
    return app?.uid === uid ? app : (this.tombstones.get(uid)?.definition ?? null);
  }

  /** Whether a worker reports an app that the database does not know, neither as alive nor as deleted. */
  isOrphan({ name, uid, status }: Pick<StatusEntry, 'name' | 'uid' | 'status'>): boolean {
    return status !== 'not_found' && this.byUid(name, uid) === null;
  }
}
