import type { AppRecord } from '../../../shared/messages';
import { type DatabaseLock, withHostingRows } from '../../databases';
import { Feed } from '../../feed';
import type { Log } from '../../log';
import { type BootTurn, endBootOfDisplaced } from './boot-turn';
import { claimHosting, type HostingAuthority, restoreRow, takeFromSilent } from './claim';
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
   * @returns whether it is, as before
   * @throws AppSupervisorError HOSTING_TAKEN, DATABASE_…
   */
  async claim(record: AppRecord, connection: HostDatabase, lock: DatabaseLock, turn: BootTurn): Promise<boolean> {
    const left = await withHostingRows(connection, record.database.dbConnType, record.name, (rows) =>
      claimHosting(rows, record, lock.backend, turn.authority),
    );
    if (left) turn.left(left);
    return left !== null;
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
      restoreRow(rows, record.uid, authority),
    );
  }

  /**
   * Takes an app that runs here from environments that it has left, as far as nobody holds them.
   * @returns the others
   * @throws AppSupervisorError DATABASE_…
   */
  takeFrom(record: AppRecord, environments: string[], authority: HostingAuthority): Promise<string[]> {
    const { name, database } = record;
    return withHostingRows(this.connectionOf(record), database.dbConnType, name, (rows) =>
      takeFromSilent(rows, record, environments, authority),
    );
  }

  /** @throws AppSupervisorError DATABASE_… */
  endBootOfDisplaced(turn: BootTurn): Promise<void> {
    return endBootOfDisplaced(turn, this.connectionOf);
  }
}
