import { existsSync, mkdirSync, readlinkSync, rmSync, symlinkSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { CONFIGURATION, haproxyArguments } from '../../src/server/door/rules/place';
import { findProgram } from '../lib/programs.mjs';
import { ROOT } from '../lib/root.mjs';
import { makeSocketFolder, socketFolder } from './environment';
import { Part, type PartOptions } from './part';
import { HOST } from './ports';

export interface HAProxyOptions {
  /** Where the feeder has written what it reads. */
  folder: string;
  /** Done before each start. */
  prepare?(): void;
  port: number;
  logFile: string;
  memory?: PartOptions['memory'];
}

/** HAProxy, whose end ends connections: it is started again at once, and never for a change. */
export class HAProxyPart extends Part {
  readonly url: string;

  constructor({ folder, prepare, port, logFile, memory }: HAProxyOptions) {
    super({
      name: 'HAProxy',
      logFile,
      memory,
      command: () => {
        prepare?.();
        return {
          program: findProgram('haproxy') ?? 'haproxy',
          args: haproxyArguments(folder),
          options: { cwd: folder },
        };
      },
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

export interface Door {
  feeder: FeederPart;
  haproxy: HAProxyPart;
}

export interface DoorOptions {
  /** Of the fleet. */
  home: string;
  port: number;
  /** The Supervisor's own address. */
  supervisor: string;
  /** What it may read, and what it believes it by. */
  keys(): Record<string, string>;
  memoryOf(key: string): PartOptions['memory'];
}

/** Both are kept with the fleet; HAProxy ends connections, so nothing of a fleet restarts it. */
export function makeDoor({ home, port, supervisor, keys, memoryOf }: DoorOptions): Door {
  const logFile = (name: string) => path.join(home, 'logs', `${name}.log`);
  const folder = path.join(socketFolder(home), 'door');
  const prepare = () => linkTo(path.join(home, 'door'), home, folder);
  const haproxy = new HAProxyPart({ folder, prepare, port, logFile: logFile('haproxy'), memory: memoryOf('haproxy') });
  return {
    haproxy,
    feeder: new FeederPart({
      folder,
      args: [path.join(ROOT, 'dist/server/nocobase-door.js')],
      env: () => {
        prepare();
        // Of another start, with other ports: HAProxy waits for the one of this start.
        if (!haproxy.running) rmSync(path.join(folder, CONFIGURATION), { force: true });
        return {
          PATH: process.env.PATH,
          APP_SUPERVISOR_DOOR_FOLDER: folder,
          APP_SUPERVISOR_DOOR_HTTP: `${HOST}:${port}`,
          APP_SUPERVISOR_DOOR_SUPERVISORS: supervisor,
          ...keys(),
        };
      },
      logFile: logFile('door'),
      memory: memoryOf('door'),
    }),
  };
}

/** The path of a socket may have 107 bytes, which a folder deep in a home directory exceeds, and no spaces, which end a word for HAProxy. */
function linkTo(folder: string, home: string, link: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  makeSocketFolder(home);
  if (existsSync(link) && readlinkSync(link) === folder) return;
  rmSync(link, { force: true });
  symlinkSync(folder, link);
}
