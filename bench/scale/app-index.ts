import { AppIndexReader } from '../../src/server/protocol/app-index';
import type { PublishedStore } from '../../src/server/protocol/stores/published';

/**
 * The app index of all simulated Workers: 500 copies of 50,000 entries do not fit into one process. Each asks whether there is a newer one,
 * and the first that finds one reads it for all.
 */
export class SharedIndex {
  private mark = '';
  private reader: AppIndexReader | null = null;
  private reading: Promise<boolean> | null = null;

  /** @param store a Worker's own */
  of(store: PublishedStore): AppIndexReader {
    this.reader ??= new AppIndexReader(store);
    const read = async () => this.read(await store.mark());
    return Object.create(this.reader, { read: { value: read } });
  }

  private async read(mark: string): Promise<boolean> {
    if (mark === this.mark) return false;
    this.reading ??= this.readAll(mark).finally(() => {
      this.reading = null;
    });
    return this.reading;
  }

  private async readAll(mark: string): Promise<boolean> {
    const isNew = (await this.reader?.read()) ?? false;
    this.mark = mark;
    return isNew;
  }
}
