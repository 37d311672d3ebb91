import { setTimeout as sleep } from 'node:timers/promises';
import type { AppRow, OperationRow } from '../../src/shared/types';
import { type Fleet, query } from '../fleet';
import { readRecordings } from '../fleet/process-recorder';
import { disagreements, wrongPlaces } from './check';
import { Client, type Reply } from './client';
import { groupBy } from './group';
import { type Ended, harm } from './harms';
import type { Asked, History, Life, Look, Sample, Settling } from './history';
import type { Plan, PlannedApp, PlannedChange, Round } from './plan';
import { keepAsking } from './requests';

export interface RunOptions {
  fleet: Fleet;
  /** Where its processes write their recordings (fleet/process-recorder.ts). */
  recordings: string;
  seed: number;
  plan: Plan;
  /** After this many ms no further round begins; by default all rounds of the plan run. */
  lasting?: number;
  /** An undisturbed app in an environment that the plan does not disturb. */
  untouched: { app: string; environment: string };
  /** One line about the progress. */
  print(line: string): void;
  /** Gets the current history after each round, and the complete one at the end. */
  keep?(history: History): void;
}

/** How long operations may take to end once everything works, and then statuses to be correct; in ms. */
const ENDING = 300_000;
const SETTLING = 180_000;
const SAMPLE_EVERY = 1_000;
const LOOK_EVERY = 1_000;

type Values = Partial<PlannedApp> & { title?: string; database?: 'drop' };

/** Executes a plan on a fleet whose parts all work, and leaves it working, without the apps. */
export async function run(options: RunOptions): Promise<History> {
  return new Run(options).run();
}

class Run {
  private readonly history: History;
  private readonly client: Client;
  private readonly ended: Ended = new Map();
  /** When a process that nobody ended was first missing, by process id. */
  private readonly missed = new Map<number, number>();
  /** A fleet that others use too may have more apps. */
  private readonly apps: Set<string>;
  private ending = false;

  constructor(private readonly options: RunOptions) {
    this.apps = new Set([options.untouched.app, ...options.plan.apps.map(({ name }) => name)]);
    this.client = new Client(options.fleet.supervisor.url);
    this.history = {
      seed: options.seed,
      begunAt: Date.now(),
      endedAt: 0,
      asked: [],
      recorded: [],
      processes: [],
      harms: [],
      samples: [],
      settlings: [],
      visits: [],
      requests: [],
    };
  }

  async run(): Promise<History> {
    const { fleet, plan, lasting = Number.POSITIVE_INFINITY, untouched, print, keep } = this.options;
    await this.client.signIn();
    await this.create({ name: untouched.app, environments: [untouched.environment], startMode: 'withMain' });
    await Promise.all(plan.apps.map((app) => this.create(app)));
    await this.untilOperationsEnd();
    print(`${plan.apps.length + 1} apps are there.`);
    const watching = [this.watchProcesses(), this.sample()];
    const streams = [
      keepAsking(untouched.environment, fleet.worker(untouched.environment).url, untouched.app),
      keepAsking('supervisor', fleet.supervisor.url, untouched.app),
    ];
    const end = performance.now() + lasting;
    for (const [index, round] of plan.rounds.entries()) {
      if (performance.now() > end) break;
      const before = this.history.asked.length;
      await this.carryOut(round);
      const settling = await this.settle();
      const took = settling.looks.length ? `${settling.looks.at(-1)!.to - settling.healedAt} ms` : 'never';
      print(
        `Round ${index + 1}: ${this.history.asked.length - before} changes, settled after ${took}; in all ${this.history.asked.length} changes and ${this.history.harms.filter(({ harm }) => harm === 'kill').length} kills.`,
      );
      keep?.({ ...this.history, endedAt: Date.now() });
    }
    this.history.requests = await Promise.all(streams.map((stream) => stream.end()));
    this.ending = true;
    await Promise.all(watching);
    await this.recordAll();
    this.history.endedAt = Date.now();
    const { asked, recorded, processes } = structuredClone(this.history);
    await this.leave();
    const history = { ...this.history, asked, recorded, processes };
    keep?.(history);
    return history;
  }

  private async carryOut({ changes, harms }: Round): Promise<void> {
    const over = performance.now() + this.options.plan.lasting;
    const inTurn = async <T extends { pause: number }>(items: T[], act: (item: T) => Promise<void>) => {
      for (const item of items) {
        await sleep(item.pause);
        if (performance.now() > over) return;
        await act(item);
      }
    };
    await Promise.all([
      ...lanesOf(changes, ({ app }) => app).map((lane) => inTurn(lane, (planned) => this.change(planned))),
      ...lanesOf(harms, ({ target }) => target).map((lane) => inTurn(lane, (planned) => this.harm(planned))),
    ]);
  }

  private async harm(planned: Round['harms'][number]): Promise<void> {
    const { fleet, untouched, print } = this.options;
    try {
      const harmed = await harm(fleet, planned, untouched.app, this.ended);
      if (harmed) this.history.harms.push(harmed);
    } catch (error) {
      // `watchProcesses` reports a part that does not come back; a Redis that is down just then cannot be cut.
      print(`${planned.harm} ${planned.target}: ${(error as Error).message.split('\n')[0]}`);
    }
  }

  private async change({ app, change, environments }: PlannedChange): Promise<void> {
    switch (change) {
      case 'visit': {
        this.history.visits.push({ at: Date.now(), app });
        const { url } = this.options.fleet.supervisor;
        await fetch(`${url}/api/__app/${app}/app:getInfo`, { signal: AbortSignal.timeout(45_000) }).catch(() => {});
        return;
      }
      case 'rename':
        await this.ask(app, 'update', { title: `${app} at ${Date.now()}` });
        return;
      case 'move':
        await this.ask(app, 'update', { environments });
        return;
      case 'recreate': {
        const gone = await this.ask(app, 'destroy', { database: 'drop' });
        if (gone.id) await this.untilEnded(gone.id);
        const { startMode } = this.options.plan.apps.find(({ name }) => name === app)!;
        await this.create({ name: app, environments, startMode });
        return;
      }
      default:
        await this.ask(app, change, {});
    }
  }

  private create(app: PlannedApp): Promise<Asked> {
    return this.ask(app.name, 'create', { ...app, title: app.name });
  }

  private async ask(app: string, action: Asked['action'], values: Values): Promise<Asked> {
    const { environments = null, startMode = null } = values;
    const target = action === 'create' ? '' : `?filterByTk=${app}`;
    const at = Date.now();
    const recorded = () => this.recordedSince(at, app, action);
    const reply = await this.client.change(`apps:${action}${target}`, values, recorded);
    const asked: Asked = { at, app, action, environments, startMode, ...outcomeOf(reply) };
    this.history.asked.push(asked);
    return asked;
  }

  /**
   * The operation of a change whose answer never arrived, if there is one: no other change of this app is requested
   * meanwhile.
   */
  private async recordedSince(at: number, app: string, action: Asked['action']): Promise<OperationRow | null> {
    const filter = encodeURIComponent(JSON.stringify({ appName: app, action }));
    const { data } = await this.client.read(`appOperations:list?filter=${filter}&sort=-createdAt&pageSize=1`);
    return data[0]?.createdAt >= at ? data[0] : null;
  }

  private async untilEnded(id: string): Promise<void> {
    const deadline = Date.now() + ENDING;
    while (Date.now() < deadline) {
      const { data } = await this.client.read(`appOperations:get?filterByTk=${id}`);
      if (data.finishedAt !== null) return;
      await sleep(500);
    }
  }

  /** @returns when the last one was observed to have ended, or null if one never did */
  private async untilOperationsEnd(): Promise<number | null> {
    const active = encodeURIComponent(JSON.stringify({ state: { $in: ['queued', 'running'] } }));
    const deadline = Date.now() + ENDING;
    while (Date.now() < deadline) {
      const { data } = await this.client.read(`appOperations:list?filter=${active}`);
      if (!data.length) return Date.now();
      await sleep(500);
    }
    return null;
  }

  private async settle(): Promise<Settling> {
    const { fleet } = this.options;
    await fleet.heal();
    const settling: Settling = { healedAt: Date.now(), operationsEndedAt: null, looks: [], locks: [] };
    this.history.settlings.push(settling);
    settling.operationsEndedAt = await this.untilOperationsEnd();
    const deadline = Date.now() + SETTLING;
    const isRight = () =>
      !disagreements(settling.looks.at(-1)!, this.history).length && !wrongPlaces(this.history, settling).length;
    do {
      await sleep(LOOK_EVERY);
      settling.looks.push(await this.look());
      await this.recordAll();
      settling.locks = await this.locks();
    } while ((!isRight() || settling.locks.length) && Date.now() < deadline);
    return settling;
  }

  private async look(): Promise<Look> {
    const { from, shown } = await this.list();
    const answered: Look['answered'] = {};
    for (const [app, statuses] of Object.entries(shown)) {
      answered[app] = {};
      for (const [environment, status] of Object.entries(statuses)) {
        // A request for any other app would start it.
        if (status === 'running' || status === 'stopped')
          answered[app][environment] = await answerOf(this.options.fleet.worker(environment).url, app);
      }
    }
    return { from, to: Date.now(), shown, answered };
  }

  private async list(): Promise<Sample> {
    const from = Date.now();
    const { data } = await this.client.read('apps:list?pageSize=200');
    const statuses = ({ statuses }: AppRow) =>
      Object.fromEntries(Object.entries(statuses).map(([environment, { status }]) => [environment, status]));
    const rows = (data as AppRow[]).filter(({ name }) => this.apps.has(name));
    return { from, to: Date.now(), shown: Object.fromEntries(rows.map((row) => [row.name, statuses(row)])) };
  }

  private async sample(): Promise<void> {
    while (!this.ending) {
      this.history.samples.push(await this.list());
      await sleep(SAMPLE_EVERY);
    }
  }

  /** Detects immediately if a process has ended that this run has not ended. */
  private async watchProcesses(): Promise<void> {
    const last = new Map<string, number>();
    while (!this.ending) {
      for (const part of this.options.fleet.instances) {
        const { pid } = part;
        const before = last.get(part.name);
        if (before && pid !== before && !this.ended.has(before)) this.missed.set(before, Date.now());
        if (pid) last.set(part.name, pid);
        else last.delete(part.name);
      }
      await sleep(100);
    }
  }

  private async recordAll(): Promise<void> {
    const recorded: OperationRow[] = [];
    for (let page = 1; ; page++) {
      const { data } = await this.client.read(`appOperations:list?pageSize=200&page=${page}&sort=-createdAt`);
      recorded.push(...data.filter(({ createdAt }: OperationRow) => createdAt >= this.history.begunAt));
      if (data.length < 200 || data.at(-1).createdAt < this.history.begunAt) break;
    }
    this.history.recorded = recorded.filter(({ appName }) => this.apps.has(appName));
    this.history.processes = this.lives();
  }

  private lives(): Life[] {
    const { fleet, recordings } = this.options;
    const alive = new Set(fleet.instances.map(({ pid }) => pid));
    return readRecordings(recordings)
      .filter(({ pid, begunAt }) => alive.has(pid) || begunAt >= this.history.begunAt || this.ended.has(pid))
      .map((seen) => {
        const killedAt = this.ended.get(seen.pid);
        const endedAt = alive.has(seen.pid)
          ? null
          : (seen.exit?.at ?? killedAt ?? this.missed.get(seen.pid) ?? Date.now());
        // In a fleet that had an earlier run, apps of the same names are other incarnations.
        const boots = seen.boots.filter(({ app, addedAt }) => this.apps.has(app) && addedAt >= this.history.begunAt);
        return { ...seen, boots, endedAt, ended: killedAt !== undefined };
      });
  }

  /** Boot locks of any app, because nobody starts one now. Their keys are one number; those of sessions that host are two. */
  private async locks(): Promise<string[]> {
    const { rows } = await query(
      this.options.fleet.postgresServer,
      'postgres',
      `SELECT DISTINCT application_name AS name FROM pg_locks JOIN pg_stat_activity USING (pid)
       WHERE locktype = 'advisory' AND objsubid = 1 AND application_name NOT LIKE 'nocobase lock: main by %'`,
    );
    return rows.map(({ name }) => `somebody holds "${name}"`);
  }

  private async leave(): Promise<void> {
    await Promise.all([...this.apps].map((name) => this.ask(name, 'destroy', { database: 'drop' })));
    await this.untilOperationsEnd();
  }
}

/** The sequences of things that happen to the same target. */
const lanesOf = <T>(items: T[], keyOf: (item: T) => string): T[][] => [...groupBy(items, keyOf).values()];

function outcomeOf(reply: Reply | OperationRow): Pick<Asked, 'id' | 'refusal'> {
  if ('id' in reply) return { id: reply.id, refusal: null };
  const { status, body, text } = reply;
  if (status === 200) return { id: (Array.isArray(body.data) ? body.data[0] : body.data.operation).id, refusal: null };
  const code = body?.errors?.[0]?.code ?? null;
  return { id: null, refusal: { code, answer: `${status} ${text.slice(0, 300)}` } };
}

async function answerOf(url: string, app: string): Promise<string> {
  try {
    const response = await fetch(`${url}/api/__app/${app}/app:getInfo`, { signal: AbortSignal.timeout(10_000) });
    const body = (await response.json().catch(() => null)) as { error?: { code?: string } } | null;
    return response.ok ? '200' : `${response.status} ${body?.error?.code ?? ''}`.trim();
  } catch (error) {
    return (error as Error).message;
  }
}
