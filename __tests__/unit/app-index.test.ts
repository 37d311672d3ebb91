import { describe, expect, it } from 'vitest';
import { appModelsOf } from '../../src/server/core/adapters/app-models';
import { AppIndexReader, AppIndexWriter } from '../../src/server/protocol/app-index';
import { MemoryAppIndex } from '../../src/server/protocol/stores/memory/app-index';
import { MemoryTerm } from '../../src/server/protocol/stores/memory/term';
import type { AppDefinition } from '../../src/server/supervisor/apps/repository';
import { APP } from '../../src/shared/app';
import { defaultsIn } from '../../src/shared/fields';
import type { AppIndexEntry } from '../../src/shared/messages';

const entry: AppIndexEntry = {
  ...defaultsIn(APP, 'index'),
  name: 'crm',
  uid: 'uid-1',
  title: 'CRM',
  icon: 'Shop',
  cname: 'crm.example.com',
  sort: 1,
  pinned: true,
  hidden: true,
  startMode: 'onVisit',
  environments: ['env_a'],
  sso: { mapping: { field: 'email' } },
};

describe("the core's view of an app", () => {
  it('is a copy: modifying it changes no definition (131c9d3)', () => {
    const before = structuredClone(entry);
    const [model] = appModelsOf([entry]) as unknown as {
      environments: string[];
      options: { sso: { mapping: { field: string } } };
    }[];
    model.environments.push('env_b');
    model.options.sso.mapping.field = 'name';
    Object.assign(model.options, { hidden: false });
    expect(entry).toEqual(before);
  });
});

it('every process has the apps in the same order, whatever the order of their arrival', () => {
  const entries = [
    { ...entry, name: 'wiki' },
    { ...entry, name: 'shop', sort: 0 },
    { ...entry, name: 'crm' },
  ];
  expect(appModelsOf(entries).map(({ name }) => name)).toEqual(['shop', 'crm', 'wiki']);
  expect(entries[0].name).toBe('wiki');
});

describe('writers and readers of the app index', () => {
  const appsOf = (...names: string[]) =>
    new Map(names.map((name) => [name, { ...entry, name, uid: `uid-${name}` } as unknown as AppDefinition]));
  const leader = { instance: 'one', publicUrl: null };
  const versionOf = async (store: MemoryAppIndex) => (await store.read(''))?.version;
  const namesOf = async (store: MemoryAppIndex) => [...((await store.read(''))?.entries.keys() ?? [])].sort();

  it('equal content has an equal version, whoever wrote it and in whatever steps', async () => {
    const [once, inSteps] = [new MemoryAppIndex(new MemoryTerm()), new MemoryAppIndex(new MemoryTerm())];
    await new AppIndexWriter(once, leader).write(appsOf('crm', 'shop'), 1);
    const writer = new AppIndexWriter(inSteps, { ...leader, instance: 'two' });
    await writer.write(appsOf('wiki', 'shop'), 1);
    writer.note(['wiki', 'crm']);
    expect(await writer.write(appsOf('shop', 'crm'), 1)).toBe(true);
    expect(await namesOf(inSteps)).toEqual(['crm', 'shop']);
    expect(await versionOf(inSteps)).toBe(await versionOf(once));
    writer.note(['crm']);
    await writer.write(new Map([...appsOf('shop'), ['crm', { ...entry, title: 'Other' } as never]]), 1);
    expect(await versionOf(inSteps)).not.toBe(await versionOf(once));
  });

  it('unchanged content is not written', async () => {
    const writer = new AppIndexWriter(new MemoryAppIndex(new MemoryTerm()), leader);
    await writer.write(appsOf('crm'), 1);
    writer.note(['crm', 'unknown']);
    expect(await writer.write(appsOf('crm'), 1)).toBe(false);
  });

  it('is written again by a writer without changes if the store has lost it, or is an older copy', async () => {
    const store = new MemoryAppIndex(new MemoryTerm());
    const writer = new AppIndexWriter(store, { instance: 'one', publicUrl: null });
    const apps = new Map([[entry.name, entry]]);
    await writer.write(apps, 1);
    await store.write({ from: null, version: 'older', entries: new Map(), gone: [], supervisor: 'null', term: 1 });
    expect(await writer.write(apps, 1)).toBe(true);
    expect((await store.read(''))?.entries.size).toBe(1);
    expect(await writer.write(apps, 1)).toBe(false);
  });

  it('of two writers, the last one writes everything', async () => {
    const store = new MemoryAppIndex(new MemoryTerm());
    const [before, after] = [new AppIndexWriter(store, leader), new AppIndexWriter(store, leader)];
    await before.write(appsOf('crm'), 1);
    await after.write(appsOf('crm', 'shop'), 1);
    before.note(['wiki']);
    await before.write(appsOf('crm', 'wiki'), 1);
    expect(await namesOf(store)).toEqual(['crm', 'wiki']);
    after.note(['blog']);
    await after.write(appsOf('crm', 'shop', 'blog'), 1);
    expect(await namesOf(store)).toEqual(['blog', 'crm', 'shop']);
  });

  it('a reader knows the written content, and reads nothing again after a flush', async () => {
    const store = new MemoryAppIndex(new MemoryTerm());
    const [writer, reader] = [new AppIndexWriter(store, leader), new AppIndexReader(store)];
    await reader.read();
    expect(reader.uidOf('crm')).toBeUndefined();
    await writer.write(appsOf('crm', 'shop'), 1);
    await reader.read();
    expect([reader.uidOf('crm'), reader.uidOf('wiki'), reader.supervisor]).toEqual(['uid-crm', null, leader]);
    const version = await versionOf(store);
    writer.invalidate();
    await writer.write(appsOf('crm', 'shop'), 1);
    expect(await versionOf(store)).toBe(version);
    writer.note(['shop']);
    await writer.write(appsOf('crm'), 1);
    await reader.read();
    expect(reader.all().map(({ name }) => name)).toEqual(['crm']);
  });

  it('a reader follows changes, and skips invalid entries', async () => {
    const reads = [
      { version: 'v1', complete: true, entries: new Map([['crm', entry as unknown]]), gone: [], supervisor: leader },
      {
        version: 'v2',
        complete: false,
        entries: new Map([['shop', { ...entry, name: 'shop' }]]),
        gone: [],
        supervisor: 1,
      },
      { version: 'v3', complete: false, entries: new Map([['shop', { name: 7 }]]), gone: ['crm'], supervisor: leader },
    ];
    const reader = new AppIndexReader({ read: async () => reads.shift() ?? null } as never);
    const names = async () => {
      await reader.read();
      return [...reader.all().map(({ name }) => name), reader.supervisor?.instance];
    };
    expect(await names()).toEqual(['crm', 'one']);
    expect(await names()).toEqual(['crm', 'shop', undefined]);
    expect(await names()).toEqual(['one']);
    expect(await names()).toEqual(['one']);
  });
});
