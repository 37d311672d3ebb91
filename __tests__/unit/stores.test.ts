import { describe, expect, it } from 'vitest';
import { MemoryStores } from '../../src/server/protocol/stores/memory';
import { storesSuite } from '../contracts/stores-suite';
import { FakeClock } from '../support/clock';
import { leaseOf, registrationOf } from '../support/fixtures';
import { SeededRandom } from '../support/random';
import { TestStores } from '../support/stores';

describe('memory', () =>
  storesSuite(async () => {
    const clock = new FakeClock();
    const stores = new TestStores({ clock, random: new SeededRandom(), isAlone: false });
    const away = new TestStores({ clock, random: new SeededRandom(), isAlone: false });
    away.away = true;
    return {
      stores,
      pass: async (ms) => void clock.pass(ms),
      flush: async () => stores.flush(),
      wall: () => clock.wall,
      unreachable: () => away,
      end: () => stores.close(),
    };
  }));

describe('memory of a process that nothing else can share', () => {
  it('refuses no announcement, and keeps it forever', async () => {
    const clock = new FakeClock();
    const { leases } = new MemoryStores({ clock, random: new SeededRandom(), isAlone: true });
    const announce = (instance: string) =>
      leases.announce({
        environment: 'env_a',
        lease: leaseOf({ instance }),
        registration: registrationOf('env_a'),
        ttl: 1_000,
      });
    expect(await announce('one')).toEqual({ by: 'me', fresh: true });
    clock.pass(1_000_000_000);
    expect((await leases.left(['env_a'])).get('env_a')).toBe(Number.POSITIVE_INFINITY);
    expect(await announce('one')).toEqual({ by: 'me', fresh: false });
    expect(await announce('two')).toEqual({ by: 'me', fresh: true });
  });
});
