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

/** By world, `<environment> <uid>` with the password of the app's role that was told there last. */
const told = new WeakMap<World, Map<string, string>>();

export const passwordToldTo = (world: World, environment: string, uid: string): string | undefined =>
  told.get(world)?.get(`${environment} ${uid}`);

/** No environment is given a secret of an app that no request placed there, and none by which an app is removed there. */
export function checkSecrets(world: World, environment: string, records: readonly AppRecord[]): void {
  const known = placed.get(world) ?? new Set<string>();
  placed.set(world, known);
  const passwords = told.get(world) ?? new Map<string, string>();
  told.set(world, passwords);
  const rows = <T>(table: string) => world.database.database.visible(table) as T[];
  for (const { uid, environments } of rows<AppDefinition>('apps'))
    for (const each of environments) known.add(`${each} ${uid}`);
  // Deleted between its publication in the database and that in Redis.
  for (const { uid, definition } of rows<Tombstone>('appTombstones'))
    for (const [each, { stray, uploads }] of Object.entries(definition.published))
      if (!stray && !uploads?.ahead) known.add(`${each} ${uid}`);
  for (const { name, uid, desired, data, jwtSecret, initialAdmin, database, uploads } of records) {
    const ends = desired === 'removed';
    if (!ends && database.password) passwords.set(`${environment} ${uid}`, database.password);
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
