import { MemoryState } from '../../src/server/wire/memory';
import type { StateStore } from '../../src/server/wire/wire';

/** A store that a test takes away and empties, with the memory's own behaviour in between. */
export class Store {
  /** While true every call rejects, as with Redis away. */
  away = false;
  /** A method whose calls reject. */
  fails: keyof StateStore | null = null;
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
