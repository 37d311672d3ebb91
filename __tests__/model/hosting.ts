import * as H from './hosting-state';
import { supervisorSteps } from './hosting-supervisor';
import { isEntitled, isOurs, workerSteps } from './hosting-worker';
import type { Omitted } from './rules';
import type { Model, State, Take } from './search';

/** What may happen in a search: each fault and each request takes one of its budget. */
export interface HostingConfig {
  operations: number;
  faults: number;
  /** How often a lease is taken from a process that lives. */
  takeovers: number;
  can: (H.Fault | H.Operation)[];
  /** A second process of environment A. */
  hasStandby?: boolean;
  /** Nothing exists yet, and the app is to be created. */
  isNew?: boolean;
  /** The app does not start in these environments. */
  broken?: number[];
  /** Faults hit these processes alone. */
  only?: number[];
}

const WRONGS = [
  '',
  'an older record has displaced the host of a newer one',
  'an app came back by a record from before its removal',
  'an older tenure has displaced a newer one',
  'the data of another app are dropped',
];

export class Hosting implements Model {
  readonly size = H.size;

  constructor(
    private readonly config: HostingConfig,
    private readonly without: Omitted = {},
  ) {}

  initial(): State {
    const { operations, faults, takeovers, hasStandby, isNew, broken = [] } = this.config;
    const s: State = new Uint8Array(H.size);
    const set = (values: Record<number, number>) => {
      for (const [field, value] of Object.entries(values)) s[Number(field)] = value;
    };
    for (const record of [H.app, H.published[0], H.records[0]]) set({ [record.generation]: 1, [record.want]: H.RUN });
    set({ [H.time.generations]: 1, [H.time.terms]: 1, [H.time.instances]: H.PROCESSES.length });
    set({ [H.left.operations]: operations, [H.left.faults]: faults, [H.left.takeovers]: takeovers });
    for (const [p, me] of H.processes.entries()) set({ [me.is]: H.UP, [me.instance]: p + 1 });
    if (!hasStandby) s[H.processes[1].is] = H.DOWN;
    for (const e of broken) s[H.isBroken[e]] = 1;
    for (const [e, p] of [0, 2].entries()) {
      const { lease } = H.main[e];
      set({ [H.processes[p].term]: 1, [lease.holder]: p + 1, [lease.term]: 1 });
      set({ [H.announced[e].term]: 1, [H.announced[e].registered]: 1 });
    }
    if (isNew) for (const record of [H.app, H.published[0], H.records[0]]) s[record.provision] = 1;
    else this.run(s);
    return s;
  }

  /** The app runs in A. */
  private run(s: State): void {
    const [me] = H.processes;
    const [row] = H.rows;
    const [status] = H.statuses;
    const { cache, known } = H.main[0];
    for (const field of [H.data.exists, row.exists, row.holder, row.term, row.generation]) s[field] = 1;
    for (const field of [me.generation, me.mayAct, cache.generation, known.hasHosted]) s[field] = 1;
    s[H.data.owner] = H.OURS;
    s[me.want] = s[cache.want] = H.RUN;
    s[me.stage] = H.BOOTED;
    s[me.bootGeneration] = 1;
    s[me.session] = H.WRITES;
    for (const field of [status.term, status.generation]) s[field] = 1;
    s[status.state] = H.RUNS;
  }

  steps(s: State, take: Take, isCalm = false): void {
    const { without, config } = this;
    if (!isCalm) {
      if (s[H.left.operations]) this.operations(s, take);
      if (s[H.left.faults]) this.faults(s, take);
      this.copies(s, take);
    }
    supervisorSteps(s, take, without);
    for (const p of H.processes.keys()) workerSteps(s, p, take, without, isCalm, p !== 1 || config.hasStandby === true);
  }

  private can(what: H.Fault | H.Operation): boolean {
    return this.config.can.includes(what);
  }

  private operations(s: State, take: Take): void {
    const { app, data } = H;
    const request = (what: H.Operation, isPossible: boolean, change: (n: State) => void) => {
      if (!isPossible || !this.can(what)) return;
      const n = s.slice();
      n[H.left.operations]--;
      change(n);
      take(`request: ${what}`, true, n);
    };
    const lives = s[app.want] !== H.GONE;
    request('move', lives, (n) => {
      n[app.previous] ||= n[app.place] + 1;
      n[app.place] = 1 - n[app.place];
    });
    request('stop', lives, (n) => {
      n[app.want] = n[app.want] === H.RUN ? H.STOP : H.RUN;
    });
    request('delete', lives, (n) => {
      n[app.want] = H.GONE;
    });
    request('recreate', s[data.wasDropped] === 1 && !s[data.exists] && s[app.isEnded] === 1, (n) => {
      n[data.exists] = 1;
      n[data.owner] = H.ANOTHERS;
      if (!this.without.dropMark) for (const me of H.processes) if (n[me.dropping] === 1) n[me.dropping] = 0;
    });
  }

  private faults(s: State, take: Take): void {
    const fault = (what: H.Fault, isPossible: boolean, change: (n: State) => void, whom = '') => {
      if (!isPossible || !this.can(what)) return;
      const n = s.slice();
      n[H.left.faults]--;
      change(n);
      take(`fault: ${what}${whom}`, true, n);
    };
    const restored = (store: keyof typeof H.copies, copy: (n: State, way: 'restore') => void) => (n: State) => {
      copy(n, 'restore');
      n[H.copies[store]] = 2;
    };
    fault('flush', true, (n) => n.fill(0, ...H.REDIS));
    fault('redisCopy', s[H.copies.redis] === 1, restored('redis', H.redisCopy));
    fault('supervisorCopy', s[H.copies.supervisor] === 1, restored('supervisor', H.backup));
    fault('mainCopy', s[H.copies.main] === 1, restored('main', H.mainCopy));
    fault('rowsCopy', s[H.copies.rows] === 1 && isOurs(s), (n) => {
      restored('rows', H.rowsCopy)(n);
      for (const me of H.processes) n[me.session] = 0;
      n[H.data.lock] = 0;
    });
    for (const [p, me] of H.processes.entries()) {
      const { only } = this.config;
      if (s[me.is] !== H.UP || (only && !only.includes(p))) continue;
      const name = ` ${H.PROCESSES[p]}`;
      fault('freeze', true, (n) => (n[me.is] = H.FROZEN), name);
      fault('kill', true, (n) => this.kill(n, p), name);
      fault('cutMain', !s[me.noMain], (n) => (n[me.noMain] = 1), name);
      fault('cutRedis', !s[me.noRedis], (n) => (n[me.noRedis] = 1), name);
      fault('cutSession', s[me.session] === H.WRITES, (n) => (n[me.session] = 0), name);
    }
  }

  private kill(n: State, p: number): void {
    H.forget(n, p);
    n[H.processes[p].is] = H.DOWN;
    n[H.processes[p].instance] = 0;
  }

  /** Of each store one older copy, made at any moment. */
  private copies(s: State, take: Take): void {
    const copy = (what: H.Fault, store: keyof typeof H.copies, keep: (n: State, way: 'keep') => void) => {
      if (!this.can(what) || s[H.copies[store]]) return;
      const n = s.slice();
      keep(n, 'keep');
      n[H.copies[store]] = 1;
      take(`copy of ${store}`, true, n);
    };
    copy('redisCopy', 'redis', H.redisCopy);
    copy('supervisorCopy', 'supervisor', H.backup);
    copy('mainCopy', 'main', H.mainCopy);
    if (isOurs(s)) copy('rowsCopy', 'rows', H.rowsCopy);
  }

  broken(s: State): string | null {
    // Where other data were restored beneath an app, it is let in until it has claimed them again.
    const writes = (p: number) => s[H.processes[p].session] === H.WRITES && !s[H.processes[p].isLost];
    const writers = [0, 1, 2].filter(writes);
    if (writers.length > 1) return 'two processes write to the database of the app';
    for (const [p, me] of H.processes.entries()) {
      const isAlone = s[me.stage] === H.ALONE || s[me.stage] === H.NOTED;
      const other = writers.find((q) => q !== p);
      if (isAlone && s[H.data.lock] === p + 1 && isEntitled(s, p) && other !== undefined)
        return `${H.PROCESSES[other]} writes while ${H.PROCESSES[p]} begins`;
      if (writes(p) && s[H.data.owner] === H.ANOTHERS) return `${H.PROCESSES[p]} writes to the data of another app`;
    }
    for (const e of [0, 1]) {
      const status = H.statuses[e];
      const { want, generation } = H.published[e];
      const isAsked = s[want] >= H.GONE && s[status.generation] >= s[generation];
      const isConfirmed = isAsked && (s[status.state] === H.LEFT || s[status.state] === H.DROPPED);
      const late = writers.find((p) => H.ENVIRONMENT_OF[p] === e && !isEntitled(s, p));
      if (isConfirmed && late !== undefined)
        return `${H.PROCESSES[late]} writes after its environment has confirmed the removal`;
    }
    if (s[H.seen.wrong]) return WRONGS[s[H.seen.wrong]];
    if (s[H.data.wasDropped] && s[H.app.isEnded] && isOurs(s)) return 'a deleted app is created again';
    return null;
  }

  missing(s: State): string | null {
    const running = [0, 1, 2].filter((p) => s[H.processes[p].stage] === H.BOOTED);
    const want = s[H.app.want];
    const place = s[H.app.place];
    // Another app has the database; or the app was restored to before its deletion: that is shown as an error.
    if (s[H.data.exists] ? !isOurs(s) : s[H.data.wasDropped] && want !== H.GONE)
      return running.length ? 'runs without its database' : null;
    if (want === H.GONE && !s[H.app.isEnded]) return 'is not deleted';
    if (want === H.GONE && s[H.data.wasDropped] && isOurs(s)) return 'is created again';
    if (want !== H.RUN) return running.length ? 'runs on' : null;
    if (s[H.published[1 - place].want] === H.RUN || s[H.published[1 - place].want] === H.STOP)
      return 'is still published elsewhere';
    if (s[H.isBroken[place]] && !running.length) return s[H.app.previous] ? 'does not return' : null;
    const [p] = running;
    const holder = s[H.main[place].lease.holder];
    const isThere =
      running.length === 1 && s[H.processes[p].instance] === holder && s[H.processes[p].session] === H.WRITES;
    return isThere ? null : 'does not run where it should';
  }

  show(s: State): string {
    return H.show(s);
  }
}

/** What a search looks for, each by a few faults at a time: with all of them, there are too many states. */
export const SEARCHES = {
  fence: { hasStandby: true, operations: 1, faults: 1, takeovers: 1, can: ['move', 'freeze', 'cutSession'] },
  cuts: {
    hasStandby: true,
    operations: 1,
    faults: 1,
    takeovers: 1,
    can: ['move', 'stop', 'cutMain', 'cutRedis', 'kill'],
  },
  past: { operations: 2, faults: 2, takeovers: 0, can: ['move', 'stop', 'redisCopy', 'flush', 'kill'] },
  restore: { operations: 2, faults: 2, takeovers: 0, can: ['move', 'stop', 'supervisorCopy', 'flush', 'kill'] },
  main: { operations: 1, faults: 2, takeovers: 0, can: ['move', 'mainCopy', 'kill', 'cutRedis'] },
  mainBeside: { hasStandby: true, operations: 0, faults: 2, takeovers: 1, can: ['mainCopy', 'freeze'], only: [0] },
  rows: { operations: 1, faults: 2, takeovers: 0, can: ['move', 'rowsCopy', 'cutRedis'] },
  remove: {
    hasStandby: true,
    operations: 2,
    faults: 1,
    takeovers: 1,
    can: ['delete', 'recreate', 'freeze'],
    only: [0, 1],
  },
  first: { isNew: true, operations: 1, faults: 2, takeovers: 0, can: ['move', 'freeze', 'cutRedis'], only: [0] },
  create: { isNew: true, operations: 1, faults: 2, takeovers: 0, can: ['delete', 'redisCopy', 'kill'], only: [0] },
  failed: { operations: 2, faults: 1, takeovers: 0, can: ['move', 'kill', 'cutRedis', 'redisCopy'], broken: [1] },
  failedTwice: { operations: 2, faults: 1, takeovers: 0, can: ['move', 'stop', 'kill'], broken: [0, 1] },
} satisfies Record<string, HostingConfig>;
