import type { AppRecord } from '../../../shared/messages';
import { type DatabaseLock, withHostPlace } from '../../databases';
import { Feed } from '../../feed';
import type { Log } from '../../log';
import type { BootTurn, BootWish } from './boot-turn';
import { claimHosting, endBootInTheWay, type HostingAuthority, leaveHosting } from './claim';
import type { HostDatabase } from './connection';
import { guardPool } from './guarded-pool';

/** What this process writes into the databases of its apps to host them, and what it finds there. */
export class HostedDatabases {
  /** Apps of which a connection was refused: another process hosts them. */
  readonly refusals = new Feed<string>();
  /** Apps of which a connection found no row of this process: other data were restored into them. */
  readonly losses = new Feed<string>();

  constructor(
    private readonly connectionOf: (record: AppRecord) => HostDatabase,
    private readonly log: Log,
  ) {}

  /**
   * Makes this process the host of an app, in the session that has the boot lock.
   * @returns how the app is to boot now; null: not any more
   * @throws AppSupervisorError HOSTING_TAKEN, HOSTING_LOST, HOSTING_HELD, DATABASE_…
   */
  async claimUnderLock(lock: DatabaseLock, { decide, authority }: BootTurn): Promise<BootWish | null> {
    const wish = decide();
    return wish && (await this.claim(wish.record, authority, lock)) ? wish : null;
  }

  /**
   * Makes this process the host of an app that runs here: by a record that lets fewer environments host it, or because other data were
   * restored into it.
   * @returns false if this process does not host its environment any more
   * @throws as `claimUnderLock`
   */
  claim(record: AppRecord, authority: HostingAuthority, lock?: DatabaseLock): Promise<boolean> {
    const { name, uid, database } = record;
    const work = (place: Parameters<typeof claimHosting>[0]) => claimHosting(place, record, authority);
    return withHostPlace(this.connectionOf(record), database.dbConnType, { app: name, uid }, work, lock);
  }

  /** The same connection, of which each that a pool opens has to find this process in the app's database. */
  guarded({ name, uid }: AppRecord, connection: HostDatabase, authority: HostingAuthority): HostDatabase {
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
    const { name, uid, database } = record;
    return withHostPlace(this.connectionOf(record), database.dbConnType, { app: name, uid }, (place) =>
      leaveHosting(place, record, authority),
    );
  }

  /** Ends a boot in the way of this one. @throws AppSupervisorError DATABASE_… */
  async endBootInTheWay({ decide, authority }: BootTurn): Promise<void> {
    const record = decide()?.record;
    if (!record) return;
    const { name, uid, database } = record;
    await withHostPlace(this.connectionOf(record), database.dbConnType, { app: name, uid }, (place) =>
      endBootInTheWay(place, record, authority),
    );
  }
}
