import type { Message } from '../../../shared/message';
import type { Operation } from '../../../shared/operation';
import { AppSupervisorError, describeError } from '../../errors';

/** The answer of a request about several apps: what was begun, and what was refused. */
export interface BulkResult {
  operations: Operation[];
  refused: Refused[];
}
export type Refused = { app: string } & Message;

/** Asks for something of several apps; one that is refused does not keep the others from it. */
export async function forEachApp<A extends { name: string }, T>(
  apps: readonly A[],
  request: (app: A) => Promise<T>,
): Promise<{ done: T[]; refused: Refused[] }> {
  const done: T[] = [];
  const refused: Refused[] = [];
  for (const app of apps) {
    try {
      done.push(await request(app));
    } catch (error) {
      if (!(error instanceof AppSupervisorError)) throw error;
      refused.push({ app: app.name, ...describeError(error) });
    }
  }
  return { done, refused };
}
