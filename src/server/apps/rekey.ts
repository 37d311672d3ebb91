import { AppSupervisorError } from '../errors';
import type { AppDefinition, Definitions } from './definitions';
import { seal, unseal } from './secrets';

/** A secret under the new key, from the old one, from none, or from the new one already; null stays null. */
function reseal(value: string | null | undefined, app: string, from: Buffer | null, to: Buffer | null): string | null {
  if (value === null || value === undefined || value === '') return value ?? null;
  try {
    return seal(unseal(value, from, app), to);
  } catch (error) {
    if (!(error instanceof AppSupervisorError)) throw error;
    // Done twice it changes nothing: what the new key opens stays as it is.
    unseal(value, to, app);
    return value;
  }
}

function resealed(
  app: AppDefinition,
  from: Buffer | null,
  to: Buffer | null,
): Pick<AppDefinition, 'database' | 'jwtSecret'> {
  const password = reseal(app.database.password, app.name, from, to);
  return {
    database: password === null ? app.database : { ...app.database, password },
    jwtSecret: reseal(app.jwtSecret, app.name, from, to),
  };
}

/**
 * Seals every secret of the supervisor's database with another key. The leader's next comparison publishes the records anew.
 *
 * @param from key they are sealed with; null when they are plain
 * @param to key they are to be sealed with; null makes them plain
 */
export async function rekey(
  definitions: Definitions,
  from: Buffer | null,
  to: Buffer | null,
): Promise<{ changed: number; unreadable: string[] }> {
  const unreadable: string[] = [];
  let changed = 0;
  for (const app of await definitions.all()) {
    try {
      const values = resealed(app, from, to);
      if (values.jwtSecret === app.jwtSecret && values.database.password === app.database.password) continue;
      await definitions.update(app.name, values);
      changed++;
    } catch (error) {
      if (!(error instanceof AppSupervisorError)) throw error;
      unreadable.push(app.name);
    }
  }
  for (const { uid, definition } of await definitions.allTombstones()) {
    await definitions.updateTombstone(uid, { definition: { ...definition, ...resealed(definition, from, to) } });
  }
  return { changed, unreadable };
}
