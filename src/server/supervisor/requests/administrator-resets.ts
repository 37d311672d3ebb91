import type { Event } from '../../../shared/event';
import { say } from '../../../shared/message';
import { type ResetAdministrator, resetAdministrator } from '../../../shared/messages';
import type { Clock } from '../../clock';
import { AppSupervisorError, messageOf } from '../../errors';
import type { Log } from '../../log';
import { hashPassword, randomPassword } from '../../protocol/administrator';
import type { Random } from '../../random';
import { changed, ofApp } from '../definitions/change-events';
import type { EventStore } from '../definitions/event-store';
import type { AppDefinition } from '../definitions/repository';
import type { EnvironmentCache } from '../fleet/environment-cache';
import type { FleetView } from '../fleet/view';
import type { WorkerRequests } from '../fleet/worker-requests';

/** How long a Worker may take, in ms: the app may have to start. */
const PATIENCE = 75_000;

export interface AdministratorResetsOptions {
  requests: Pick<WorkerRequests, 'ask'>;
  events: EventStore;
  environmentCache: EnvironmentCache;
  clock: Clock;
  random: Random;
  log: Log;
  view: Pick<FleetView, 'statusIn'>;
}

export interface ResetAdmin extends ResetAdministrator {
  /** In plain text; exists in one answer only. */
  password: string;
  /** Environments that run the app and did not confirm: sessions of before may go on there until the app restarts. */
  unconfirmed: string[];
}

/** New passwords for administrators of apps and of Workers' main apps. Each request is recorded before anything is done. */
export class AdministratorResets {
  constructor(private readonly options: AdministratorResetsOptions) {}

  /**
   * An app that starts when visited is started for it.
   * @throws AppSupervisorError APP_NOT_RUNNING, WORKER_SILENT, WORKER_FAILED
   */
  async ofApp(app: AppDefinition, userId: string | null): Promise<ResetAdmin> {
    const [first, ...others] = this.placesOf(app);
    if (!first) throw new AppSupervisorError('APP_NOT_RUNNING', { app: app.name });
    const said = { ...ofApp(app), message: say('ADMIN_RESET', { app: app.name }) };
    const send = await this.begin(app.name, app.uid, said, userId);
    const reset = await send(first);
    for (const place of others) {
      await send(place).catch((error) => {
        reset.unconfirmed.push(place);
        this.options.log.warn(`${place} did not confirm a new password: ${messageOf(error)}`, { app: app.name });
      });
    }
    return reset;
  }

  /** @throws AppSupervisorError UNKNOWN_ENVIRONMENT, NOT_ADMITTED, WORKER_SILENT, WORKER_FAILED */
  async ofEnvironment(environment: string, userId: string | null): Promise<ResetAdmin> {
    if (!this.options.environmentCache.registrationOf(environment))
      throw new AppSupervisorError('UNKNOWN_ENVIRONMENT', { environment });
    const said = { environment, message: say('WORKER_ADMIN_RESET', { environment }) };
    return (await this.begin('main', environment, said, userId))(environment);
  }

  /** Where it runs; if it runs nowhere, one environment where a visit starts it. */
  private placesOf(app: AppDefinition): string[] {
    const are = (status: string) =>
      app.environments.filter((environment) => this.options.view.statusIn(app, environment).status === status);
    const running = are('running');
    return running.length ? running : are('dormant').slice(0, 1);
  }

  private async begin(name: string, uid: string, said: Pick<Event, 'message'> & Partial<Event>, userId: string | null) {
    const { requests, events, clock, random } = this.options;
    const event = changed(uid, { ...said, createdById: userId, at: clock.now().wall }, random.hex(4));
    await events.append([event]);
    const password = randomPassword();
    const request = { name, uid, hash: await hashPassword(password) };
    return async (environment: string): Promise<ResetAdmin> => {
      const reset = await requests.ask(environment, 'resetAdmin', resetAdministrator, request, PATIENCE);
      return { ...reset, password, unconfirmed: [] };
    };
  }
}
