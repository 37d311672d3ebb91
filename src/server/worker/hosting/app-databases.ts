import type { AppRecord } from '../../../shared/messages';
import {
  checkDatabase,
  type DatabaseCheck,
  databaseSize,
  inspectServer,
  type Protected,
  type RoleMaker,
  roleMakerOf,
  type ServerRoles,
} from '../../databases';
import {
  connectionOf,
  connectionToCheck,
  type HostDatabase,
  schemasDatabaseOf,
  workerConnectionOf,
} from './connection';

/** How this process reaches the databases of its apps: as the app's role, and as itself. */
export class AppDatabases {
  /** As last read. */
  private roles: ServerRoles | null = null;

  /**
   * @param main returns the database options of the main app, which exists later
   * @param open opens an app's stored password
   * @param mayShareRole whether apps may share the environment's own database role where it may make none
   * @param allowedHosts hosts that a separate connection may name; empty: all
   */
  constructor(
    private readonly main: () => HostDatabase,
    private readonly open: (password: string, app: AppRecord) => string,
    private readonly mayShareRole: boolean,
    private readonly allowedHosts: readonly string[],
  ) {}

  connectionOf(record: AppRecord): HostDatabase {
    return connectionOf(record, this.main(), (password) => this.open(password, record), this.allowedHosts);
  }

  /** As the Worker itself; a separate connection has one user only. */
  workerConnectionOf(record: AppRecord): HostDatabase {
    const isOurs = record.database.dbConnType !== 'new_connection';
    return isOurs ? workerConnectionOf(record, this.main()) : this.connectionOf(record);
  }

  makerOf(record: AppRecord): RoleMaker | null {
    return roleMakerOf(record, this.connectionOf(record), this.workerConnectionOf(record));
  }

  /** The environment's own main database, which no app may use or drop. */
  protect(): Protected {
    const { host, port, database, schema, storage } = this.main();
    return { host, port, database, schema, storage };
  }

  /** What the environment's own database role may do. */
  async serverRoles(): Promise<ServerRoles> {
    this.roles = await inspectServer(this.main(), this.mayShareRole);
    return this.roles;
  }

  /** Bytes that the database of an app takes; null if there is none. */
  size(record: AppRecord): Promise<number | null> {
    return databaseSize(this.workerConnectionOf(record), record.database.dbConnType);
  }

  /** Checks whether an app could use a database with this environment's connection. */
  async check(name: string, database: AppRecord['database']): Promise<DatabaseCheck> {
    const { dbConnType } = database;
    const connection = connectionToCheck({ name, database }, this.main(), this.allowedHosts);
    if (dbConnType === 'new_connection') return checkDatabase(connection, dbConnType, { protect: this.protect() });
    const roles = this.roles?.mode === 'made' ? this.roles : await this.serverRoles().catch(() => null);
    if (dbConnType === 'new_schema' && roles?.mode === 'made') connection.database = schemasDatabaseOf(this.main());
    return checkDatabase(connection, dbConnType, { protect: this.protect(), roles: roles?.mode });
  }
}
