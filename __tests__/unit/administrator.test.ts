import { PasswordField } from '@nocobase/database';
import { describe, expect, it } from 'vitest';
import { administratorOf, hashPassword, isPassword, sealAdministrator } from '../../src/server/protocol/administrator';
import { unseal } from '../../src/server/protocol/secrets';

/** NocoBase's own field, with what plugin-users sets of it. */
const field = Object.assign(Object.create(PasswordField.prototype), { options: { name: 'password' } }) as PasswordField;

describe('password hash', () => {
  it('is accepted by NocoBase for sign-in', async () => {
    const hash = await hashPassword('Pass wörd');
    expect(await field.verify('Pass wörd', hash)).toBe(true);
    expect(await field.verify('Pass word', hash)).toBe(false);
    expect(hash).toHaveLength((await field.hash('Pass wörd')).length);
    expect(await hashPassword('Pass wörd')).not.toBe(hash);
  });

  it('made by NocoBase is distinguished from that of another password', async () => {
    const hash = await field.hash('admin123');
    expect(await isPassword('admin123', hash)).toBe(true);
    expect(await isPassword('admin124', hash)).toBe(false);
    for (const none of ['', 'no hash']) expect(await isPassword('admin123', none)).toBe(false);
  });
});

describe('first administrator of a new app', () => {
  const asker = { username: 'ada', email: 'ada@example.com' };

  it('has the given values', () => {
    const given = { username: 'bob', email: 'bob@example.com', password: 'of his own' };
    expect(administratorOf(given, asker)).toEqual(given);
  });

  it('takes missing values from the caller, with 20 random characters as password', () => {
    const made = administratorOf(undefined, asker);
    expect(made).toEqual({ ...asker, password: expect.stringMatching(/^[A-Za-z2-9]{20}$/) });
    expect(administratorOf({}, asker).password).not.toBe(made.password);
    expect(administratorOf({ username: 'bob' }, asker)).toMatchObject({ username: 'bob', email: asker.email });
  });

  it('has NocoBase’s own user name, and no address, for a caller who has neither', () => {
    for (const nobody of [{}, { username: null, email: null }, { username: '', email: '' }]) {
      expect(administratorOf(undefined, nobody)).toMatchObject({ username: 'nocobase', email: null });
    }
  });

  it('invariant 8: is sent with a sealed hash, and without the password', async () => {
    const key = Buffer.alloc(32, 3);
    const admin = { ...asker, password: 'of his own' };
    const sealed = await sealAdministrator(admin, key);
    expect(sealed).toEqual({ ...asker, password: expect.stringMatching(/^sealed:/) });
    expect(await field.verify('of his own', unseal(sealed.password, key, 'crm'))).toBe(true);
    expect(await field.verify('of his own', (await sealAdministrator(admin, null)).password)).toBe(true);
  });
});
