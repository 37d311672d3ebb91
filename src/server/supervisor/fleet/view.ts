import { APP, withoutPasswords } from '../../../shared/app';
import { ENVIRONMENT, type EnvironmentDetails } from '../../../shared/environment';
import { EVENT, type Event } from '../../../shared/event';
import { defaultsIn, pickIn } from '../../../shared/fields';
import { OPERATION, type Operation } from '../../../shared/operation';
import { shownStatus } from '../../../shared/shown-status';
import type { AppRow, EnvironmentRow, EventRow, OperationRow, ShownStatus, Status } from '../../../shared/types';
import { WORST_FIRST } from '../../../shared/words';
import type { OperationCache } from '../definitions/operation-store';
import { type AppDefinition, desiredOf } from '../definitions/repository';
import { stillAway } from '../rollout/drained';
import { progressNow } from '../rollout/progress';
import { isAhead } from '../rollout/uploads';
import { appWarningsOf, type WarningsOptions, warningsOf } from './warnings';

export interface FleetViewOptions extends WarningsOptions {
  active: OperationCache;
}

type StatusIn = (app: AppDefinition, environment: string) => ShownStatus;

/** Statuses that mean that an environment has nothing of an app that was removed from it. */
const NOT_THERE: Status[] = ['not_found', 'waiting'];

/** The view of apps, environments and operations, and the data for routing: from memory, as of now. */
export class FleetView {
  constructor(private readonly options: FleetViewOptions) {}

  /** `statusIn` for many apps: each environment is evaluated once and not once for each of its apps. */
  judge(): StatusIn {
    const { observer } = this.options;
    const views = new Map(observer.names().map((name) => [name, observer.environment(name)]));
    return (app, environment) => this.statusIn(app, environment, views.get(environment) ?? null);
  }

  /**
   * The shown statuses of one app, by environment. They include environments from which the app is being removed, as
   * long as it may run there.
   */
  statusesOf(app: AppDefinition, statusIn: StatusIn = (...place) => this.statusIn(...place)): [string, ShownStatus][] {
    const shownIn = (environment: string): [string, ShownStatus] => [environment, statusIn(app, environment)];
    const isLeft = (environment: string) =>
      !app.environments.includes(environment) && !isAhead(app.published[environment]);
    const left = Object.keys(app.published).filter(isLeft);
    const remaining = left.map(shownIn).filter(([, { status }]) => !NOT_THERE.includes(status));
    return [...app.environments.map(shownIn), ...remaining];
  }

  statusIn(
    app: AppDefinition,
    environment: string,
    view = this.options.observer.environment(environment),
  ): ShownStatus {
    const { observer } = this.options;
    return shownStatus({
      uid: app.uid,
      environment,
      generation: app.generation,
      published: app.published[environment]?.generation ?? null,
      isUnderWay: app.placements[environment] !== undefined && app.paused === null,
      // Known from the database at the latest; an environment that was never observed has no health.
      health: view?.health ?? 'unknown',
      healthSince: view?.since ?? app.createdAt,
      isOutdated: view?.trouble === 'OUTDATED',
      observed: observer.observed(environment, app.name),
    });
  }

  appRow(app: AppDefinition): AppRow {
    const { observer, active } = this.options;
    const mine = observer.reportsOf(app).map(({ entry }) => entry);
    const [operation] = active.of(app.uid);
    const { dbConnType, ...database } = withoutPasswords(app.database);
    return pickIn(APP, 'row', {
      ...app,
      desiredState: desiredOf(app),
      options: { dbConnType, database, ...(app.sso ? { sso: app.sso } : {}) },
      statuses: Object.fromEntries(this.statusesOf(app).sort(([one], [other]) => (one < other ? -1 : 1))),
      version: mine.find((entry) => entry.version)?.version ?? null,
      lastVisitAt: observer.lastVisitOf(app),
      pendingChanges: [...new Set(mine.flatMap((entry) => entry.pendingChanges))],
      warnings: appWarningsOf(app, this.options),
      operation: operation ? this.operationRow(operation) : null,
    });
  }

  /** The apps of an environment as they are there, the worst first. */
  hostedIn(environment: string): EnvironmentDetails['hosted'] {
    const statusIn = this.judge();
    const found = [...this.options.appCache.apps.values()].flatMap((app) =>
      this.statusesOf(app, statusIn)
        .filter(([place]) => place === environment)
        .map(([, { status, since, error = null }]) => ({ name: app.name, title: app.title, status, since, error })),
    );
    const rank = ({ status }: { status: Status }) => WORST_FIRST.indexOf(status);
    return found.sort((one, other) => rank(one) - rank(other) || one.title.localeCompare(other.title, 'en'));
  }

  environmentRows(): EnvironmentRow[] {
    const { appCache, observer, environmentCache } = this.options;
    const counts = new Map<string, Partial<Record<Status, number>>>();
    const statusIn = this.judge();
    for (const app of appCache.apps.values()) {
      for (const [environment, { status }] of this.statusesOf(app, statusIn)) {
        const count = counts.get(environment) ?? {};
        count[status] = (count[status] ?? 0) + 1;
        counts.set(environment, count);
      }
    }
    return environmentCache.names().map((name) => {
      const view = observer.environment(name);
      const remembered = environmentCache.get(name);
      const registration = environmentCache.registrationOf(name);
      const health = view?.health ?? 'unknown';
      const { address, unconfirmed } = environmentCache.proxyAddressOf(name);
      return pickIn(ENVIRONMENT, 'row', {
        ...defaultsIn(ENVIRONMENT, 'row'),
        ...remembered,
        ...registration,
        name,
        proxyUrl: address,
        unconfirmedProxyUrl: unconfirmed,
        away: stillAway(name, remembered?.away ?? [], appCache.apps).map(({ app, to }) => ({
          app,
          to,
          title: appCache.apps.get(app)?.title ?? app,
          isGone: this.isGone(appCache.apps.get(app), name, to),
        })),
        available: health === 'online' || health === 'suspect',
        health,
        since: view?.since ?? remembered?.lastSeenAt ?? 0,
        instance: view?.lease?.instance ?? null,
        standby: view?.standby ?? null,
        lastHeartbeatAt: view?.lastHeartbeatAt ?? remembered?.lastSeenAt ?? null,
        apps: counts.get(name) ?? {},
        memory: view?.lease?.memory ?? null,
        usage: health === 'online' || health === 'suspect' ? (view?.lease?.usage ?? null) : null,
        eventLoopDelay: view?.lease?.eventLoopDelay ?? null,
        warnings: warningsOf(name, this.options),
      });
    });
  }

  /** Whether a drain is over for an app: it has left, or rests there if it was only to be stopped. */
  private isGone(app: AppDefinition | undefined, environment: string, to: string | null): boolean {
    const there = app && this.statusesOf(app).find(([name]) => name === environment)?.[1].status;
    return !there || NOT_THERE.includes(there) || (to === null && there === 'stopped');
  }

  /** All environments, as requests are routed to them. */
  routeEnvironments() {
    const { observer, environmentCache, isThisProcess } = this.options;
    return environmentCache.names().map((name) => {
      const view = observer.environment(name);
      const registration = environmentCache.registrationOf(name);
      const { address } = environmentCache.proxyAddressOf(name);
      return {
        name,
        proxyUrl: address,
        // Nobody is sent to an address that nobody has confirmed.
        serves: (registration?.serves ?? true) && (isThisProcess || address !== ''),
        health: view?.health ?? 'unknown',
        epoch: view?.lease?.epoch,
      };
    });
  }

  /** An operation as it is shown: what is under way is as its Worker reports it now. */
  operationRow(operation: Operation): OperationRow {
    const { appCache, observer } = this.options;
    const app = appCache.byUid(operation.appName, operation.appUid);
    const progress = operation.progress.map((item) => {
      const message = progressNow(operation, item, app, observer.evidence(item.environment, operation.appName).entry);
      return message ? { ...item, message } : item;
    });
    return pickIn(OPERATION, 'row', { ...operation, progress, createdBy: operation.createdById });
  }

  /** @param operation the one that the event names, as far as it is kept */
  eventRow(event: Event, operation?: Operation): EventRow {
    const app = this.options.appCache.apps.get(event.appName ?? '');
    return pickIn(EVENT, 'row', {
      ...event,
      appTitle: app?.uid === event.appUid ? (app?.title ?? null) : null,
      createdBy: event.createdById,
      operation: operation ? briefly(operation) : null,
    });
  }
}

const briefly = ({ id, appName, action, state, createdAt, finishedAt }: Operation): EventRow['operation'] => ({
  id,
  appName,
  action,
  state,
  createdAt,
  finishedAt,
});
