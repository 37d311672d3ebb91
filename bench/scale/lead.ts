import pg from 'pg';
import type { PostgresServer } from '../../scripts/fleet';
import { round } from './measure';

/** How often the row of the lead is read, in ms. */
const EVERY = 200;

export interface Lead {
  /** The longest time between two renewals, in s; the lead is lost after 5. */
  longest: number;
  /** How often it was taken anew. */
  losses: number;
}

/** The Supervisor's database: how the lead is renewed, and how many transactions there were. */
export class SupervisorDatabase {
  private readonly client: pg.Client;
  /** Transactions of this object itself. */
  private own = 0;

  private constructor(
    server: PostgresServer,
    private readonly database: string,
  ) {
    this.client = new pg.Client({ ...server, database });
    this.client.on('error', () => undefined);
  }

  static async open(server: PostgresServer, database: string): Promise<SupervisorDatabase> {
    const opened = new SupervisorDatabase(server, database);
    await opened.client.connect();
    return opened;
  }

  /** Transactions of the Supervisor so far; a statement outside a transaction is one. */
  async transactions(): Promise<number> {
    const [{ count }] = await this.ask(
      'SELECT xact_commit + xact_rollback AS count FROM pg_stat_database WHERE datname = $1',
      [this.database],
    );
    return Number(count) - this.own;
  }

  /** Observes the lead from now on. @returns ends it */
  watchLead(): () => Lead {
    let [longest, losses, since] = [0, 0, performance.now()];
    let last: { beat: string; term: string; holder: string } | null = null;
    const look = async () => {
      const [row] = await this.ask('SELECT beat, term, holder FROM "appSupervisorLeaders" WHERE id = 1', []);
      const now = performance.now();
      longest = Math.max(longest, now - since);
      if (last && (row.term !== last.term || row.holder !== last.holder)) losses++;
      if (row.beat !== last?.beat) since = now;
      last = row as typeof last;
    };
    const timer = setInterval(() => void look().catch(() => undefined), EVERY);
    return () => {
      clearInterval(timer);
      return { longest: round(longest / 1_000), losses };
    };
  }

  end(): Promise<void> {
    return this.client.end().catch(() => undefined);
  }

  private async ask(sql: string, values: unknown[]): Promise<Array<Record<string, string>>> {
    this.own++;
    return (await this.client.query(sql, values)).rows;
  }
}
