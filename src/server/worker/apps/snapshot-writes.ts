import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../../clock';
import { messageOf } from '../../errors';
import { KeyedQueue } from '../../keyed-queue';
import type { Log } from '../../log';
import type { SnapshotHeader } from '../incarnation';
import type { Remembered, Snapshot } from '../snapshot';
import type { AppState, AppStates } from './app-states';

/** The least time between two writes of an app's last visit, in ms. */
const VISITS_EVERY = 60_000;

export interface SnapshotWritesOptions {
  apps: AppStates;
  snapshot: Snapshot;
  clock: Clock;
  log: Log;
  mayHost(): boolean;
}

const isHere = (held: AppState | undefined): held is AppState =>
  held !== undefined && !(held.record.desired === 'removed' && held.status === 'not_found');

const asStored = ({ record, applied, adminPassword }: AppState, lastVisitAt: number | null): Remembered => ({
  record,
  applied: applied && { ...applied, adminPassword, lastVisitAt },
});

/**
 * What a snapshot does not have of what was written to it: the main database fell back to an older copy. Pure.
 * @returns apps that are not here any more, and those that are stored in another state, or not at all
 */
export function lostIn(stored: Remembered[], apps: Array<[string, AppState]>): Record<'remove' | 'save', string[]> {
  const here = new Map(apps.filter(([, held]) => isHere(held)));
  const rows = new Map(stored.map((row) => [row.record.name, row]));
  const isLost = ([name, held]: [string, AppState]) =>
    !isDeepStrictEqual(rows.get(name), asStored(held, held.saved.lastVisitAt));
  return {
    remove: [...rows.keys()].filter((name) => !here.has(name)),
    save: [...here].filter(isLost).map(([name]) => name),
  };
}

/** Writes the snapshot. A process that does not host writes nothing: the state belongs to the one that does. */
export class SnapshotWrites {
  /** One write of an app after the other, each with the state at its turn: otherwise an older state could be written last. */
  private readonly queue = new KeyedQueue();

  constructor(private readonly options: SnapshotWritesOptions) {}

  /** Never rejects. */
  async save(name: string): Promise<void> {
    const { apps, snapshot, clock, log, mayHost } = this.options;
    try {
      await this.queue.add(name, async () => {
        const held = apps.get(name);
        if (!held || !mayHost()) return;
        const lastVisitAt = apps.lastVisitAt(name);
        held.saved = { lastVisitAt, at: clock.now().mono };
        const { record, applied } = asStored(held, lastVisitAt);
        await snapshot.save(name, record, applied);
      });
    } catch (error) {
      log.warn(`The snapshot of app ${name} could not be written: ${messageOf(error)}`, { app: name });
    }
  }

  /** @throws errors of the database */
  remove(name: string): Promise<void> {
    const { snapshot, mayHost } = this.options;
    return this.queue.add(name, async () => {
      if (mayHost()) await snapshot.remove(name);
    });
  }

  /** @throws errors of the database */
  async saveHeader(header: SnapshotHeader): Promise<void> {
    // A write of one of these apps that is under way would bring it back.
    await Promise.all(header.left.map(({ name }) => this.queue.idle(name)));
    await this.options.snapshot.saveHeader(header);
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

  /**
   * The main database may have fallen back to an older copy while this process went on as the host: writes again what is lost there.
   * Otherwise the next process would go by that, and start what was removed here.
   * @throws errors of the database
   */
  async mend(): Promise<void> {
    const { apps, snapshot } = this.options;
    const { remove, save } = lostIn(await snapshot.load(), apps.all());
    for (const name of remove) if (!isHere(apps.get(name))) await this.remove(name);
    for (const name of save) await this.save(name);
  }
}
