import type { AppRecord } from '../../../shared/messages';
import { type DatabaseLock, withHostingRows } from '../../databases';
import { Feed } from '../../feed';
import type { Log } from '../../log';
import { type BootTurn, type BootWish, claimTurn, endBootOfDisplaced } from './boot-turn';
import { claimHosting, type HostingAuthority, isForeign, restoreRow } from './claim';
import type { HostDatabase } from './connection';
import { guardPool } from './guarded-pool';

/** What this process writes into the databases of its apps to host them, and what it finds there. */
export class HostedDatabases {
  /** Apps of which a connection was refused: another process has taken them over. */
  readonly refusals = new Feed<string>();

  constructor(
    private readonly connectionOf: (record: AppRecord) => HostDatabase,
    private readonly log: Log,
  ) {}

  /**
   * Makes this process the host of an app, under the boot lock.
   * @returns how the app is to boot now; null: not any more
   * @throws AppSupervisorError HOSTING_TAKEN, DATABASE_…
   */
  claim(lock: DatabaseLock, turn: BootTurn): Promise<BootWish | null> {
    return claimTurn(turn, (record, silent) =>
      withHostingRows(this.connectionOf(record), record.database.dbConnType, record.name, (rows) =>
        claimHosting(rows, record, lock.backend, turn.authority, silent),
      ),
    );
  }

  /** The same connection, of which each that a pool opens has to find this process in the app's database. */
  guarded({ name, uid }: AppRecord, connection: HostDatabase, authority: HostingAuthority): HostDatabase {
    return guardPool(connection, uid, authority, () => {
      this.log.warn(`App ${name} was refused its database, which another process has taken over.`, { app: name });
      this.refusals.emit(name);
    });
  }

  /**
   * Writes the row of this process again if other data were restored into the app while it ran.
   * @throws AppSupervisorError DATABASE_…
   */
  restore(record: AppRecord, connection: HostDatabase, authority: HostingAuthority): Promise<boolean> {
    return withHostingRows(connection, record.database.dbConnType, record.name, (rows) =>
      restoreRow(rows, record, authority),
    );
  }

  /**
   * Takes an app from environments that it has left: one that nobody holds, or that of this process.
   * @throws AppSupervisorError DATABASE_…
   */
  async takeFrom(record: AppRecord, environments: string[]): Promise<void> {
    const { name, uid, database, generation } = record;
    await withHostingRows(this.connectionOf(record), database.dbConnType, name, async (rows) => {
      for (const environment of environments) await rows.take({ environment, uid }, generation);
    });
  }

  /**
   * Whether a process of another installation hosts an app.
   * @throws AppSupervisorError DATABASE_…
   */
  isForeign(record: AppRecord, authority: HostingAuthority): Promise<boolean> {
    const { name, uid, database } = record;
    return withHostingRows(this.connectionOf(record), database.dbConnType, name, async (rows) => {
      const own = (await rows.all()).find(({ environment }) => environment === authority.environment);
      return isForeign(own, uid, authority);
    });
  }

  /** @throws AppSupervisorError DATABASE_… */
  endBootOfDisplaced(turn: BootTurn): Promise<void> {
    return endBootOfDisplaced(turn, this.connectionOf);
  }
}
