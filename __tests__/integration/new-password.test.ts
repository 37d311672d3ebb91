import fs from 'node:fs';
import path from 'node:path';
import { Database } from '@nocobase/database';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '../../scripts/lib/root.mjs';
import { collections } from '../../src/server/core/collections';
import { AppRepository } from '../../src/server/supervisor/definitions/repository';
import { appOf } from '../support/fixtures';
import { type Ground, on, sql, startGround } from './databases-places';

/** The SQL of "A new password" in docs/database-roles.md, on the main database of a Supervisor. */

const DOCS = fs.readFileSync(path.join(ROOT, 'docs/database-roles.md'), 'utf8');
const [SECTION] = DOCS.slice(DOCS.indexOf('## A new password')).split(/^## (?!A new)/m);
const STATEMENTS = [...SECTION.matchAll(/```sql\n([^`]|`[^`])*?\n```/g)].map(([block]) => block.slice(7, -4));

let ground: Ground;
beforeAll(async () => {
  ground = await startGround();
});
afterAll(() => ground?.stop());

describe.each([
  ['postgres', 0],
  ['mariadb', 1],
  ['mysql', 1],
] as const)('in a main database on %s', (dialect, block) => {
  let db: Database;
  let repository: AppRepository;
  const place = () => on(dialect === 'postgres' ? ground.postgres : ground.mariadb, dialect, `password_${dialect}`);

  beforeAll(async () => {
    const { database, ...server } = place();
    const none = dialect === 'postgres' ? { ...server, database: 'postgres' } : { ...server, database: 'mysql' };
    await sql(none, `CREATE DATABASE ${database}`);
    db = new Database({ ...place(), logging: false } as never);
    for (const collection of collections) db.collection(collection);
    await db.sync();
    repository = new AppRepository({ db });
    for (const name of ['crm', 'shop']) {
      const { createdAt: _, updatedAt: __, sort: ___, ...values } = appOf({ name, uid: `uid-${name}` });
      const database = { dbConnType: 'new_database' as const, database: name, username: name, password: 'known' };
      await repository.create({ ...values, database, jwtSecret: 'known' });
    }
  });
  afterAll(() => db?.close());

  it('replaces the password and the JWT secret of one app, by what nobody knows, and nothing else', async () => {
    const before = await repository.find('crm');
    await sql(place(), STATEMENTS[block]);
    const first = await repository.find('crm');
    expect(first).toEqual({
      ...before,
      jwtSecret: null,
      database: { ...before?.database, password: expect.stringMatching(/^[0-9a-f]{64}$/) },
      updatedAt: expect.anything(),
    });
    await sql(place(), STATEMENTS[block]);
    expect((await repository.find('crm'))?.database.password).not.toBe(first?.database.password);
    expect(await repository.find('shop')).toMatchObject({ jwtSecret: 'known', database: { password: 'known' } });
  });
});

it('is a statement for PostgreSQL, and one for MySQL and MariaDB', () => {
  expect(STATEMENTS).toHaveLength(2);
});
