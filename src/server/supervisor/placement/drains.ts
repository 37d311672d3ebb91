import type { Away } from '../../../shared/environment';
import type { MovePreview } from '../../../shared/move';
import type { Operation } from '../../../shared/operation';
import type { DrainMode } from '../../../shared/words';
import { AppSupervisorError } from '../../errors';
import type { AppCache } from '../definitions/app-cache';
import type { OperationCache } from '../definitions/operation-store';
import type { AppDefinition } from '../definitions/repository';
import type { ChangeJournal } from '../events/journal';
import type { EnvironmentCache } from '../fleet/environment-cache';
import { type BulkResult, forEachApp, type Refused } from '../requests/bulk';
import type { AppService } from '../requests/service';
import { stillAway } from '../rollout/drained';
import { arrivingAt } from '../rollout/spec';
import { drainPlan, mergeAway } from './drain-plan';
import type { Moves } from './moves';

export interface DrainsOptions {
  appCache: AppCache;
  active: Pick<OperationCache, 'of'>;
  environmentCache: EnvironmentCache;
  moves: Moves;
  service: AppService;
  journal: ChangeJournal;
}

export interface DrainRequest {
  environment: string;
  mode: DrainMode;
  /** Default: placement chooses an environment for each app. */
  to?: string;
}

/**
 * Takes the apps from an environment, and brings them back. An app that is refused does not keep the others from it: the
 * answer names it with the reason.
 */
export class Drains {
  constructor(private readonly options: DrainsOptions) {}

  /**
   * Accepts no new apps there, and none that is about to come.
   * @returns the apps that are there
   * @throws AppSupervisorError UNKNOWN_ENVIRONMENT
   */
  async close(environment: string, userId: string | null): Promise<AppDefinition[]> {
    const { environmentCache, journal } = this.options;
    await environmentCache.change(environment, { cordoned: true });
    await journal.ofEnvironment(environment, 'drain', userId);
    await this.turnBack([...this.options.appCache.apps.values()], environment, userId);
    return this.appsIn(environment);
  }

  /** @throws AppSupervisorError NOT_CORDONED: a drain from there is over */
  assertCordoned(environment: string): void {
    if (!this.options.environmentCache.get(environment)?.cordoned)
      throw new AppSupervisorError('NOT_CORDONED', { environment });
  }

  /**
   * Moves or stops these apps of an environment.
   * @returns what asks for one of them: null if it is as it should be
   */
  async drain(
    apps: readonly AppDefinition[],
    { environment, mode, to }: DrainRequest,
    userId: string | null,
    service = this.options.service,
  ): Promise<(app: string) => Promise<Operation | Refused | null>> {
    const { environmentCache, moves } = this.options;
    const previews = mode === 'stop' ? [] : (await moves.preview([...apps], { from: environment, to })).apps;
    const { moved, stopped, left } = drainPlan(environment, mode, apps, previews);
    const uids = new Map(apps.map(({ name, uid }) => [name, uid]));
    const away: Away[] = [
      ...moved.map(({ app, to }) => ({ app, uid: uids.get(app) ?? '', to })),
      ...stopped.map(({ name, uid }) => ({ app: name, uid, to: null })),
    ];
    // Before anything begins: a process that ends halfway leaves nothing that uncordoning cannot undo. Where it was uncordoned while
    // the moves were looked at, nothing begins.
    const { cordoned, away: before = [] } = environmentCache.get(environment) ?? {};
    if (cordoned) await environmentCache.change(environment, { away: mergeAway(before, away) });
    // Another drain, or whoever stops it there, may have come first.
    const assertServed = (app: AppDefinition) => {
      if (!moves.servedIn(app, environment).length)
        throw new AppSupervisorError('SERVED_NOWHERE_ELSE', { app: app.name, environment });
    };
    const check = mode === 'move' ? assertServed : undefined;
    return async (name) => {
      this.assertCordoned(environment);
      const move = moved.find(({ app }) => app === name);
      if (move) return service.move(name, { from: environment, to: move.to }, userId);
      if (stopped.some((app) => app.name === name))
        return service.command(name, 'stop', userId, { environments: [environment], check });
      return left.find(({ app }) => app === name) ?? null;
    };
  }

  /**
   * Accepts apps there again.
   * @param bringHome whether the apps that drains have moved or stopped come back, as far as they still are as they left them
   * @throws AppSupervisorError UNKNOWN_ENVIRONMENT
   */
  async uncordon(environment: string, bringHome: boolean, userId: string | null): Promise<BulkResult> {
    const { environmentCache, appCache, journal } = this.options;
    const taken = environmentCache.get(environment)?.away ?? [];
    const away = stillAway(environment, taken, appCache.apps);
    await environmentCache.change(environment, { cordoned: false });
    await journal.ofEnvironment(environment, 'uncordon', userId);
    const result = bringHome ? await this.bringHome(environment, away, userId) : joined();
    const refused = new Set(result.refused.map(({ app }) => app));
    await environmentCache.change(environment, { away: away.filter(({ app }) => refused.has(app)) });
    return result;
  }

  /** Moves the apps that have no other environment: this one is to be forgotten. @param to as in `DrainRequest` */
  moveStranded(environment: string, to: string | undefined, userId: string | null): Promise<BulkResult> {
    const stranded = this.appsIn(environment).filter(({ environments }) => environments.length === 1);
    return this.options.moves.move(stranded, { from: environment, to }, userId);
  }

  private appsIn(environment: string): AppDefinition[] {
    return [...this.options.appCache.apps.values()].filter(({ environments }) => environments.includes(environment));
  }

  private async bringHome(environment: string, away: readonly Away[], userId: string | null): Promise<BulkResult> {
    const { appCache, moves } = this.options;
    const appsAt = (place: string | null) =>
      away.filter(({ to }) => to === place).flatMap(({ app }) => appCache.apps.get(app) ?? []);
    const places = [...new Set(away.flatMap(({ to }) => to ?? []))];
    const previews: MovePreview[] = [];
    const turned: BulkResult[] = [];
    for (const from of places) {
      const isHere = ({ environments }: AppDefinition) => environments.includes(environment);
      turned.push(await this.turnBack(appsAt(from).filter(isHere), from, userId));
      const gone = appsAt(from).filter((app) => !isHere(app));
      previews.push(...(await moves.preview(gone, { from, to: environment })).apps);
    }
    return joined(
      ...turned,
      await moves.begin(previews, userId),
      await this.startAgain(environment, appsAt(null), userId),
    );
  }

  /** Ends the moves to an environment that have not moved their apps yet. @returns those that have by now */
  private async turnBack(apps: readonly AppDefinition[], to: string, userId: string | null): Promise<BulkResult> {
    const { active, service } = this.options;
    const coming = apps.filter((app) => arrivingAt(app) === to && active.of(app.uid).length > 0);
    const { refused } = await forEachApp(coming, async ({ uid }) => {
      // It may have ended while others were turned back.
      const [operation] = active.of(uid);
      if (operation) await service.cancel(operation.id, userId, true);
    });
    return { operations: [], refused };
  }

  private async startAgain(
    environment: string,
    apps: readonly AppDefinition[],
    userId: string | null,
  ): Promise<BulkResult> {
    const { done, refused } = await forEachApp(apps, ({ name }) =>
      this.options.service.command(name, 'start', userId, { environments: [environment] }),
    );
    return { operations: done, refused };
  }
}

const joined = (...results: BulkResult[]): BulkResult => ({
  operations: results.flatMap(({ operations }) => operations),
  refused: results.flatMap(({ refused }) => refused),
});
