import { existsSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { MASTER_SOCKET } from '../../src/server/door/haproxy';
import { CONFIGURATION } from '../../src/server/door/rules';
import { findProgram } from '../lib/programs.mjs';
import { Part, type PartOptions } from './part';
import { HOST } from './ports';

export interface HAProxyOptions {
  /** Where the feeder has written what it reads. */
  folder: string;
  port: number;
  logFile: string;
  memory?: PartOptions['memory'];
}

/** HAProxy, whose end ends connections: it is started again at once, and never for a change. */
export class HAProxyPart extends Part {
  readonly url: string;

  constructor({ folder, port, logFile, memory }: HAProxyOptions) {
    super({
      name: 'HAProxy',
      logFile,
      memory,
      command: () => ({
        program: findProgram('haproxy') ?? 'haproxy',
        args: ['-W', '-S', `${path.join(folder, MASTER_SOCKET)},mode,600`, '-f', path.join(folder, CONFIGURATION)],
        options: { cwd: folder },
      }),
      ready: () => accepts(port),
      readyWithin: 20_000,
      readyEvery: 50,
      stopSignal: 'SIGTERM',
      stopWithin: 5_000,
      restartAfter: 200,
    });
    this.url = `http://${HOST}:${port}`;
  }
}

export interface FeederOptions {
  folder: string;
  env(): NodeJS.ProcessEnv;
  logFile: string;
  /** Node's arguments. */
  args: string[];
  memory?: PartOptions['memory'];
}

/** `nocobase-door`, which is ready once HAProxy has something to read. */
export class FeederPart extends Part {
  constructor({ folder, env, logFile, args, memory }: FeederOptions) {
    super({
      name: 'Door',
      logFile,
      memory,
      command: () => ({ program: process.execPath, args, options: { env: env() } }),
      ready: async () => existsSync(path.join(folder, CONFIGURATION)),
      readyWithin: 20_000,
      readyEvery: 50,
      stopSignal: 'SIGTERM',
      stopWithin: 5_000,
      restartAfter: 1_000,
    });
  }
}

const accepts = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = net.connect(port, HOST, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
