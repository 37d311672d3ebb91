import { messageOf } from '../errors';
import { Feed } from '../feed';
import type { Log } from '../log';
import type { AppIndexReader } from '../protocol/app-index';
import type { RecordStore } from '../protocol/stores/records';
import type { AppController } from './apps/controller';
import type { OneAppSnapshot } from './apps/one-app-snapshot';
import type { OwnNames } from './hosting/own-name';

export interface RecordReaderOptions {
  environment: string;
  records: RecordStore;
  /** Read instead of records if this process runs only one app. */
  followed: OneAppSnapshot | null;
  appIndex: AppIndexReader;
  controller: AppController;
  names: Pick<OwnNames, 'follow'>;
  log: Log;
  /** Whether what is read is for this process: it has begun its tenure. */
  mayRead(): boolean;
}

/** Reads the desired state of this environment, and passes it to the controller. */
export class RecordReader {
  /** Records were read: apps or their domains may have changed. */
  readonly reads = new Feed<void>();
  /** Mark of the records at the last complete read. */
  private mark: string | null = null;
  /** How often that was forgotten. */
  private forgotten = 0;
  private closed = false;
  /** Whether the records are for another key of the environment than this process has. */
  hasOtherKey = false;

  constructor(private readonly options: RecordReaderOptions) {}

  /** Reads the records of these apps, by uid; whatever has changed if none is named. Never rejects. */
  async read(uids: string[]): Promise<void> {
    const { records, environment, controller } = this.options;
    if (!uids.length) {
      await this.readRecords();
      return this.readAppIndex();
    }
    await this.take(async (isStill) => {
      const read = await records.readSome(environment, uids);
      if (isStill() && this.isNow(read.floor)) await controller.accept(read.records);
    });
  }

  /** Reads everything that has changed since the last read. Never rejects. */
  async readAll(): Promise<void> {
    const { controller, log } = this.options;
    await this.readRecords();
    await this.readAppIndex();
    await this.checkApps().catch((error) =>
      log.warn(`What other environments have changed of apps could not be checked: ${messageOf(error)}`),
    );
    if (!this.closed) controller.convergeAll();
  }

  /** All records, as far as they have changed since they were read. Never rejects. */
  async readRecords(): Promise<void> {
    const { records, environment, followed, controller } = this.options;
    await this.take(async (isStill) => {
      const read = followed
        ? { records: await followed.records(), floor: null, mark: null, hasOtherKey: false }
        : await records.read(environment, this.mark);
      if (!read || !isStill()) return;
      this.hasOtherKey = read.hasOtherKey ?? false;
      if (!this.isNow(read.floor)) return;
      await controller.acceptAll(read.records, read.floor);
      // The writes may have lasted until the next tenure, which reads everything anew.
      if (isStill()) this.mark = read.mark;
    });
  }

  /** The next reading takes all records over, also those that have not changed; one under way takes none. */
  forget(): void {
    this.forgotten++;
    this.mark = null;
  }

  /** Records that are read later are ignored. */
  close(): void {
    this.closed = true;
  }

  /** @param read learns whether nothing was forgotten since it began */
  private async take(read: (isStill: () => boolean) => Promise<void>): Promise<void> {
    if (this.closed || !this.options.mayRead()) return;
    const { forgotten } = this;
    try {
      await read(() => forgotten === this.forgotten);
      this.reads.emit();
    } catch (error) {
      // The snapshot stays valid, and a retry of a failed app may be due.
      const { log } = this.options;
      (log.rooms.records ?? log.debug)(`Records could not be read, what is known stands: ${messageOf(error)}`);
    }
  }

  /** Not of an older copy of the store. */
  private isNow(floor: number | null): boolean {
    return floor === null || floor >= this.options.controller.floor.current;
  }

  private async checkApps(): Promise<void> {
    const { apps } = this.options.controller;
    if (!this.closed) await apps.findStalePlugins();
    if (!this.closed) await apps.findChangedAdminPasswords();
  }

  private async readAppIndex(): Promise<void> {
    const { appIndex, names } = this.options;
    if (await appIndex.read().catch(() => false)) names.follow(appIndex.all());
  }
}
