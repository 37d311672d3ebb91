import type { AppDefinition, Definitions, Tombstone } from './definitions';

/**
 * All definitions in memory: what routing, the list and the rollout look at. Follows the database: changed names at once,
 * everything every 30 s, so that a missed message costs time only.
 */
export class Catalog {
  loaded = false;
  readonly apps = new Map<string, AppDefinition>();
  readonly tombstones = new Map<string, Tombstone>();
  private reading: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly definitions: Definitions,
    private readonly onChange: (names: string[] | 'all') => void,
  ) {}

  load(): Promise<void> {
    return this.inTurn(() => this.loadNow());
  }

  refresh(names: string[]): Promise<void> {
    return this.inTurn(() => (names.length > 20 ? this.loadNow() : this.refreshNow(names)));
  }

  private async loadNow(): Promise<void> {
    const [apps, tombstones] = await Promise.all([this.definitions.all(), this.definitions.allTombstones()]);
    this.apps.clear();
    for (const app of apps) this.apps.set(app.name, app);
    this.tombstones.clear();
    for (const tombstone of tombstones) this.tombstones.set(tombstone.uid, tombstone);
    this.loaded = true;
    this.onChange('all');
  }

  private async refreshNow(names: string[]): Promise<void> {
    const found = await Promise.all(names.map((name) => this.definitions.find(name)));
    names.forEach((name, i) => {
      const app = found[i];
      if (app) this.apps.set(name, app);
      else this.apps.delete(name);
    });
    if (found.includes(null)) {
      const tombstones = await this.definitions.allTombstones();
      this.tombstones.clear();
      for (const tombstone of tombstones) this.tombstones.set(tombstone.uid, tombstone);
    }
    this.onChange(names);
  }

  /** One read after the other: a long one that began before a change must not end after the one that was made for it. */
  private inTurn(read: () => Promise<void>): Promise<void> {
    const done = this.reading.then(read);
    this.reading = done.catch(() => undefined);
    return done;
  }

  /** A definition by incarnation, alive or deleted. */
  byUid(name: string, uid: string): AppDefinition | null {
    const app = this.apps.get(name);
    return app?.uid === uid ? app : (this.tombstones.get(uid)?.definition ?? null);
  }
}
