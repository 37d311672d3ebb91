import type { AppRecord } from '../../../shared/messages';
import { type DatabaseLock, type HostPlace, withHostPlace } from '../../databases';
import { Feed } from '../../feed';
import type { Log } from '../../log';
import type { AppDatabases } from './app-databases';
import { claimHosting, endBootInTheWay, type HostingAuthority, leaveHosting } from './claim';
import { guardPool } from './guarded-pool';
import type { HostDatabase } from './host-database';

/** What this process writes into the databases of its apps to host them, and what it finds there. */
export class HostedDatabases {
  /** Apps of which a connection was refused: another process hosts them. */
  readonly refusals = new Feed<string>();
  /** Apps of which a connection found no row of this process: other data were restored into them. */
  readonly losses = new Feed<string>();

  constructor(
    private readonly databases: Pick<AppDatabases, 'signedIn'>,
    private readonly log: Log,
  ) {}

  /**
   * Makes this process the host of an app: in the session that has the boot lock, or of an app that runs here, by a record that lets fewer
   * environments host it, or because other data were restored into it. The caller has confirmed its lease.
   * @throws AppSupervisorError HOSTING_TAKEN, HOSTING_LOST, HOSTING_HELD, DATABASE_…
   */
  claim(record: AppRecord, authority: HostingAuthority, lock?: DatabaseLock): Promise<void> {
    return this.inPlace(record, (place) => claimHosting(place, record, authority), lock);
  }

  /** The same connection, of which each that a pool opens has to find this process in the app's database. */
  guarded(connection: HostDatabase, authority: HostingAuthority, { name, uid }: AppRecord): HostDatabase {
    return guardPool(connection, uid, authority, (found) => {
      if (found === 'lost') return this.losses.emit(name);
      this.log.warn(`App ${name} was refused its database, which another process has taken over.`, { app: name });
      this.refusals.emit(name);
    });
  }

  /**
   * The app leaves this environment: no process of it writes to the app's database any more.
   * @throws AppSupervisorError HOSTING_TAKEN, HOSTING_HELD, DATABASE_…
   */
  leave(record: AppRecord, authority: HostingAuthority): Promise<void> {
    return this.inPlace(record, (place) => leaveHosting(place, record, authority));
  }

  /** Ends a boot in the way of one by this record. @throws AppSupervisorError DATABASE_… */
  async endBootInTheWay(record: AppRecord, authority: HostingAuthority): Promise<void> {
    await this.inPlace(record, (place) => endBootInTheWay(place, record, authority));
  }

  private async inPlace<T>(record: AppRecord, work: (place: HostPlace) => Promise<T>, lock?: DatabaseLock): Promise<T> {
    const { name, uid, database } = record;
    return withHostPlace(await this.databases.signedIn(record), database.dbConnType, { app: name, uid }, work, lock);
  }
}
