import { isDeepStrictEqual } from 'node:util';
import PQueue from 'p-queue';
import type { StatusEntry } from '../../../shared/messages';
import { Feed } from '../../feed';
import { type AppDefinition, type AppRepository, type Tombstone, versionOf } from './repository';

/** A change of definitions. */
export interface AppCacheChange {
  /** Apps that are new, changed or deleted. */
  names: string[];
  /** Environments for which something of these apps is published, before or after the change. */
  environments: Set<string>;
}

/**
 * All definitions in memory, for routing, the list and the rollout. It follows the database: changed names immediately,
 * everything every 30 s, so that a missed message only costs time. It reads only what has changed: the rows of 10,000
 * apps would block the event loop for a second.
 */
export class AppCache {
  loaded = false;
  /** Increases with every change of a definition. */
  version = 0;
  readonly apps = new Map<string, AppDefinition>();
  readonly tombstones = new Map<string, Tombstone>();
  /**
   * One read after the other: a long one that began before a change must not end after the one made for that change.
   */
  private readonly reads = new PQueue({ concurrency: 1 });
  /** Incarnations of apps that were assigned to since the last read began: it may have found what was there before. */
  private readonly assigned = new Set<string>();

  readonly changes = new Feed<AppCacheChange>();

  constructor(private readonly appRepository: AppRepository) {}

  load(): Promise<void> {
    return this.reads.add(() => this.loadNow());
  }

  refresh(names: string[]): Promise<void> {
    return this.reads.add(() => (names.length > 20 ? this.loadNow() : this.refreshNow(names)));
  }

  private async loadNow(): Promise<void> {
    this.assigned.clear();
    const [versions, tombstones] = await Promise.all([
      this.appRepository.versions(),
      this.appRepository.allTombstones(),
    ]);
    const environmentCache = new Map(this.apps);
    const isKnown = (name: string, version: string) => {
      const app = environmentCache.get(name);
      return app !== undefined && versionOf(app) === version;
    };
    const changed = new Set([...versions].filter((one) => !isKnown(...one)).map(([name]) => name));
    const read = await this.read([...changed]);
    const gone = [...environmentCache.keys()].filter((name) => !versions.has(name));
    const before = this.publishedOf([...changed, ...gone]);
    const first = !this.loaded;
    this.apps.clear();
    for (const name of versions.keys()) {
      // An app deleted between the two queries.
      const app = changed.has(name) ? read.get(name) : environmentCache.get(name);
      if (app) this.apps.set(name, this.newer(app, environmentCache));
    }
    const buried = this.replaceTombstones(tombstones);
    this.loaded = true;
    if (first || changed.size || gone.length || buried.size) this.changed([...changed, ...gone], before, buried);
  }

  private async read(names: string[]): Promise<Map<string, AppDefinition>> {
    const found = new Map<string, AppDefinition>();
    // The number of parameters of a statement is limited, and a long result blocks the process.
    for (let i = 0; i < names.length; i += 500) {
      for (const app of await this.appRepository.some(names.slice(i, i + 500))) found.set(app.name, app);
    }
    return found;
  }

  private changed(names: string[], before: Set<string>, buried: Set<string>): void {
    this.version++;
    this.changes.emit({ names, environments: new Set([...before, ...this.publishedOf(names), ...buried]) });
  }

  /** Environments for which something of apps with these names is published, also of deleted ones. */
  private publishedOf(names: string[]): Set<string> {
    const chosen = new Set(names);
    const deleted = [...this.tombstones.values()].filter(({ name }) => chosen.has(name));
    const definitions = [...names.map((name) => this.apps.get(name)), ...deleted.map(({ definition }) => definition)];
    return new Set(definitions.flatMap((definition) => Object.keys(definition?.published ?? {})));
  }

  /** @returns the environments of tombstones that are new, gone or changed */
  private replaceTombstones(tombstones: Tombstone[]): Set<string> {
    const environments = new Set<string>();
    const now = new Map(tombstones.map((tombstone) => [tombstone.uid, tombstone]));
    for (const { uid, definition } of [...this.tombstones.values(), ...tombstones]) {
      if (isDeepStrictEqual(this.tombstones.get(uid), now.get(uid))) continue;
      for (const environment of Object.keys(definition.published)) environments.add(environment);
    }
    this.tombstones.clear();
    for (const [uid, tombstone] of now) this.tombstones.set(uid, tombstone);
    return environments;
  }

  private async refreshNow(names: string[]): Promise<void> {
    const before = this.publishedOf(names);
    this.assigned.clear();
    const found = await Promise.all(names.map((name) => this.appRepository.find(name)));
    names.forEach((name, i) => {
      const app = found[i];
      if (app) this.apps.set(name, this.newer(app));
      else this.apps.delete(name);
    });
    let buried = new Set<string>();
    if (found.includes(null) || [...this.tombstones.values()].some(({ name }) => names.includes(name))) {
      buried = this.replaceTombstones(await this.appRepository.allTombstones());
    }
    this.changed(names, before, buried);
  }

  /** Of what was read and what is known, if that was assigned to meanwhile; whoever assigned reads it again. */
  private newer(read: AppDefinition, known = this.apps): AppDefinition {
    const found = known.get(read.name);
    return found?.uid === read.uid && this.assigned.has(read.uid) ? found : read;
  }

  /** Puts changes of a definition that the database has by now in its place. */
  assign(app: AppDefinition, changes: Partial<AppDefinition>): void {
    const before = this.publishedOf([app.name]);
    Object.assign(app, changes);
    // A read since may have replaced it.
    const known = this.byUid(app.name, app.uid);
    if (known && known !== app) Object.assign(known, changes);
    this.assigned.add(app.uid);
    this.changed([app.name], before, new Set());
  }

  /** The database has let a tombstone go from environments by now. @param environments those that it still waits for */
  settleTombstone(uid: string, environments: string[]): void {
    const tombstone = this.tombstones.get(uid);
    if (!tombstone) return;
    const settled = tombstone.environments.filter((environment) => !environments.includes(environment));
    tombstone.environments = environments;
    this.changed([], new Set(settled), new Set());
  }

  /** The database has no tombstone of this app any more. */
  removeTombstone(uid: string): void {
    const { environments = [] } = this.tombstones.get(uid) ?? {};
    if (this.tombstones.delete(uid)) this.changed([], new Set(environments), new Set());
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
