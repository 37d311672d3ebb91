import type { AppDefinition } from '../../src/server/supervisor/apps/repository';
import type { Operation } from '../../src/server/supervisor/control/rollout';
import type { AppRecord } from '../../src/shared/messages';
import type { World } from './world';

/** Steps of operations that place an app. A copy is made before the app is placed. */
const PLACES = new Set(['boot', 'stop', 'apply']);
/** The state of a step of which nothing was published. One that is cancelled was seen before, if anything was. */
const WAITS = new Set(['queued', 'cancelled']);
/** By world, `<environment> <uid>` of each place that an operation had once: a database that falls back to a copy loses operations. */
const placed = new WeakMap<World, Set<string>>();

/** No environment is given a secret of an app that no operation placed there, and none by which an app is removed there. */
export function checkSecrets(world: World, environment: string, records: readonly AppRecord[]): void {
  const known = placed.get(world) ?? new Set<string>();
  placed.set(world, known);
  const rows = <T>(table: string) => world.database.database.visible(table) as T[];
  for (const { appUid, steps } of rows<Operation>('appOperations'))
    for (const step of steps)
      if (PLACES.has(step.kind) && !WAITS.has(step.state)) known.add(`${step.environment} ${appUid}`);
  for (const { uid, environments } of rows<AppDefinition>('apps'))
    for (const each of environments) known.add(`${each} ${uid}`);
  for (const { name, uid, desired, data, jwtSecret, initialAdmin, database, uploads } of records) {
    const ends = desired === 'removed';
    const found = [
      jwtSecret !== null && 'a JWT secret',
      initialAdmin && 'its first administrator',
      (database.password !== undefined || (ends && database.database !== undefined)) && data === 'keep' && 'a database',
      ends && uploads && 'the key for its uploads',
    ].filter(Boolean);
    const mayKnow = known.has(`${environment} ${uid}`);
    if (found.length && (ends || !mayKnow))
      world.violate(
        `${environment}, ${ends ? 'from which it is removed' : 'where nothing placed it'}, gets ${found} of ${name}`,
      );
    if (data !== 'keep' && !mayKnow)
      world.violate(`${environment}, where nothing placed ${name}, is to ${data} its data, with its password`);
  }
}
