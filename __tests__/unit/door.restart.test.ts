import { expect, it } from 'vitest';
import { systemClock } from '../../src/server/clock';
import { entriesOf, RoutesReader, RoutesWriter } from '../../src/server/protocol/published-routes';
import { Keys } from '../../src/server/protocol/redis-keys';
import { COUNT } from '../../src/server/protocol/stores/counts';
import { RedisPublished } from '../../src/server/protocol/stores/redis/published';
import { routeOf } from '../support/door-process';
import { testEnvelope } from '../support/envelope';
import { routeSettingsOf } from '../support/fixtures';

/** A door that was started again, before a Redis to which somebody else writes what the Supervisor has signed earlier. */
it('believes no entry that is older than what it believed before its restart, and none that was gone', async () => {
  const hash: Record<string, string> = {};
  const keys = new Keys('test');
  const connection = {
    keys,
    envelope: testEnvelope(),
    redis: {
      hget: async (_: string, field: string) => hash[field] ?? null,
      hgetall: async () => ({ ...hash }),
      hmget: async (_: string, ...fields: string[]) => fields.map((field) => hash[field] ?? null),
    },
    underTerm: async (_t: number, _s: unknown, _k: string[], args: any[]) => {
      const [, , mark, gone, ...rest] = args;
      for (const field of rest.splice(0, gone)) delete hash[field];
      for (let i = 0; i < rest.length; i += 2) hash[rest[i]] = rest[i + 1];
      hash[COUNT] = mark;
      return true;
    },
  } as any;
  const published = () => new RedisPublished(connection, {} as any, systemClock, keys.routes());
  const writer = new RoutesWriter(published(), routeSettingsOf(), systemClock);
  const publish = (names: string[], url: string, term: number) => {
    writer.note(null);
    const get = (name: string) =>
      names.includes(name) ? { ...routeOf(name, ['env_a']), hosts: [], stopped: false, signIn: false } : undefined;
    const source = { keys: () => names.values(), get, environments: () => [{ name: 'env_a', url }] };
    return writer.publish(source, term);
  };
  await publish(['crm', 'wiki'], 'http://10.0.0.66:1', 1);
  const older = { ...hash };
  await publish(['crm'], 'http://10.0.0.7:1', 2);
  const reader = new RoutesReader(published(), null);
  expect(await reader.read()).toBe('changed');
  const { routes, at } = reader;
  const kept = { count: routes!.count, routes, at };

  for (const field of Object.keys(older)) if (field !== COUNT) hash[field] = older[field];
  const store = published();
  store.begin(kept.count, entriesOf(kept));
  const restarted = new RoutesReader(store, kept.count);
  expect(await restarted.read()).toBe('changed');
  expect(restarted.routes).toEqual(routes);
  expect(restarted.at).toEqual(at);

  await publish(['crm', 'wiki', 'shop'], 'http://10.0.0.8:1', 3);
  expect(await restarted.read()).toBe('changed');
  expect([...restarted.routes!.apps.values()].map(({ name }) => name).sort()).toEqual(['crm', 'shop', 'wiki']);
  expect(restarted.routes!.environments.get('env_a')?.url).toBe('http://10.0.0.8:1');
});
