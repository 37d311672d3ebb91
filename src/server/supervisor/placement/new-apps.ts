import { say } from '../../../shared/message';
import type { DatabaseCheck } from '../../../shared/messages';
import type { NewAppPlan } from '../../../shared/move';
import { AppSupervisorError, hasCode } from '../../errors';
import { isAlive } from '../../protocol/health';
import type { WorkerRequests } from '../fleet/worker-requests';
import type { NewApp } from '../requests/creation';
import type { AppService } from '../requests/service';
import { type FleetPlaces, placesIn } from './fleet-places';
import { placesFor } from './places';

export interface NewAppsOptions extends FleetPlaces {
  service: Pick<AppService, 'creation'>;
  requests: Pick<WorkerRequests, 'checkDatabase'>;
  /** Environments of a new app whose request names none; null: placement chooses one. */
  defaultEnvironments: string[] | null;
}

/** A new app as requested, with what the request has left open. */
export type CompleteApp = NewApp & { name: string; environments: string[] };

const REFUSALS = {
  taken: 'DATABASE_TAKEN',
  adoptable: 'DATABASE_ADOPTABLE',
  unusable: 'DATABASE_UNUSABLE',
} as const;

/** Chooses what a request for a new app leaves open, and finds out whether the app can use its database. */
export class NewApps {
  constructor(private readonly options: NewAppsOptions) {}

  /** What a new app would get. @param seed as in `appNameFor`; absent: by chance */
  async propose(title: string, seed?: string): Promise<NewAppPlan> {
    const { service, defaultEnvironments } = this.options;
    const places = placesIn(this.options);
    return {
      name: await service.creation.nameFor(title, seed),
      environment: defaultEnvironments?.[0] ?? placesFor(places, [], null)[0] ?? null,
      places: places.map(({ name, apps, refusal }) => ({ name, apps, refusal })),
    };
  }

  /** @throws AppSupervisorError NO_PLACE */
  async complete(requested: NewApp): Promise<CompleteApp> {
    const plan = await this.propose(requested.title);
    const environments = requested.environments ?? (plan.environment === null ? null : [plan.environment]);
    const cause = plan.places.find(({ refusal }) => refusal)?.refusal ?? say('NO_ENVIRONMENT_YET');
    if (!environments) throw new AppSupervisorError('NO_PLACE', { cause }, 'environments');
    return { ...requested, name: requested.name ?? plan.name, environments };
  }

  /**
   * Whether a new app can be created, and use its database in each of its environments that are online and answer.
   * @param explains as in `WorkerRequests.checkDatabase`
   * @returns the others: without Redis for commands nobody answers, and the app is created all the same
   * @throws AppSupervisorError DATABASE_TAKEN, DATABASE_ADOPTABLE, DATABASE_UNUSABLE, WORKER_FAILED, and as `AppCreation.create`
   */
  async check(app: CompleteApp, explains: boolean): Promise<string[]> {
    const { service, observer, requests } = this.options;
    await service.creation.assertPossible(app);
    const { name, environments, options: { dbConnType = 'new_database', database } = {} } = app;
    const unchecked = environments.filter((each) => !isAlive(observer.environment(each)?.health ?? 'unknown'));
    const isAsked = (environment: string) => !unchecked.includes(environment);
    const refusals = await Promise.all(
      environments.filter(isAsked).map(async (environment) => {
        try {
          const check = await requests.checkDatabase({ environment, name, dbConnType, database }, explains);
          return refusalOf(check, environment, database);
        } catch (error) {
          if (!hasCode(error, 'WORKER_SILENT')) throw error;
          unchecked.push(environment);
          return null;
        }
      }),
    );
    const refusal = refusals.find((found) => found !== null);
    if (refusal) throw refusal;
    return unchecked;
  }
}

/** Why an app cannot be created where a check has looked, at the field that mends it; null if it can. */
function refusalOf(
  { checks, verdict }: DatabaseCheck,
  environment: string,
  given: { schema?: string; database?: string } = {},
): AppSupervisorError | null {
  if (verdict === 'free') return null;
  const decisive = checks.find(({ ok }) => !ok) ?? checks[checks.length - 1];
  const { message: cause = say('NO_CAUSE'), remedy = '' } = decisive ?? {};
  const named = given.schema ? 'schema' : given.database ? 'database' : null;
  const field = verdict === 'unusable' ? undefined : named ? `options.database.${named}` : 'name';
  return new AppSupervisorError(REFUSALS[verdict], { environment, cause, remedy }, field);
}
