import fs from 'node:fs';
import net from 'node:net';
import Redis from 'ioredis';
import { type Api, type Fleet, HOST, query, waitFor } from '../../scripts/fleet';
import { type Answer, type Ask, ask } from '../support/http';
import { makeTraces, StrangePlugin } from '../support/intruder';
import { Manager, signInTo } from '../support/manager';
import { SimulatedApp } from '../support/simulated-app';

/** What attacks have to do with: apps with something to steal, somebody in each, and traps that say what came out. */

export const DOMAIN = 'target.example.test';
/** Connections of the app that cannot start: what no visitor may read. */
export const INSIDE = { host: 'db.inside.example', username: 'inside_user', database: 'inside_db' };

/** Longer than a heartbeat, in ms. */
const RECOVERS_WITHIN = 15_000;

/** Who has tokens. `main` is the operator. */
export type Who = 'main' | 'target' | 'bystander';

export class Stage {
  /** By owner: a text that only its own users may read. */
  readonly marks = {} as Record<Who, string>;
  readonly tokens = {} as Record<Who, string>;
  readonly apis = {} as Record<Who, Api>;
  readonly traces = makeTraces();
  readonly stranger = new StrangePlugin(this.traces, 'stranger');
  /** What is left in `traces` by who prepared it. */
  private prepared: string[] = [];
  /** What arrived at the server of the attacker. */
  readonly arrived: string[] = [];
  trap!: SimulatedApp;
  private readonly sink = net.createServer((socket) => {
    this.arrived.push('a connection');
    socket.on('data', (data) => this.arrived.push(data.toString('latin1')));
    socket.on('error', () => undefined);
  });
  readonly redis: Redis;
  private processes: Array<number | null> = [];
  private apps = '';

  private constructor(
    readonly fleet: Fleet,
    readonly manager: Manager,
  ) {
    this.redis = new Redis(fleet.redisUrl!);
  }

  static async begin(fleet: Fleet): Promise<Stage> {
    const manager = await Manager.of(fleet);
    const stage = new Stage(fleet, manager);
    await new Promise<void>((resolve) => stage.sink.listen(0, HOST, resolve));
    await stage.clear();
    await Promise.all([
      manager.create({ name: 'target', environments: ['env_a'], cname: DOMAIN, startMode: 'withMain' }),
      manager.create({ name: 'bystander', environments: ['env_a'], startMode: 'withMain' }),
    ]);
    const { operation } = await manager.begin('adopt', {
      name: 'broken',
      environments: ['env_b'],
      options: {
        dbConnType: 'new_connection',
        database: { dialect: 'postgres', port: 5432, password: 'x', ...INSIDE },
      },
    });
    await manager.ended(operation!);
    stage.trap = await SimulatedApp.begin(fleet, 'trap', 'trap.example.test');
    await stage.mark('main', manager.api);
    for (const name of ['target', 'bystander'] as const) await stage.mark(name, await signInTo(fleet.supervisor, name));
    stage.prepared = fs.readdirSync(stage.traces);
    await stage.isReady();
    return stage;
  }

  /** Processes and apps are now as they should stay. */
  async isReady(): Promise<void> {
    this.processes = this.pids();
    this.apps = await this.namesOfApps();
  }

  async end(): Promise<void> {
    await this.manager.api.post('users:update?filterByTk=1', { nickname: 'Super Admin' });
    await this.trap?.end();
    await this.clear();
    this.redis.disconnect();
    this.sink.close();
    this.stranger.erase();
    fs.rmSync(this.traces, { recursive: true, force: true });
  }

  /** Where visitors go: the door's, if there is one. */
  get url(): string {
    return this.fleet.url;
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  get sinkPort(): number {
    return (this.sink.address() as net.AddressInfo).port;
  }

  /** With the prefix of this fleet. */
  key(...parts: string[]): string {
    return [this.fleet.supervisor.env.APP_SUPERVISOR_KEY_PREFIX ?? 'app-supervisor', ...parts].join(':');
  }

  ask(path: string, options: Ask = {}): Promise<Answer> {
    return ask(this.url, path, { timeout: 30_000, ...options });
  }

  /** An action of the API as somebody; of `main` if it is of no app. */
  async as(who: Who, action: string, body?: unknown): Promise<Answer> {
    const app: Record<string, string> = who === 'main' ? {} : { 'X-App': who };
    const headers = { ...bearer(this.tokens[who]), ...app };
    return this.ask(`/api/${action}`, { method: body === undefined ? 'GET' : 'POST', headers, body });
  }

  /** What an answer holds that `who` may not read. */
  leaks(text: string, who: Who | null): string[] {
    const others = (Object.keys(this.marks) as Who[]).filter((owner) => owner !== who);
    return others.filter((owner) => text.includes(this.marks[owner])).map((owner) => `it holds what is of ${owner}`);
  }

  /** Files that an attack has left. */
  traced(): string[] {
    return fs.readdirSync(this.traces).filter((name) => !this.prepared.includes(name));
  }

  async databases(): Promise<string[]> {
    const { rows } = await query(this.fleet.postgresServer, 'postgres', 'SELECT datname FROM pg_database');
    return rows.map(({ datname }) => String(datname));
  }

  /** What is no longer as it was: nothing that an attack does may change any of it. */
  async damage(): Promise<string[]> {
    const found: string[] = [];
    for (const who of Object.keys(this.marks) as Who[]) {
      const { status, text } = await this.as(who, 'auth:check');
      if (status !== 200 || !text.includes(this.marks[who])) found.push(`${who} answers ${status} to its own user`);
    }
    const apps = await this.namesOfApps();
    if (apps !== this.apps) found.push(`the apps are ${apps}`);
    for (const name of ['target', 'bystander']) {
      // Whoever can write to Redis can take a lease away: the Worker's next heartbeat writes it again.
      let seen: unknown;
      const isAsBefore = async () => {
        const { statuses, operation } = await this.manager.app(name);
        seen = { statuses, operation };
        return statuses.env_a?.status === 'running' && !operation;
      };
      const goes = waitFor(isAsBefore, { timeout: RECOVERS_WITHIN, interval: 200, what: `${name} runs` });
      await goes.catch((error) => found.push(`${error} ${JSON.stringify(seen).slice(0, 500)}`));
    }
    if (this.pids().join() !== this.processes.join()) found.push('a process was replaced');
    if (this.traced().length) found.push(`there are files ${this.traced().join(', ')}`);
    if (this.stranger.isInstalled) found.push('a plugin is installed');
    return found;
  }

  private async namesOfApps(): Promise<string> {
    return (await this.manager.apps())
      .map(({ name }) => name)
      .sort()
      .join(', ');
  }

  private pids() {
    return this.fleet.instances.map((instance) => instance.pid);
  }

  private async mark(who: Who, api: Api): Promise<void> {
    this.marks[who] = `what is of ${who} alone`;
    this.apis[who] = api;
    this.tokens[who] = api.token!;
    await api.post('users:update?filterByTk=1', { nickname: this.marks[who] });
  }

  private async clear(): Promise<void> {
    await this.manager.clear('target', 'bystander', 'broken', 'thief', 'linked', 'lapsed');
  }
}

export const bearer = (token: string) => ({ Authorization: `Bearer ${token}`, 'X-Authenticator': 'basic' });
