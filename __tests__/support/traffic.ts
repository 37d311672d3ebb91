import fs from 'node:fs';
import Redis from 'ioredis';
import { type Fleet, query } from '../../scripts/fleet';
import { until } from './wait';

/** How many commands a Redis has carried out since it started; scripts count their inner ones. */
export async function commandsOf(url: string): Promise<number> {
  const redis = new Redis(url);
  try {
    return Number(/^total_commands_processed:(\d+)/m.exec(await redis.info('stats'))?.[1]);
  } finally {
    redis.disconnect();
  }
}

/** Every statement that a fleet's PostgreSQL carries out, from its log, while this is on. */
export class StatementLog {
  private begin = 0;
  private counts: Map<string, number> | null = null;

  private constructor(private readonly fleet: Fleet) {}

  static async start(fleet: Fleet): Promise<StatementLog> {
    const log = new StatementLog(fleet);
    await log.configure("log_line_prefix = '%d|'", "log_statement = 'all'");
    log.begin = fs.statSync(log.file).size;
    await log.mark('begun');
    return log;
  }

  /** @returns statements by database; the same when it is asked again */
  async stop(): Promise<Map<string, number>> {
    if (this.counts) return this.counts;
    await this.mark('ended');
    await this.reset();
    const counts = new Map<string, number>();
    for (const [, database] of this.text.matchAll(/^([^|\n]+)\|LOG: {2}(?:statement|execute [^:]+):/gm)) {
      counts.set(database, (counts.get(database) ?? 0) + 1);
    }
    this.counts = counts;
    return counts;
  }

  private get file(): string {
    return this.fleet.postgres!.logFile;
  }

  private get text(): string {
    return fs.readFileSync(this.file).subarray(this.begin).toString();
  }

  /** Settings reach running sessions with their next statement; this one shows in the log when they have. */
  private async mark(what: string): Promise<void> {
    const text = `statement log ${what} ${this.begin}`;
    await until(`"${text}" in the log`, async () => {
      await query(this.fleet.postgresServer, 'postgres', `SELECT '${text}'`);
      return this.text.includes(text);
    });
  }

  private async configure(...settings: string[]): Promise<void> {
    for (const setting of settings) await query(this.fleet.postgresServer, 'postgres', `ALTER SYSTEM SET ${setting}`);
    await query(this.fleet.postgresServer, 'postgres', 'SELECT pg_reload_conf()');
  }

  private async reset(): Promise<void> {
    await query(this.fleet.postgresServer, 'postgres', 'ALTER SYSTEM RESET ALL');
    await query(this.fleet.postgresServer, 'postgres', 'SELECT pg_reload_conf()');
  }
}
