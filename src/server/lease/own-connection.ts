import { type CollectionOptions, Database } from '@nocobase/database';
import type { WithDatabase } from '../nocobase/main-database';

/** A driver's connection, as Sequelize's hooks get it: of pg, or of mysql2 and mariadb. */
interface Opened {
  connection?: { stream?: { destroy(): void } };
  destroy?(): void;
}

/**
 * One connection to the main database outside of the main app's pool, which work of the main app can exhaust and a restart of it closes.
 * It has all options of the main app's: prefix, schema, underscored names, TLS.
 */
export class OwnConnection {
  private opened: Database | null = null;
  private readonly sockets = new Set<Opened>();

  constructor(
    private readonly main: WithDatabase,
    private readonly collection: CollectionOptions,
  ) {}

  /** SQLite is one process by definition: a second connection to its file would make writes of the main app fail. */
  get isAlone(): boolean {
    return this.main.db.inDialect('sqlite');
  }

  get db(): Database {
    if (this.isAlone) return this.main.db;
    this.opened ??= this.open();
    return this.opened;
  }

  /** What was asked is not waited for any more, and its connection may hang: the next statement opens another one. */
  reset(): void {
    const { opened } = this;
    this.opened = null;
    void opened?.close().catch(() => undefined);
    for (const socket of this.sockets) {
      if (socket.connection?.stream) socket.connection.stream.destroy();
      else socket.destroy?.();
    }
    this.sockets.clear();
  }

  private open(): Database {
    const { db } = this.main;
    const options = { ...db.options, pool: { max: 1, min: 0, idle: 60_000 }, logging: false };
    // A database in memory opens another connection in its own way.
    const { openAnother } = db as Database & { openAnother?(): Database };
    if (openAnother) return openAnother();
    const own = new Database(options as never);
    own.collection(this.collection);
    own.sequelize.addHook('afterConnect', (socket: unknown) => void this.sockets.add(socket as Opened));
    return own;
  }
}
