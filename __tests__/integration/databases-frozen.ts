import { AsyncLocalStorage } from 'node:async_hooks';
import { vi } from 'vitest';
import type { DatabaseConnection } from '../../src/server/databases';
import { dialects } from '../../src/server/databases/dialects';
import { type DialectName, hasSchemas } from '../../src/shared/dialects';
import { sql } from './databases-places';

/** A process that stops in its work on a database, as `kill -STOP` or a paused machine stops it, and goes on later. */
export interface FrozenWork {
  /** Whether it has stopped; otherwise it came to its end before. */
  isFrozen: boolean;
  /** Lets it go on. @returns its result, or its error */
  wake(): Promise<unknown>;
}

/**
 * Runs `work` until it is about to open a session or to send a statement for which `stops` is true.
 * @param stops asked once for each of them, until it is true
 */
export async function freeze(
  dialect: DialectName,
  stops: (step: string) => boolean,
  work: () => Promise<unknown>,
): Promise<FrozenWork> {
  const inWork = new AsyncLocalStorage<true>();
  const { connect } = dialects[dialect];
  let wake = () => {};
  const woken = new Promise<void>((resolve) => {
    wake = resolve;
  });
  let stop = () => {};
  const stopped = new Promise<true>((resolve) => {
    stop = () => resolve(true);
  });
  let isFrozen = false;
  const pass = async (step: string) => {
    if (isFrozen || !stops(step)) return;
    isFrozen = true;
    stop();
    await woken;
  };
  const spy = vi.spyOn(dialects[dialect], 'connect').mockImplementation(async (...to) => {
    if (!inWork.getStore()) return connect(...to);
    await pass('connect');
    const session = await connect(...to);
    const query: typeof session.query = async (sql, params) => {
      await pass(sql);
      return session.query(sql, params);
    };
    return { ...session, query };
  });
  const result = inWork.run(true, () => work().catch((error) => error));
  await Promise.race([stopped, result]);
  return {
    isFrozen,
    async wake() {
      wake();
      return result.finally(() => spy.mockRestore());
    },
  };
}

/** Drops an app's place as an administrator does, who ends nobody that is elsewhere. */
export async function dropByHand(connection: DatabaseConnection): Promise<void> {
  const { dialect, database, schema } = connection;
  if (schema) await sql(connection, `DROP SCHEMA "${schema}" CASCADE`);
  else if (hasSchemas(dialect))
    await sql({ ...connection, database: 'postgres' }, `DROP DATABASE "${database}" (FORCE)`);
  else await sql(connection, `DROP DATABASE \`${database}\``);
}
