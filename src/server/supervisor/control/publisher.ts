import type { Transaction } from '@nocobase/database';
import type { Clock } from '../../clock';
import type { AppCache } from '../definitions/app-cache';
import { readBack } from '../definitions/read-back';
import { type AppDefinition, type AppRepository, newestOf } from '../definitions/repository';
import type { Plan } from '../rollout/sight';
import type { Leadership } from './leader';
import type { RecordReconciler } from './record-reconciler';

/** Somebody has asked for something else meanwhile: what was to be written follows from what is not so any more. */
export class Outdated extends Error {
  constructor(app: string) {
    super(`App ${app} was changed or deleted meanwhile.`);
  }
}

export interface PublisherOptions {
  appRepository: AppRepository;
  appCache: AppCache;
  leadership: Leadership;
  environments: RecordReconciler;
  clock: Clock;
}

/** What `plan` says, to be written. */
export type Publication = Pick<Plan, 'publish' | 'withdraw' | 'change' | 'left'>;

/**
 * Publishes the desired state of an app for its environments: to the database first, then to the store, and notifies
 * them.
 */
export class Publisher {
  constructor(private readonly options: PublisherOptions) {}

  /**
   * @param along writes in the same transaction; if it throws, nothing is published
   * @throws TermOver, an error if the app was changed or deleted meanwhile, and errors of `along` and of the database
   */
  async publish(
    app: AppDefinition,
    { publish = {}, withdraw = [], change = {}, left }: Publication,
    along: (transaction?: Transaction) => Promise<void>,
  ): Promise<void> {
    const { appCache, appRepository, leadership, clock } = this.options;
    const published = { ...app.published, ...publish };
    for (const environment of withdraw) delete published[environment];
    const asked = Object.values(change.placements ?? {}).flatMap(({ boot, work }) => [
      boot.generation,
      work?.generation ?? 0,
    ]);
    const generation = Math.max(newestOf({ ...app, published }), ...asked);
    const changes: Partial<AppDefinition> = { ...change, published, generation };
    const isDeleted = appCache.tombstones.has(app.uid);
    await leadership.write(async (transaction) => {
      // Rows are locked in the order of requests (`AppChanges.change`).
      const isWritten = isDeleted
        ? await this.updateTombstone(app, changes, left, transaction)
        : // The tombstone would not contain an environment that is published only now, and the app would run there for ever.
          await appRepository.updateLiving(app, changes, transaction, true);
      if (!isWritten) throw new Outdated(app.name);
      await along(transaction);
    });
    await readBack(
      () => appCache.refresh([app.name]),
      clock,
      () => !leadership.leads,
    );
    for (const environment of [...Object.keys(publish), ...withdraw])
      await this.options.environments.publish(environment);
  }

  /** Writes what follows from what an app is, and publishes nothing. @throws as `publish` */
  async note(app: AppDefinition, write: (transaction?: Transaction) => Promise<void>): Promise<void> {
    const { appCache, appRepository, leadership } = this.options;
    await leadership.write(async (transaction) => {
      const stored = appCache.tombstones.has(app.uid)
        ? (await appRepository.findLockedTombstone(app.uid, transaction))?.definition
        : await appRepository.findLocked(app.name, transaction);
      if (stored?.uid !== app.uid || stored.generation !== app.generation) throw new Outdated(app.name);
      await write(transaction);
    });
  }

  /** @returns false if somebody has asked for something else meanwhile; then nothing was written */
  private async updateTombstone(
    app: AppDefinition,
    changes: Partial<AppDefinition>,
    left: string[] | undefined,
    transaction?: Transaction,
  ): Promise<boolean> {
    const { appRepository } = this.options;
    const stored = await appRepository.findLockedTombstone(app.uid, transaction);
    if (stored?.definition.generation !== app.generation) return false;
    const definition = { ...app, ...changes };
    await appRepository.updateTombstone(app.uid, { definition, ...(left ? { environments: left } : {}) }, transaction);
    return true;
  }
}
