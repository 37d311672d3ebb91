import type { InitialAdmin } from '../../shared/messages';
import { AppSupervisorError } from '../errors';
import { type Secrets as Opener, type SecretField, seal, unseal } from '../protocol/secrets';
import type { AppDefinition, AppRepository } from '../supervisor/definitions/repository';
import type { NotifierStore } from '../supervisor/notices/notifier-store';

/** The secrets of an app, in its definition and in the records created from it. */
type Secrets = Pick<AppDefinition, 'name' | 'uid' | 'database' | 'jwtSecret'> & { initialAdmin?: InitialAdmin | null };

/** What a main database stores about apps that were hosted there (worker/apps/snapshot.ts). */
export interface Records<T extends Secrets> {
  load(): Promise<Array<{ record: T; applied: unknown }>>;
  save(name: string, record: T, applied: never): Promise<void>;
}

/**
 * A secret sealed with the new key, from the old key, from plain text, or already sealed with the new one; null stays
 * null.
 */
function reseal(
  value: string | null | undefined,
  app: Pick<Secrets, 'name' | 'uid'>,
  field: SecretField,
  from: Opener,
  to: Buffer | null,
): string | null {
  if (value === null || value === undefined || value === '') return value ?? null;
  try {
    return seal(from.open(value, app, field), to);
  } catch (error) {
    if (!(error instanceof AppSupervisorError)) throw error;
    // A second run changes nothing: a secret that the new key opens stays unchanged.
    unseal(value, to, app.name);
    return value;
  }
}

/**
 * Null if there is nothing to change.
 * @throws AppSupervisorError KEY_MISSING
 */
function resealed(app: Secrets, from: Opener, to: Buffer | null): Omit<Secrets, 'name' | 'uid'> | null {
  const password = reseal(app.database.password, app, 'database', from, to);
  const nextPassword = reseal(app.database.nextPassword, app, 'database', from, to);
  const jwtSecret = reseal(app.jwtSecret, app, 'jwtSecret', from, to);
  const { initialAdmin } = app;
  const hash = reseal(initialAdmin?.password, app, 'initialAdmin', from, to);
  const isSame =
    jwtSecret === app.jwtSecret &&
    password === (app.database.password ?? null) &&
    nextPassword === (app.database.nextPassword ?? null) &&
    hash === (initialAdmin?.password ?? null);
  if (isSame) return null;
  return {
    database: {
      ...app.database,
      ...(password === null ? {} : { password }),
      ...(nextPassword === null ? {} : { nextPassword }),
    },
    jwtSecret,
    ...(initialAdmin && hash !== null ? { initialAdmin: { ...initialAdmin, password: hash } } : {}),
  };
}

/**
 * Seals the secret of the webhook with another key.
 * @returns false if it is sealed with neither key; it stays unchanged
 */
export async function rekeyWebhook(
  notifiers: Pick<NotifierStore, 'get' | 'save'>,
  from: Opener,
  to: Buffer | null,
): Promise<boolean> {
  const { secret } = await notifiers.get('webhook');
  try {
    const sealed = reseal(secret, { name: 'webhook', uid: '' }, 'database', from, to);
    if (sealed !== secret) await notifiers.save('webhook', { secret: sealed });
    return true;
  } catch (error) {
    if (!(error instanceof AppSupervisorError)) throw error;
    return false;
  }
}

/**
 * Seals every secret of this main database with another key: of definitions, of tombstones, and of a worker's snapshot.
 * The leader's next comparison publishes the records again.
 *
 * @param from opens what is sealed with the former key, in the database and for this environment
 * @param to key they are to be sealed with; null makes them plain
 * @returns the number of apps whose secrets changed, and the apps whose secrets are sealed with neither key: those stay
 * unchanged
 */
export async function rekey<T extends Secrets>(
  appRepository: AppRepository,
  snapshot: Records<T>,
  from: Opener,
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
