export interface RestartsOptions<Part> {
  restart(part: Part): Promise<void>;
  print(line: string): void;
  signal: AbortSignal;
}

/**
 * Restarts processes in parallel, so that all take little longer than one. One that is named again while it starts is
 * restarted once more afterwards.
 */
export class Restarts<Part extends { name: string }> {
  private readonly wanted = new Set<Part>();
  private readonly busy = new Map<Part, Promise<void>>();
  /** Did not start with the last code, so the next code may help, whatever it changes. */
  private readonly failed = new Set<Part>();

  constructor(private readonly options: RestartsOptions<Part>) {}

  /** @returns the names of all that are restarted, including those that failed before */
  begin(parts: Part[]): string[] {
    const all = [...new Set([...parts, ...this.failed])];
    for (const part of all) {
      this.wanted.add(part);
      if (this.busy.has(part)) continue;
      const work = this.work(part).finally(() => this.busy.delete(part));
      this.busy.set(part, work);
    }
    return all.map(({ name }) => name);
  }

  /** Returns when no restart is in progress. */
  async idle(): Promise<void> {
    while (this.busy.size) await Promise.all(this.busy.values());
  }

  private async work(part: Part): Promise<void> {
    const { restart, print, signal } = this.options;
    while (this.wanted.delete(part) && !signal.aborted) {
      const since = performance.now();
      this.failed.delete(part);
      try {
        await restart(part);
        print(`  ${part.name.padEnd(18)}ready in ${((performance.now() - since) / 1_000).toFixed(1)} s`);
      } catch (error) {
        this.failed.add(part);
        if (!signal.aborted) print((error as Error).message);
      }
    }
  }
}
