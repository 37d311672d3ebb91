import type { InitialAdmin } from '../../shared/messages';
import { AppSupervisorError } from '../errors';
import { seal, unseal } from '../protocol/secrets';
import type { AppDefinition, AppRepository } from '../supervisor/apps/repository';

/** What of an app is secret, in its definition and in the records made of it. */
type Secrets = Pick<AppDefinition, 'name' | 'database' | 'jwtSecret'> & { initialAdmin?: InitialAdmin | null };

/** What a main database remembers of apps that were hosted there (worker/snapshot.ts). */
export interface Records<T extends Secrets> {
  load(): Promise<Array<{ record: T; applied: unknown }>>;
  save(name: string, record: T, applied: never): Promise<void>;
}

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

/** Null when there is nothing to change. @throws AppSupervisorError KEY_MISSING */
function resealed(app: Secrets, from: Buffer | null, to: Buffer | null): Omit<Secrets, 'name'> | null {
  const password = reseal(app.database.password, app.name, from, to);
  const jwtSecret = reseal(app.jwtSecret, app.name, from, to);
  const { initialAdmin } = app;
  const hash = reseal(initialAdmin?.password, app.name, from, to);
  const isSame =
    jwtSecret === app.jwtSecret &&
    password === (app.database.password ?? null) &&
    hash === (initialAdmin?.password ?? null);
  if (isSame) return null;
  return {
    database: password === null ? app.database : { ...app.database, password },
    jwtSecret,
    ...(initialAdmin && hash !== null ? { initialAdmin: { ...initialAdmin, password: hash } } : {}),
  };
}

/**
 * Seals every secret of this main database with another key: of definitions, of tombstones, and of what a process that hosts
 * remembers. The leader's next comparison publishes the records anew.
 *
 * @param from key they are sealed with; null when they are plain
 * @param to key they are to be sealed with; null makes them plain
 * @returns how many apps' secrets changed, and whose are sealed with neither key: those stay as they are
 */
export async function rekey<T extends Secrets>(
  appRepository: AppRepository,
  snapshot: Records<T>,
  from: Buffer | null,
  to: Buffer | null,
): Promise<{ changed: number; unreadable: string[] }> {
  const changed = new Set<string>();
  const unreadable = new Set<string>();
  const each = async (app: Secrets, write: (values: NonNullable<ReturnType<typeof resealed>>) => Promise<void>) => {
    try {
      const values = resealed(app, from, to);
      if (!values) return;
      await write(values);
      changed.add(app.name);
    } catch (error) {
      if (!(error instanceof AppSupervisorError)) throw error;
      unreadable.add(app.name);
    }
  };
  for (const app of await appRepository.all()) await each(app, (values) => appRepository.update(app.name, values));
  for (const { uid, definition } of await appRepository.allTombstones()) {
    await each(definition, (values) =>
      appRepository.updateTombstone(uid, { definition: { ...definition, ...values } }),
    );
  }
  for (const { record, applied } of await snapshot.load()) {
    await each(record, (values) => snapshot.save(record.name, { ...record, ...values }, applied as never));
  }
  return { changed: changed.size, unreadable: [...unreadable] };
}
