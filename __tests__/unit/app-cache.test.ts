import { describe, expect, it } from 'vitest';
import { Catalog } from '../../src/server/supervisor/apps/cache';
import {
  type AppDefinition,
  type Definitions,
  type Tombstone,
  versionOf,
} from '../../src/server/supervisor/apps/repository';
import { appOf } from '../support/fixtures';

/** A table whose answers may take their time; each shows what the table held when it was asked. */
class Table {
  rows: AppDefinition[] = [];
  tombstones: Tombstone[] = [];
  /** Rows of several apps come after it. */
  slow: Promise<void> | null = null;
  fails = false;
  /** Names whose rows were asked for together. */
  asked: string[][] = [];

  readonly asDefinitions = {
    versions: async () => {
      if (this.fails) throw new Error('The database is away.');
      return new Map(this.rows.map((row) => [row.name, versionOf(row)]));
    },
    some: async (wanted: string[]) => {
      this.asked.push(wanted);
      const found = structuredClone(this.rows.filter(({ name }) => wanted.includes(name)));
      await this.slow;
      return found;
    },
    find: async (name: string) => structuredClone(this.rows.find((row) => row.name === name) ?? null),
    allTombstones: async () => structuredClone(this.tombstones),
  } as unknown as Definitions;
}

function bench() {
  const table = new Table();
  const changes: number[] = [];
  const catalog: Catalog = new Catalog(table.asDefinitions, () => changes.push(catalog.version));
  return { table, catalog, changes };
}

const names = (catalog: Catalog) => [...catalog.apps.keys()];

describe('the catalog', () => {
  it('is what the database says: all of it, or what changed', async () => {
    const { table, catalog, changes } = bench();
    expect(catalog.loaded).toBe(false);
    table.rows = [appOf(), appOf({ name: 'shop', uid: 'uid-2' })];
    await catalog.load();
    expect([catalog.loaded, names(catalog)]).toEqual([true, ['crm', 'shop']]);
    const definition = table.rows.pop()!;
    table.rows[0] = appOf({ title: 'Sales' });
    table.tombstones = [{ uid: 'uid-2', name: 'shop', definition, environments: ['env_a'] }];
    await catalog.refresh(['crm', 'shop']);
    expect(names(catalog)).toEqual(['crm']);
    expect(catalog.apps.get('crm')?.title).toBe('Sales');
    expect(catalog.byUid('shop', 'uid-2')).toEqual(definition);
    expect(catalog.byUid('crm', 'uid-0')).toBeNull();
    expect(changes).toEqual([1, 2]);
  });

  it('reads of everything only what changed, and says nothing when nothing did', async () => {
    const { table, catalog, changes } = bench();
    table.rows = [appOf(), appOf({ name: 'shop', uid: 'uid-2' }), appOf({ name: 'wiki', uid: 'uid-3' })];
    await catalog.load();
    const shop = catalog.apps.get('shop');
    await catalog.load();
    expect([table.asked, changes]).toEqual([[['crm', 'shop', 'wiki']], [1]]);

    const [crm, , wiki] = table.rows;
    table.rows = [{ ...wiki, updatedAt: wiki.updatedAt + 1, title: 'Docs' }, table.rows[1], { ...crm, uid: 'uid-4' }];
    await catalog.load();
    expect(table.asked.at(-1)).toEqual(['wiki', 'crm']);
    expect(names(catalog)).toEqual(['wiki', 'shop', 'crm']);
    expect([catalog.apps.get('wiki')?.title, catalog.apps.get('crm')?.uid]).toEqual(['Docs', 'uid-4']);
    expect(catalog.apps.get('shop')).toBe(shop);

    table.rows.pop();
    await catalog.load();
    expect(names(catalog)).toEqual(['wiki', 'shop']);
    expect([table.asked.length, changes]).toEqual([2, [1, 2, 3]]);
  });

  it('does not lose a new app, or a change, to a reload that had begun before it', async () => {
    const { table, catalog } = bench();
    table.rows = [appOf()];
    let answer!: () => void;
    table.slow = new Promise((resolve) => {
      answer = resolve;
    });
    const reload = catalog.load();
    await Promise.resolve();
    table.rows = [appOf({ title: 'Sales' }), appOf({ name: 'shop', uid: 'uid-2' })];
    const refresh = catalog.refresh(['crm', 'shop']);
    answer();
    await Promise.all([reload, refresh]);
    expect(names(catalog)).toEqual(['crm', 'shop']);
    expect(catalog.apps.get('crm')?.title).toBe('Sales');
  });

  it('keeps what it has while the database is away, and goes on', async () => {
    const { table, catalog } = bench();
    table.rows = [appOf()];
    await catalog.load();
    table.fails = true;
    await expect(catalog.load()).rejects.toThrow();
    expect(names(catalog)).toEqual(['crm']);
    table.fails = false;
    await catalog.load();
    expect(catalog.loaded).toBe(true);
  });
});
