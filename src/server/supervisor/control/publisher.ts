import type { Transaction } from '@nocobase/database';
import type { Log } from '../../log';
import type { MessageBus } from '../../protocol/bus';
import type { RecordStore } from '../../protocol/stores/records';
import type { AppCache } from '../apps/cache';
import type { AppDefinition, AppRepository, Published } from '../apps/repository';
import type { FleetObserver } from '../fleet/observer';
import { hostsOf, withHosts } from '../rollout/hosts';
import { recordFor } from '../rollout/record';
import type { EnvironmentReconciler } from './environment-reconciler';
import type { Leadership } from './leader';

export interface PublisherOptions {
  appRepository: AppRepository;
  appCache: AppCache;
  observer: FleetObserver;
  leadership: Leadership;
  environments: EnvironmentReconciler;
  records: RecordStore;
  bus: MessageBus;
  log: Log;
}

/** Changes of a definition with its publication. */
export interface Publication {
  /** By environment: what is published there from now on. */
  publish?: Record<string, Published>;
  /** Environments for which nothing is published any more. */
  withdraw?: string[];
  /** The app has its database by now: its claim ends. */
  claimed?: boolean;
  /** Replaces the app's own generation if its environments are ahead of it. */
  generation?: number;
  /** It is started nowhere from now on. */
  paused?: AppDefinition['paused'];
  /** The app is placed there from now on. */
  placed?: Pick<AppDefinition, 'environments' | 'targetEnvironment' | 'home'>;
}

/**
 * Publishes the desired state of an app for its environments: to the database first, then to the store, and notifies
 * them.
 */
export class Publisher {
  constructor(private readonly options: PublisherOptions) {}

  /**
   * @param along writes in the same transaction; if it throws, nothing is published
   * @throws TermOver, an error if the app was deleted meanwhile, and errors of `along` and of the database
   */
  async publish(
    app: AppDefinition,
    { publish = {}, withdraw = [], claimed = false, generation, paused, placed }: Publication,
    along: (transaction?: Transaction) => Promise<void> = async () => undefined,
  ): Promise<void> {
    const { appCache, appRepository, leadership } = this.options;
    const observe = (environment: string) => this.options.observer.evidence(environment, app.name);
    const wanted = { ...app.published, ...publish };
    for (const environment of withdraw) delete wanted[environment];
    const hosts = hostsOf({ ...app, ...placed }, wanted, observe);
    const renewed = Object.keys(publish).map(
      (environment) => [environment, withHosts(wanted[environment], hosts)] as const,
    );
    const published = { ...wanted, ...Object.fromEntries(renewed) };
    const changes: Partial<AppDefinition> = {
      published,
      ...(claimed ? { claim: 'none' as const, initialAdmin: null } : {}),
      ...(generation === undefined ? {} : { generation }),
      ...(paused ? { paused } : {}),
      ...placed,
    };
    const writeDefinition = async (transaction?: Transaction) => {
      if (appCache.tombstones.has(app.uid))
        await appRepository.updateTombstone(app.uid, { definition: { ...app, ...changes } }, transaction);
      // The tombstone would not contain an environment that is published only now, and the app would run there for ever.
      else if (!(await appRepository.updateLiving(app, changes, transaction, generation !== undefined)))
        throw new Error(`App ${app.name} was changed or deleted meanwhile.`);
    };
    const write = async (transaction?: Transaction) => {
      // In a transaction both are undone together, and rows are locked in the order of requests (`AppChanges.change`).
      // SQLite has none here: what decides whether this may be published comes first.
      for (const step of transaction ? [writeDefinition, along] : [along, writeDefinition]) await step(transaction);
    };
    await leadership.write(write).catch(async (error) => {
      await appCache.refresh([app.name]).catch(() => undefined);
      throw error;
    });
    // Updates the memory to the stored state, and does nothing that may still fail.
    appCache.assign(app, changes);
    for (const [environment, wish] of renewed) await this.publishTo(environment, { ...app, ...placed }, wish);
    for (const environment of withdraw) await this.unpublish(environment, app.name);
    // A read that began earlier keeps what was assigned here, and with it may miss a change by another Supervisor.
    await appCache.refresh([app.name]);
  }

  /** What cannot be written now is written by the reconciliation of the environment. */
  private async publishTo(environment: string, app: AppDefinition, wish: Published): Promise<void> {
    const { records, bus, observer, environments, leadership, log } = this.options;
    try {
      if (observer.foreign) throw new Error('The store is of another fleet.');
      const incarnation = environments.incarnationOf(environment);
      if (incarnation === undefined) throw new Error('It was not compared yet.');
      await records.publish(environment, [recordFor(app, wish)], leadership.term, incarnation);
      bus.notify({ environment }, [app.name]);
      log.rooms.records?.('Published', { app: app.name, environment, ...wish });
    } catch {
      environments.noteUnnotified(environment, [app.name]);
    }
  }

  private async unpublish(environment: string, name: string): Promise<void> {
    const { records, environments, leadership, observer } = this.options;
    if (observer.foreign) return environments.noteUnnotified(environment, []);
    // With this record they were verified: an older copy of the store would pass for what is wanted.
    environments.noteApps({ names: [name], environments: new Set([environment]) });
    await records
      .unpublish(environment, [name], leadership.term)
      .catch(() => environments.noteUnnotified(environment, []));
  }
}
