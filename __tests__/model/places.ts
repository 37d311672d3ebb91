import * as Rows from './rows';
import type { Omitted } from './rules';
import { Layout, type Model, type State, type Take } from './search';

/** An app in one or both of two environments, with one process each: who may host it, and who is cut off from its database. */

export interface PlacesConfig {
  operations: number;
  faults: number;
  can: ('freeze' | 'kill' | 'cutRedis')[];
}

const NAMES = ['A', 'B'];
const RUN = 1;
const GONE = 2;
const UP = 1;
const FROZEN = 2;
const LOCKED = 1;
const CLAIMED = 2;
const ALONE = 3;
const BOOTED = 4;
const MARKED = 1;
const WRITES = 2;
const RUNS = 1;
const LEFT = 2;
const REFUSED = 3;
/** Numbers in a state are small. */
const MOST = 240;

const layout = new Layout();
const twice = <T>(make: () => T): [T, T] => [make(), make()];
/** `hosts`, `left`, `places` and `previous` are sets of environments: a bit for each. */
const record = () => layout.fields('generation', 'want', 'hosts', 'left');
type Record = ReturnType<typeof record>;
const app = layout.fields('generation', 'places', 'previous');
const published = twice(record);
const isStray = twice(() => layout.fields('flag').flag);
const records = twice(record);
const caches = twice(record);
const statuses = twice(() => layout.fields('state', 'generation', 'newest'));
const announced = twice(() => layout.fields('flag').flag);
const rows = twice(() => layout.fields('exists', 'generation', 'isGone'));
const processes = twice(() => ({
  known: record(),
  claimed: record(),
  ...layout.fields('is', 'noRedis', 'stage', 'session', 'isClaiming', 'newest', 'hasLeft'),
}));
const shared = layout.fields('lock', 'wrong', 'operations', 'faults');

const has = (set: number, e: number) => ((set >> e) & 1) === 1;
const isOne = (set: number) => set === 1 || set === 2;
const both = [0, 1] as const;

function copy(n: State, from: Record, to: Record): void {
  for (const key of Object.keys(from) as (keyof Record)[]) n[to[key]] = n[from[key]];
}
const isSame = (s: State, one: Record, other: Record) =>
  (Object.keys(one) as (keyof Record)[]).every((key) => s[one[key]] === s[other[key]]);

function rowOf(s: State, e: number): Rows.Row | null {
  const row = rows[e];
  if (!s[row.exists]) return null;
  return { holder: e + 1, term: 1, generation: s[row.generation], isGone: s[row.isGone] === 1 };
}

function writeRow(n: State, e: number, row: Rows.Row | null): void {
  n[rows[e].exists] = row ? 1 : 0;
  n[rows[e].generation] = row?.generation ?? 0;
  n[rows[e].isGone] = row?.isGone ? 1 : 0;
}

const isFine = (s: State, e: number) => s[rows[e].exists] === 1 && s[rows[e].isGone] === 0;

/** Published here, and reported there under a live announcement. */
function see(s: State, e: number) {
  const { want, generation } = published[e];
  const isUp = s[announced[e]] === 1;
  const { state, generation: reported, newest } = statuses[e];
  return {
    want: s[want],
    generation: s[generation],
    isDown: !isUp,
    state: isUp ? s[state] : 0,
    reported: isUp ? s[reported] : 0,
    newest: isUp ? s[newest] : 0,
    isGone: isUp && s[state] === LEFT && s[reported] >= s[generation],
  };
}

/** As in src/server/supervisor/rollout/hosts.ts. */
function hostsOf(s: State): { hosts: number; left: number } {
  const places = s[app.places];
  const wasOut = both.reduce<number>((set, e) => set | s[published[e].left], 0);
  const set = (test: (e: number) => boolean) => both.reduce<number>((all, e) => all | (test(e) ? 1 << e : 0), 0);
  const isOut = (e: number) =>
    isOne(places) || has(wasOut, e) || s[isStray[e]] === 1 || see(s, e).isDown || see(s, e).isGone;
  const leaving = set((e) => see(s, e).want === GONE);
  const hosts = set((e) => (has(places, e) || see(s, e).want !== 0) && !(has(leaving, e) && isOut(e)));
  return { hosts, left: leaving & ~hosts };
}

class Supervisor {
  constructor(private readonly n: State) {}

  private publish(e: number, want: number, above = 0): true {
    const { n } = this;
    const wish = published[e];
    n[app.generation] = Math.min(Math.max(n[app.generation], above) + 1, MOST);
    n[wish.generation] = n[app.generation];
    if (want === GONE && n[wish.want] === 0) n[isStray[e]] = 1;
    if (want === RUN) n[isStray[e]] = 0;
    n[wish.want] = want;
    const { hosts, left } = hostsOf(n);
    n[wish.hosts] = want === RUN ? hosts : 0;
    n[wish.left] = want === RUN ? left : 0;
    return true;
  }

  /** As the rules of src/server/supervisor/rollout/plan.ts, in their order. */
  plan(): boolean {
    if (this.n[app.generation] >= MOST) return false;
    return (
      this.above() || this.stray() || this.confirmed() || this.leave() || this.arrives() || this.boot() || this.hosts()
    );
  }

  private above(): boolean {
    const places = this.n[app.places];
    for (const e of both) {
      const { want, generation, reported, newest } = see(this.n, e);
      const known = Math.max(reported, want === RUN && newest ? newest + 1 : 0);
      if (!want || known <= generation) continue;
      return this.publish(e, isOne(places) && !has(places, e) ? GONE : want, known);
    }
    return false;
  }

  private stray(): boolean {
    const e = both.find((one) => {
      const { want, state } = see(this.n, one);
      return !want && !has(this.n[app.places], one) && (state === RUNS || state === REFUSED);
    });
    return e !== undefined && this.publish(e, GONE, see(this.n, e).reported);
  }

  private confirmed(): boolean {
    const { n } = this;
    const e = both.find((one) => see(n, one).want === GONE && see(n, one).isGone && !has(n[app.places], one));
    if (e === undefined) return false;
    for (const field of Object.values(published[e])) n[field] = 0;
    n[isStray[e]] = 0;
    return true;
  }

  private leave(): boolean {
    const { n } = this;
    const places = n[app.places];
    const e = both.find((one) => {
      const waits = !isOne(places) && has(n[app.previous], one);
      return see(n, one).want === RUN && !has(places, one) && !waits;
    });
    return e !== undefined && this.publish(e, GONE);
  }

  private arrives(): boolean {
    const { n } = this;
    const isThere = (e: number) => see(n, e).want === RUN && see(n, e).state === RUNS;
    const added = both.filter((e) => has(n[app.places], e) && !has(n[app.previous], e));
    if (!n[app.previous] || !added.every(isThere)) return false;
    n[app.previous] = 0;
    return true;
  }

  private boot(): boolean {
    const { n } = this;
    const places = n[app.places];
    const isBooting = (e: number) => {
      const { want, isDown, state, reported, generation } = see(n, e);
      return want === RUN && has(places, e) && !isDown && !(state === RUNS && reported >= generation);
    };
    if (both.some(isBooting)) return false;
    const next = both.find((e) => has(places, e) && see(n, e).want !== RUN);
    if (next === undefined) return false;
    const other = see(n, 1 - next);
    if (isOne(places) && other.want && !(other.want === GONE && other.isDown)) return false;
    return this.publish(next, RUN);
  }

  private hosts(): boolean {
    const { n } = this;
    const { hosts, left } = hostsOf(n);
    const e = both.find((one) => {
      const { want, hosts: before, left: known } = published[one];
      return n[want] === RUN && (n[before] !== hosts || (n[known] | left) !== n[known]);
    });
    return e !== undefined && this.publish(e, RUN);
  }
}

class Process {
  private readonly me;
  private readonly x: number;

  constructor(
    private readonly s: State,
    private readonly e: number,
    private readonly take: Take,
    private readonly without: Omitted,
  ) {
    this.me = processes[e];
    this.x = 1 - e;
  }

  private step(name: string, change: (n: State) => void): void {
    const n = this.s.slice();
    change(n);
    this.take(`${name} ${NAMES[this.e]}`, false, n);
  }

  all() {
    const { s, me } = this;
    if (s[me.is] === 0) return this.step('start', (n) => this.start(n));
    if (s[me.is] === FROZEN) return this.step('thaw', (n) => (n[me.is] = UP));
    if (s[me.noRedis]) this.step('Redis again', (n) => (n[me.noRedis] = 0));
    this.read();
    if (!s[me.known.want]) return;
    this.report();
    this.boot();
    this.connect();
    this.claimAgain();
    this.leave();
  }

  private start(n: State) {
    const { me, e } = this;
    n[me.is] = UP;
    copy(n, caches[e], me.known);
  }

  private read() {
    const { s, me, e } = this;
    const { known } = me;
    if (s[me.noRedis] || !s[records[e].want] || s[records[e].generation] <= s[known.generation]) return;
    this.step('read record', (n) => {
      copy(n, records[e], known);
      copy(n, records[e], caches[e]);
      for (const field of [me.hasLeft, me.newest]) n[field] = 0;
    });
  }

  private report() {
    const { s, me, e } = this;
    const status = statuses[e];
    const isOut = s[me.known.want] === GONE;
    const runs = s[me.stage] === BOOTED && !this.mustClaim(s) ? RUNS : 0;
    const state = isOut ? (s[me.hasLeft] ? LEFT : 0) : runs || (s[me.newest] ? REFUSED : 0);
    const isKnown = s[status.state] === state && s[status.generation] === s[me.known.generation];
    if (!state || s[me.noRedis] || (isKnown && s[status.newest] === s[me.newest])) return;
    this.step('report', (n) => {
      n[status.state] = state;
      n[status.generation] = n[me.known.generation];
      n[status.newest] = n[me.newest];
    });
  }

  /** As `cutsOff` in src/server/worker/apps/decide.ts. */
  private mustClaim(s: State): boolean {
    const { claimed, known, isClaiming } = this.me;
    const out = (s[claimed.hosts] | s[known.left]) & ~s[known.hosts];
    return s[isClaiming] === 1 || (out & ~s[claimed.left]) !== 0;
  }

  private end(n: State) {
    const { me, e } = this;
    for (const field of [me.stage, me.session, me.isClaiming, ...Object.values(me.claimed)]) n[field] = 0;
    if (n[shared.lock] === e + 1) n[shared.lock] = 0;
  }

  private boot() {
    const { s, me, e } = this;
    const stage = s[me.stage];
    const isToBoot = s[me.known.want] === RUN && (!s[me.newest] || s[me.newest] < s[me.known.generation]);
    if (stage === 0 && isToBoot) {
      if (!s[shared.lock])
        this.step('take boot lock', (n) => {
          n[shared.lock] = e + 1;
          n[me.stage] = LOCKED;
        });
      else if (!has(s[me.known.hosts], this.x)) this.step('end boot in the way', (n) => (n[shared.lock] = 0));
    }
    if (stage === 0 || stage === BOOTED) return;
    if (s[shared.lock] !== e + 1) return this.step('boot lost its lock', (n) => this.end(n));
    if (s[me.known.want] !== RUN) return this.step('boot ends', (n) => this.end(n));
    if (stage === LOCKED) {
      this.step('claim', (n) => {
        if (this.claim(n)) n[me.stage] = CLAIMED;
        else this.end(n);
      });
    }
    if (stage === CLAIMED) {
      this.step('end sessions of others', (n) => {
        this.endOthers(n);
        n[me.stage] = ALONE;
      });
    }
  }

  private claim(n: State): boolean {
    const { me, e, x, without } = this;
    const { generation, hosts, left } = me.known;
    const wish = { generation: n[generation], otherMayHost: has(n[hosts], x), otherHasLeft: has(n[left], x) };
    const other = rowOf(n, x);
    const verdict = Rows.claim(rowOf(n, e), other, wish, { holder: e + 1, term: 1 }, without);
    if (!('own' in verdict)) {
      n[me.newest] = 'newest' in verdict ? verdict.newest : 0;
      return false;
    }
    if (other && !other.isGone && other.generation > wish.generation && !wish.otherMayHost) n[shared.wrong] = 1;
    writeRow(n, e, verdict.own);
    writeRow(n, x, verdict.other);
    copy(n, me.known, me.claimed);
    n[me.newest] = 0;
    return true;
  }

  private endOthers(n: State) {
    const { me, x, without } = this;
    const isOut = !has(n[me.claimed.hosts], x) && (rowOf(n, x)?.isGone || has(n[me.claimed.left], x));
    if (isOut && !without.endsSessions) n[processes[x].session] = 0;
  }

  private connect() {
    const { s, me, e, without } = this;
    const isOpen = (s[me.stage] === ALONE && s[shared.lock] === e + 1) || s[me.stage] === BOOTED;
    if (isOpen && s[me.session] === 0) this.step('mark', (n) => (n[me.session] = MARKED));
    if (!isOpen || s[me.session] !== MARKED) return;
    this.step('check', (n) => {
      if (!isFine(n, e) && !without.fence) return this.end(n);
      n[me.session] = WRITES;
      if (n[me.stage] !== ALONE) return;
      n[me.stage] = BOOTED;
      n[shared.lock] = 0;
    });
  }

  private claimAgain() {
    const { s, me } = this;
    if (s[me.stage] !== BOOTED || s[me.known.want] !== RUN || !this.mustClaim(s)) return;
    if (s[me.isClaiming]) {
      return this.step('end sessions of others again', (n) => {
        this.endOthers(n);
        n[me.isClaiming] = 0;
      });
    }
    this.step('claim again', (n) => {
      if (this.claim(n)) {
        n[me.isClaiming] = 1;
        return;
      }
      const newest = n[me.newest];
      this.end(n);
      n[me.newest] = newest;
    });
  }

  private leave() {
    const { s, me, e } = this;
    if (s[me.known.want] !== GONE || s[me.hasLeft]) return;
    if (s[me.stage]) return this.step('end app', (n) => this.end(n));
    this.step('row says it is gone', (n) => {
      n[me.hasLeft] = 1;
      const verdict = Rows.leave(rowOf(n, e), n[me.known.generation], { holder: e + 1, term: 1 });
      if ('newest' in verdict) n[me.newest] = verdict.newest;
      else writeRow(n, e, verdict.own);
    });
  }
}

export class Places implements Model {
  readonly size = layout.size;

  constructor(
    private readonly config: PlacesConfig,
    private readonly without: Omitted = {},
  ) {}

  initial(): State {
    const s: State = new Uint8Array(layout.size);
    const [me] = processes;
    for (const of of [published[0], records[0], caches[0], me.known, me.claimed])
      for (const field of [of.generation, of.want, of.hosts]) s[field] = 1;
    for (const field of [app.generation, app.places, rows[0].exists, rows[0].generation]) s[field] = 1;
    for (const e of both) s[processes[e].is] = s[announced[e]] = UP;
    s[statuses[0].state] = RUNS;
    s[statuses[0].generation] = 1;
    s[me.stage] = BOOTED;
    s[me.session] = WRITES;
    s[shared.operations] = this.config.operations;
    s[shared.faults] = this.config.faults;
    return s;
  }

  steps(s: State, take: Take, isCalm = false) {
    const { without } = this;
    if (!isCalm) this.requests(s, take);
    if (!isCalm && s[shared.faults]) this.faults(s, take);
    const next = s.slice();
    if (new Supervisor(next).plan()) take('plan', false, next);
    for (const e of both) {
      this.store(s, e, take);
      new Process(s, e, take, without).all();
    }
  }

  private store(s: State, e: number, take: Take) {
    const me = processes[e];
    const isLive = s[me.is] === UP && !s[me.noRedis];
    const step = (name: string, change: (n: State) => void) => {
      const n = s.slice();
      change(n);
      take(`${name} ${NAMES[e]}`, false, n);
    };
    if (!isSame(s, published[e], records[e])) step('record', (n) => copy(n, published[e], records[e]));
    if (isLive !== (s[announced[e]] === 1))
      step(isLive ? 'announce' : 'announcement expires', (n) => (n[announced[e]] = Number(isLive)));
  }

  private requests(s: State, take: Take) {
    for (const places of [1, 2, 3]) {
      if (!s[shared.operations] || places === s[app.places]) continue;
      const n = s.slice();
      n[shared.operations]--;
      if (places & ~n[app.places]) n[app.previous] ||= n[app.places];
      n[app.places] = places;
      take(`request: places ${['', 'A', 'B', 'A and B'][places]}`, true, n);
    }
  }

  private faults(s: State, take: Take) {
    for (const [e, me] of processes.entries()) {
      if (s[me.is] !== UP) continue;
      for (const what of this.config.can) {
        if (what === 'cutRedis' && s[me.noRedis]) continue;
        const n = s.slice();
        n[shared.faults]--;
        if (what === 'freeze') n[me.is] = FROZEN;
        else if (what === 'cutRedis') n[me.noRedis] = 1;
        else this.kill(n, e);
        take(`fault: ${what} ${NAMES[e]}`, true, n);
      }
    }
  }

  private kill(n: State, e: number) {
    const { known, claimed, noRedis: _, ...others } = processes[e];
    for (const field of [...Object.values(known), ...Object.values(claimed), ...Object.values(others)]) n[field] = 0;
    if (n[shared.lock] === e + 1) n[shared.lock] = 0;
  }

  broken(s: State): string | null {
    if (s[shared.wrong]) return 'an older record has displaced the host of a newer one';
    // It is alone when the sessions of others have ended.
    const isAlone = (e: number) => isOne(s[processes[e].claimed.hosts]) && !s[processes[e].isClaiming];
    for (const [e, me] of processes.entries()) {
      const begins = s[me.stage] === ALONE && s[shared.lock] === e + 1 && isFine(s, e) && isAlone(e);
      if (begins && s[processes[1 - e].session] === WRITES)
        return `${NAMES[1 - e]} writes while ${NAMES[e]} begins alone`;
    }
    const write = processes.every((me) => s[me.session] === WRITES);
    return write && isAlone(0) && isAlone(1) ? 'both write, each alone by its record' : null;
  }

  missing(s: State): string | null {
    for (const [e, me] of processes.entries()) {
      const runs = s[me.stage] === BOOTED && s[me.session] === WRITES;
      if (runs !== has(s[app.places], e)) return `${NAMES[e]} ${runs ? 'runs on' : 'does not run'}`;
    }
    return null;
  }

  show(s: State): string {
    const text = (of: Record) => `${s[of.generation]}${['-', 'run', 'gone'][s[of.want]]}h${s[of.hosts]}l${s[of.left]}`;
    const all = both.map((e) => {
      const me = processes[e];
      const row = rowOf(s, e);
      return `${NAMES[e]}: published ${text(published[e])}, record ${text(records[e])}, row ${row ? `${row.generation}${row.isGone ? 'gone' : ''}` : '-'}, knows ${text(me.known)}, claimed ${text(me.claimed)}, stage${s[me.stage]} session${s[me.session]} newest${s[me.newest]}`;
    });
    return [`places ${s[app.places]}, before ${s[app.previous]}`, ...all].join(' | ');
  }
}

export const SEARCHES = {
  freeze: { operations: 2, faults: 1, can: ['freeze'] },
  kill: { operations: 2, faults: 1, can: ['kill', 'cutRedis'] },
  both: { operations: 2, faults: 2, can: ['freeze', 'kill', 'cutRedis'] },
} satisfies { [name: string]: PlacesConfig };
