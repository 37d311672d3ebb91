import type { Event } from '../../../shared/event';
import { type Message, say } from '../../../shared/message';
import type { MovePreview } from '../../../shared/move';
import type { MoveCause } from '../../../shared/words';
import type { Clock } from '../../clock';
import { AppSupervisorError, describeError, messageOf } from '../../errors';
import type { Log } from '../../log';
import { isAlive } from '../../protocol/health';
import type { AppCache } from '../definitions/app-cache';
import { eventOf, ofApp } from '../definitions/change-events';
import type { OperationCache, OperationStore } from '../definitions/operation-store';
import type { AppDefinition } from '../definitions/repository';
import type { EventRecorder } from '../events/recorder';
import type { EnvironmentCache } from '../fleet/environment-cache';
import type { EnvironmentView } from '../fleet/observed-environment';
import type { FleetObserver } from '../fleet/observer';
import type { AppService } from '../requests/service';
import { failoverPlaces, leaving, returnsIn, returnsTo } from '../rollout/failover-candidates';
import type { MoveRequest, Moves } from './moves';

/** How often what cannot be moved is looked at again, in ms. */
const LOOK_AGAIN = 30_000;
/** How often a lease is looked at again whose holder has not registered, in ms. */
const LEASE_AGAIN = 1_000;
/** For how many apps places are found before those that have one leave: as many as `Moves` asks about at the same time. */
const AT_ONCE = 8;

export interface FailoversOptions {
  appCache: AppCache;
  active: Pick<OperationCache, 'of'>;
  observer: FleetObserver;
  environmentCache: Pick<EnvironmentCache, 'addressOf'>;
  operations: Pick<OperationStore, 'page'>;
  moves: Pick<Moves, 'preview'>;
  service: Pick<AppService, 'move'>;
  recorder: Pick<EventRecorder, 'record'>;
  clock: Clock;
  log: Log;
  /** Whether the Worker at this address says that it hosts its environment. Never rejects. */
  hosts(proxyUrl: string): Promise<boolean>;
}

/** Moves apps from an environment that is down, and back to it. Only the leader does, as a pass of the control loop. */
export class Failovers {
  /** Of this version of the definitions. */
  private known: { version: number; places: ReadonlySet<string> } | null = null;
  /** When an environment that is down was last held by a process that had not registered yet, by the monotonic clock. */
  private readonly heldAt = new Map<string, number>();

  constructor(private readonly options: FailoversOptions) {}

  /** The environments that a pass is of use for. Heartbeats ask, so it is not found anew for each. */
  places(): ReadonlySet<string> {
    const { apps, version } = this.options.appCache;
    if (this.known?.version !== version) this.known = { version, places: failoverPlaces(apps.values()) };
    return this.known.places;
  }

  /** @returns ms after which another pass is needed; null if only an event can change the result */
  async reconcile(environment: string): Promise<number | null> {
    const view = this.options.observer.environment(environment);
    if (view?.health === 'down') return this.leave(view);
    return view?.health === 'online' ? this.bringHome(view) : null;
  }

  private async leave(view: EnvironmentView): Promise<number | null> {
    const { appCache, observer, recorder, clock } = this.options;
    const { name: environment } = view;
    const { mono } = clock.now();
    if (view.held) this.heldAt.set(environment, mono);
    // A successor took it over, so its former process may have died, and not released it: then the delay begins when that one is gone, too.
    const heldAt = view.released ? this.heldAt.get(environment) : undefined;
    const downFor = Math.min(view.lastsFor, mono - (heldAt ?? Number.NEGATIVE_INFINITY));
    const { due, next } = leaving(appCache.apps.values(), environment, downFor);
    if (!due.length) return next;
    // A process that has just taken it over is shown once it has registered; if it dies before, its lease runs out.
    const mayLeave = () => {
      const now = observer.environment(environment);
      return now?.health === 'down' && !now.held;
    };
    if (!mayLeave()) return LEASE_AGAIN;
    // Its Worker has lost Redis alone: whoever reaches it is served, and nothing is gained by cutting it off.
    if (await this.isServing(environment)) {
      recorder.record(
        eventOf({
          id: `failover ${environment} held ${view.since}`,
          kind: 'failover',
          environment,
          message: say('FAILOVER_HELD', { environment }),
          at: clock.now().wall,
        }),
      );
      return LOOK_AGAIN;
    }
    // In slices: the first apps do not wait until places are found for all.
    let soonest = next;
    for (let i = 0; i < due.length; i += AT_ONCE) {
      const previews = await this.previewsOf(due.slice(i, i + AT_ONCE), environment);
      if (!mayLeave()) return LEASE_AGAIN;
      soonest = await this.begin(previews, view, 'failover', soonest);
    }
    return soonest;
  }

  private async isServing(environment: string): Promise<boolean> {
    const proxyUrl = this.options.environmentCache.addressOf(environment);
    return Boolean(proxyUrl) && this.options.hosts(proxyUrl ?? '');
  }

  /** Home first, for those that are not there; otherwise where placement proposes. */
  private async previewsOf(apps: AppDefinition[], from: string): Promise<MovePreview[]> {
    const { observer } = this.options;
    const isHomeWell = ({ home }: AppDefinition) =>
      home !== null && isAlive(observer.environment(home)?.health ?? 'unknown');
    const accepted: MovePreview[] = [];
    for (const to of new Set(apps.filter(isHomeWell).flatMap(({ home }) => home ?? []))) {
      const previews = await this.preview(
        apps.filter(({ home }) => home === to),
        { from, to },
      );
      accepted.push(...previews.filter(({ refused }) => refused === null));
    }
    const rest = apps.filter(({ name }) => !accepted.some(({ app }) => app === name));
    return rest.length ? [...accepted, ...(await this.preview(rest, { from }))] : accepted;
  }

  private async preview(apps: AppDefinition[], request: MoveRequest): Promise<MovePreview[]> {
    return (await this.options.moves.preview(apps, { ...request, agrees: true })).apps;
  }

  private async bringHome(view: EnvironmentView): Promise<number | null> {
    const { appCache, active, observer } = this.options;
    const { name: home } = view;
    const away = [...appCache.apps.values()].filter((app) => returnsTo(app, home));
    let next: number | null = null;
    const due: AppDefinition[] = [];
    for (const app of away) {
      // It would have to be taken from there, which is for a failover to decide.
      const isTaken = !isAlive(observer.environment(app.environments[0])?.health ?? 'unknown');
      const left = isTaken || active.of(app.uid).length ? LOOK_AGAIN : await this.returnsIn(app, view.lastsFor);
      if (left <= 0) due.push(app);
      else next = Math.min(next ?? left, left);
    }
    const previews: MovePreview[] = [];
    for (const from of new Set(due.map(({ environments }) => environments[0]))) {
      const apps = due.filter(({ environments }) => environments[0] === from);
      previews.push(...(await this.preview(apps, { from, to: home })));
    }
    return this.begin(previews, view, 'failback', next);
  }

  private async returnsIn({ uid }: AppDefinition, wellFor: number): Promise<number> {
    const { operations, clock } = this.options;
    const soonest = returnsIn(wellFor, null);
    if (soonest > 0) return soonest;
    const [[last]] = await operations.page({ appUid: uid, cause: 'failback' }, ['-generation'], 1, 1);
    return returnsIn(wellFor, last ? clock.now().wall - last.createdAt : null);
  }

  /** @returns the sooner of `next` and of when what cannot be moved is looked at again */
  private async begin(
    previews: MovePreview[],
    { name: environment, since }: EnvironmentView,
    cause: MoveCause,
    next: number | null,
  ): Promise<number | null> {
    const { appCache, service, recorder, clock, log } = this.options;
    let isRefused = false;
    for (const { app: name, from, to, refused: refusal } of previews) {
      const app = appCache.apps.get(name);
      let problem = refusal;
      try {
        if (refusal === null && to !== null) {
          await service.move(name, { from: from ?? undefined, to }, null, cause);
          log.warn(`App ${name} moves from ${from} to ${to}: ${cause}.`, { app: name });
        }
      } catch (error) {
        if (error instanceof AppSupervisorError) problem = describeError(error);
        else log.debug(`App ${name} does not move now: ${messageOf(error)}`, { app: name });
        isRefused = true;
      }
      isRefused ||= problem !== null;
      if (problem && app) recorder.record(refused(cause, app, environment, problem, since, clock.now().wall));
    }
    return isRefused ? Math.min(next ?? LOOK_AGAIN, LOOK_AGAIN) : next;
  }
}

/** That a failover or a failback does not happen. @param outage when its environment was last up or down */
const refused = (
  kind: MoveCause,
  app: AppDefinition,
  environment: string,
  cause: Message,
  outage: number,
  at: number,
): Event =>
  eventOf({
    id: `${kind} ${app.uid} ${environment} ${cause.code} ${outage}`,
    kind,
    ...ofApp(app),
    environment,
    message: say(kind === 'failover' ? 'FAILOVER_REFUSED' : 'FAILBACK_REFUSED', { app: app.name, environment }),
    cause,
    at,
  });
