import { type Postgres, query } from '../../scripts/fleet';
import { startPostgres } from '../setup/services';
import { type FaultyLink, faultyLink } from './faulty-link';

const ROLE = 'fleet';

/** A PostgreSQL that fails as asked, for its role `fleet`, which reaches it by a link of its own. */
export class FaultyPostgres {
  private constructor(
    private readonly postgres: Postgres,
    private readonly link: FaultyLink,
  ) {}

  static async start(): Promise<FaultyPostgres> {
    const postgres = await startPostgres();
    const made = new FaultyPostgres(postgres, await faultyLink(postgres.server.port));
    await made.sql(`CREATE ROLE ${ROLE} LOGIN CREATEDB PASSWORD 'fleet'`);
    return made;
  }

  /** As the role reaches it. */
  get server() {
    return { ...this.postgres.server, port: this.link.port, user: ROLE, password: 'fleet' };
  }

  /** As its administrator. */
  sql(text: string) {
    return query(this.postgres.server, 'postgres', text);
  }

  createDatabase(name: string) {
    return this.sql(`CREATE DATABASE ${name} OWNER ${ROLE}`);
  }

  /** Copies a database as it is now. @returns what makes the copy take its place, as after a failover */
  async copy(database: string): Promise<() => Promise<void>> {
    const closed = async (work: () => Promise<unknown>) => {
      await this.sql(`ALTER DATABASE ${database} ALLOW_CONNECTIONS false`);
      await this.cut();
      await work();
    };
    await closed(() => this.sql(`CREATE DATABASE ${database}_copy TEMPLATE ${database} OWNER ${ROLE}`));
    await this.sql(`ALTER DATABASE ${database} ALLOW_CONNECTIONS true`);
    return () =>
      closed(async () => {
        await this.sql(`ALTER DATABASE ${database} RENAME TO ${database}_lost`);
        await this.sql(`ALTER DATABASE ${database}_copy RENAME TO ${database}`);
      });
  }

  async stop(): Promise<void> {
    this.link.close();
    await this.postgres.stop();
  }

  /** No session of the role goes on. */
  cut() {
    return this.sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '${ROLE}'`);
  }

  goAway(): Promise<unknown> {
    return this.postgres.stop();
  }

  comeBack(): Promise<unknown> {
    return this.postgres.start();
  }

  delay(ms: number): void {
    this.link.delay(ms);
  }

  /** @param setting of the role, for its next sessions; those that are open end, as in a failover */
  async alter(setting: string): Promise<void> {
    await this.sql(`ALTER ROLE ${ROLE} ${setting}`);
    await this.cut();
  }
}

export interface PostgresFault {
  what: string;
  /** Whether nothing can be read meanwhile. */
  isGone: boolean;
  begins(postgres: FaultyPostgres): Promise<unknown>;
  ends(postgres: FaultyPostgres): Promise<unknown>;
}

export const POSTGRES_FAULTS: PostgresFault[] = [
  {
    what: 'is restarted',
    isGone: true,
    begins: (postgres) => postgres.goAway(),
    ends: (postgres) => postgres.comeBack(),
  },
  {
    what: 'is out of connections',
    isGone: true,
    begins: (postgres) => postgres.alter('CONNECTION LIMIT 0'),
    ends: (postgres) => postgres.sql(`ALTER ROLE ${ROLE} CONNECTION LIMIT -1`),
  },
  {
    what: 'is read-only',
    isGone: false,
    begins: (postgres) => postgres.alter('SET default_transaction_read_only = on'),
    ends: (postgres) => postgres.alter('RESET default_transaction_read_only'),
  },
  {
    what: 'answers 2 s late',
    isGone: false,
    begins: async (postgres) => postgres.delay(2_000),
    ends: async (postgres) => postgres.delay(0),
  },
];
