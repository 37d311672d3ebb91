import type { Clock } from '../../clock';
import { messageOf } from '../../errors';
import { KeyedQueue } from '../../keyed-queue';
import type { Log } from '../../log';
import type { AppState, AppStates } from './app-states';
import type { SnapshotHeader } from './floor';
import type { Snapshot } from './snapshot';

/** The least time between two writes of an app's last visit, in ms. */
const VISITS_EVERY = 60_000;

export interface SnapshotWritesOptions {
  apps: AppStates;
  snapshot: Snapshot;
  clock: Clock;
  log: Log;
  mayHost(): boolean;
}

/** Writes the snapshot. A process that does not host writes nothing: the state belongs to the one that does. */
export class SnapshotWrites {
  /** One write of an app after the other, each with the state at its turn: otherwise an older state could be written last. */
  private readonly queue = new KeyedQueue();

  constructor(private readonly options: SnapshotWritesOptions) {}

  /** Never rejects. */
  save(name: string): Promise<void> {
    return this.write(name).catch((error) => {
      this.options.log.warn(`The snapshot of app ${name} could not be written: ${messageOf(error)}`, { app: name });
    });
  }

  /** @throws errors of the database */
  write(name: string): Promise<void> {
    const { apps, snapshot, clock, mayHost } = this.options;
    return this.queue.add(name, async () => {
      const held = apps.get(name);
      if (!held || !mayHost()) return;
      const lastVisitAt = apps.lastVisitAt(name);
      const { record, applied, adminPassword, saved } = held;
      saved.at = clock.now().mono;
      await snapshot.save(name, record, applied && { ...applied, adminPassword, lastVisitAt });
      saved.lastVisitAt = lastVisitAt;
    });
  }

  /** @throws errors of the database */
  remove(name: string): Promise<void> {
    const { snapshot, mayHost } = this.options;
    return this.queue.add(name, async () => {
      if (mayHost()) await snapshot.remove(name);
    });
  }

  /** @throws errors of the database */
  async saveHeader(header: SnapshotHeader, gone: string[]): Promise<void> {
    // A write of one of these apps that is under way would bring it back.
    await Promise.all(gone.map((name) => this.queue.idle(name)));
    await this.options.snapshot.saveHeader(header, gone);
  }

  /**
   * Remembers when apps were last visited.
   * @param every writes no app again within so many ms
   */
  async saveVisits(every = VISITS_EVERY): Promise<void> {
    const { apps, clock } = this.options;
    const { mono } = clock.now();
    const isDue = ([name, { applied, saved }]: [string, AppState]) =>
      applied !== null && apps.lastVisitAt(name) !== saved.lastVisitAt && mono - saved.at >= every;
    const due = apps.all().filter(isDue);
    await Promise.all(due.map(([name]) => this.save(name)));
  }
}
