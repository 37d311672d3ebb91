import { beforeEach, describe, expect, it } from 'vitest';
import { appModelsOf } from '../../src/server/core/adapters/app-models';
import { AppIndexReader, createAppIndexWriter } from '../../src/server/protocol/app-index';
import type { PublishedWrite } from '../../src/server/protocol/stores/published';
import type { AppDefinition } from '../../src/server/supervisor/definitions/repository';
import { APP } from '../../src/shared/app';
import { defaultsIn } from '../../src/shared/fields';
import { type AppIndexEntry, statusEntry } from '../../src/shared/messages';
import { FakeClock } from '../support/clock';
import { entryOf } from '../support/fixtures';
import { SeededRandom } from '../support/random';
import { TestStores } from '../support/stores';

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

it.each([':supervisor', ':count', ''])(
  'no Worker reports an app, which may be adopted, with a uid that is a field of something else (%s)',
  (uid) => {
    expect(() => statusEntry.parse(entryOf({ uid }))).toThrow();
  },
);

describe('writers and readers of the app index', () => {
  const appsOf = (...names: string[]) =>
    new Map(names.map((name) => [name, { ...entry, name, uid: `uid-${name}` } as unknown as AppDefinition]));
  const leader = { instance: 'one', publicUrl: null };
  const clock = new FakeClock();
  let stores: TestStores;
  const writerOf = () => createAppIndexWriter(stores.appIndex, leader, clock);
  const stored = async () =>
    [...(await stores.appIndex.inspect()).entries.keys()].filter((field) => !field.startsWith(':')).sort();
  const readerOf = () => new AppIndexReader(stores.appIndex);
  const namesOf = (reader: AppIndexReader) =>
    reader
      .all()
      .map(({ name }) => name)
      .sort();
  /** What an older copy of the store had. */
  const copy = () => structuredClone(dataOf(stores.memory.appIndex));
  const dataOf = ({ entries, head }: any) => ({ entries, head });
  const goBack = (to: ReturnType<typeof copy>) => Object.assign(stores.memory.appIndex, structuredClone(to));

  beforeEach(() => {
    stores = new TestStores({ clock, random: new SeededRandom(), isAlone: true });
  });

  it('what has changed is written, and nothing if nothing has', async () => {
    const writer = writerOf();
    expect(await writer.write(appsOf('crm', 'wiki'), 1)).toBe(true);
    writer.note(['wiki', 'shop']);
    expect(await writer.write(appsOf('crm', 'shop'), 1)).toBe(true);
    expect(await stored()).toEqual(['uid-crm', 'uid-shop']);
    writer.note(['crm', 'unknown']);
    expect(await writer.write(appsOf('crm', 'shop'), 1)).toBe(false);
    writer.doubt();
    expect(await writer.write(appsOf('crm', 'shop'), 1)).toBe(false);
  });

  it('while nothing changes, the mark alone is read', async () => {
    const writer = writerOf();
    await writer.write(appsOf('crm'), 1);
    stores.calls.length = 0;
    await writer.write(appsOf('crm'), 1);
    expect(stores.calls).toEqual(['appIndex.mark']);
  });

  it('an app that was deleted and made again has the entry of its new incarnation alone', async () => {
    const [writer, reader] = [writerOf(), readerOf()];
    await writer.write(appsOf('crm'), 1);
    await reader.read();
    writer.note(['crm']);
    await writer.write(new Map([['crm', { ...entry, uid: 'uid-2' }]]), 1);
    await reader.read();
    expect([await stored(), reader.uidOf('crm'), namesOf(reader)]).toEqual([['uid-2'], 'uid-2', ['crm']]);
  });

  it('what the store has lost is written again as it was, and nobody reads it again', async () => {
    const [writer, reader] = [writerOf(), readerOf()];
    await writer.write(appsOf('crm', 'shop'), 1);
    await reader.read();
    stores.flush();
    expect(await writer.write(appsOf('crm', 'shop'), 1)).toBe(true);
    expect([await stored(), await reader.read()]).toEqual([['uid-crm', 'uid-shop'], false]);
    expect(await writer.write(appsOf('crm', 'shop'), 1)).toBe(false);
  });

  it('what changed while the store lost it is read by those who had it before', async () => {
    const [writer, reader] = [writerOf(), readerOf()];
    await writer.write(appsOf('crm', 'shop'), 1);
    await reader.read();
    stores.flush();
    writer.note(['shop', 'wiki']);
    await writer.write(appsOf('crm', 'wiki'), 1);
    await reader.read();
    expect([await stored(), namesOf(reader)]).toEqual([
      ['uid-crm', 'uid-wiki'],
      ['crm', 'wiki'],
    ]);
  });

  it('an older copy is made what was left, and readers never go back', async () => {
    const [writer, reader] = [writerOf(), readerOf()];
    await writer.write(appsOf('crm', 'old'), 1);
    const older = copy();
    writer.note(['old', 'shop']);
    await writer.write(appsOf('crm', 'shop'), 1);
    await reader.read();
    goBack(older);
    expect([await reader.read(), namesOf(reader)]).toEqual([false, ['crm', 'shop']]);
    expect(await writer.write(appsOf('crm', 'shop'), 1)).toBe(true);
    expect(await stored()).toEqual(['uid-crm', 'uid-shop']);
    expect(await reader.read()).toBe(false);
  });

  it('an older copy that says what is wanted again is read by those who had something newer', async () => {
    const [writer, reader] = [writerOf(), readerOf()];
    await writer.write(appsOf('crm', 'old'), 1);
    const older = copy();
    writer.note(['old']);
    await writer.write(appsOf('crm'), 1);
    await reader.read();
    // The database has gone back, too, and the lead with it.
    goBack(older);
    writer.invalidate();
    expect(await writer.write(appsOf('crm', 'old'), 1)).toBe(true);
    expect([await reader.read(), namesOf(reader)]).toEqual([true, ['crm', 'old']]);
    expect(await writer.write(appsOf('crm', 'old'), 1)).toBe(false);
  });

  it('a write that failed is compared: whether it was carried out or not, and into whatever copy', async () => {
    for (const [isCarriedOut, goesBack] of [
      [true, true],
      [true, false],
      [false, true],
      [false, false],
    ]) {
      stores = new TestStores({ clock, random: new SeededRandom(), isAlone: true });
      const [writer, reader] = [writerOf(), readerOf()];
      await writer.write(appsOf('crm', 'old'), 1);
      const older = copy();
      writer.note(['wiki']);
      await writer.write(appsOf('crm', 'old', 'wiki'), 1);
      await reader.read();
      stores.before = async (method, write) => {
        if (method !== 'appIndex.write') return;
        stores.before = async () => undefined;
        if (isCarriedOut) await stores.memory.appIndex.write(write as PublishedWrite);
        throw new Error('Command timed out');
      };
      writer.note(['old', 'shop', 'wiki']);
      await expect(writer.write(appsOf('crm', 'shop'), 1)).rejects.toThrow('timed out');
      if (goesBack) goBack(older);
      expect(await writer.write(appsOf('crm', 'shop'), 1)).toBe(!isCarriedOut || goesBack);
      await reader.read();
      expect([await stored(), namesOf(reader)]).toEqual([
        ['uid-crm', 'uid-shop'],
        ['crm', 'shop'],
      ]);
    }
  });

  it('an entry that is missing, or should not be there, is found by a comparison', async () => {
    const [writer, reader] = [writerOf(), readerOf()];
    await writer.write(appsOf('crm', 'shop'), 1);
    const { entries } = stores.memory.appIndex as unknown as { entries: Map<string, unknown> };
    entries.set('uid-evil', entries.get('uid-crm'));
    entries.delete('uid-crm');
    expect(await writer.write(appsOf('crm', 'shop'), 1)).toBe(false);
    writer.doubt();
    expect(await writer.write(appsOf('crm', 'shop'), 1)).toBe(true);
    await reader.read();
    expect([await stored(), namesOf(reader)]).toEqual([
      ['uid-crm', 'uid-shop'],
      ['crm', 'shop'],
    ]);
  });

  it('a new leader compares everything once, and goes on from what is right', async () => {
    const [before, after, reader] = [writerOf(), writerOf(), readerOf()];
    await before.write(appsOf('crm', 'old'), 1);
    await reader.read();
    expect(await after.write(appsOf('crm', 'old'), 2)).toBe(false);
    after.note(['old', 'shop']);
    await after.write(appsOf('crm', 'shop'), 2);
    await expect(before.write(appsOf('crm', 'old'), 1)).rejects.toMatchObject({ newest: 2 });
    await reader.read();
    expect(namesOf(reader)).toEqual(['crm', 'shop']);
  });

  it('one that starts anew in the same term, in a store without content, is heard', async () => {
    const reader = readerOf();
    const writer = writerOf();
    await writer.write(appsOf('crm'), 0);
    writer.note(['shop']);
    await writer.write(appsOf('crm', 'shop'), 0);
    await reader.read();
    stores.flush();
    clock.pass(1_000);
    await writerOf().write(appsOf('crm', 'wiki'), 0);
    expect([await reader.read(), namesOf(reader)]).toEqual([true, ['crm', 'wiki']]);
  });

  it('the last changes are few, however many apps change', async () => {
    const writer = writerOf();
    const many = Array.from({ length: 300 }, (_, i) => `app${i}`);
    await writer.write(appsOf(...many), 1);
    const changes = async () => (await stores.appIndex.inspect()).head!.changes.map(({ fields }) => fields.length);
    expect(await changes()).toEqual([0]);
    for (let i = 0; i < 3; i++) {
      const apps = appsOf(...many.slice(0, 299 - 45 * (i + 1)));
      writer.note(many);
      await writer.write(apps, 1);
    }
    expect(await changes()).toEqual([0, 45, 45]);
  });

  it('a reader knows nothing before anything was published', async () => {
    const reader = readerOf();
    await reader.read();
    expect([reader.uidOf('crm'), reader.supervisor]).toEqual([undefined, null]);
    await writerOf().write(appsOf('crm', 'shop'), 1);
    await reader.read();
    expect([reader.uidOf('crm'), reader.uidOf('wiki'), reader.supervisor]).toEqual(['uid-crm', null, leader]);
  });

  it('a reader follows changes, and skips invalid entries', async () => {
    const of = (name: string, uid: string, more = {}) =>
      [uid, { at: { term: 1, n: 1 }, value: { ...entry, name, uid, ...more } as unknown }] as const;
    const manager = (value: unknown) => [':supervisor', { at: { term: 1, n: 1 }, value }] as const;
    const crm = of('crm', 'a');
    const reads = [
      { count: { term: 1, n: 1 }, entries: new Map([crm, manager(leader)]) },
      { count: { term: 1, n: 3 }, entries: new Map([crm, of('shop', 'b'), manager(1)]) },
      { count: { term: 1, n: 2 }, entries: new Map([of('late', 'c')]) },
      { count: { term: 1, n: 4 }, entries: new Map([of('shop', 'b', { sort: 'x' }), of('mine', 'd', { uid: 'e' })]) },
      { count: { term: 2, n: 0 }, entries: new Map([of('wiki', 'd')]) },
    ];
    const reader = new AppIndexReader({ read: async () => reads.shift() ?? null });
    const names = async () => [await reader.read(), ...namesOf(reader), reader.supervisor?.instance];
    expect(await names()).toEqual([true, 'crm', 'one']);
    expect(await names()).toEqual([true, 'crm', 'shop', undefined]);
    expect(await names()).toEqual([false, 'crm', 'shop', undefined]);
    expect(await names()).toEqual([true, undefined]);
    expect(await names()).toEqual([true, 'wiki', undefined]);
    expect(await names()).toEqual([false, 'wiki', undefined]);
  });
});
