import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../scripts/fleet';
import { findOnPath, findProgram } from '../../scripts/lib/programs.mjs';
import { removeFolders, startPostgres as startOwnPostgres } from '../setup/services';

/**
 * Real database servers for the tests of apps/databases, each with a data folder of its own under the temporary folder.
 * They are not the shared ones on purpose: these tests make roles, revoke rights and kill backends.
 */
export interface Server {
  host: string;
  port: number;
  username: string;
  password: string;
  stop(): Promise<void>;
}

/** Path of a server program; a test that cannot run must not look like one that passed. */
function programOf(name: 'mariadb' | 'pgbouncer'): string {
  return (
    findProgram(name) ?? fail(`${name} is not installed, and this test needs it: "npm test" installs it or says how.`)
  );
}

function fail(message: string): never {
  throw new Error(message);
}

/**
 * PostgreSQL with the superuser `postgres`.
 * @param programs folder of another PostgreSQL than that of npm
 */
export async function startPostgres(programs?: string): Promise<Server> {
  const postgres = await startOwnPostgres(programs);
  const { user: username, ...server } = postgres.server;
  const stop = async () => {
    await postgres.stop();
    await removeFolders();
  };
  return { ...server, username, stop };
}

/** MariaDB with the user `root` that may do everything. */
export async function startMariadb(): Promise<Server> {
  const program = programOf('mariadb');
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'databases-maria-'));
  const asRoot = process.getuid?.() === 0 ? ['--user=root'] : [];
  const data = `--datadir=${join(folder, 'data')}`;
  // Each server deletes the temporary tables that it finds in its folder for them when it starts, also those of another one.
  const env = { ...process.env, TMPDIR: folder };
  execFileSync(
    findOnPath(['mariadb-install-db']) ?? fail('mariadb-install-db is missing beside mariadbd.'),
    ['--no-defaults', data, '--auth-root-authentication-method=normal', '--skip-test-db', ...asRoot],
    { stdio: 'pipe', env },
  );
  const start = join(folder, 'start.sql');
  writeFileSync(
    start,
    "CREATE USER 'admin'@'%' IDENTIFIED BY 'admin';\nGRANT ALL ON *.* TO 'admin'@'%' WITH GRANT OPTION;\n",
  );
  const options = [
    '--no-defaults',
    data,
    `--port=${port}`,
    '--bind-address=127.0.0.1',
    `--socket=${join(folder, 'socket')}`,
    `--pid-file=${join(folder, 'pid')}`,
    `--init-file=${start}`,
    '--skip-name-resolve',
    '--innodb-flush-log-at-trx-commit=0',
    ...asRoot,
  ];
  const child = spawn(program, options, { stdio: ['ignore', 'pipe', 'pipe'], env });
  await untilPrinted(child, 'MariaDB', 'ready for connections');
  return { host: '127.0.0.1', port, username: 'admin', password: 'admin', stop: () => stopChild(child, folder) };
}

/**
 * PgBouncer in front of `server`; it voids session locks when `mode` is `transaction`.
 * @param pool `inTurn` lends the connection that has rested longest, instead of the one that came back last
 */
export async function startPgbouncer(
  server: Server,
  mode: 'transaction' | 'session',
  pool: { size?: number; inTurn?: boolean } = {},
): Promise<Server> {
  const program = programOf('pgbouncer');
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'databases-bouncer-'));
  writeFileSync(join(folder, 'users'), `"${server.username}" "${server.password}"\n`);
  writeFileSync(
    join(folder, 'ini'),
    [
      '[databases]',
      `* = host=${server.host} port=${server.port}`,
      '[pgbouncer]',
      'listen_addr = 127.0.0.1',
      `listen_port = ${port}`,
      'unix_socket_dir =',
      'auth_type = plain',
      `auth_file = ${join(folder, 'users')}`,
      `pool_mode = ${mode}`,
      `default_pool_size = ${pool.size ?? 4}`,
      `server_round_robin = ${pool.inTurn ? 1 : 0}`,
    ].join('\n'),
  );
  const asRoot = process.getuid?.() === 0;
  if (asRoot) {
    execFileSync('chown', ['-R', 'nobody', folder]);
  }
  const child = spawn(program, [...(asRoot ? ['-u', 'nobody'] : []), join(folder, 'ini')], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  await untilPrinted(child, 'PgBouncer', 'process up');
  return { ...server, port, stop: () => stopChild(child, folder) };
}

/**
 * A network in front of `server` that can be cut without a word: nothing gets through any more, and no connection ends.
 * @param cutAt cuts as soon as a client sends something that matches
 */
export async function startNetwork(
  server: Server,
  cutAt?: RegExp,
): Promise<Server & { cut(): void; isCut(): boolean }> {
  const sockets = new Set<Socket>();
  let isCut = false;
  const network = createServer((client) => {
    const upstream = connect(server.port, server.host);
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from.on('error', () => to.destroy());
      from.on('close', () => (isCut ? undefined : to.destroy()));
      from.on('data', (chunk) => {
        if (from === client && cutAt?.test(chunk.toString('latin1'))) isCut = true;
        if (!isCut) to.write(chunk);
      });
    }
  });
  await new Promise<void>((resolve) => network.listen(0, '127.0.0.1', resolve));
  return {
    ...server,
    port: (network.address() as { port: number }).port,
    cut: () => {
      isCut = true;
    },
    isCut: () => isCut,
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => network.close(resolve));
    },
  };
}

function untilPrinted(child: ChildProcess, name: string, words: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let printed = '';
    const read = (chunk: Buffer) => {
      printed += chunk;
      if (printed.includes(words)) resolve();
    };
    child.stdout?.on('data', read);
    child.stderr?.on('data', read);
    // Not at its exit: the last that it prints may come after that.
    child.on('close', (code) => reject(new Error(`${name} ended with ${code}:\n${printed}`)));
    child.on('error', reject);
  });
}

async function stopChild(child: ChildProcess, folder: string): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await ended;
  }
  rmSync(folder, { recursive: true, force: true });
}
