import type { Database, Model, Transaction } from '@nocobase/database';
import type { Application, Plugin } from '@nocobase/server';
import type { AdminPassword, InitialAdmin, ResetAdministrator } from '../../../shared/messages';
import type { Clock } from '../../clock';
import { AppSupervisorError } from '../../errors';
import { DEFAULT_PASSWORD, isPassword } from '../../protocol/administrator';

/** Stored instead of a hash: no password matches it. */
const LOCKED = 'locked by app-supervisor';

/**
 * Makes the root user that an installation of the app creates the given administrator, in the same INSERT: the user
 * that NocoBase would create, with a well-known password, is never stored.
 *
 * @param admin with the unsealed hash; null if none was named: then no password matches
 * @param onLocked called in that case
 */
export function installAs(app: Application, admin: InitialAdmin | null, onLocked: () => void): void {
  const stored = admin ?? { password: LOCKED };
  app.on('beforeInstallPlugin', (plugin: Plugin) => {
    if (plugin.getName() !== 'users') return;
    // Added after the field's own listener, which hashes the value it finds (@nocobase/database, password-field).
    app.db.once('users.beforeCreate', (root: Model) => void root.set(stored));
  });
  app.on('afterInstallPlugin', async (plugin: Plugin) => {
    if (plugin.getName() !== 'users') return;
    const [root] = await usersOf(app.db).findAll({ attributes: ['password'], order: [['id', 'ASC']], limit: 1 });
    // Before the version is written, so that an installation that ends here starts again.
    if (root?.get('password') !== stored.password) throw new Error('The password of its administrator was not stored.');
    if (!admin) onLocked();
  });
}

/**
 * Checks the root user's password, and again when somebody's password is changed. Called for each start of an app,
 * which has its own database object. Never rejects.
 *
 * @param onFound gets the problem; not called if the password could not be read
 */
export async function watchAdminPassword(
  app: Application,
  clock: Clock,
  onFound: (found: AdminPassword | null) => void,
): Promise<void> {
  let checkedAt = 0;
  const poll = async () => {
    checkedAt = clock.now().wall;
    onFound(await findAdminPassword(app.db));
  };
  const checkAgain = () => void poll().catch(() => undefined);
  try {
    app.db.on('users.afterUpdate', (user: Model, { transaction }: { transaction?: Transaction }) => {
      // plugin-users writes this field together with the password; an import changes thousands of users and no
      // password.
      if (!(Number(user.get('passwordChangeTz')) >= checkedAt)) return;
      if (transaction) transaction.afterCommit(checkAgain);
      else checkAgain();
    });
    await poll();
  } catch {
    // The next start checks it again.
  }
}

/** The problem of a root user's password; null if there is none. */
export async function findAdminPassword(db: Database): Promise<AdminPassword | null> {
  for (const root of await rootUsersOf(db)) {
    const problem = await problemOf(root);
    if (problem) return problem;
  }
  return null;
}

/**
 * Gives a root user a new password: the one whose password is a problem, else the first one. NocoBase ends the sessions
 * of the account.
 *
 * @param name of the app, for the error
 * @param hash in NocoBase's format
 * @throws AppSupervisorError ADMIN_MISSING
 */
export async function setAdminPassword(
  { db }: Pick<Application, 'db'>,
  name: string,
  hash: string,
): Promise<ResetAdministrator> {
  const roots = await rootUsersOf(db);
  const problems = await Promise.all(roots.map(problemOf));
  const user = roots[Math.max(0, problems.findIndex(Boolean))];
  if (!user) throw new AppSupervisorError('ADMIN_MISSING', { app: name });
  // Added after the field's own listener, which would hash the hash.
  const keepHash = (changed: Model) => {
    if (changed === user) user.set('password', hash);
  };
  db.on('users.beforeUpdate', keepHash);
  try {
    await user.update({ password: hash });
  } finally {
    db.off('users.beforeUpdate', keepHash);
  }
  const [username, email] = ['username', 'email'].map((field) => user.get(field) as string | null);
  return { username: username || email || '', email };
}

async function rootUsersOf(db: Database): Promise<Model[]> {
  if (!db.hasCollection('rolesUsers') || !db.hasCollection('users')) return [];
  const roles = await db.getRepository('rolesUsers').find({ filter: { roleName: 'root' }, fields: ['userId'] });
  const id = roles.map((role: Model) => role.get('userId') as number);
  return id.length ? usersOf(db).findAll({ where: { id }, order: [['id', 'ASC']] }) : [];
}

async function problemOf(root: Model): Promise<AdminPassword | null> {
  const hash = (root.get('password') as string | null) ?? '';
  if (hash === LOCKED) return 'locked';
  return (await isPassword(DEFAULT_PASSWORD, hash)) ? 'default' : null;
}

const usersOf = (db: Database) => db.getModel('users');
