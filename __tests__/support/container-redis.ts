import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import Redis from 'ioredis';
import { freePort, HOST } from '../../scripts/fleet';
import { findProgram } from '../../scripts/lib/programs.mjs';
import { until } from './wait';

/** A Redis by the command of its container, on folders of this machine. */
export class ContainerRedis {
  port = 0;
  private server: ChildProcess | null = null;

  /**
   * @param folder has the container's folders
   * @param command for a shell
   * @param env of the container
   */
  constructor(
    private readonly folder: string,
    private readonly command: string,
    private readonly env: Record<string, string> = {},
  ) {}

  /** Starts it, or starts it again. @param password of its administrator */
  async start(password: string): Promise<void> {
    await this.stop();
    this.port ||= await freePort();
    fs.mkdirSync(path.join(this.folder, 'data'), { recursive: true });
    const program = `"${findProgram('redis')}" --port ${this.port} --bind ${HOST}`;
    const here = this.command
      // What the entrypoint of the image runs as the server's user.
      .replace('docker-entrypoint.sh redis-server', 'redis-server')
      .replace('redis-server ', `${program} `)
      .replaceAll(/(?<= )\/(?=(data|redis)\b)/g, `${this.folder}/`);
    this.server = spawn('sh', ['-euc', `${here.trimEnd()} --dir ${this.folder}/data`], {
      env: { PATH: process.env.PATH, ...this.env },
      stdio: 'ignore',
    });
    const answer = () => this.ask('default', password, (redis) => redis.ping()).catch(String);
    await until('Redis', async () => (await answer()) === 'PONG');
  }

  async stop(): Promise<void> {
    const { server } = this;
    if (!server) return;
    this.server = null;
    const ended = new Promise((resolve) => server.once('exit', resolve));
    server.kill('SIGTERM');
    await ended;
  }

  async ask<T>(username: string, password: string, question: (redis: Redis) => Promise<T>): Promise<T> {
    const redis = new Redis({
      host: HOST,
      port: this.port,
      username,
      password,
      retryStrategy: () => null,
      enableReadyCheck: false,
      maxRetriesPerRequest: 0,
    });
    redis.on('error', () => undefined);
    try {
      return await question(redis);
    } finally {
      redis.disconnect();
    }
  }
}
