import { randomBytes } from 'node:crypto';
import { expect, inject, it } from 'vitest';
import { ensureDatabase, query } from '../../scripts/fleet';

/** The main databases that `npm start` makes on a server of its own. */

it('nobody but its owner enters a main database, from its first moment, also after a start that was cut off', async () => {
  const server = inject('postgres');
  const [owner, stranger, password] = ['launcher_owner', 'launcher_stranger', randomBytes(8).toString('hex')];
  for (const role of [owner, stranger])
    await query(server, 'postgres', `CREATE ROLE ${role} LOGIN PASSWORD '${password}'`);
  const enter = (user: string, database: string) => query({ ...server, user, password }, database, 'SELECT 1');
  const made = `CREATE DATABASE launcher_cut OWNER ${owner} TEMPLATE template0 ALLOW_CONNECTIONS false`;
  await query(server, 'postgres', made);
  expect(await ensureDatabase(server, 'launcher_cut', owner)).toBe(false);
  expect(await ensureDatabase(server, 'launcher_new', owner)).toBe(true);
  for (const database of ['launcher_cut', 'launcher_new']) {
    await enter(owner, database);
    await expect(enter(stranger, database)).rejects.toMatchObject({ code: '42501' });
  }
});
