import { Database, type Model } from '@nocobase/database';
import type { Application } from '@nocobase/server';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { query } from '../../scripts/fleet';
import { systemClock } from '../../src/server/clock';
import { hashPassword, isPassword } from '../../src/server/protocol/administrator';
import {
  findAdminPassword,
  setAdminPassword,
  watchAdminPassword,
} from '../../src/server/worker/hosting/first-administrator';
import type { AdminPassword } from '../../src/shared/messages';
import { until } from '../support/wait';

/** What a worker finds of a root user's password, on a real database. */

const DATABASE = 'administrators';
const OWN = 'of her own';

let db: Database;
let told: (AdminPassword | null)[];

function open(): Database {
  const { host, port, user: username, password } = inject('postgres');
  const options = { dialect: 'postgres', host, port, username, password, database: DATABASE, logging: false };
  return new Database(options as never);
}

const app = () => ({ db }) as unknown as Application;
const user = (username: string): Promise<Model> => db.getRepository('users').findOne({ filter: { username } });

beforeEach(async () => {
  await query(inject('postgres'), 'postgres', `DROP DATABASE IF EXISTS ${DATABASE} WITH (FORCE)`);
  await query(inject('postgres'), 'postgres', `CREATE DATABASE ${DATABASE}`);
  told = [];
  db = open();
  // What of plugin-users and plugin-acl matters here.
  db.collection({ name: 'roles', autoGenId: false, fields: [{ name: 'name', type: 'string', primaryKey: true }] });
  db.collection({
    name: 'users',
    fields: [
      { name: 'username', type: 'string' },
      { name: 'nickname', type: 'string' },
      { name: 'email', type: 'string' },
      { name: 'password', type: 'password', hidden: true },
      { name: 'passwordChangeTz', type: 'bigInt' },
      {
        name: 'roles',
        type: 'belongsToMany',
        target: 'roles',
        foreignKey: 'userId',
        otherKey: 'roleName',
        through: 'rolesUsers',
      },
    ],
  });
  await db.sync();
  await db.getRepository('roles').createMany({ records: [{ name: 'root' }, { name: 'member' }] });
  for (const [username, role] of [
    ['root', 'root'],
    ['guest', 'member'],
  ])
    await db.getRepository('users').create({
      values: { username, email: `${username}@example.test`, password: 'admin123', roles: [role] },
    });
  db.on('users.beforeUpdate', (changed: Model) => {
    if (changed.changed('password')) changed.set('passwordChangeTz', Date.now());
  });
});
afterEach(() => db.close());

describe('what is wrong with the password of an administrator', () => {
  it('is found for a root user alone, and for NocoBase’s own password alone', async () => {
    expect(await findAdminPassword(db)).toBe('default');
    await (await user('root')).update({ password: OWN });
    expect(await findAdminPassword(db)).toBe(null);
  });

  it('is nothing where there are no users', async () => {
    const empty = open();
    expect(await findAdminPassword(empty)).toBe(null);
    await empty.close();
  });

  it('is told at the start, and again when a password was changed, once that is committed', async () => {
    await watchAdminPassword(app(), systemClock, (found) => told.push(found));
    expect(told).toEqual(['default']);
    await (await user('root')).update({ nickname: 'Root' });
    await db.sequelize.transaction(async (transaction) => {
      await (await user('root')).update({ password: OWN }, { transaction });
    });
    await until('The change', () => told.length === 2);
    await (await user('root')).update({ password: 'admin123' });
    await until('The change back', () => told.length === 3);
    // The nickname was no reason to look.
    expect(told).toEqual(['default', null, 'default']);
  });

  it('is not told where it cannot be read', async () => {
    await db.close();
    await watchAdminPassword(app(), systemClock, (found) => told.push(found));
    expect(told).toEqual([]);
    db = open();
  });
});

describe('a new password of an administrator', () => {
  const passwordOf = async (username: string) => (await user(username)).get('password') as string;
  const second = () =>
    db.getRepository('users').create({ values: { username: 'second', password: 'admin123', roles: ['root'] } });

  it('is stored as it came, ends the sessions of the account, and changes nobody else', async () => {
    const before = await passwordOf('guest');
    const now = Date.now();
    const hash = await hashPassword('new');
    expect(await setAdminPassword(app(), 'crm', hash)).toEqual({ username: 'root', email: 'root@example.test' });
    expect(await passwordOf('root')).toBe(hash);
    expect(await isPassword('new', await passwordOf('root'))).toBe(true);
    expect(Number((await user('root')).get('passwordChangeTz'))).toBeGreaterThanOrEqual(now);
    expect(await passwordOf('guest')).toBe(before);
    expect(await findAdminPassword(db)).toBe(null);
  });

  it('is that of the root user whose password is a problem', async () => {
    await (await user('root')).update({ password: OWN });
    await second();
    expect(await setAdminPassword(app(), 'crm', await hashPassword('new'))).toMatchObject({ username: 'second' });
    expect(await isPassword(OWN, await passwordOf('root'))).toBe(true);
    expect(await findAdminPassword(db)).toBe(null);
  });

  it('is nobody else’s who changes a password at the same moment', async () => {
    const hash = await hashPassword('new');
    const [guest] = await Promise.all([user('guest')]);
    await Promise.all([setAdminPassword(app(), 'crm', hash), guest.update({ password: 'by herself' })]);
    expect(await isPassword('by herself', await passwordOf('guest'))).toBe(true);
    expect(await passwordOf('root')).toBe(hash);
  });

  it('is hashed again when the account changes it later', async () => {
    await setAdminPassword(app(), 'crm', await hashPassword('new'));
    await (await user('root')).update({ password: 'later' });
    expect(await isPassword('later', await passwordOf('root'))).toBe(true);
  });

  it('is refused where nobody has the role', async () => {
    await db.getRepository('rolesUsers').destroy({ filter: { roleName: 'root' } });
    await expect(setAdminPassword(app(), 'crm', await hashPassword('new'))).rejects.toMatchObject({
      code: 'ADMIN_MISSING',
      params: { app: 'crm' },
    });
  });
});
