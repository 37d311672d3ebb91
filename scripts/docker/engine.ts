import { execFile } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { Part } from '../fleet/part';
import { ensurePrograms } from '../lib/programs.mjs';

const run = promisify(execFile);

/** Images stay here between runs. A Docker Engine that the machine has is left alone, and so are its images. */
const FOLDER = path.join(tmpdir(), 'docker-app-supervisor');
const ADDRESS = `unix://${FOLDER}/docker.sock`;

/** A Docker Engine of our own, for tests. */
export class DockerEngine {
  /** For `DOCKER_HOST`. */
  readonly address = ADDRESS;
  readonly folder = FOLDER;

  private constructor(private readonly process: Part | null) {}

  /** Uses the one that an earlier run has left running. @throws, with the reason, where none can be started */
  static async start(): Promise<DockerEngine> {
    if (await answers()) return new DockerEngine(null);
    if (process.platform !== 'linux' || process.getuid?.() !== 0) {
      throw new Error('NO DOCKER ENGINE CAN BE STARTED HERE: that needs Linux and root. Nothing was tested.');
    }
    ensurePrograms(['docker', 'dockerCli', 'compose', 'buildx', 'iptables'], console.log);
    fs.mkdirSync(FOLDER, { recursive: true });
    const [data, state] = ['data', 'exec'].map((name) => path.join(FOLDER, name));
    const pidfile = path.join(FOLDER, 'dockerd.pid');
    const engine = new Part({
      name: 'Docker Engine',
      logFile: path.join(FOLDER, 'dockerd.log'),
      command: () => ({
        program: 'dockerd',
        args: ['--data-root', data, '--exec-root', state, '--pidfile', pidfile, '--host', ADDRESS],
      }),
      ready: answers,
      readyWithin: 60_000,
      stopSignal: 'SIGTERM',
      stopWithin: 60_000,
    });
    try {
      await engine.start();
    } catch (error) {
      throw new Error(`NO DOCKER ENGINE CAN BE STARTED HERE. Nothing was tested.\n${(error as Error).message}`);
    }
    return new DockerEngine(engine);
  }

  /** @returns what `docker ARGS` wrote. @throws with its errors if it fails */
  docker(args: string[], options: { cwd?: string } = {}): Promise<string> {
    return docker(args, options);
  }

  async stop(): Promise<void> {
    await this.process?.stop();
  }
}

/** Of whoever uses the engine, without what this process was told about another one. */
export function dockerEnv(): NodeJS.ProcessEnv {
  const { DOCKER_CONTEXT, DOCKER_TLS_VERIFY, ...env } = process.env;
  return { ...env, DOCKER_HOST: ADDRESS };
}

export async function docker(args: string[], { cwd }: { cwd?: string } = {}): Promise<string> {
  const { stdout } = await run('docker', args, { cwd, env: dockerEnv(), maxBuffer: Number.POSITIVE_INFINITY });
  return stdout.trim();
}

const answers = () =>
  docker(['version']).then(
    () => true,
    () => false,
  );
