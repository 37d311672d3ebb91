import { messageOf } from '../errors';
import { Feed } from '../feed';
import type { Log } from '../log';
import type { AppIndexReader } from '../protocol/app-index';
import type { RecordStore } from '../protocol/stores/records';
import type { AppController } from './apps/controller';
import type { FollowedSnapshot } from './followed-snapshot';
import type { OwnNames } from './hosting/own-name';

export interface RecordReaderOptions {
  environment: string;
  records: RecordStore;
  /** Read instead of records if this process runs only one app. */
  followed: FollowedSnapshot | null;
  appIndex: AppIndexReader;
  controller: AppController;
  names: Pick<OwnNames, 'follow'>;
  log: Log;
}

/** Reads the desired state of this environment, and passes it to the controller. */
export class RecordReader {
  /** Records were read: apps or their domains may have changed. */
  readonly reads = new Feed<void>();
  /** Mark of the records at the last complete read. */
  private mark: string | null = null;
  /** Whether the store had the environment's incarnation at the last complete read. */
  private isAdmitted = false;
  private closed = false;

  constructor(private readonly options: RecordReaderOptions) {}

  /** Reads the records of these apps, by uid; the app index if there are none. Never rejects. */
  async read(uids: string[]): Promise<void> {
    const { records, environment, controller } = this.options;
    if (!uids.length) return this.readAppIndex();
    await this.take(async () => {
      const read = await records.readSome(environment, uids);
      if (!controller.incarnation.isPast(read.incarnation)) await controller.accept(read.records);
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

  /**
   * All records, as far as they have changed since they were read. Never rejects.
   * @returns whether the store answered, and does not know this environment (any more): a Supervisor has still to write it
   */
  async readRecords(): Promise<boolean> {
    const { records, environment, followed, controller } = this.options;
    const isRead = await this.take(async () => {
      if (followed) return controller.acceptAll(await followed.records());
      const read = await records.read(environment, this.mark);
      if (!read) return;
      const isPast = controller.incarnation.isPast(read.incarnation);
      this.isAdmitted = read.incarnation !== null && !isPast;
      if (isPast) return;
      await controller.acceptAll(read.records, read.incarnation);
      this.mark = read.mark;
    });
    return isRead && !followed && !this.isAdmitted;
  }

  /** The next reading takes all records over, also those that have not changed. */
  forget(): void {
    this.mark = null;
  }

  /** Records that are read later are ignored. */
  close(): void {
    this.closed = true;
  }

  /** @returns whether it was read */
  private async take(read: () => Promise<void>): Promise<boolean> {
    if (this.closed) return false;
    try {
      await read();
      this.reads.emit();
      return true;
    } catch (error) {
      // The snapshot stays valid, and a retry of a failed app may be due.
      const { log } = this.options;
      (log.rooms.records ?? log.debug)(`Records could not be read, what is known stands: ${messageOf(error)}`);
      return false;
    }
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
