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
  loaded = false;
  /** Increases with every change of a definition. */
  version = 0;
  readonly apps = new Map<string, AppDefinition>();
  readonly tombstones = new Map<string, Tombstone>();
  /**
   * One read after the other: a long one that began before a change must not end after the one made for that change.
   */
  private readonly reads = new PQueue({ concurrency: 1 });
  /** Incarnations of apps that were written since the last read began: it may have found what was there before. */
  private readonly written = new Set<string>();

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
    this.written.clear();
    const buried = new Set(this.tombstones.keys());
    const versions = await this.appRepository.versions();
    const before = new Map(this.apps);
    const isKnown = (name: string, version: string) => {
      const app = before.get(name);
      return app !== undefined && versionOf(app) === version;
    };
    const changed = new Set([...versions].filter((one) => !isKnown(...one)).map(([name]) => name));
    const read = await this.read([...changed]);
    // After the apps: one that is deleted meanwhile is in one of the two.
    const tombstones = await this.appRepository.openTombstones();
    const gone = [...before.keys()].filter((name) => !versions.has(name));
    const first = !this.loaded;
    this.apps.clear();
    for (const name of versions.keys()) {
      const app = changed.has(name) ? read.get(name) : before.get(name);
      if (app) this.apps.set(name, this.newer(app, before));
    }
    const names = [...changed, ...gone, ...this.replaceTombstones(tombstones, buried)];
    this.loaded = true;
    if (first || names.length) this.changed(names);
  }

  private async read(names: string[]): Promise<Map<string, AppDefinition>> {
    const found = new Map<string, AppDefinition>();
    // The number of parameters of a statement is limited, and a long result blocks the process.
    for (let i = 0; i < names.length; i += 500) {
      for (const app of await this.appRepository.some(names.slice(i, i + 500))) found.set(app.name, app);
    }
    return found;
  }

  private changed(names: string[]): void {
    this.version++;
    this.changes.emit([...new Set(names)]);
  }

  /**
   * @param buried uids of those that were known when the read began: what was written of them since stands
   * @returns the names of those that are new, gone or changed
   */
  private replaceTombstones(read: Tombstone[], buried: ReadonlySet<string>): string[] {
    const isWritten = (uid: string) => buried.has(uid) && this.written.has(uid);
    const known = [...this.tombstones.values()];
    const tombstones = [...read.filter(({ uid }) => !isWritten(uid)), ...known.filter(({ uid }) => isWritten(uid))];
    const now = new Map(tombstones.map((tombstone) => [tombstone.uid, tombstone]));
    const isReplaced = ({ uid }: Tombstone) => !isDeepStrictEqual(this.tombstones.get(uid), now.get(uid));
    const replaced = [...known, ...tombstones].filter(isReplaced).map(({ name }) => name);
    this.tombstones.clear();
    for (const [uid, tombstone] of now) {
      this.tombstones.set(uid, tombstone);
      if (this.apps.get(tombstone.name)?.uid === uid) this.apps.delete(tombstone.name);
    }
    return replaced;
  }

  private async refreshNow(names: string[]): Promise<void> {
    this.written.clear();
    const buried = new Set(this.tombstones.keys());
    const found = await Promise.all(names.map((name) => this.appRepository.find(name)));
    const isBuried = found.includes(null) || [...this.tombstones.values()].some(({ name }) => names.includes(name));
    const tombstones = isBuried ? await this.appRepository.openTombstones() : null;
    names.forEach((name, i) => {
      const app = found[i];
      if (app) this.apps.set(name, this.newer(app));
      else this.apps.delete(name);
    });
    this.changed([...names, ...(tombstones ? this.replaceTombstones(tombstones, buried) : [])]);
  }

  /** Of what was read and what is known, if that was written meanwhile; whoever wrote reads it again. */
  private newer(read: AppDefinition, known = this.apps): AppDefinition {
    const found = known.get(read.name);
    return found?.uid === read.uid && this.written.has(read.uid) ? found : read;
  }

  /** Puts changes of a definition that the database has by now in its place. */
  assign(app: AppDefinition, changes: Partial<AppDefinition>): void {
    Object.assign(app, changes);
    // A read since may have replaced it.
    const known = this.byUid(app.name, app.uid);
    if (known && known !== app) Object.assign(known, changes);
    this.written.add(app.uid);
    this.changed([app.name]);
  }

  /** The database has let a tombstone go from environments by now. @param environments those that it still waits for */
  settleTombstone(uid: string, environments: string[]): void {
    const tombstone = this.tombstones.get(uid);
    if (!tombstone) return;
    tombstone.environments = environments;
    this.written.add(uid);
    this.changed([tombstone.name]);
  }

  /** The database has no tombstone of this app any more. */
  removeTombstone(uid: string): void {
    const tombstone = this.tombstones.get(uid);
    if (!tombstone) return;
    this.tombstones.delete(uid);
    this.written.add(uid);
    this.changed([tombstone.name]);
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
