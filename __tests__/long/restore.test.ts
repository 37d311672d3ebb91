import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Fleet, query, waitFor } from '../../scripts/fleet';
import type { DeletedAppRow } from '../../src/shared/deleted';
import { sharedFleet } from '../setup/fleet';
import { Manager, signInTo } from '../support/manager';

/** A deleted app whose data were kept comes back with its settings, its data, and its users. */

let fleet: Fleet;
let manager: Manager;

beforeAll(async () => {
  fleet = await sharedFleet();
  manager = await Manager.of(fleet);
});

afterAll(() => manager?.clear('returns'));

const deleted = async (): Promise<DeletedAppRow | undefined> =>
  (await manager.api.get('apps:deleted')).data.find(({ name }: DeletedAppRow) => name === 'returns');
const mark = async () =>
  (await query(fleet.postgresServer, 'returns', "SELECT to_regclass('app_supervisor_mark') AS is_there")).rows[0]
    .is_there;

it('is restored where it was, adopts its own database, and lets its users in', async () => {
  const settings = { labels: ['customer:acme'], pinned: true, startMode: 'withMain', title: 'Comes back' };
  const before = await manager.create({ name: 'returns', environments: ['env_b'], ...settings });
  const admin = await signInTo(fleet.supervisor, 'returns');
  await admin.post('users:create', { username: 'kept', email: 'kept@example.com', password: 'kept-password-1' });

  await manager.destroy('returns', 'keep');
  // Another app may adopt it now, and this one can.
  expect(await mark()).toBeNull();
  const row = await waitFor(async () => ((await deleted())?.until ? await deleted() : null), {
    timeout: 60_000,
    what: 'The app to be restorable',
  });
  expect(row).toMatchObject({ uid: before.uid, title: 'Comes back', environments: ['env_b'] });

  const { data } = await manager.api.post(`apps:restore?filterByTk=${row.uid}`);
  expect(data.operation.action).toBe('restore');
  await manager.succeeded(data.operation);
  const after = await manager.app('returns');
  expect(after).toMatchObject({ ...settings, uid: before.uid, environments: ['env_b'] });
  expect(await mark()).toBe('app_supervisor_mark');
  const kept = await signInTo(fleet.supervisor, 'returns', { email: 'kept@example.com', password: 'kept-password-1' });
  expect((await kept.get('auth:check')).data.username).toBe('kept');
  // Its own JWT secret: a session of before goes on.
  expect((await admin.get('auth:check')).data.id).toBe(1);
  expect(await deleted()).toBeUndefined();
});
