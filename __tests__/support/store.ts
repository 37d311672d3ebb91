import { MemoryState } from '../../src/server/protocol/memory';
import type { StateStore } from '../../src/server/protocol/stores';

/** A store that a test takes away and empties, with the memory's own behaviour in between. */
export class Store {
  /** While true every call rejects, as with Redis away. */
  away = false;
  /** A method whose calls reject. */
  fails: keyof StateStore | null = null;
  /** What is left of every lease, in ms; by default the memory's: they never end. */
  left: number | null = null;
  /** Names of the methods that were called. */
  readonly calls: string[] = [];
  readonly state: StateStore;
  private memory = new MemoryState();

  constructor() {
    this.state = new Proxy(this.memory, {
      get:
        (_, method: keyof StateStore) =>
        async (...args: unknown[]) => {
          this.calls.push(method);
          if (this.away || this.fails === method) throw new Error('Connection is closed.');
          if (method === 'leasesLeft' && this.left !== null)
            return new Map((args[0] as string[]).map((name) => [name, this.left]));
          return (this.memory[method] as (...args: unknown[]) => Promise<unknown>)(...args);
        },
    });
  }

  /** `FLUSHALL`. */
  flush(): void {
    this.memory = new MemoryState();
  }

  timesCalled(method: keyof StateStore): number {
    return this.calls.filter((call) => call === method).length;
  }
}
