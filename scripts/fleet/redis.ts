import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { findProgram } from '../lib/programs.mjs';
import { Part, type PartOptions } from './part';
import { HOST } from './ports';

export interface RedisOptions {
  name?: string;
  port: number;
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

  constructor({ name = 'Redis', port, dataDir, logFile, args = [], program = 'redis', memory }: RedisOptions) {
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
          args: [...address, '--save', '', ...persistence, ...args],
          options: { cwd: dataDir ?? path.dirname(logFile) },
        };
      },
      ready: () => answersPing(port),
      readyWithin: 60_000,
      stopSignal: 'SIGTERM',
      stopWithin: 10_000,
    });
    this.port = port;
    this.url = `redis://${HOST}:${port}/0`;
  }
}

function answersPing(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, HOST, () => socket.write('PING\r\n'));
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(1_000, () => end(false));
    socket.on('error', () => end(false));
    socket.on('data', (data) => end(data.toString().startsWith('+PONG')));
  });
}
