import type { Database, Model, Transaction } from '@nocobase/database';
import type { Application, Plugin } from '@nocobase/server';
import type { AdminPassword, InitialAdmin } from '../../../shared/messages';
import type { Clock } from '../../clock';
import { DEFAULT_PASSWORD, isPassword } from '../../protocol/administrator';

/** In place of a hash: no password has it. */
const LOCKED = 'locked by app-supervisor';

/**
 * Makes whoever an installation of the app creates as its root user the given administrator, as part of the same INSERT: the
 * user that NocoBase would make, with a password that everybody knows, is never stored.
 *
 * @param admin with the hash unsealed; null when nobody named one: then no password fits
 * @param onLocked told in that case
 */
export function installAs(app: Application, admin: InitialAdmin | null, onLocked: () => void): void {
  const stored = admin ?? { password: LOCKED };
  app.on('beforeInstallPlugin', (plugin: Plugin) => {
    if (plugin.getName() !== 'users') return;
    // Added after the field's own listener, which hashes what it finds (@nocobase/database, password-field).
    app.db.once('users.beforeCreate', (root: Model) => void root.set(stored));
  });
  app.on('afterInstallPlugin', async (plugin: Plugin) => {
    if (plugin.getName() !== 'users') return;
    const [root] = await usersOf(app.db).findAll({ attributes: ['password'], order: [['id', 'ASC']], limit: 1 });
    // Before the version is written, so that an installation that ends here is begun again.
    if (root?.get('password') !== stored.password) throw new Error('The password of its administrator was not stored.');
    if (!admin) onLocked();
  });
}

/**
 * Looks at the root user's password, and again when somebody's password is changed. For each start of an app, which has a
 * database object of its own. Never rejects.
 *
 * @param tell gets what is wrong with it; not called when it could not be read
 */
export async function watchAdminPassword(
  app: Application,
  clock: Clock,
  tell: (found: AdminPassword | null) => void,
): Promise<void> {
  let lookedAt = 0;
  const poll = async () => {
    lookedAt = clock.now().wall;
    tell(await findAdminPassword(app.db));
  };
  const lookAgain = () => void poll().catch(() => undefined);
  try {
    app.db.on('users.afterUpdate', (user: Model, { transaction }: { transaction?: Transaction }) => {
      // Which plugin-users writes together with the password; an import changes thousands of users and no password.
      if (!(Number(user.get('passwordChangeTz')) >= lookedAt)) return;
      if (transaction) transaction.afterCommit(lookAgain);
      else lookAgain();
    });
    await poll();
  } catch {
    // Its next start says it.
  }
}

/** What is wrong with the password of a root user; null when nothing is. */
export async function findAdminPassword(db: Database): Promise<AdminPassword | null> {
  if (!db.hasCollection('rolesUsers') || !db.hasCollection('users')) return null;
  const roles = await db.getRepository('rolesUsers').find({ filter: { roleName: 'root' }, fields: ['userId'] });
  const id = roles.map((role: Model) => role.get('userId') as number);
  const roots = id.length ? await usersOf(db).findAll({ attributes: ['password'], where: { id } }) : [];
  for (const root of roots) {
    const hash = (root.get('password') as string | null) ?? '';
    if (hash === LOCKED) return 'locked';
    if (await isPassword(DEFAULT_PASSWORD, hash)) return 'default';
  }
  return null;
}

const usersOf = (db: Database) => db.getModel('users');
