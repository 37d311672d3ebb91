import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../../scripts/fleet';
import { checkDatabase, type DatabaseConnection, dropDatabase, prepareDatabase } from '../../src/server/databases';
import { dialects } from '../../src/server/databases/dialects';
import { say } from '../../src/shared/message';
import { silentServer } from '../support/tcp';
import { fakeTimeOf } from '../support/wait';
import { inWords, kept, on, sql } from './databases-places';
import { type Server, startMariadb } from './databases-servers';

let server: Server;
let count = 0;
const create = { app: 'one', uid: 'uid-1', mayCreate: true };

beforeAll(async () => {
  server = await startMariadb();
});
afterAll(() => server?.stop());

describe.each(['mariadb', 'mysql'] as const)('MariaDB by the driver of %s', (dialect) => {
  const newDatabase = () => on(server, dialect, `app_${++count}`);
  const asAdmin = async (...statements: string[]) => {
    for (const statement of statements) await sql({ ...newDatabase(), database: 'mysql' }, statement);
  };
  async function user(): Promise<DatabaseConnection> {
    const username = `user_${++count}`;
    await asAdmin(`CREATE USER '${username}'@'%' IDENTIFIED BY 'secret'`);
    return { ...newDatabase(), username, password: 'secret' };
  }
  const failed = async (connection: DatabaseConnection) => {
    const { checks, verdict } = await checkDatabase(connection, 'new_database');
    return { verdict, ...inWords(checks.at(-1)!) };
  };

  it('says that the password is wrong', async () => {
    const connection = { ...newDatabase(), password: 'do-not-tell' };
    expect(await failed(connection)).toMatchObject({ verdict: 'unusable', name: 'signIn' });
    const error = await prepareDatabase(connection, 'new_database', create).catch((e) => e);
    expect(error).toMatchObject({ code: 'DATABASE_SIGN_IN' });
    expect(error.message).not.toContain('do-not-tell');
  });

  it('says that nobody listens', async () => {
    const connection = { ...newDatabase(), port: await freePort() };
    expect(await failed(connection)).toMatchObject({ verdict: 'unusable', name: 'reachable' });
    await expect(prepareDatabase(connection, 'new_database', create)).rejects.toMatchObject({
      code: 'DATABASE_UNREACHABLE',
    });
  });

  it('says within 5 s that a server does not answer', async () => {
    const silent = await silentServer();
    const check = await fakeTimeOf(
      () => ({ work: failed({ ...newDatabase(), port: silent.port }), ready: () => silent.connections() > 0 }),
      20_000,
    );
    expect(check.result).toMatchObject({ verdict: 'unusable', name: 'reachable' });
    expect(check.ms).toBeLessThan(5_000);
    silent.close();
  });

  it('says what a user may not, with SQL that mends it', async () => {
    const connection = await user();
    const check = await failed(connection);
    expect(check).toMatchObject({ verdict: 'unusable', name: 'create' });
    const error = await prepareDatabase(connection, 'new_database', create).catch((e) => e);
    expect(error).toMatchObject({
      code: 'DATABASE_CREATE_DENIED',
      message: expect.stringContaining(String(check.remedy)),
    });
    await asAdmin(...String(check.remedy).split('; '));
    expect(await failed(connection)).toMatchObject({ verdict: 'free' });
    expect(await prepareDatabase(connection, 'new_database', create)).toMatchObject({ mark: { created: false } });
  });

  it('lets a user create whose grant is a pattern', async () => {
    const connection = await user();
    await asAdmin(`GRANT ALL ON \`app\\_%\`.* TO '${connection.username}'@'%'`);
    expect(await failed(connection)).toMatchObject({ verdict: 'free' });
    expect(await prepareDatabase(connection, 'new_database', create)).toMatchObject({ mark: { created: true } });
  });

  it('creates databases that hold every script', async () => {
    const connection = newDatabase();
    await prepareDatabase(connection, 'new_database', create);
    const rows = await sql(
      connection,
      'SELECT default_character_set_name AS name FROM information_schema.schemata WHERE schema_name = ?',
      [connection.database],
    );
    // Without what its driver hangs onto the list.
    expect([...rows]).toEqual([expect.objectContaining({ name: 'utf8mb4' })]);
  });

  it("neither takes nor drops the server's own database", async () => {
    const connection = { ...newDatabase(), database: 'mysql' };
    await expect(prepareDatabase(connection, 'new_database', create)).rejects.toMatchObject({
      code: 'DATABASE_RESERVED',
    });
    expect(await dropDatabase(connection, 'new_database', create)).toMatchObject(
      kept('KEPT_RESERVED', { owner: say('OWNER_SERVER') }),
    );
  });

  it('tells of a session that the server ended', async () => {
    const session = await dialects[dialect].connect(newDatabase(), null, 'test');
    const lost = new Promise<Error>((resolve) => session.onLost(resolve));
    const id = (await session.query('SELECT CONNECTION_ID() AS id'))[0]?.id;
    await asAdmin(`KILL ${id}`);
    expect(await lost).toBeInstanceOf(Error);
    await session.close();
  });
});
