import { type Message, say } from '../../../shared/message';
import type { AppRecord } from '../../../shared/messages';
import {
  checkDatabase,
  type DatabaseCheck,
  databaseSize,
  dropDatabase,
  inspectServer,
  type Protected,
  type RoleMaker,
  releaseDatabase,
  roleMakerOf,
  type ServerRoles,
  setRolePassword,
  signsIn,
} from '../../databases';
import {
  connectionOf,
  connectionToCheck,
  type HostDatabase,
  schemasDatabaseOf,
  workerConnectionOf,
} from './host-database';

/** How this process reaches the databases of its apps: as the app's role, and as itself. */
export class AppDatabases {
  /** As last read. */
  private roles: ServerRoles | null = null;
  /** By incarnation of an app, the password by which its role last signed in here. A Supervisor that was restored from a backup may not know it. */
  private readonly lastPasswords = new Map<string, string>();

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

  /** With the password by which the app's role signs in: the record may have one that is to come, or a former one. */
  async signedIn(record: AppRecord): Promise<HostDatabase> {
    const connection = this.connectionOf(record);
    const last = this.lastPasswords.get(record.uid) ?? connection.password;
    const isOnly = !record.database.nextPassword && last === connection.password;
    return isOnly ? connection : this.refreshed(connection, record);
  }

  /** The same connection, with the password by which the app's role signs in now. @param record the newest that there is */
  async refreshed(connection: HostDatabase, record: AppRecord): Promise<HostDatabase> {
    return { ...connection, password: await this.passwordNow(record, connection.password ?? '') };
  }

  /**
   * The password by which the role of an app signs in now.
   * @param known by which it did last
   * @param record the newest that there is
   */
  private async passwordNow(record: AppRecord, known: string): Promise<string> {
    const maker = this.makerOf(record);
    if (!maker) return known;
    const { nextPassword } = record.database;
    const next = nextPassword ? [this.open(nextPassword, record)] : [];
    const last = this.lastPasswords.get(record.uid) ?? known;
    const all = new Set([last, known, ...next, maker.password]);
    if (all.size === 1) return last;
    try {
      for (const password of all)
        if (await signsIn({ ...this.connectionOf(record), password })) {
          this.lastPasswords.set(record.uid, password);
          return password;
        }
    } catch {
      // Whoever connects next finds the same.
    }
    return last;
  }

  /**
   * Gives the role of an app the password that its record says it is to have.
   * @returns it; null if the record names none
   * @throws AppSupervisorError DATABASE_…, and if the app has no role of its own: a password that is not set is not to become the known one
   */
  async setPassword(record: AppRecord): Promise<string | null> {
    const { nextPassword, dbConnType } = record.database;
    if (!nextPassword) return null;
    const maker = this.makerOf(record);
    if (!maker) throw new Error(`App "${record.name}" has no database role of its own that could get another password`);
    const password = this.open(nextPassword, record);
    await setRolePassword({ ...maker, password }, dbConnType, record.name);
    this.lastPasswords.set(record.uid, password);
    return password;
  }

  /**
   * The same connection, of which each that a pool opens signs in by the password that the role has then.
   * @param uid of the app
   * @param newest the newest record of the app, by which its role may have another password
   * @param told called with another password than the last one
   */
  following(
    connection: HostDatabase,
    uid: string,
    newest: () => AppRecord | Promise<AppRecord>,
    told: (password: string) => void,
  ): HostDatabase {
    if (connection.dialect === 'sqlite') return connection;
    const hooks = connection.hooks as { beforeConnect?: unknown } | undefined;
    let known = connection.password ?? '';
    this.lastPasswords.set(uid, known);
    const beforeConnect = async (config: { password?: string }) => {
      const password = await Promise.resolve(newest())
        .then((record) => this.passwordNow(record, known))
        .catch(() => known);
      if (password !== known) told(password);
      known = password;
      config.password = password;
    };
    return {
      ...connection,
      hooks: { ...hooks, beforeConnect: [...[hooks?.beforeConnect ?? []].flat(), beforeConnect] },
    };
  }

  /** As the Worker itself; a separate connection has one user only. */
  workerConnectionOf(record: AppRecord): HostDatabase {
    const isOurs = record.database.dbConnType !== 'new_connection';
    return isOurs ? workerConnectionOf(record, this.main()) : this.connectionOf(record);
  }

  makerOf(record: AppRecord, connection = this.connectionOf(record)): RoleMaker | null {
    const maker = roleMakerOf(record, connection, this.workerConnectionOf(record));
    const { nextPassword } = record.database;
    return maker && nextPassword ? { ...maker, nextPassword: this.open(nextPassword, record) } : maker;
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

  /**
   * Drops what a removed app created, and nothing else, or removes its ownership marker.
   * @returns what was done
   * @throws AppSupervisorError DATABASE_…
   */
  async end(record: AppRecord): Promise<Message> {
    const { name, uid, data } = record;
    const { dbConnType } = record.database;
    const connection = await this.signedIn(record);
    const maker = this.makerOf(record, connection);
    if (data === 'drop') return dropDatabase(connection, dbConnType, { uid, protect: this.protect(), maker });
    await releaseDatabase(connection, dbConnType, { app: name, uid });
    return say('DATA_RELEASED');
  }

  /** Bytes that the database of an app takes; null if there is none. */
  size(record: AppRecord): Promise<number | null> {
    return databaseSize(this.workerConnectionOf(record), record.database.dbConnType);
  }

  /**
   * Checks whether an app could use a database with this environment's connection.
   * @param explains whether it says what an address answers that is no database
   */
  async check(name: string, database: AppRecord['database'], explains: boolean): Promise<DatabaseCheck> {
    const { dbConnType } = database;
    const connection = connectionToCheck({ name, database }, this.main(), this.allowedHosts);
    if (dbConnType === 'new_connection')
      return checkDatabase({ ...connection, isSeparate: !explains }, dbConnType, { protect: this.protect() });
    const roles = async () => {
      const known = this.roles?.mode === 'made' ? this.roles : await this.serverRoles().catch(() => null);
      if (dbConnType === 'new_schema' && known?.mode === 'made') connection.database = schemasDatabaseOf(this.main());
      return known?.mode;
    };
    return checkDatabase(connection, dbConnType, { protect: this.protect(), roles });
  }
}
