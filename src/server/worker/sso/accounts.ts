import type { Filter, Model } from '@nocobase/database';
import type { Application } from '@nocobase/server';
import type { SsoUser } from '../../../shared/messages';
import type { SsoSettings } from '../../../shared/sso';
import { type Account, entranceOf, isPrivilegedRole, nameOf } from './decide';
import type { Identities, Identity } from './identities';

/** The accounts of an app: its own users, in its own database. */

const usersOf = ({ db }: Application) => db.getRepository('users');

async function accountWhere(app: Application, filter: Filter, identities: Identities): Promise<Account | null> {
  const user = (await usersOf(app).findOne({ filter, appends: ['roles'] })) as Model | null;
  // A database may take "ALICE" for "alice", who is somebody else in the main app.
  if (!user || Object.entries(filter).some(([field, value]) => String(user.get(field)) !== String(value))) return null;
  const id = String(user.get('id'));
  const roles = (user.get('roles') ?? []) as Model[];
  return {
    id,
    isPrivileged: roles.some((role) => isPrivilegedRole(role.get('name') as string, role.get('snippets') ?? [])),
    isBound: (await identities.ofAccount(id)) !== null,
  };
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
  const known = async (identity: Identity | null) => {
    if (identity) return { bound: await accountWhere(app, { id: identity.account }, identities), named: null };
    const name = nameOf(user, settings);
    return { bound: undefined, named: name && (await accountWhere(app, name, identities)) };
  };
  const entrance = entranceOf(user, await known(await identities.ofUser(user.id)), settings);
  if (entrance.do === 'refuse') return { why: entrance.why };
  if (entrance.do === 'signIn') return { account: entrance.account };
  const account = entrance.do === 'bind' ? entrance.account : await signUp(app, user, settings);
  try {
    await identities.bind({ user: user.id, account, endedAt });
  } catch (error) {
    // Two tabs, or two environments, at the same time: the first one has bound it.
    const first = await identities.ofUser(user.id);
    if (!first) throw error;
    return { account: first.account };
  }
  return { account };
}

/** Names that somebody else has in the app are left out: they are unique there. */
async function signUp(app: Application, user: SsoUser, { signupRole }: SsoSettings): Promise<string> {
  const free = async (field: 'username' | 'email') => {
    const value = user[field];
    return value && !(await usersOf(app).findOne({ filter: { [field]: value } })) ? { [field]: value } : {};
  };
  const role = signupRole && (await app.db.getRepository('roles').findOne({ filterByTk: signupRole }));
  const created = await usersOf(app).create({
    values: {
      ...(await free('username')),
      ...(await free('email')),
      nickname: user.nickname ?? user.username ?? user.email,
      ...(role ? { roles: [signupRole] } : {}),
    },
  });
  return String(created.get('id'));
}
