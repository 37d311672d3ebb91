import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { findProgram } from '../lib/programs.mjs';
import { Part, type PartOptions } from './part';
import { HOST } from './ports';

export interface RedisOptions {
  name?: string;
  port: number;
  /** Of the user `default`, who may do everything: letters and digits; none by default. */
  password?: string;
  /** Users beside that one, by name: the commands that make them. */
  users?: Record<string, string>;
  /** Folder of its append-only file; null keeps everything in memory. */
  dataDir: string | null;
  logFile: string;
  /** More arguments of redis-server. */
  args?: string[];
  /** Which of the two, if it matters. */
  program?: 'redis' | 'valkey';
  memory?: PartOptions['memory'];
}

/** Our own Redis (or Valkey) server. */
export class Redis extends Part {
  readonly url: string;
  readonly port: number;

  constructor(options: RedisOptions) {
    const {
      name = 'Redis',
      port,
      password,
      users = {},
      dataDir,
      logFile,
      args = [],
      program = 'redis',
      memory,
    } = options;
    super({
      name,
      logFile,
      memory,
      command: () => {
        if (dataDir) fs.mkdirSync(dataDir, { recursive: true });
        const persistence = dataDir ? ['--appendonly', 'yes', '--dir', dataDir] : ['--appendonly', 'no'];
        const address = ['--bind', HOST, '--port', String(port)];
        return {
          program: findProgram(program) ?? 'redis-server',
          args: [
            ...settingsFile(dataDir ?? path.dirname(logFile), logFile, password, users),
            ...address,
            '--save',
            '',
            ...persistence,
            ...args,
          ],
          options: { cwd: dataDir ?? path.dirname(logFile) },
        };
      },
      ready: () => answersPing(port, password),
      readyWithin: 60_000,
      stopSignal: 'SIGTERM',
      stopWithin: 10_000,
    });
    this.port = port;
    // With the name, which redis-cli needs.
    this.url = `redis://${password ? `default:${password}@` : ''}${HOST}:${port}/0`;
  }
}

/** Everybody on the machine can read the arguments of a process, but only this user these files. */
function settingsFile(
  folder: string,
  logFile: string,
  password: string | undefined,
  users: Record<string, string>,
): string[] {
  if (!password) return [];
  const usersFile = path.join(folder, 'users.acl');
  const own: Record<string, string> = { default: `on >${password} ~* &* +@all`, ...users };
  writePrivate(usersFile, [
    ...Object.entries(own).map(([name, rules]) => `user ${name} ${rules}`),
    ...others(usersFile, own),
    '',
  ]);
  const file = `${logFile}.conf`;
  writePrivate(file, [`aclfile "${usersFile}"`, '']);
  return [file];
}

/** Users that somebody has made and kept by `ACL SAVE`, such as those of environments that were added. */
function others(usersFile: string, own: Record<string, string>): string[] {
  if (!fs.existsSync(usersFile)) return [];
  const lines = fs.readFileSync(usersFile, 'utf8').split('\n').filter(Boolean);
  return lines.filter((line) => !(line.split(' ')[1] in own));
}

function writePrivate(file: string, lines: string[]): void {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.rmSync(file, { force: true });
  fs.writeFileSync(file, lines.join('\n'), { mode: 0o600 });
}

function answersPing(port: number, password?: string): Promise<boolean> {
  return new Promise((resolve) => {
    let answer = '';
    const question = `${password ? `AUTH ${password}\r\n` : ''}PING\r\n`;
    const socket = net.connect(port, HOST, () => socket.write(question));
    const end = (ready: boolean) => {
      socket.destroy();
      resolve(ready);
    };
    socket.setTimeout(1_000, () => end(false));
    socket.on('error', () => end(false));
    socket.on('close', () => end(false));
    socket.on('data', (data) => {
      answer += data;
      if (answer.includes('+PONG')) end(true);
      else if (answer.includes('-')) end(false);
    });
  });
}
