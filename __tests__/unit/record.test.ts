import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { recordFor } from '../../src/server/supervisor/rollout/record';
import { appRecord } from '../../src/shared/messages';
import { DESIRED } from '../../src/shared/words';
import { appOf, publishedOf } from '../support/fixtures';

describe('the record of an environment', () => {
  it('contains the definition and what was published there, and nothing that only the Supervisor needs', () => {
    const app = appOf({
      generation: 20,
      sso: { enabled: true },
      hidden: true,
      icon: 'Shop',
    });
    const record = recordFor(app, publishedOf({ generation: 12, desired: 'stopped', provision: 'create' }));
    expect(appRecord.parse(record)).toEqual(record);
    expect(record).toMatchObject({
      generation: 12,
      boot: { generation: 12, how: 'start' },
      desired: 'stopped',
      provision: 'create',
      sso: { enabled: true },
      icon: null,
    });
    for (const key of ['hidden', 'published', 'placements', 'previous', 'targetEnvironment', 'createdAt'])
      expect(record).not.toHaveProperty(key);
  });

  it('contains the first administrator only where the app is installed', () => {
    const initialAdmin = { username: 'ada', email: null, password: 'a hash' };
    const app = appOf({ initialAdmin, provision: 'create' });
    const record = recordFor(app, publishedOf({ provision: 'create' }));
    expect(appRecord.parse(record)).toMatchObject({ initialAdmin });
    expect(recordFor(app, publishedOf({ provision: 'none' }))).not.toHaveProperty('initialAdmin');
    expect(recordFor({ ...app, initialAdmin: null }, publishedOf({ provision: 'create' }))).not.toHaveProperty(
      'initialAdmin',
    );
  });
});

describe('the secrets in a record', () => {
  const SECRETS = {
    password: 'of the role',
    nextPassword: 'to be of it',
    jwtSecret: 'of its tokens',
    admin: 'of its first administrator',
  };
  const app = appOf({
    title: 'Private',
    cname: 'private.example.com',
    sso: { enabled: true },
    provision: 'create',
    database: {
      dbConnType: 'new_database',
      database: 'place',
      username: 'role',
      password: SECRETS.password,
      nextPassword: SECRETS.nextPassword,
      renewsPassword: true,
    },
    jwtSecret: SECRETS.jwtSecret,
    initialAdmin: { username: 'ada', email: null, password: SECRETS.admin },
  });
  const { renewsPassword: _, ...access } = app.database;
  const uploads = fc.record({
    from: fc.constant('env_b'),
    generation: fc.nat(),
    wait: fc.boolean(),
    address: fc.constant('http://b'),
    ahead: fc.boolean(),
  });
  /** All that any caller can publish, and more. */
  const wishes = fc.record(
    {
      generation: fc.nat(),
      boot: fc.record({ generation: fc.nat(), how: fc.constantFrom('start' as const, 'restart', 'upgrade') }),
      desired: fc.constantFrom(...DESIRED),
      provision: fc.constantFrom('none' as const, 'create', 'adopt'),
      data: fc.constantFrom('keep' as const, 'drop', 'release'),
      uploads,
      stray: fc.constant(true),
      sentTo: fc.constantFrom('online' as const, 'away'),
    },
    { requiredKeys: ['generation', 'boot', 'desired', 'provision', 'data'] },
  );

  it('are those that the environment needs, whatever is published', () => {
    fc.assert(
      fc.property(wishes, (wish) => {
        const record = recordFor(app, wish);
        expect(appRecord.parse(record)).toEqual(record);
        const text = JSON.stringify(record);
        const found = Object.entries(SECRETS).flatMap(([name, secret]) => (text.includes(secret) ? name : []));
        const isRemoved = wish.desired === 'removed';
        const isAhead = wish.uploads?.ahead === true;
        const placed = ['password', 'nextPassword', 'jwtSecret', ...(wish.provision === 'create' ? ['admin'] : [])];
        const removed = wish.data === 'keep' ? [] : ['password', 'nextPassword'];
        const wanted = isRemoved ? removed : isAhead ? [] : placed;
        expect(found).toEqual(wanted);
        expect(record).not.toHaveProperty('stray');
        expect(record).not.toHaveProperty('sentTo');
        expect(record.database).not.toHaveProperty('renewsPassword');
        if (!isRemoved) return;
        expect(record.uploads).toBeUndefined();
        const { database, ...others } = record;
        const said = ['Private', 'private.example.com', 'enabled', 'env_a', ...(wish.data === 'keep' ? ['place'] : [])];
        for (const each of said) expect(JSON.stringify(wish.data === 'keep' ? record : others)).not.toContain(each);
        expect(database).toEqual(wish.data === 'keep' ? { dbConnType: 'new_database' } : access);
      }),
    );
  });
});
