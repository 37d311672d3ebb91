import type { z } from 'zod';
import { say } from '../../../shared/message';
import { type DatabaseCheck, databaseCheck, logLines } from '../../../shared/messages';
import { AppSupervisorError } from '../../errors';
import type { MessageBus } from '../../protocol/bus';
import { placeOf } from '../apps/database-settings';
import type { CheckInput } from '../apps/input';
import type { AppDefinition } from '../apps/repository';
import type { CompatibilityPolicy } from './compatibility-policy';

/** How long a worker may take over a check, and over reading a log, in ms. */
const CHECK_TIMEOUT = 6_000;
const LOGS_TIMEOUT = 5_000;

export interface WorkerRequestsOptions {
  bus: MessageBus;
  compatibility: Pick<CompatibilityPolicy, 'assertUsable'>;
  /** Where a check is made when the request names none; null when it has to name one. */
  defaultEnvironments: string[] | null;
}

/** What only a worker can answer: asked with a deadline, and kept nowhere. */
export class WorkerRequests {
  constructor(private readonly options: WorkerRequestsOptions) {}

  /** Checks a database on the worker that would use it; within 5 s, in words. */
  async checkDatabase({ environment, name = 'unnamed', dbConnType, database }: CheckInput): Promise<DatabaseCheck> {
    const { bus, defaultEnvironments, compatibility } = this.options;
    const asked = environment ?? defaultEnvironments?.[0];
    if (!asked) {
      throw new AppSupervisorError(
        'INVALID_INPUT',
        { problem: say('INPUT_REQUIRED', { field: 'environment' }) },
        'environment',
      );
    }
    compatibility.assertUsable(asked, 'environment');
    const place = placeOf({ name, title: name, options: { dbConnType, database } });
    const answer = await bus.request(asked, 'checkDatabase', { name, database: place }, CHECK_TIMEOUT);
    return parseAnswer(asked, databaseCheck, answer);
  }

  /** The last lines of an app's log in one of its environments. */
  async logs(app: AppDefinition, environment: string, lines: number): Promise<string[]> {
    if (!app.environments.includes(environment)) {
      throw new AppSupervisorError('UNKNOWN_ENVIRONMENT', { environment }, 'environment');
    }
    const answer = await this.options.bus.request(environment, 'logs', { name: app.name, lines }, LOGS_TIMEOUT);
    return parseAnswer(environment, logLines, answer);
  }
}

/** @throws AppSupervisorError WORKER_FAILED for what is no such answer */
function parseAnswer<T>(environment: string, schema: z.ZodType<T>, answer: unknown): T {
  const parsed = schema.safeParse(answer);
  if (parsed.success) return parsed.data;
  throw new AppSupervisorError('WORKER_FAILED', { environment, cause: say('ANSWER_NOT_UNDERSTOOD') });
}
