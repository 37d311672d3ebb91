import { messageOf } from '../errors';
import { Feed } from '../feed';
import type { Log } from '../log';
import type { AppIndexReader } from '../protocol/app-index';
import type { RecordStore } from '../protocol/stores/records';
import type { AppController } from './apps/controller';
import type { FollowedSnapshot } from './followed-snapshot';

export interface RecordReaderOptions {
  environment: string;
  records: RecordStore;
  /** Read instead of records, where this process runs one app alone. */
  followed: FollowedSnapshot | null;
  appIndex: AppIndexReader;
  controller: AppController;
  log: Log;
}

/** Reads what is desired of this environment, and gives it to the controller. */
export class RecordReader {
  /** Records were read: which apps there are, or their domains, may have changed. */
  readonly reads = new Feed<void>();
  /** Of the records that were last read, all together. */
  private version: string | null = null;
  private closed = false;

  constructor(private readonly options: RecordReaderOptions) {}

  /** Of these apps; of the index of all apps when none are named. Never rejects. */
  async read(names: string[]): Promise<void> {
    const { records, environment, controller } = this.options;
    if (!names.length) return this.readAppIndex();
    await this.take(async () => controller.accept(await records.read(environment, names)));
  }

  /** Everything, as far as it has changed since it was read. Never rejects. */
  async readAll(): Promise<void> {
    const { records, environment, followed, controller, log } = this.options;
    await this.take(async () => {
      if (followed) return controller.acceptAll(await followed.records());
      const read = await records.readSince(environment, this.version);
      if (!read) return;
      await controller.acceptAll(read.records);
      this.version = read.version;
    });
    await this.readAppIndex();
    await this.checkApps().catch((error) =>
      log.warn(`What other environments have changed of apps could not be checked: ${messageOf(error)}`),
    );
    if (!this.closed) controller.convergeAll();
  }

  /** What is read from here on is taken over no more. */
  close(): void {
    this.closed = true;
  }

  private async take(read: () => Promise<void>): Promise<void> {
    if (this.closed) return;
    try {
      await read();
      this.reads.tell();
    } catch (error) {
      // The snapshot stands, and what failed may be due for another try.
      const { log } = this.options;
      (log.rooms.records ?? log.debug)(`Records could not be read, what is known stands: ${messageOf(error)}`);
    }
  }

  private async checkApps(): Promise<void> {
    const { apps } = this.options.controller;
    if (!this.closed) await apps.findStalePlugins();
    if (!this.closed) await apps.findChangedAdminPasswords();
  }

  private async readAppIndex(): Promise<void> {
    await this.options.appIndex.read().catch(() => undefined);
  }
}
