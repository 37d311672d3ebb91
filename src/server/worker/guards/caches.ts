import { type Guard, replaceOnce } from './guard';

/** A cache of the core. On Redis, all caches of an instance have one database, and `prefix` tells them apart. */
interface Cache {
  prefix?: string;
  store: {
    store?: {
      client?: {
        scanIterator(options: { MATCH: string; COUNT: number }): AsyncIterable<string | string[]>;
        del(keys: string[]): Promise<unknown>;
      };
    };
  };
}

/** Deletes what a cache on Redis has, instead of everything in that database: caches of other apps, records of the fleet. */
export async function resetOwn({ prefix, store }: Cache): Promise<void> {
  const client = store.store?.client;
  if (!client || !prefix) return;
  const own = `${prefix.replace(/[\\*?[\]]/g, '\\$&')}:*`;
  for await (const found of client.scanIterator({ MATCH: own, COUNT: 500 })) {
    const keys = [found].flat();
    if (keys.length) await client.del(keys);
  }
}

/** Clearing an app's cache leaves those of others. */
export const caches: Guard = {
  afterLoad: ({ cache }) => {
    if (!cache) return;
    replaceOnce(
      Object.getPrototypeOf(cache),
      'reset',
      (reset) =>
        function (this: Cache) {
          return this.prefix && this.store.store?.client ? resetOwn(this) : reset.call(this);
        },
    );
  },
};
