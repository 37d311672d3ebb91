import { describe, expect, it } from 'vitest';
import { perform } from '../../src/server/supervisor/api/action';
import { APPS } from '../../src/server/supervisor/api/apps';
import { KEEP_DELETED } from '../../src/server/supervisor/definitions/repository';
import type { DeletedAppRow } from '../../src/shared/deleted';
import { MemoryFleet } from '../support/memory-fleet';

describe('a deleted app', () => {
  const fleetOf = async () => {
    const fleet = new MemoryFleet();
    const supervisor = await fleet.supervisor();
    for (const name of ['env_a', 'env_b']) await fleet.environment(name);
    await fleet.runningApp(supervisor, 'crm', ['env_b', 'env_a']);
    const { parts } = supervisor.part;
    const act = (what: typeof APPS.deleted, params: object = {}, values = {}, hosts: string[] = []) => {
      const request = { supervisor: supervisor.part, params, values, userId: '7', caller: {}, may: { hosts } };
      return perform(what, request as never) as any;
    };
    const deleted = async (): Promise<DeletedAppRow[]> => (await act(APPS.deleted)).data;
    /** Both environments confirm that it is gone, and one of them that its data are no more its own. */
    const confirm = async () => {
      for (const environment of ['env_a', 'env_b', 'env_b']) {
        await fleet.run(1_000, 'env_a', 'env_b');
        await fleet.says(environment, 'crm', { status: 'not_found' });
      }
      await fleet.run(2_000, 'env_a', 'env_b');
    };
    const settings = { labels: ['trial'], pinned: true, startMode: 'withMain' as const, cname: 'crm.example.com' };
    await parts.service.update('crm', settings, '7');
    await fleet.run(1_000, 'env_a', 'env_b');
    const before = fleet.app('crm');
    return { fleet, supervisor, parts, act, deleted, confirm, before };
  };

  it('is listed until it can be restored no more, and restored as it was', async () => {
    const { fleet, act, deleted, confirm, before } = await fleetOf();
    await act(APPS.destroy, { filterByTk: 'crm' });
    const [pending] = await deleted();
    expect(pending).toMatchObject({ name: 'crm', title: 'crm', labels: ['trial'], until: null });
    await expect(act(APPS.restore, { filterByTk: pending.uid })).rejects.toMatchObject({ code: 'DELETION_PENDING' });
    await confirm();
    const [row] = await deleted();
    expect(row).toMatchObject({ uid: before.uid, environments: ['env_b', 'env_a'], cname: 'crm.example.com' });
    expect(row.until).toBeGreaterThan(fleet.clock.wall + KEEP_DELETED - 60_000);

    const { data } = await act(APPS.restore, { filterByTk: row.uid });
    expect(data).toMatchObject({ name: 'crm', pinned: true, labels: ['trial'], operation: { action: 'restore' } });
    const after = fleet.app('crm');
    const { uid, jwtSecret, database, labels, pinned, startMode, cname, targetEnvironment } = before;
    expect(after).toMatchObject({ uid, jwtSecret, database, labels, pinned, startMode, cname, targetEnvironment });
    expect(after).toMatchObject({ provision: 'adopt', desired: 'running', environments: ['env_b', 'env_a'] });
    // A Worker takes what is older than the removal for a late message.
    expect(after.generation).toBeGreaterThan(Number(before.generation) + 1);
    expect(fleet.database.visible('appEvents').at(-1)).toMatchObject({
      kind: 'change',
      createdById: '7',
      message: expect.stringContaining('ACTION_RESTORE'),
    });
    expect(await deleted()).toEqual([]);
    await expect(act(APPS.restore, { filterByTk: row.uid })).rejects.toMatchObject({ code: 'UNKNOWN_APP' });
  });

  it('gets its name and its domain only if they are free, and goes where somebody wants it', async () => {
    const { fleet, supervisor, parts, act, deleted, confirm } = await fleetOf();
    await act(APPS.destroy, { filterByTk: 'crm' });
    await confirm();
    const [{ uid }] = await deleted();
    await fleet.runningApp(supervisor, 'CRM', ['env_a']);
    await expect(act(APPS.restore, { filterByTk: uid })).rejects.toMatchObject({ code: 'NAME_TAKEN' });
    // Nothing was lost by that.
    expect(await deleted()).toHaveLength(1);
    await fleet.runningApp(supervisor, 'shop', ['env_a']);
    await parts.appRepository.update('CRM', { name: 'other', cname: 'crm.example.com' });
    await parts.appCache.load();
    await expect(act(APPS.restore, { filterByTk: uid }, { environments: ['env_c'] })).rejects.toMatchObject({
      code: 'UNKNOWN_ENVIRONMENT',
    });
    const { data } = await act(APPS.restore, { filterByTk: uid }, { environments: ['env_a'] });
    expect(data).toMatchObject({ cname: null, environments: ['env_a'], targetEnvironment: 'env_a' });
  });

  it('does not get its domain back if main answers there by now', async () => {
    const { act, deleted, confirm } = await fleetOf();
    await act(APPS.destroy, { filterByTk: 'crm' });
    await confirm();
    const [{ uid }] = await deleted();
    const { data } = await act(APPS.restore, { filterByTk: uid }, {}, ['crm.example.com']);
    expect(data).toMatchObject({ name: 'crm', cname: null });
  });

  it('is forgotten at once if its data were dropped', async () => {
    const { fleet, act, deleted, confirm } = await fleetOf();
    await act(APPS.destroy, { filterByTk: 'crm' }, { database: 'drop' });
    expect(await deleted()).toEqual([]);
    await confirm();
    expect(fleet.database.visible('appTombstones')).toEqual([]);
  });
});
