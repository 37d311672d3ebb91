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

/** How long a worker may take for a check, for reading a log, and for a size, in ms. */
const CHECK_TIMEOUT = 6_000;
const LOGS_TIMEOUT = 5_000;
const SIZE_TIMEOUT = 6_000;

export interface WorkerRequestsOptions {
  bus: MessageBus;
  compatibility: Pick<CompatibilityPolicy, 'assertUsable'>;
  environmentCache: Pick<EnvironmentCache, 'get'>;
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
    const { bus, defaultEnvironments, compatibility } = this.options;
    const target = environment ?? defaultEnvironments?.[0];
    if (!target) throw invalid('environment', 'INPUT_REQUIRED');
    compatibility.assertUsable(target, 'environment');
    const place = placeOf({ name, title: name, options: { dbConnType, database } });
    const answer = await bus.request(target, 'checkDatabase', { name, database: place, explains }, CHECK_TIMEOUT);
    return parseAnswer(target, databaseCheck, answer);
  }

  /**
   * Checks in an environment the existing database of an app that nothing has placed there yet: it gets no password. Of a separate
   * connection it finds out whether it reaches the server.
   */
  async checkReach(environment: string, app: AppDefinition): Promise<DatabaseCheck> {
    const { bus } = this.options;
    const place = withoutPasswords(app.database);
    // The role of a database of the environment's own server is the app's; the check is the environment's.
    const { username: __, ...shared } = place;
    const database = place.dbConnType === 'new_connection' ? place : shared;
    const answer = await bus.request(environment, 'checkDatabase', { name: app.name, database }, CHECK_TIMEOUT);
    return parseAnswer(environment, databaseCheck, answer);
  }

  /** How many bytes the database of an app takes, as one of its environments finds out; null if there is none. */
  async databaseSize(app: AppDefinition, environment: string): Promise<number | null> {
    assertIn(app, environment);
    const answer = await this.options.bus.request(environment, 'databaseSize', { name: app.name }, SIZE_TIMEOUT);
    return parseAnswer(environment, databaseSize, answer).bytes;
  }

  /** What the Worker of an environment has in an app's folder of uploads. */
  async uploadsSize({ name }: Pick<AppDefinition, 'name'>, environment: string): Promise<UploadsSize> {
    const answer = await this.options.bus.request(environment, 'uploadsSize', { name }, SIZE_TIMEOUT);
    return parseAnswer(environment, uploadsSize, answer);
  }

  /** Why an environment cannot copy uploads from the Worker at an address; null if it can. */
  async reachUploads(environment: string, address: string): Promise<Message | null> {
    const answer = await this.options.bus.request(environment, 'reachUploads', { address }, SIZE_TIMEOUT);
    return parseAnswer(environment, uploadsReach, answer).cause;
  }

  /**
   * The last lines of an app's log in an environment. The log stays where the app has left.
   * @param until in ms since 1970, by the Worker's clock; a Worker before 0.3.0 gives the newest lines whatever it is
   */
  async logs(app: AppDefinition, environment: string, lines: number, until?: number): Promise<string[]> {
    if (!this.options.environmentCache.get(environment)) assertIn(app, environment);
    const request = { name: app.name, lines, ...(until === undefined ? {} : { until }) };
    const answer = await this.options.bus.request(environment, 'logs', request, LOGS_TIMEOUT);
    return parseAnswer(environment, logLines, answer);
  }

  /** The same of the process of an environment, without the secrets that the process knows. */
  async processLogs(environment: string, lines: number, until?: number): Promise<string[]> {
    const answer = await this.options.bus.request(environment, 'processLogs', { lines, until }, LOGS_TIMEOUT);
    return parseAnswer(environment, logLines, answer);
  }
}

function assertIn({ environments }: AppDefinition, environment: string): void {
  if (!environments.includes(environment))
    throw new AppSupervisorError('UNKNOWN_ENVIRONMENT', { environment }, 'environment');
}

/** @throws AppSupervisorError WORKER_FAILED if the answer is not valid */
export function parseAnswer<T>(environment: string, schema: z.ZodType<T>, answer: unknown): T {
  const parsed = schema.safeParse(answer);
  if (parsed.success) return parsed.data;
  throw new AppSupervisorError('WORKER_FAILED', { environment, cause: say('ANSWER_NOT_UNDERSTOOD') });
}
