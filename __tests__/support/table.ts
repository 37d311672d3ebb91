import type { WithDatabase } from '../../src/server/nocobase/main-database';

/** A main app with one table in memory, as far as what keeps rows by an `id` asks for it. */
export class Table {
  readonly rows = new Map<string, Record<string, unknown>>();
  /** While true every statement fails. */
  broken = false;
  private held: Promise<void> | null = null;

  readonly app = { db: { getRepository: () => this } } as unknown as WithDatabase;

  /** From now on writes wait, as for another's transaction on SQLite. */
  hold(): { release(): void } {
    let release = () => {};
    this.held = new Promise((resolve) => {
      release = resolve;
    });
    return { release };
  }

  async find() {
    this.check();
    return [...this.rows.values()].map((row) => ({ get: (field: string) => structuredClone(row[field]) }));
  }

  async updateOrCreate({ values }: { values: { id: string } }): Promise<void> {
    this.check();
    await this.held;
    this.rows.set(values.id, structuredClone(values));
  }

  async destroy({ filter }: { filter: { id: { $in: string[] } } }): Promise<void> {
    this.check();
    for (const id of filter.id.$in) this.rows.delete(id);
  }

  private check(): void {
    if (this.broken) throw new Error('The database is gone.');
  }
}
