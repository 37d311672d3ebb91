import { randomBytes } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import { sourceHash } from '../build/source-hash.mjs';
import { ApiError } from './api';
import { FLEETS, type FleetConfig, type FleetOptions, type InstanceConfig, resolveConfig } from './config';
import { type Door, makeDoor } from './door';
import { ADMIN, type EnvironmentInput, environmentOf, makeSocketFolder, socketFolder, storageOf } from './environment';
import { Instance } from './instance';
import { type KeepOptions, keep } from './keep';
import { FleetKeys } from './keys';
import { type Part, PartError } from './part';
import { installPlugin } from './plugin';
import { isFree } from './ports';
import { dropDatabase, ensureDatabase, Postgres, type PostgresServer } from './postgres';
import { isAlive } from './processes';
import { Redis } from './redis';
import { makeRoles, roleOf } from './roles';
import { FleetState } from './state';
import { waitFor } from './wait';

/** What the launcher shows while a fleet starts: each part begins once and then is ready. */
export interface Progress {
  begin(part: string): void;
  ready(part: string, detail: string): void;
}

const SILENT: Progress = { begin: () => {}, ready: () => {} };

/**
 * A whole fleet on this machine: PostgreSQL, Redis, a Supervisor and its Workers; or one NocoBase in shared-memory mode.
 * All instances share the repository as working directory and its `node_modules`; each has its own storage, socket and
 * database.
 */
export class Fleet {
  readonly home: string;
  /** None if the options named an existing server. */
  readonly postgres: Postgres | null;
  /** Records, leases and statuses. None in shared-memory mode or if the options named an existing server. */
  readonly redis: Redis | null;
  /** Notifications and requests; the same as `redis` unless the options separate them. */
  readonly commandRedis: Redis | null;
  /** What visitors reach; null: the Supervisor itself. */
  readonly door: Door | null;
  readonly instances: Instance[];
  private readonly keys: FleetKeys;

  private constructor(
    readonly config: FleetConfig,
    private readonly state: FleetState,
  ) {
    this.home = homeOf(config.name);
    this.keys = new FleetKeys(config, state);
    this.postgres = config.ownPostgresPort === null ? null : this.makePostgres(config.ownPostgresPort);
    const ports = config.ownRedisPorts;
    this.redis = ports && this.makeRedis('redis', 'Redis', ports.state);
    this.commandRedis =
      ports && ports.command !== ports.state
        ? this.makeRedis('redis-command', 'Redis (commands)', ports.command)
        : this.redis;
    this.instances = config.instances.map((instance) => this.makeInstance(instance));
    this.door = config.doorPort ? this.makeDoor(config.doorPort) : null;
  }

  /**
   * Starts a fleet whose parts then belong to this process. If it fails, nothing of it is left.
   *
   * @param abort aborts the start, also in the middle of a part's start
   */
  static async start(options: FleetOptions = {}, progress: Progress = SILENT, abort?: AbortSignal): Promise<Fleet> {
    const home = homeOf(options.name ?? (options.mode === 'local' ? 'local' : 'default'));
    const before = new FleetState(home);
    await Fleet.endEarlierStart(before);
    if (options.reset) await Fleet.erase(home, before, options);
    const state = new FleetState(home);
    const config = await resolveConfig(options);
    state.begin(config);
    const fleet = new Fleet(config, state);
    try {
      await fleet.stoppedBy(abort, fleet.boot(progress, options.installPlugin ?? installPlugin, abort));
    } catch (error) {
      await fleet.stop();
      throw error;
    }
    return fleet;
  }

  /** The fleet that another process started, to observe it and to act on its parts. */
  static attach(name: string): Fleet {
    const state = new FleetState(homeOf(name));
    const { config } = state.read();
    if (!config) throw new Error(`There is no fleet in ${homeOf(name)}.`);
    return new Fleet(config, state);
  }

  /** The Supervisor, or the only instance of shared-memory mode. */
  get supervisor(): Instance {
    return this.instances[0];
  }

  get workers(): Instance[] {
    return this.instances.slice(1);
  }

  /** @param environment such as `env_a` */
  worker(environment: string): Instance {
    const index = this.config.instances.findIndex(({ name }) => name === environment);
    if (index < 1) throw new Error(`There is no worker ${environment}.`);
    return this.instances[index];
  }

  /** Every process, in the order of their start. */
  get parts(): Part[] {
    const redis = [...new Set([this.redis, this.commandRedis])];
    const door = this.door ? [this.door.feeder, this.door.haproxy] : [];
    return [this.postgres, ...redis, ...door, ...this.instances].filter((part) => part !== null);
  }

  get postgresServer(): PostgresServer {
    return this.config.postgres ?? this.postgres!.server;
  }

  get redisUrl(): string | null {
    return this.config.redisUrl ?? this.redis?.url ?? null;
  }

  /** Parts that have ended since the fleet was started, although nobody ended them. */
  get lost(): string[] {
    return [...(this.state.read().lost ?? []), ...this.parts.filter(({ lost }) => lost).map(({ name }) => name)];
  }

  /** Where people go. */
  get url(): string {
    return this.door?.haproxy.url ?? this.supervisor.url;
  }

  /** Undoes what a test did to the processes: resumes the paused ones and starts the dead ones. */
  async heal(): Promise<void> {
    for (const part of this.parts) await part.heal();
  }

  /**
   * Waits until the Supervisor shows every Worker as online; if its password was changed, until they say so themselves.
   */
  async waitForWorkers(timeout = 120_000): Promise<void> {
    const api = await this.supervisor.signIn().catch((error) => {
      if (error instanceof ApiError && error.status === 401) return null;
      throw error;
    });
    if (!api) {
      for (const worker of this.workers) await worker.waitForHttp('/api/__ready', { timeout });
      return;
    }
    await waitFor(
      async () => {
        const { data } = await api.get('appEnvironments:list', { pageSize: 200 }).catch(notYet);
        const online = new Set(data.filter((row: any) => row.health === 'online').map((row: any) => row.name));
        return this.config.instances.every(({ name, part }) => part !== 'worker' || online.has(name));
      },
      { timeout, interval: 500, what: 'Every Worker being online' },
    );
  }

  /** Restarts each part that exits by itself, until aborted. */
  async keep(options: KeepOptions): Promise<void> {
    await this.stoppedBy(options.signal, Promise.all(this.parts.map((part) => keep(part, options))));
  }

  /** Ends an instance, and starts it with the currently installed plugin. */
  async restart(instance: Instance): Promise<void> {
    await instance.restart();
    this.recordBoot(instance);
  }

  /** Each instance upgrades its database at its next start. @param hash of the plugin that is installed now */
  pluginChanged(hash = sourceHash()): void {
    this.state.update((saved) => {
      saved.pluginHash = hash;
    });
  }

  /** Instances first, because they announce their shutdown to the others. */
  async stop(): Promise<void> {
    await Promise.all(this.instances.map((instance) => instance.stop()));
    await Promise.all(this.parts.map((part) => part.stop()));
    await fs.rm(socketFolder(this.home), { recursive: true, force: true });
    this.state.update((saved) => {
      saved.launcher = null;
    });
  }

  /** A killed launcher leaves its parts behind. */
  private static async endEarlierStart(state: FleetState): Promise<void> {
    const { launcher, config } = state.read();
    if (launcher && launcher.pid !== process.pid && isAlive(launcher)) {
      throw new Error(`This fleet runs already, started by process ${launcher.pid}. Stop that one first.`);
    }
    if (config) await new Fleet(config, state).stop();
  }

  /** Stops all parts when aborted: repeatedly until the work ends, because it may be about to start one. */
  async stoppedBy(abort: AbortSignal | undefined, work: Promise<unknown>): Promise<void> {
    const aborting = setInterval(() => abort?.aborted && this.stop(), 200);
    try {
      await work;
    } finally {
      clearInterval(aborting);
    }
  }

  private async boot(progress: Progress, install: typeof installPlugin, abort?: AbortSignal): Promise<void> {
    const { doorPort, instances } = this.config;
    for (const { title, port } of [...(doorPort ? [{ title: 'Door', port: doorPort }] : []), ...instances]) {
      if (!(await isFree(port)))
        throw new Error(`${title}: port ${port} is taken. Stop what listens there, or choose --port.`);
    }

    makeSocketFolder(this.home);
    await step(progress, 'Plugin', async () => {
      const { built, hash } = await install();
      this.state.update((saved) => {
        saved.pluginHash = hash;
      });
      return built ? 'built' : 'up to date';
    });
    for (const part of this.parts) {
      abort?.throwIfAborted();
      await step(progress, part.name, () => this.startPart(part));
    }
    if (this.workers.length) {
      await step(progress, 'Environments', async () => {
        await this.waitForWorkers();
        return 'online';
      });
    }
  }

  /** @returns its address */
  private async startPart(part: Part): Promise<string> {
    if (part instanceof Instance) {
      if (part.env.DB_DIALECT === 'postgres') await this.makeDatabase(part);
      await part.start();
      this.recordBoot(part);
    } else {
      await part.start();
      if (part === this.postgres) await makeRoles(this.postgres.server, this.keys.rolePasswords);
    }
    return 'url' in part ? String(part.url) : '';
  }

  /** Later starts of this instance need not install or upgrade anything. */
  private recordBoot(instance: Instance): void {
    this.state.update((saved) => {
      saved.bootedWith[instance.database] = saved.pluginHash!;
    });
  }

  private async makeDatabase(instance: Instance): Promise<void> {
    const owner = this.postgres ? roleOf(instance) : undefined;
    if (await ensureDatabase(this.postgresServer, instance.database, owner)) {
      this.state.update((saved) => {
        saved.createdDatabases.push(instance.database);
        // Nobody has to sign in to a Worker's own main app, so none has a well-known password.
        if (instance !== this.supervisor)
          saved.workerPasswords = {
            ...saved.workerPasswords,
            [instance.database]: randomBytes(9).toString('base64url'),
          };
      });
    }
  }

  /** As an instance signs in: on a server of the fleet's own, not as the superuser. */
  private serverFor(instance: InstanceConfig): PostgresServer {
    if (!this.postgres) return this.postgresServer;
    return { ...this.postgresServer, user: roleOf(instance), password: this.keys.rolePasswordOf(instance) };
  }

  private redisFor(instance: InstanceConfig): EnvironmentInput['redis'] {
    const url = this.redisUrl;
    if (!url) return null;
    // On a Redis that others use too, this fleet needs its own keys, also after a reset, and makes no users.
    if (this.config.redisUrl) return { stateUrl: url, commandUrl: url, keyPrefix: `fleet-${this.state.read().id}` };
    const [stateUrl, commandUrl] = [url, this.commandRedis?.url ?? url].map((each) =>
      this.keys.redisUrlOf(instance, each),
    );
    return { stateUrl, commandUrl };
  }

  private makePostgres(port: number): Postgres {
    return new Postgres({
      port,
      password: this.state.read().postgresPassword,
      dataDir: path.join(this.home, 'postgres'),
      logFile: this.logFile('postgres'),
      durable: this.config.durable,
      memory: this.state.processOf('postgres'),
    });
  }

  private makeRedis(key: string, name: string, port: number): Redis {
    return new Redis({
      name,
      port,
      password: this.state.read().redisPassword,
      users: this.keys.redisUsers(),
      dataDir: path.join(this.home, key),
      logFile: this.logFile(key),
      memory: this.state.processOf(key),
    });
  }

  private makeDoor(port: number): Door {
    const { redisUrl } = this.config;
    return makeDoor({
      home: this.home,
      port,
      supervisor: this.supervisor.url,
      keys: () => ({
        ...this.keys.ofDoors(redisUrl ?? (this.redis as Redis).url),
        ...(redisUrl && {
          APP_SUPERVISOR_REDIS_URL: redisUrl,
          APP_SUPERVISOR_KEY_PREFIX: `fleet-${this.state.read().id}`,
        }),
      }),
      memoryOf: (key) => this.state.processOf(key),
    });
  }

  private makeInstance(config: InstanceConfig): Instance {
    return new Instance({
      config,
      logFile: this.logFile(config.name),
      storage: storageOf(this.home, config.name),
      memory: this.state.processOf(config.name),
      isInstalled: () => {
        const { bootedWith, pluginHash } = this.state.read();
        return bootedWith[config.database] === pluginHash;
      },
      saveEnv: (env) => {
        Object.assign(config.env, env);
        this.state.update((saved) => {
          saved.config = this.config;
        });
      },
      env: () => {
        const { workerPasswords } = this.state.read();
        return environmentOf({
          home: this.home,
          instance: config,
          postgres: this.serverFor(config),
          redis: this.redisFor(config),
          keys: this.keys.of(config),
          workerRolePassword: this.keys.rolePasswords.worker,
          rootPassword: workerPasswords?.[config.database] ?? ADMIN.password,
        });
      },
    });
  }

  private logFile(name: string): string {
    return path.join(this.home, 'logs', `${name}.log`);
  }

  /** On a server of the user only the databases that the launcher created are dropped. */
  private static async erase(home: string, state: FleetState, { postgres }: FleetOptions): Promise<void> {
    if (postgres) {
      for (const name of state.read().createdDatabases) await dropDatabase(postgres, name);
    }
    await fs.rm(home, { recursive: true, force: true });
  }
}

/** A Supervisor answers 503 until it has loaded its database, for which its main app does not wait. */
function notYet(error: unknown): { data: [] } {
  if (error instanceof ApiError && error.status === 503) return { data: [] };
  throw error;
}

const homeOf = (name: string) => path.join(FLEETS, name);

/** @param run returns the text to show beside the part's name */
async function step(progress: Progress, part: string, run: () => Promise<string>): Promise<void> {
  progress.begin(part);
  try {
    progress.ready(part, await run());
  } catch (error) {
    throw error instanceof PartError ? error : new PartError(part, `failed: ${(error as Error).message}`);
  }
}
