import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { findProgram } from '../lib/programs.mjs';
import { Part, type PartOptions } from './part';
import { HOST } from './ports';

export interface RedisOptions {
  name?: string;
  port: number;
  /** Letters and digits, which every client has to know; none by default. */
  password?: string;
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
    const { name = 'Redis', port, password, dataDir, logFile, args = [], program = 'redis', memory } = options;
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
          args: [...settingsFile(logFile, password), ...address, '--save', '', ...persistence, ...args],
          options: { cwd: dataDir ?? path.dirname(logFile) },
        };
      },
      ready: () => answersPing(port, password),
      readyWithin: 60_000,
      stopSignal: 'SIGTERM',
      stopWithin: 10_000,
    });
    this.port = port;
    this.url = `redis://${password ? `:${password}@` : ''}${HOST}:${port}/0`;
  }
}

/** Everybody on the machine can read the arguments of a process, but only this user this file. */
function settingsFile(logFile: string, password?: string): string[] {
  if (!password) return [];
  const file = `${logFile}.conf`;
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.rmSync(file, { force: true });
  fs.writeFileSync(file, `requirepass ${password}\n`, { mode: 0o600 });
  return [file];
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
