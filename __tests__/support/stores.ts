import { systemClock } from '../../src/server/clock';
import type { Stores } from '../../src/server/protocol/stores';
import { MemoryStores } from '../../src/server/protocol/stores/memory';

type Subject = Exclude<keyof Stores, 'open' | 'warnings' | 'close'>;
type Method<S extends Subject = Subject> = S extends Subject ? `${S}.${keyof Stores[S] & string}` : never;

/** Stores that a test takes away and empties, with the memory's own behaviour in between. */
export class TestStores implements Stores {
  /** While true every call rejects, as with Redis away. */
  away = false;
  /** A method whose calls reject. */
  fails: Method | null = null;
  /** What is left of every lease, in ms; by default the memory's: they never end. */
  left: number | null = null;
  /** Names of the methods that were called. */
  readonly calls: string[] = [];
  private memory = this.empty();
  readonly records = this.watch('records');
  readonly leases = this.watch('leases');
  readonly fleet = this.watch('fleet');
  readonly statuses = this.watch('statuses');
  readonly appIndex = this.watch('appIndex');
  readonly manifests = this.watch('manifests');

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
    return new MemoryStores({ clock: systemClock, isAlone: true });
  }

  private watch<S extends Subject>(subject: S): Stores[S] {
    return new Proxy(this.memory[subject] as Stores[S], {
      get:
        (_, name) =>
        async (...args: unknown[]) => {
          const method = `${subject}.${String(name)}`;
          this.calls.push(method);
          if (this.away || this.fails === method) throw new Error('Connection is closed.');
          if (method === 'leases.left' && this.left !== null)
            return new Map((args[0] as string[]).map((environment) => [environment, this.left]));
          const store = this.memory[subject] as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>;
          return store[String(name)](...args);
        },
    });
  }
}
