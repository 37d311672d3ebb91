import PQueue from 'p-queue';
import { type Message, say } from '../../../shared/message';
import type { MovePlan, MovePreview } from '../../../shared/move';
import { AppSupervisorError, describeError } from '../../errors';
import { isAlive } from '../../protocol/health';
import type { AppCache } from '../definitions/app-cache';
import type { OperationStore } from '../definitions/operation-store';
import type { AppDefinition } from '../definitions/repository';
import type { CompatibilityPolicy } from '../fleet/compatibility-policy';
import type { EnvironmentCache } from '../fleet/environment-cache';
import type { FleetObserver } from '../fleet/observer';
import type { WorkerRequests } from '../fleet/worker-requests';
import { type BulkResult, forEachApp } from '../requests/bulk';
import type { AppService } from '../requests/service';
import { isServing } from '../rollout/observed';
import { isMovable } from './drain-plan';
import { placesIn } from './fleet-places';
import { databaseRefusal } from './move-refusals';
import { type Place, placesFor, spread } from './places';
import { lastBoots, moveNotes, type UploadsFacts } from './preview';

/** Number of Workers that are asked about databases at the same time. */
const AT_ONCE = 8;
/** Maximum number of places that are tried for one app. */
const TRIES = 4;
/** Maximum number of operations in which the last start of the apps is looked for. */
const LOOK_BACK = 500;

export interface MovesOptions {
  appCache: AppCache;
  observer: FleetObserver;
  environmentCache: EnvironmentCache;
  compatibility: CompatibilityPolicy;
  operations: OperationStore;
  requests: WorkerRequests;
  service: AppService;
}

/** Which way the apps go. */
export interface MoveRequest {
  /** Default: the target environment of each app. */
  from?: string;
  /** Default: placement chooses one for each app. */
  to?: string;
  /** Whether only environments count that can start the app after the one that it leaves, and the other way round. */
  agrees?: boolean;
}

/** By source and target, why the target does not reach the source; null if it does. */
type Reaches = Map<string, Promise<Message | null>>;

/** Where an app would go. */
type Target = Pick<MovePreview, 'to' | 'refused'>;

/** Moves apps between environments: proposes places, says what a move would do, and begins it. */
export class Moves {
  constructor(private readonly options: MovesOptions) {}

  /** What moves of these apps would do. Changes nothing. */
  async preview(apps: AppDefinition[], request: MoveRequest): Promise<MovePlan> {
    const places = placesIn(this.options);
    const targets = this.targetsOf(apps, request, places);
    const boots = await this.bootsOf(apps);
    const reaches: Reaches = new Map();
    const ask = new PQueue({ concurrency: AT_ONCE });
    const previews = await ask.addAll(
      apps.map((app) => async () => {
        const from = sourceOf(app, request);
        const target = await this.targetOf(app, from, targets.get(app.name) ?? [], places, request.agrees);
        return this.previewOf(app, from, target, boots, await this.uploadsOf(app, from, target, reaches));
      }),
    );
    return {
      apps: previews,
      places: places.map(({ name, apps: count, refusal }) => ({ name, apps: count, refusal })),
    };
  }

  /** Begins to move what can be moved. */
  async move(apps: AppDefinition[], request: MoveRequest, userId: string | null): Promise<BulkResult> {
    return this.begin((await this.preview(apps, request)).apps, userId);
  }

  /** Begins what a preview says. */
  async begin(
    previews: readonly MovePreview[],
    userId: string | null,
    service = this.options.service,
  ): Promise<BulkResult> {
    const movable = previews.filter(isMovable).map((preview) => ({ name: preview.app, ...preview }));
    const { done, refused } = await forEachApp(movable, ({ name, from, to }) =>
      service.move(name, { from: from ?? undefined, to }, userId),
    );
    const others = previews.filter((preview) => !isMovable(preview));
    const left = others.map(({ app, refused: why }) => ({ app, ...(why ?? say('MOVE_NO_PLACE')) }));
    return { operations: done, refused: [...left, ...refused] };
  }

  /** The first of these places that takes the app; if none does, the best one with the reason. */
  private async targetOf(
    app: AppDefinition,
    from: string | null,
    fitting: readonly string[],
    places: Place[],
    agrees = false,
  ): Promise<Target> {
    let best: Target | undefined;
    for (const to of fitting.slice(0, TRIES)) {
      const target = { to, refused: await this.refusalOf(app, from, to, places, agrees) };
      if (target.refused === null) return target;
      best ??= target;
    }
    return best ?? { to: null, refused: await this.refusalOf(app, from, null, places) };
  }

  /** The environment that takes further apps and fits best, without a look at their databases; null if there is none. @param taken others */
  bestPlace(taken: readonly string[]): string | null {
    return placesFor(placesIn(this.options), taken, null)[0] ?? null;
  }

  private previewOf(
    app: AppDefinition,
    from: string | null,
    { to, refused }: Target,
    boots: Map<string, number>,
    uploads: UploadsFacts,
  ): MovePreview {
    const overlaps = app.environments.length > 1;
    const isServed = app.desired === 'running' && from !== null;
    return {
      app: app.name,
      title: app.title,
      from,
      to,
      refused,
      overlaps,
      servedIn: this.servedIn(app, from),
      waits: isServed && !overlaps ? (boots.get(app.uid) ?? null) : null,
      notes: moveNotes({
        from,
        sourceHealth: from === null ? null : (this.options.observer.environment(from)?.health ?? 'unknown'),
        isStopped: app.desired === 'stopped',
        uploads,
      }),
    };
  }

  /** The other environments that go on to serve the visitors of an app when it ends in this one: not those that apps are taken from as well. */
  servedIn({ name, uid, desired, environments, placements }: AppDefinition, from: string | null): string[] {
    const { observer, environmentCache } = this.options;
    if (desired !== 'running') return [];
    return environments.filter((other) => {
      if (other === from || placements[other]?.want === 'stopped' || environmentCache.get(other)?.cordoned)
        return false;
      const isReached = environmentCache.registrationOf(other)?.serves && environmentCache.addressOf(other);
      return Boolean(isReached) && isServing(uid, observer.evidence(other, name).entry);
    });
  }

  /** @param reaches what is known so far */
  private async uploadsOf(
    app: AppDefinition,
    from: string | null,
    { to, refused }: Target,
    reaches: Reaches,
  ): Promise<UploadsFacts> {
    const { observer, requests } = this.options;
    if (from === null || to === null || refused !== null || app.provision !== 'none') return null;
    if (!isAlive(observer.environment(from)?.health ?? 'unknown')) return null;
    try {
      const size = await requests.uploadsSize(app, from);
      const cause = size.files ? await this.reach(from, to, reaches) : null;
      return cause ? { cause } : size;
    } catch (error) {
      return { cause: describeError(error) };
    }
  }

  /** Whether the Worker of the new place reaches the one that has the uploads; asked once for all apps. */
  private reach(from: string, to: string, reaches: Reaches): Promise<Message | null> {
    const { environmentCache, requests } = this.options;
    const key = `${from} ${to}`;
    const address = environmentCache.addressOf(from);
    const asked =
      reaches.get(key) ??
      (address ? requests.reachUploads(to, address).catch(describeError) : Promise.resolve(say('UPLOADS_NO_ADDRESS')));
    reaches.set(key, asked);
    return asked;
  }

  private async refusalOf(
    app: AppDefinition,
    from: string | null,
    to: string | null,
    places: Place[],
    agrees = false,
  ): Promise<Message | null> {
    const { compatibility, requests, observer } = this.options;
    if (from !== null && !app.environments.includes(from))
      return describeError(new AppSupervisorError('NOT_IN_ENVIRONMENT', { app: app.name, environment: from }));
    if (to === null) return say('MOVE_NO_PLACE');
    if (app.environments.includes(to))
      return describeError(new AppSupervisorError('ALREADY_IN_ENVIRONMENT', { app: app.name, environment: to }));
    const place = places.find(({ name }) => name === to);
    if (!place) return describeError(new AppSupervisorError('UNKNOWN_ENVIRONMENT', { environment: to }));
    if (place.refusal) return place.refusal;
    const others = app.environments.filter((name) => agrees || name !== from);
    const differ = others.length ? compatibility.disagreementOf([...others, to]) : null;
    if (differ) return describeError(differ);
    // Its first start creates its database.
    if (app.provision !== 'none') return null;
    const isDown = from !== null && observer.environment(from)?.health === 'down';
    try {
      return databaseRefusal(await requests.checkReach(to, app), app, to, isDown);
    } catch (error) {
      const reason = describeError(error);
      // Each further app would be waited for as long.
      if (reason.code === 'WORKER_SILENT') place.refusal = reason;
      return reason;
    }
  }

  private targetsOf(apps: AppDefinition[], request: MoveRequest, places: Place[]): Map<string, string[]> {
    const { to } = request;
    if (to !== undefined) return new Map(apps.map(({ name }) => [name, [to]]));
    const serverOf = (from: string | null) => places.find(({ name }) => name === from)?.server ?? null;
    return spread(
      places,
      apps.map((app) => ({
        app: app.name,
        taken: app.environments,
        server: app.database.dbConnType === 'new_connection' ? null : serverOf(sourceOf(app, request)),
      })),
    );
  }

  private async bootsOf(apps: AppDefinition[]): Promise<Map<string, number>> {
    const filter = { appUid: { $in: apps.map(({ uid }) => uid) }, state: 'succeeded' };
    const [found] = apps.length ? await this.options.operations.page(filter, ['-createdAt'], 1, LOOK_BACK) : [[]];
    return lastBoots(found);
  }
}

/** The environment that an app leaves. */
const sourceOf = ({ targetEnvironment, environments }: AppDefinition, { from }: MoveRequest): string | null =>
  environments.length ? (from ?? targetEnvironment ?? environments[0]) : null;
