import type { Transaction } from '@nocobase/database';
import { APP } from '../../../shared/app';
import { appNameFor } from '../../../shared/app-name';
import { completeIn, pickIn } from '../../../shared/fields';
import type { StatusEntry } from '../../../shared/messages';
import type { Operation } from '../../../shared/operation';
import { byName } from '../../../shared/pick';
import { isCredible } from '../../credible';
import { AppSupervisorError } from '../../errors';
import { type Administrator, sealAdministrator } from '../../protocol/administrator';
import { newSecret, seal, sealDatabase } from '../../protocol/secrets';
import { newRole, placeOf } from '../definitions/database-settings';
import { assertLabelFree } from '../definitions/domain';
import { type CreateInput, invalid } from '../definitions/input';
import { type AppRepository, formerPlaces, isRestorable, newestOf, nextGeneration } from '../definitions/repository';
import type { CompatibilityPolicy } from '../fleet/compatibility-policy';
import type { EnvironmentCache } from '../fleet/environment-cache';
import { begunIn } from '../rollout/progress';
import { begun } from '../rollout/spec';
import type { AppChanges, ChangesOptions } from './changes';

export interface CreationOptions
  extends Pick<
    ChangesOptions,
    'appRepository' | 'appCache' | 'operations' | 'observer' | 'clock' | 'random' | 'addresses'
  > {
  environmentCache: Pick<EnvironmentCache, 'settled' | 'assertStored' | 'addressOf' | 'fleetHosts' | 'isAdmitted'>;
  aesKey: Buffer | null;
  /** Environments of a new app whose request names none; null if it has to name some. */
  defaultEnvironments: string[] | null;
  /** Which environments may get new apps, and may host one app together. */
  compatibility: Pick<
    CompatibilityPolicy,
    'assertUsable' | 'assertAgree' | 'assertSetsInitialAdmin' | 'givesDatabaseRole' | 'assertKnowsDatabaseRoles'
  >;
}

/** A new app as requested. */
export interface NewApp extends Omit<CreateInput, 'initialAdmin'> {
  /** Null for an adopted app, which keeps its own users. */
  initialAdmin: Administrator | null;
}

type NewDefinition = Omit<Parameters<AppRepository['create']>[0], 'generation' | 'placements'>;

/** Creates apps, and adopts existing ones. */
export class AppCreation {
  constructor(
    private readonly options: CreationOptions,
    private readonly changes: AppChanges,
  ) {}

  /** The identifier of an app that is requested without one. @param seed as in `appNameFor` */
  async nameFor(title: string, seed = this.options.random.hex(4)): Promise<string> {
    const { appCache, appRepository } = this.options;
    // The database of a deleted app, which may be restored, is still there.
    return appNameFor(title, [...appCache.apps.keys(), ...(await appRepository.deletedNames())], seed);
  }

  /**
   * Whether a new app can be created, as far as that is known here.
   * @throws AppSupervisorError as `create`
   */
  async assertPossible(requested: NewApp & { name: string }): Promise<void> {
    this.placeFor(requested);
    await this.assertFree(requested);
  }

  /** A new app, in a database that it creates (`create`) or that already contains a NocoBase app (`adopt`). */
  async create(
    requested: NewApp,
    userId: string | null,
    action: 'create' | 'adopt' = 'create',
    /** An existing JWT secret of the app, instead of a new one. */
    jwtSecret: string | null = null,
  ): Promise<Operation> {
    const { clock, random, aesKey } = this.options;
    const input = { ...requested, name: requested.name ?? (await this.nameFor(requested.title)) };
    const { environments, targetEnvironment } = this.placeFor(input);
    const orphan = this.orphanOf(input.name);
    if (orphan && action === 'create') throw new AppSupervisorError('NAME_TAKEN', { app: input.name }, 'name');
    const now = clock.now().wall;
    const uid = orphan?.uid ?? random.id();
    const database = orphan ? placeOf(input) : this.databaseOf(input, uid, environments);
    const initialAdmin = input.initialAdmin && (await sealAdministrator(input.initialAdmin, aesKey));
    const definition: NewDefinition = {
      ...pickIn(APP, 'table', completeIn(APP, 'create', input)),
      // Its database contains this marker, and its worker continues to run it.
      uid,
      environments,
      targetEnvironment,
      home: null,
      domainCheck: null,
      lastVisitAt: null,
      desired: 'running',
      database: sealDatabase(database, aesKey),
      jwtSecret: seal(jwtSecret || newSecret(), aesKey),
      sso: input.options?.sso ?? null,
      previous: null,
      paused: null,
      provision: action,
      initialAdmin,
      published: {},
    };
    await this.options.environmentCache.settled();
    const former = orphan && isCredible(orphan.generation, now) ? orphan.generation : 0;
    return this.changes.perform((transaction) => this.store(definition, action, former, userId, transaction));
  }

  /**
   * A deleted app whose data were kept, with everything that it had: it adopts its own database, by its own uid. It gets its domain back
   * unless that leads elsewhere by now.
   * @param places default: where it was, as far as that takes apps
   * @param hosts where main answers, as in `Permissions`
   * @throws AppSupervisorError UNKNOWN_APP, DELETION_PENDING, and what `create` throws
   */
  async restore(
    uid: string,
    places: string[] | undefined,
    userId: string | null,
    hosts: readonly string[],
  ): Promise<Operation> {
    const { appRepository, environmentCache } = this.options;
    await environmentCache.settled();
    return this.changes.perform(async (transaction) => {
      const tombstone = await appRepository.findLockedTombstone(uid, transaction);
      if (!tombstone || !isRestorable(tombstone)) throw new AppSupervisorError('UNKNOWN_APP', { app: uid });
      const { name, definition, endedAt } = tombstone;
      if (endedAt === null) throw new AppSupervisorError('DELETION_PENDING', { app: name });
      const environments = places ?? formerPlaces(definition).filter((each) => this.takes(each));
      if (!environments.length) throw invalid('environments', 'INPUT_NO_ENVIRONMENT');
      const place = this.placeFor({ ...definition, environments, targetEnvironment: null, initialAdmin: null });
      const isOfMain = definition.cname !== null && hosts.includes(definition.cname);
      const cname = await this.changes.assertDomainFree(definition.cname, name, transaction).then(
        () => (isOfMain ? null : definition.cname),
        () => null,
      );
      const { createdAt: _, updatedAt: __, ...known } = definition;
      const fresh = { home: null, domainCheck: null, previous: null, paused: null, initialAdmin: null, published: {} };
      const wanted = { desired: 'running' as const, provision: 'adopt' as const };
      await appRepository.removeTombstone(uid, transaction);
      const restored = { ...known, ...place, ...fresh, ...wanted, cname };
      return this.store(restored, 'restore', newestOf(definition), userId, transaction);
    });
  }

  /** Writes a new app with its operation. @param newest generation that anybody may know of it; 0 if there is none */
  private async store(
    definition: NewDefinition,
    action: 'create' | 'adopt' | 'restore',
    newest: number,
    userId: string | null,
    transaction: Transaction,
  ): Promise<Operation> {
    const { appRepository, appCache, operations, environmentCache, clock } = this.options;
    const { name, environments } = definition;
    await environmentCache.assertStored(environments, 'environments', transaction);
    await this.assertFree(definition, transaction);
    // A Worker takes what is older than what it was told of a former app of this name for a late message.
    const former = [
      newest,
      await operations.newestGeneration({ appName: name }, transaction),
      ...[...appCache.tombstones.values()].flatMap((each) => (each.name === name ? [newestOf(each.definition)] : [])),
    ];
    const generation = nextGeneration(Math.max(...former), clock.now().wall);
    const place = begun({ ...definition, placements: {} }, generation);
    const app = { ...definition, generation, placements: byName(environments, () => place) };
    const created = this.changes.newOperation(app, {
      action,
      progress: begunIn(app, environments, []),
      createdById: userId,
    });
    await appRepository.create(app, transaction);
    await this.changes.store(created, transaction);
    return created;
  }

  private takes(environment: string): boolean {
    try {
      this.options.compatibility.assertUsable(environment, 'environments');
      return true;
    } catch {
      return false;
    }
  }

  /**
   * Where its data will be. A database that the environment makes, or that is adopted there, gets a role of its own. Not that of an app
   * that a Worker runs already: it runs on, and would not hear of another password.
   */
  private databaseOf(input: NewApp & { name: string }, uid: string, environments: string[]) {
    const place = placeOf(input);
    if (
      place.dbConnType === 'new_connection' ||
      !this.options.compatibility.givesDatabaseRole(environments, 'environments')
    )
      return place;
    return { ...place, ...newRole({ name: input.name, uid }) };
  }

  /**
   * The environments of a new app, and the target of its visitors.
   * @throws AppSupervisorError for invalid values, with the field that contains them
   */
  private placeFor(input: Pick<NewApp, 'environments' | 'targetEnvironment' | 'initialAdmin'>): {
    environments: string[];
    targetEnvironment: string;
  } {
    const { defaultEnvironments, compatibility } = this.options;
    const environments = input.environments ?? defaultEnvironments;
    if (!environments) throw invalid('environments', 'INPUT_NO_ENVIRONMENT');
    for (const environment of environments) compatibility.assertUsable(environment, 'environments');
    compatibility.assertAgree(environments, 'environments');
    if (input.initialAdmin) compatibility.assertSetsInitialAdmin(environments, 'environments');
    const targetEnvironment = input.targetEnvironment ?? environments[0];
    if (!environments.includes(targetEnvironment)) throw invalid('targetEnvironment', 'INPUT_TARGET');
    return { environments, targetEnvironment };
  }

  private orphanOf(name: string): StatusEntry | null {
    const { observer, appCache, environmentCache } = this.options;
    if (appCache.apps.has(name)) return null;
    const admitted = observer.names().filter((environment) => environmentCache.isAdmitted(environment));
    const entries = admitted.flatMap((environment) => observer.observed(environment, name)?.entry ?? []);
    return entries.find((entry) => appCache.isOrphan(entry)) ?? null;
  }

  /** Whether no other app has its name or its domain. */
  private async assertFree({ name: app, cname }: { name: string; cname?: string | null }, transaction?: Transaction) {
    const { appRepository, appCache, operations } = this.options;
    if (await appRepository.find(app, transaction)) throw new AppSupervisorError('NAME_TAKEN', { app }, 'name');
    // Files, and databases of some servers, do not tell `crm` from `CRM`, and neither do people.
    const alike = [...appCache.apps.keys()].find((name) => name.toLowerCase() === app.toLowerCase());
    if (alike) throw new AppSupervisorError('NAME_TAKEN', { app: alike }, 'name');
    assertLabelFree(app, appCache.apps.values(), this.options.addresses);
    const others = await operations.active({ appName: app }, transaction);
    if (others.some(({ data }) => data === 'drop')) throw new AppSupervisorError('DROP_PENDING', { app }, 'name');
    await this.changes.assertDomainFree(cname, app, transaction);
  }
}
