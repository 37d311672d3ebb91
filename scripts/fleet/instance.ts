import fs from 'node:fs';
import path from 'node:path';
import { ROOT } from '../lib/root.mjs';
import { Api } from './api';
import type { InstanceConfig } from './config';
import { ADMIN } from './environment';
import { Part, type PartOptions } from './part';
import { HOST } from './ports';
import { type HttpOptions, waitForHttp } from './wait';

export interface InstanceOptions {
  config: InstanceConfig;
  logFile: string;
  storage: string;
  /** All environment variables, computed again at each start. */
  env(): NodeJS.ProcessEnv;
  /** Stores what a restart added to the instance's environment variables. */
  saveEnv(env: Record<string, string>): void;
  /** Whether it was ready before with this very plugin: only then nothing has to be installed or upgraded. */
  isInstalled(): boolean;
  memory: PartOptions['memory'];
}

/** One NocoBase process. */
export class Instance extends Part {
  readonly url: string;
  readonly port: number;
  readonly storage: string;
  readonly database: string;

  constructor(private readonly settings: InstanceOptions) {
    const { config, logFile, env, isInstalled, memory } = settings;
    const url = `http://${HOST}:${config.port}`;
    super({
      name: config.title,
      logFile,
      memory,
      command: () => {
        fs.mkdirSync(settings.storage, { recursive: true });
        return {
          program: process.execPath,
          args: [
            '--require',
            path.join(ROOT, 'scripts/fleet/instance-env.cjs'),
            path.join(ROOT, 'node_modules/@nocobase/app/lib/index.js'),
            'start',
            ...(isInstalled() ? [] : ['--quickstart']),
          ],
          options: { cwd: ROOT, env: env() },
        };
      },
      ready: mainAppIsReady(url, config.part === 'local'),
      readyWithin: 240_000,
      // The core logs every "not yet" answer.
      readyEvery: 400,
      stopSignal: 'SIGTERM',
      stopWithin: 15_000,
    });
    this.url = url;
    this.port = config.port;
    this.storage = settings.storage;
    this.database = config.database;
  }

  get part(): InstanceConfig['part'] {
    return this.settings.config.part;
  }

  /** All environment variables with which it starts. */
  get env(): NodeJS.ProcessEnv {
    return this.settings.env();
  }

  /** Ends it and starts it with additional environment variables, which stay for later starts. */
  async restartWith(env: Record<string, string>): Promise<void> {
    await this.stop();
    this.settings.saveEnv(env);
    await this.start();
  }

  /** Changes the environment variables of later starts. */
  saveEnv(env: Record<string, string>): void {
    this.settings.saveEnv(env);
  }

  waitForHttp(pathAndQuery: string, options?: HttpOptions): Promise<Response> {
    return waitForHttp(`${this.url}${pathAndQuery}`, options);
  }

  /** The administrator that the first start created. */
  get admin(): { email: string; password: string } {
    return { email: ADMIN.email, password: this.env.INIT_ROOT_PASSWORD ?? ADMIN.password };
  }

  /** The HTTP API as that administrator. */
  signIn(): Promise<Api> {
    return Api.signIn(this.url, this.admin);
  }
}

/** The core leaves the process running if its main app failed; after this long the main app will not start any more. */
const FAILED_FOR = 3_000;

/** @param hosts whether apps are created in this process: then its environment has to be known, too */
function mainAppIsReady(url: string, hosts: boolean): () => Promise<boolean> {
  let failedSince: number | null = null;
  return async () => {
    const answer = await fetch(`${url}/api/__health_check`, { signal: AbortSignal.timeout(2_000) }).catch(() => null);
    // 404 if the plugin has no role in this process.
    if (answer?.ok)
      return !hosts || [200, 404].includes((await fetch(`${url}/api/__ready`).catch(() => null))?.status ?? 0);
    const body = await answer?.json().catch(() => null);
    const failed = body?.error?.code === 'APP_ERROR';
    failedSince = failed ? (failedSince ?? performance.now()) : null;
    if (failedSince !== null && performance.now() - failedSince > FAILED_FOR) {
      throw new Error(`failed to start: ${body.error.message}`);
    }
    return false;
  };
}
