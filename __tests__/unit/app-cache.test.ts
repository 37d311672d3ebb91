import { describe, expect, it } from 'vitest';
import { AppCache } from '../../src/server/supervisor/definitions/app-cache';
import {
  type AppDefinition,
  type AppRepository,
  type Tombstone,
  versionOf,
} from '../../src/server/supervisor/definitions/repository';
import { appOf, publishedOf } from '../support/fixtures';

/** A table whose answers may take their time; each shows what the table held when it was asked. */
class Table {
  rows: AppDefinition[] = [];
  tombstones: Tombstone[] = [];
  /** Rows of several apps come after it. */
  slow: Promise<void> | null = null;
  /** Tombstones come after it. */
  slowTombstones: Promise<void> | null = null;
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
    openTombstones: async () => {
      const found = structuredClone(this.tombstones);
      await this.slowTombstones;
      return found;
    },
  } as unknown as AppRepository;
}

function bench() {
  const table = new Table();
  const changes: string[][] = [];
  const appCache = new AppCache(table.asDefinitions);
  appCache.changes.listen((names) => changes.push(names));
  return { table, appCache, changes };
}

const names = (appCache: AppCache) => [...appCache.apps.keys()];

describe('app cache', () => {
  it('contains what the database contains, after a full load or a partial one', async () => {
    const { table, appCache, changes } = bench();
    table.rows = [appOf(), appOf({ name: 'shop', uid: 'uid-2' })];
    await appCache.load();
    expect(names(appCache)).toEqual(['crm', 'shop']);
    const definition = table.rows.pop()!;
    table.rows[0] = appOf({ title: 'Sales' });
    table.tombstones = [{ uid: 'uid-2', name: 'shop', definition, environments: ['env_a'], data: 'keep' }];
    await appCache.refresh(['crm', 'shop']);
    expect(names(appCache)).toEqual(['crm']);
    expect(appCache.apps.get('crm')?.title).toBe('Sales');
    expect(appCache.byUid('shop', 'uid-2')).toEqual(definition);
    expect(appCache.byUid('crm', 'uid-0')).toBeNull();
    const both = ['crm', 'shop'];
    expect(changes).toEqual([both, both]);
  });

  it('follows a tombstone that waits for other environments now, and its end', async () => {
    const { table, appCache, changes } = bench();
    const definition = appOf({ published: { env_a: publishedOf(), env_b: publishedOf() } });
    const tombstone = {
      uid: 'uid-2',
      name: 'shop',
      definition,
      environments: ['env_a', 'env_b'],
      data: 'keep' as const,
    };
    table.tombstones = [tombstone];
    await appCache.load();
    table.tombstones = [{ ...tombstone, environments: ['env_a'], data: 'keep' }];
    await appCache.load();
    expect(appCache.tombstones.get('uid-2')?.environments).toEqual(['env_a']);
    table.tombstones = [{ ...tombstone, environments: [], data: 'keep' }];
    await appCache.refresh(['shop']);
    expect(appCache.tombstones.get('uid-2')?.environments).toEqual([]);
    table.tombstones = [];
    await appCache.refresh(['shop']);
    expect(appCache.tombstones.size).toBe(0);
    expect(changes).toEqual(Array(4).fill(['shop']));
  });

  it('a full load reads only changed rows, and reports nothing if nothing changed', async () => {
    const { table, appCache, changes } = bench();
    table.rows = [appOf(), appOf({ name: 'shop', uid: 'uid-2' }), appOf({ name: 'wiki', uid: 'uid-3' })];
    await appCache.load();
    const shop = appCache.apps.get('shop');
    await appCache.load();
    const all = ['crm', 'shop', 'wiki'];
    expect([table.asked, changes]).toEqual([[all], [all]]);

    const [crm, , wiki] = table.rows;
    table.rows = [{ ...wiki, updatedAt: wiki.updatedAt + 1, title: 'Docs' }, table.rows[1], { ...crm, uid: 'uid-4' }];
    await appCache.load();
    expect(table.asked.at(-1)).toEqual(['wiki', 'crm']);
    expect(names(appCache)).toEqual(['wiki', 'shop', 'crm']);
    expect([appCache.apps.get('wiki')?.title, appCache.apps.get('crm')?.uid]).toEqual(['Docs', 'uid-4']);
    expect(appCache.apps.get('shop')).toBe(shop);

    table.rows.pop();
    await appCache.load();
    expect(names(appCache)).toEqual(['wiki', 'shop']);
    expect([table.asked.length, changes]).toEqual([2, [all, ['wiki', 'crm'], ['crm']]]);
  });

  it('does not lose a new or changed app to a reload that began earlier', async () => {
    const { table, appCache } = bench();
    table.rows = [appOf()];
    let answer!: () => void;
    table.slow = new Promise((resolve) => {
      answer = resolve;
    });
    const reload = appCache.load();
    await Promise.resolve();
    table.rows = [appOf({ title: 'Sales' }), appOf({ name: 'shop', uid: 'uid-2' })];
    const refresh = appCache.refresh(['crm', 'shop']);
    answer();
    await Promise.all([reload, refresh]);
    expect(names(appCache)).toEqual(['crm', 'shop']);
    expect(appCache.apps.get('crm')?.title).toBe('Sales');
  });

  describe('of a deleted app', () => {
    const tombstoneOf = (definition = appOf()): Tombstone => ({
      uid: definition.uid,
      name: definition.name,
      definition,
      environments: ['env_a', 'env_b'],
      data: 'keep',
    });
    const reads = [
      ['all', (appCache: AppCache) => appCache.load()],
      ['some', (appCache: AppCache) => appCache.refresh(['crm'])],
    ] as const;

    it.each(reads)('knows it in every moment of a read of %s', async (_, read) => {
      const { table, appCache } = bench();
      const app = appOf();
      table.rows = [app];
      await appCache.load();
      table.rows = [];
      table.tombstones = [tombstoneOf(app)];
      let answer!: () => void;
      table.slowTombstones = new Promise((resolve) => {
        answer = resolve;
      });
      const reading = read(appCache);
      await new Promise(setImmediate);
      expect(appCache.byUid('crm', app.uid)).toEqual(app);
      answer();
      await reading;
      expect([names(appCache), appCache.byUid('crm', app.uid)]).toEqual([[], app]);
    });

    it('knows one that is deleted between the queries of a read', async () => {
      const { table, appCache } = bench();
      const app = appOf();
      table.rows = [app];
      await appCache.load();
      let answer!: () => void;
      table.slow = new Promise((resolve) => {
        answer = resolve;
      });
      table.rows = [appOf({ updatedAt: app.updatedAt + 1 })];
      const reading = appCache.load();
      await new Promise(setImmediate);
      table.rows = [];
      table.tombstones = [tombstoneOf(app)];
      answer();
      await reading;
      expect([names(appCache), [...appCache.tombstones.keys()]]).toEqual([[], [app.uid]]);
    });
  });

  it('keeps its content while the database is down, and recovers', async () => {
    const { table, appCache } = bench();
    table.rows = [appOf()];
    await appCache.load();
    table.fails = true;
    await expect(appCache.load()).rejects.toThrow();
    expect(names(appCache)).toEqual(['crm']);
    table.fails = false;
    table.rows.push(appOf({ name: 'shop', uid: 'uid-2' }));
    await appCache.load();
    expect(names(appCache)).toEqual(['crm', 'shop']);
  });
});
