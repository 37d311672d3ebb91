import type { AppDefinition, Tombstone } from '../../../src/server/supervisor/definitions/repository';
import type { AppRecord } from '../../../src/shared/messages';
import type { MemoryTransaction } from '../../support/memory-database';
import type { World } from '../world';

/** By world, `<environment> <uid>` of each place that an app had once: a database that falls back to a copy loses it. */
const placed = new WeakMap<World, Set<string>>();

/** A request has placed apps; its database may lose that at once. */
export function notePlaced(world: World, { writes }: MemoryTransaction): void {
  const known = placed.get(world) ?? new Set<string>();
  placed.set(world, known);
  for (const row of writes.get('apps')?.values() ?? [])
    for (const each of (row?.environments as string[] | undefined) ?? []) known.add(`${each} ${row?.uid}`);
}

/** No environment is given a secret of an app that no request placed there, and none by which an app is removed there. */
export function checkSecrets(world: World, environment: string, records: readonly AppRecord[]): void {
  const known = placed.get(world) ?? new Set<string>();
  placed.set(world, known);
  const rows = <T>(table: string) => world.database.database.visible(table) as T[];
  for (const { uid, environments } of rows<AppDefinition>('apps'))
    for (const each of environments) known.add(`${each} ${uid}`);
  // Deleted between its publication in the database and that in Redis.
  for (const { uid, definition } of rows<Tombstone>('appTombstones'))
    for (const [each, { stray, uploads }] of Object.entries(definition.published))
      if (!stray && !uploads?.ahead) known.add(`${each} ${uid}`);
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
