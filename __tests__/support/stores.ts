import { systemClock } from '../../src/server/clock';
import { systemRandom } from '../../src/server/core/system';
import { Feed } from '../../src/server/feed';
import type { Stores } from '../../src/server/protocol/stores';
import { MemoryStores, type MemoryStoresOptions } from '../../src/server/protocol/stores/memory';

type Subject = Exclude<keyof Stores, 'returns' | 'ignored' | 'sealed' | 'open' | 'warnings' | 'close'>;
type Method<S extends Subject = Subject> = S extends Subject ? `${S}.${keyof Stores[S] & string}` : never;

/** Stores that a test takes away and empties, with the memory's own behaviour in between. */
export class TestStores implements Stores {
  /** Awaited before each call, which takes time with a Redis far away, and may fail. */
  before: (method: Method, environment: unknown) => Promise<void> = async () => undefined;
  /** While true every call rejects, as with Redis away. */
  away = false;
  /** A method whose calls reject. */
  fails: Method | null = null;
  /** What is left of every lease, in ms; by default what the memory says. */
  left: number | null = null;
  /** Names of the methods that were called. */
  readonly calls: string[] = [];
  /** Only the test says so. */
  readonly returns = new Feed<void>();
  readonly records: Stores['records'];
  readonly leases: Stores['leases'];
  readonly fleet: Stores['fleet'];
  readonly statuses: Stores['statuses'];
  readonly appIndex: Stores['appIndex'];
  readonly routes: Stores['routes'];
  readonly doors: Stores['doors'];
  readonly manifests: Stores['manifests'];
  readonly sso: Stores['sso'];
  memory: MemoryStores;

  /** @param options by default leases are given to whoever claims them, and never run out */
  constructor(
    private readonly options: MemoryStoresOptions = { clock: systemClock, random: systemRandom, isAlone: true },
  ) {
    this.memory = this.empty();
    this.records = this.watch('records');
    this.leases = this.watch('leases');
    this.fleet = this.watch('fleet');
    this.statuses = this.watch('statuses');
    this.appIndex = this.watch('appIndex');
    this.routes = this.watch('routes');
    this.doors = this.watch('doors');
    this.manifests = this.watch('manifests');
    this.sso = this.watch('sso');
  }

  /** `FLUSHALL`. */
  flush(): void {
    this.memory = this.empty();
  }

  timesCalled(method: Method): number {
    return this.calls.filter((call) => call === method).length;
  }

  open(): void {}

  async warnings(): ReturnType<Stores['warnings']> {
    if (this.away) throw new Error('Connection is closed.');
    return [];
  }

  async close(): Promise<void> {}

  private empty(): MemoryStores {
    return new MemoryStores(this.options);
  }

  private watch<S extends Subject>(subject: S): Stores[S] {
    return new Proxy(this.memory[subject] as Stores[S], {
      get:
        (_, name) =>
        async (...args: unknown[]) => {
          const method = `${subject}.${String(name)}`;
          this.calls.push(method);
          await this.before(method as Method, args[0]);
          if (this.away || this.fails === method) throw new Error('Connection is closed.');
          if (method === 'leases.left' && this.left !== null)
            return new Map((args[0] as string[]).map((environment) => [environment, this.left]));
          const store = this.memory[subject] as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>;
          return store[String(name)](...args);
        },
    });
  }
}
