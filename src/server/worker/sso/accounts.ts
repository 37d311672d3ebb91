import type { Filter, Model } from '@nocobase/database';
import type { Application } from '@nocobase/server';
import type { SsoUser } from '../../../shared/messages';
import { createdIn, isSameFleet, type SsoSettings } from '../../../shared/sso';
import type { Identities, Person } from './identities';
import { type Account, entranceOf, isPrivilegedRole, type Known, nameOf } from './whom';

/** The accounts of an app: its own users, in its own database. */

const usersOf = ({ db }: Application) => db.getRepository('users');

async function accountWhere(
  app: Application,
  filter: Filter,
  by: SsoUser,
  identities: Identities,
): Promise<Account | null> {
  const user = (await usersOf(app).findOne({ filter, appends: ['roles'] })) as Model | null;
  // A database may take "ALICE" for "alice", who is somebody else in the main app.
  if (!user || Object.entries(filter).some(([field, value]) => String(user.get(field)) !== String(value))) return null;
  const id = String(user.get('id'));
  const since = createdIn(user.get('createdAt'));
  const roles = (user.get('roles') ?? []) as Model[];
  const bound = await identities.ofAccount({ id, since });
  return {
    id,
    since,
    isPrivileged: roles.some(isPrivileged),
    // Users of another fleet, whose app this was, do not come back.
    isBound: bound !== null && isSameFleet(bound.user.id, by.id),
  };
}

/**
 * The first administrator of an app that a user has just created: an account of his name with every permission, which nobody has
 * signed in to. Its password may have been passed on: whoever has used it is not joined.
 */
export async function firstAccount(app: Application, { username }: SsoUser): Promise<string | null> {
  if (!username) return null;
  const user = (await usersOf(app).findOne({ filter: { username }, appends: ['roles'] })) as Model | null;
  const roles = (user?.get('roles') ?? []) as Model[];
  if (!user || user.get('username') !== username || !roles.some((role) => role.get('name') === 'root')) return null;
  const sessions = await app.db.getModel('issuedTokens').count({ where: { userId: user.get('id') } });
  return sessions ? null : String(user.get('id'));
}

/**
 * Finds, binds or creates the account of a user of the main app.
 * @param endedAt when his sign-ins last ended: what ended before the account is bound needs no end
 * @returns its id, or why there is none
 */
export async function enter(
  app: Application,
  user: SsoUser,
  settings: SsoSettings,
  identities: Identities,
  endedAt: number,
): Promise<{ account: string } | { why: Extract<ReturnType<typeof entranceOf>, { do: 'refuse' }>['why'] }> {
  const entrance = entranceOf(user, await known(app, user, settings, identities), settings);
  if (entrance.do === 'refuse') return { why: entrance.why };
  if (entrance.do === 'signIn') return { account: entrance.account.id };
  const account = entrance.do === 'bind' ? entrance.account : await signUp(app, user, settings);
  if (account === null) return { why: 'SSO_NO_ACCOUNT' };
  try {
    await identities.bind({ user, account, endedAt });
  } catch (error) {
    // Two tabs, or two environments, at the same time: the first one has bound it.
    const first = await identities.ofUser(user);
    if (!first) throw error;
    return { account: first.account.id };
  }
  return { account: account.id };
}

async function known(app: Application, user: SsoUser, settings: SsoSettings, identities: Identities): Promise<Known> {
  const identity = await identities.ofUser(user);
  if (identity) {
    const bound = await accountWhere(app, { id: identity.account.id }, user, identities);
    if (!bound || bound.since === identity.account.since) return { bound, named: null };
    // The id belongs to somebody else since a backup was restored.
    await identities.release(user);
  }
  const name = nameOf(user, settings);
  return { bound: undefined, named: name && (await accountWhere(app, name, user, identities)) };
}

/**
 * Names that somebody else has in the app are left out: they are unique there.
 * @returns null if the role that the account would get gives more than data, by the settings or as the app's default: the
 * settings were stored before the role became so, or name one that only the app knows
 */
async function signUp(app: Application, user: SsoUser, { signupRole }: SsoSettings): Promise<Person | null> {
  const free = async (field: 'username' | 'email') => {
    const value = user[field];
    return value && !(await usersOf(app).findOne({ filter: { [field]: value } })) ? { [field]: value } : {};
  };
  const roles = app.db.getRepository('roles');
  const named = signupRole && ((await roles.findOne({ filterByTk: signupRole })) as Model | null);
  const role = named || ((await roles.findOne({ filter: { default: true } })) as Model | null);
  if (role && isPrivileged(role)) return null;
  const created = await usersOf(app).create({
    values: {
      ...(await free('username')),
      ...(await free('email')),
      nickname: user.nickname ?? user.username ?? user.email,
      ...(named ? { roles: [signupRole] } : {}),
    },
  });
  return { id: String(created.get('id')), since: createdIn(created.get('createdAt')) };
}

const isPrivileged = (role: Model): boolean =>
  isPrivilegedRole(role.get('name') as string, (role.get('snippets') as string[] | null) ?? []);
