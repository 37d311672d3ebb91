import type { z } from 'zod';
import { withoutPasswords } from '../../../shared/app';
import { type Message, say } from '../../../shared/message';
import {
  type DatabaseCheck,
  databaseCheck,
  databaseSize,
  logLines,
  type UploadsSize,
  uploadsReach,
  uploadsSize,
} from '../../../shared/messages';
import { AppSupervisorError } from '../../errors';
import type { MessageBus } from '../../protocol/bus';
import { placeOf } from '../definitions/database-settings';
import { type CheckInput, invalid } from '../definitions/input';
import type { AppDefinition } from '../definitions/repository';
import type { CompatibilityPolicy } from './compatibility-policy';
import type { EnvironmentCache } from './environment-cache';

/** How long a Worker may take for an answer, in ms. */
const PATIENCE = 6_000;

export interface WorkerRequestsOptions {
  bus: MessageBus;
  compatibility: Pick<CompatibilityPolicy, 'assertUsable'>;
  environmentCache: Pick<EnvironmentCache, 'get' | 'isAdmitted'>;
  /** The environment of a check whose request names none; null if it has to name one. */
  defaultEnvironments: string[] | null;
}

/** Requests that only a worker can answer: sent with a deadline, and stored nowhere. */
export class WorkerRequests {
  constructor(private readonly options: WorkerRequestsOptions) {}

  /**
   * Checks a database on the worker that would use it; answers within 5 s, with messages.
   * @param explains whether it says why nothing answers at the address of a separate connection, which tells what is there
   */
  async checkDatabase(
    { environment, name = 'unnamed', dbConnType, database }: CheckInput,
    explains = false,
  ): Promise<DatabaseCheck> {
    const { defaultEnvironments, compatibility } = this.options;
    const target = environment ?? defaultEnvironments?.[0];
    if (!target) throw invalid('environment', 'INPUT_REQUIRED');
    compatibility.assertUsable(target, 'environment');
    const place = placeOf({ name, title: name, options: { dbConnType, database } });
    return this.ask(target, 'checkDatabase', databaseCheck, { name, database: place, explains });
  }

  /**
   * Checks in an environment the existing database of an app that nothing has placed there yet: it gets no password. Of a separate
   * connection it finds out whether it reaches the server.
   */
  async checkReach(environment: string, app: AppDefinition): Promise<DatabaseCheck> {
    const place = withoutPasswords(app.database);
    // The role of a database of the environment's own server is the app's; the check is the environment's.
    const { username: __, ...shared } = place;
    const database = place.dbConnType === 'new_connection' ? place : shared;
    return this.ask(environment, 'checkDatabase', databaseCheck, { name: app.name, database });
  }

  /** How many bytes the database of an app takes, as one of its environments finds out; null if there is none. */
  async databaseSize(app: AppDefinition, environment: string): Promise<number | null> {
    assertIn(app, environment);
    return (await this.ask(environment, 'databaseSize', databaseSize, { name: app.name })).bytes;
  }

  /** What the Worker of an environment has in an app's folder of uploads. */
  async uploadsSize({ name }: Pick<AppDefinition, 'name'>, environment: string): Promise<UploadsSize> {
    return this.ask(environment, 'uploadsSize', uploadsSize, { name });
  }

  /** Why an environment cannot copy uploads from the Worker at an address; null if it can. */
  async reachUploads(environment: string, address: string): Promise<Message | null> {
    return (await this.ask(environment, 'reachUploads', uploadsReach, { address })).cause;
  }

  /**
   * The last lines of an app's log in an environment. The log stays where the app has left.
   * @param until in ms since 1970, by the Worker's clock; a Worker before 0.3.0 gives the newest lines whatever it is
   */
  async logs(app: AppDefinition, environment: string, lines: number, until?: number): Promise<string[]> {
    if (!this.options.environmentCache.get(environment)) assertIn(app, environment);
    const request = { name: app.name, lines, ...(until === undefined ? {} : { until }) };
    return this.ask(environment, 'logs', logLines, request);
  }

  /** The same of the process of an environment, without the secrets that the process knows. */
  async processLogs(environment: string, lines: number, until?: number): Promise<string[]> {
    return this.ask(environment, 'processLogs', logLines, { lines, until });
  }

  /**
   * @param patience how long the Worker may take, in ms
   * @throws AppSupervisorError NOT_ADMITTED, WORKER_SILENT, WORKER_FAILED, and what the Worker refuses it with
   */
  async ask<T>(
    environment: string,
    method: string,
    answer: z.ZodType<T>,
    request: object,
    patience = PATIENCE,
  ): Promise<T> {
    const { bus, environmentCache } = this.options;
    // What it is sent may be none of its business, and what it answers is nothing to go by.
    if (!environmentCache.isAdmitted(environment)) throw new AppSupervisorError('NOT_ADMITTED', { environment });
    const parsed = answer.safeParse(await bus.request(environment, method, request, patience));
    if (parsed.success) return parsed.data;
    throw new AppSupervisorError('WORKER_FAILED', { environment, cause: say('ANSWER_NOT_UNDERSTOOD') });
  }
}

function assertIn({ environments }: AppDefinition, environment: string): void {
  if (!environments.includes(environment))
    throw new AppSupervisorError('UNKNOWN_ENVIRONMENT', { environment }, 'environment');
}
