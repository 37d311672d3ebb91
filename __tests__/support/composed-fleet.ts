import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { docker, dockerEnv } from '../../scripts/docker/engine';
import { Api, waitFor } from '../../scripts/fleet';
import { ROOT } from '../../scripts/lib/root.mjs';

/** What `docker inspect` tells of a container. */
export interface ContainerState {
  Status: string;
  Running: boolean;
  ExitCode: number;
  Pid: number;
  StartedAt: string;
  Health?: { Status: string };
}

const MINUTES = 60_000;

/** The fleet of docker-compose.yml in a real engine, as somebody has it who has cloned this repository. */
export class ComposedFleet {
  readonly folder = fs.mkdtempSync(path.join(tmpdir(), 'app-supervisor-composed-'));
  /** The door's address, by which all is reached. */
  readonly supervisor = 'http://localhost:14000';
  private attached: ChildProcess | null = null;

  constructor() {
    const taken = [...fs.readFileSync(path.join(ROOT, '.dockerignore'), 'utf8').matchAll(/^!([^/\n]+)/gm)];
    const names = new Set([
      ...taken.map(([, name]) => name),
      'Dockerfile',
      'docker-compose.yml',
      'docker-compose.no-door.yml',
      'docker',
    ]);
    for (const name of [...names, '.dockerignore']) {
      fs.cpSync(path.join(ROOT, name), path.join(this.folder, name), { recursive: true });
    }
  }

  /** @param lines of `.env`; none: there is no such file */
  configure(lines: string[] | null): void {
    const file = path.join(this.folder, '.env');
    fs.rmSync(file, { force: true });
    if (lines) fs.writeFileSync(file, lines.map((line) => `${line}\n`).join(''));
  }

  /** @param supervisor settings of its service in `docker-compose.override.yml`; null: there is no such file */
  override(supervisor: object | null): void {
    const file = path.join(this.folder, 'docker-compose.override.yml');
    fs.rmSync(file, { force: true });
    if (supervisor) fs.writeFileSync(file, JSON.stringify({ services: { supervisor } }));
  }

  compose(...args: string[]): Promise<string> {
    return docker(['compose', ...args], { cwd: this.folder });
  }

  /** `docker compose up …`, attached as in the README; returns when these services are healthy. */
  async up(args: string[], services: string[]): Promise<void> {
    const log = path.join(this.folder, 'up.log');
    const output = fs.openSync(log, 'w');
    const stdio = ['ignore', output, output] as const;
    const child = spawn('docker', ['compose', 'up', ...args], {
      cwd: this.folder,
      env: dockerEnv(),
      stdio: [...stdio],
    });
    fs.closeSync(output);
    this.attached = child;
    const failed = () => {
      if (child.exitCode === null) return;
      throw new Error(`docker compose up ended with ${child.exitCode}:\n${fs.readFileSync(log, 'utf8').slice(-5_000)}`);
    };
    await this.healthy(services, failed).catch(async (error) => {
      throw new Error(`${error.message}\n${fs.readFileSync(log, 'utf8').slice(-8_000)}`);
    });
  }

  /** @param check may throw to stop waiting */
  async healthy(services: string[], check: () => void = () => {}): Promise<void> {
    for (const service of services) {
      const isHealthy = async () => {
        check();
        return (await this.state(service))?.Health?.Status === 'healthy';
      };
      await waitFor(isHealthy, { timeout: 20 * MINUTES, interval: 1_000, what: `A healthy ${service}` });
    }
  }

  /** Null if there is no such container. */
  async state(service: string): Promise<ContainerState | null> {
    const id = await this.compose('ps', '--all', '--quiet', service);
    return id ? JSON.parse(await docker(['inspect', '--format', '{{json .State}}', id])) : null;
  }

  /** How often the engine has started it again. */
  async restarts(service: string): Promise<number> {
    return Number(
      await docker(['inspect', '--format', '{{.RestartCount}}', await this.compose('ps', '--all', '--quiet', service)]),
    );
  }

  /** As the README says. */
  async password(): Promise<string> {
    const text = await this.compose('run', '--rm', '--entrypoint', 'cat', 'keys', '/password/supervisor.env');
    return execFileSync('sh', ['-c', `${text}\nprintf %s "$INIT_ROOT_PASSWORD"`], { encoding: 'utf8' });
  }

  signIn(password: string): Promise<Api> {
    return Api.signIn(this.supervisor, { email: 'admin@nocobase.com', password });
  }

  /** @param args `--volumes` takes its data, too */
  async down(...args: string[]): Promise<void> {
    await this.compose('down', ...args);
    const { attached } = this;
    await waitFor(() => !attached || attached.exitCode !== null || attached.signalCode !== null, {
      timeout: MINUTES,
      what: 'The end of docker compose up',
    });
    this.attached = null;
  }

  async remove(): Promise<void> {
    await this.down('--volumes');
    fs.rmSync(this.folder, { recursive: true, force: true });
  }
}
