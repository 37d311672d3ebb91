import * as H from './hosting-state';
import * as Rows from './rows';
import type { Omitted } from './rules';
import type { State, Take } from './search';

const { announced, data, main, processes, records, rows, statuses, time } = H;

/** The row of an environment. */
export function rowOf(s: State, e: number): Rows.Row | null {
  const row = rows[e];
  if (!s[row.exists]) return null;
  return { holder: s[row.holder], term: s[row.term], generation: s[row.generation], isGone: s[row.isGone] === 1 };
}

function writeRow(n: State, e: number, row: Rows.Row | null): void {
  const to = rows[e];
  n[to.exists] = row ? 1 : 0;
  n[to.holder] = row?.holder ?? 0;
  n[to.term] = row?.term ?? 0;
  n[to.generation] = row?.generation ?? 0;
  n[to.isGone] = row?.isGone ? 1 : 0;
}

/** Whether the rows say that this process hosts the app. */
export function isEntitled(s: State, p: number): boolean {
  const row = rowOf(s, H.ENVIRONMENT_OF[p]);
  return row !== null && !row.isGone && row.holder === s[processes[p].instance];
}

export const isOurs = (s: State) => s[data.exists] === 1 && s[data.owner] === H.OURS;

/** The steps of one process. */
class Process {
  private readonly me: H.ProcessFields;
  private readonly e: number;

  constructor(
    private readonly s: State,
    private readonly p: number,
    private readonly take: Take,
    private readonly without: Omitted,
  ) {
    this.me = processes[p];
    this.e = H.ENVIRONMENT_OF[p];
  }

  private step(name: string, change: (n: State) => void, isFault = false): void {
    const n = this.s.slice();
    change(n);
    this.take(`${name} ${H.PROCESSES[this.p]}`, isFault, n);
  }

  private get(field: keyof H.ProcessFields): number {
    return this.s[this.me[field]];
  }

  private has(want: number): boolean {
    return this.get('want') === want && this.get('mayAct') > 0;
  }

  all(isCalm: boolean, mayStart: boolean) {
    const { me } = this;
    if (this.get('is') === H.DOWN) {
      if (mayStart) this.step('start', (n) => this.start(n));
      return;
    }
    if (this.get('is') === H.FROZEN) return this.step('thaw', (n) => (n[me.is] = H.UP));
    if (this.get('noMain')) this.step('main database again', (n) => (n[me.noMain] = 0));
    if (this.get('noRedis')) this.step('Redis again', (n) => (n[me.noRedis] = 0));
    this.lease(isCalm);
    if (!this.get('term')) return;
    this.announce();
    this.read();
    this.report();
    this.begin();
    this.boot();
    this.connect();
    this.claimAgain();
    this.rest();
    this.remove();
  }

  private start(n: State) {
    n[this.me.is] = H.UP;
    n[this.me.instance] = ++n[time.instances];
  }

  /** As `claimOnce` in src/server/lease/lease.ts, without beats: a lease may be taken from a live holder at any time. */
  private lease(isCalm: boolean) {
    if (this.get('noMain')) return;
    const { s, me, e } = this;
    const holder = s[main[e].lease.holder];
    if (this.get('term')) {
      const state = this.leaseState(s);
      if (state === 'back') this.step('lease is an older one, goes on', (n) => this.takeLease(n));
      if (state === 'lost') this.step('displaced, tenure ends', (n) => H.forget(n, this.p));
      return;
    }
    const isSilent = !processes.some((it) => this.holdsOn(it, holder));
    const mayTake = !isCalm && s[H.left.takeovers] > 0;
    if (!isSilent && !mayTake) return;
    const take = (n: State) => {
      if (!isSilent) n[H.left.takeovers]--;
      this.takeLease(n);
      // What is known stands only once the record was read.
      H.copyFields(n, main[e].cache, me);
    };
    this.step('take lease', take, !isSilent);
  }

  private holdsOn(it: H.ProcessFields, holder: number): boolean {
    const { s } = this;
    return s[it.is] === H.UP && !s[it.noMain] && s[it.term] > 0 && s[it.instance] === holder;
  }

  private leaseState(s: State): 'mine' | 'back' | 'lost' {
    const { holder, term } = main[this.e].lease;
    if (s[holder] === s[this.me.instance]) return s[term] === s[this.me.term] ? 'mine' : 'back';
    return s[holder] === 0 ? 'back' : 'lost';
  }

  private takeLease(n: State, above = 0) {
    const { lease } = main[this.e];
    const stored = Math.max(n[lease.term], n[this.me.term], above);
    const term = Math.min(this.without.termClock ? stored + 1 : Math.max(stored, n[time.terms]) + 1, H.MOST);
    n[lease.holder] = n[this.me.instance];
    n[lease.term] = n[this.me.term] = term;
    n[time.terms] = Math.max(n[time.terms], term);
  }

  /** @returns whether this process holds the environment, as its main database says now */
  private confirm(n: State): boolean {
    if (n[this.me.noMain]) return false;
    const state = this.leaseState(n);
    if (state === 'back') this.takeLease(n);
    if (state === 'lost') H.forget(n, this.p);
    return state !== 'lost';
  }

  /** As announce-6.lua, and `overtaken` in src/server/worker/tenures.ts. */
  private announce() {
    const { s, me, e } = this;
    const { term, registered } = announced[e];
    if (this.get('noRedis') || (s[term] === this.get('term') && s[registered] === this.get('term'))) return;
    const newest = Math.max(s[term], s[registered]);
    if (newest <= this.get('term')) {
      this.step('announce', (n) => {
        if (n[registered] !== n[me.term]) for (const field of Object.values(statuses[e])) n[field] = 0;
        n[term] = n[registered] = n[me.term];
      });
    } else {
      this.step('is overtaken', (n) => {
        if (this.confirm(n)) this.takeLease(n, newest);
        else H.forget(n, this.p);
      });
    }
  }

  private read() {
    const { s, me, e } = this;
    const { cache } = main[e];
    const record = records[e];
    const isNewer = s[record.generation] > this.get('generation') || !this.get('mayAct');
    if (!this.get('noRedis') && s[record.want] && s[record.generation] >= this.get('generation') && isNewer) {
      this.step('read record', (n) => {
        if (n[record.generation] > n[me.generation]) for (const f of [me.leaving, me.dropping, me.newest]) n[f] = 0;
        H.copyFields(n, record, me);
        n[me.mayAct] = 1;
      });
    }
    // Redis does not answer, or has no record that counts, for the waiting time.
    const isAlone = this.get('noRedis') || !s[record.want] || s[record.generation] < this.get('generation');
    if (this.get('want') && !this.get('mayAct') && isAlone)
      this.step('go by cache', (n) => (n[me.mayAct] = H.BY_CACHE));
    const isSaved = s[cache.generation] >= this.get('generation');
    const holds = !this.get('noMain') && this.leaseState(s) === 'mine';
    if (holds && this.get('want') && !isSaved) this.step('save', (n) => this.save(n));
  }

  private save(n: State) {
    const { cache } = main[this.e];
    n[cache.generation] = n[this.me.generation];
    n[cache.want] = n[this.me.want];
    n[cache.left] = n[this.me.left];
    n[cache.provision] = n[this.me.provision];
  }

  private report() {
    const { s, me, e } = this;
    const status = statuses[e];
    const state = this.reportedState();
    const isSaved = s[main[e].cache.generation] >= this.get('generation');
    if (this.get('noRedis') || s[announced[e].term] !== this.get('term') || !state || !isSaved) return;
    const values = [
      [status.term, me.term],
      [status.generation, me.generation],
      [status.newest, me.newest],
    ];
    if (s[status.state] === state && values.every(([to, from]) => s[to] === s[from])) return;
    this.step('report', (n) => {
      for (const [to, from] of values) n[to] = n[from];
      n[status.state] = state;
      // What has left is taken from the snapshot.
      if (state === H.LEFT || state === H.DROPPED) n[main[e].known.hasHosted] = 0;
    });
  }

  private reportedState(): number {
    const stage = this.get('stage');
    if (!this.get('mayAct')) return 0;
    switch (this.get('want')) {
      case H.RUN:
        if (stage === H.BOOTED) return this.mustClaim() ? 0 : H.RUNS;
        if (stage) return 0;
        if (this.get('newest')) return H.REFUSED;
        return this.get('failed') === this.get('generation') ? H.FAILED : 0;
      case H.STOP:
        return stage ? 0 : H.RESTS;
      case H.GONE:
        return this.hasLeft() ? H.LEFT : 0;
      case H.DROP:
        return this.get('dropping') === 2 ? H.DROPPED : 0;
      default:
        return 0;
    }
  }

  private hasLeft(): boolean {
    return this.get('leaving') >= (this.without.removalWaits ? H.ROW_GONE : H.SESSIONS_GONE);
  }

  /** It is reported, and tried again. */
  private fail(n: State) {
    H.endBoot(n, this.p);
    n[this.me.failed] = n[this.me.generation];
  }

  /** Whether the app does not run here, and is to boot by the newest record. */
  private isToBoot(): boolean {
    const isRefused = this.get('newest') >= this.get('generation') || this.get('failed') === this.get('generation');
    return this.has(H.RUN) && this.get('stage') === 0 && !isRefused;
  }

  private begin() {
    const { s, me } = this;
    const isDue = this.get('failed') === this.get('generation') && !s[H.isBroken[this.e]] && isOurs(s);
    if (isDue && this.has(H.RUN)) this.step('retry is due', (n) => (n[me.failed] = 0));
    if (!this.isToBoot()) return;
    if (!s[data.exists]) {
      if (this.get('provision')) this.step('create database', (n) => this.create(n));
      return;
    }
    const lock = s[data.lock];
    if (!lock) {
      this.step('take boot lock', (n) => {
        n[data.lock] = this.p + 1;
        n[me.stage] = H.LOCKED;
        n[me.bootGeneration] = n[me.generation];
      });
    } else if (lock !== this.p + 1 && 'own' in this.judge(s)) {
      // It is of this environment, or of one that may not host the app by this record.
      this.step('end boot in the way', (n) => {
        if (this.confirm(n)) n[data.lock] = 0;
      });
    }
  }

  private create(n: State) {
    // Only an older copy of its main database has such a record of an app that was deleted; nobody tells the process.
    if (n[this.me.mayAct] === H.BY_CACHE) n[data.wasDropped] = 0;
    n[data.exists] = 1;
    n[data.owner] = H.OURS;
  }

  private judge(s: State): Rows.Verdict {
    const { me, e, without } = this;
    const generation = s[me.stage] && s[me.stage] < H.BOOTED ? s[me.bootGeneration] : s[me.generation];
    const wish = { generation, otherMayHost: false, otherHasLeft: s[me.left] === 1 };
    return Rows.claim(rowOf(s, e), rowOf(s, 1 - e), wish, { holder: s[me.instance], term: s[me.term] }, without);
  }

  /** One straight function in the product: each of its awaits is a step. */
  private boot() {
    const { s, me, p, without } = this;
    const stage = this.get('stage');
    if (stage === 0 || stage === H.BOOTED) return;
    const hasLock = s[data.lock] === p + 1;
    if (!hasLock && !(without.transaction && stage === H.CONFIRMED))
      return this.step('boot lost its lock', (n) => this.fail(n));
    if (!this.has(H.RUN) || (this.get('generation') > this.get('bootGeneration') && stage <= H.CONFIRMED))
      return this.step('boot ends, its record is old', (n) => H.endBoot(n, p));
    if (stage === H.LOCKED) {
      this.step('confirm', (n) => {
        if (without.confirm || this.confirm(n)) n[me.stage] = H.CONFIRMED;
        else H.endBoot(n, p);
      });
    } else if (stage === H.CONFIRMED) {
      this.step('claim', (n) => this.claim(n));
    } else if (stage === H.CLAIMED) {
      this.step('end sessions of others', (n) => {
        this.endOthers(n);
        n[me.stage] = H.ALONE;
      });
    } else if (stage === H.ALONE) {
      this.step('note the start', (n) => {
        if (n[me.noMain]) return H.endBoot(n, p);
        if (n[main[this.e].cache.generation] < n[me.generation]) this.save(n);
        n[main[this.e].known.hasHosted] = 1;
        n[me.stage] = H.NOTED;
      });
    }
  }

  private claim(n: State) {
    const { me, p, e, without } = this;
    if (!isOurs(n)) return this.fail(n);
    // Read before, and written without a condition.
    const verdict = without.transaction ? Rows.claim(null, null, this.plainWish(n), this.self(n)) : this.judge(n);
    if ('above' in verdict) {
      if (!this.confirm(n)) return H.endBoot(n, p);
      this.takeLease(n, verdict.above);
      n[me.stage] = H.LOCKED;
    } else if ('newest' in verdict) {
      H.endBoot(n, p);
      n[me.newest] = verdict.newest;
    } else {
      this.write(n, verdict);
      n[me.claimedLeft] = n[me.left];
      n[me.stage] = H.CLAIMED;
    }
    if (n[me.stage] === H.CLAIMED && without.transaction)
      writeRow(n, 1 - e, { ...this.self(n), generation: n[me.bootGeneration], isGone: true });
  }

  private plainWish = (n: State): Rows.Wish => ({
    generation: n[this.me.bootGeneration],
    otherMayHost: false,
    otherHasLeft: true,
  });

  private self = (n: State): Rows.Me => ({ holder: n[this.me.instance], term: n[this.me.term] });

  private write(n: State, { own, other }: Extract<Rows.Verdict, { own: Rows.Row }>) {
    this.note(n, own.generation);
    writeRow(n, this.e, own);
    writeRow(n, 1 - this.e, other);
  }

  /** What the rules of a claim exclude, as somebody sees it who knows all rows. */
  private note(n: State, generation: number) {
    const own = rowOf(n, this.e);
    const other = rowOf(n, 1 - this.e);
    const isOlder = other !== null && !other.isGone && other.generation > generation;
    const isBack = own?.isGone && own.generation >= generation;
    if (isOlder) n[H.seen.wrong] = 1;
    else if (isBack) n[H.seen.wrong] = 2;
    else if (own && own.term > n[this.me.term] && own.holder !== n[this.me.instance]) n[H.seen.wrong] = 3;
  }

  /** Those of its environment but its own, and of the other one if that has a row that says it is gone, or has left. */
  private endOthers(n: State) {
    if (this.without.endsSessions) return;
    for (const [q, it] of processes.entries()) {
      const isOther = H.ENVIRONMENT_OF[q] !== this.e;
      const isOut = isOther ? rowOf(n, 1 - this.e)?.isGone || n[this.me.left] : q !== this.p;
      if (isOut && n[it.session] !== H.CHECKED) n[it.session] = 0;
    }
  }

  /** A connection of the app's pool is marked, finds its row, and is used. */
  private connect() {
    const { s, me, p, without } = this;
    const stage = this.get('stage');
    const isOpen = (stage === H.NOTED && s[data.lock] === p + 1) || stage === H.BOOTED;
    const session = this.get('session');
    if (session === 0 && isOpen && s[data.exists]) {
      if (!without.markFirst) this.step('mark', (n) => (n[me.session] = H.MARKED));
      else this.step('check', (n) => this.check(n, H.CHECKED));
    }
    if (session === H.MARKED && isOpen) this.step('check', (n) => this.check(n, H.WRITES));
    if (session === H.CHECKED) this.step('mark', (n) => this.use(n));
  }

  private check(n: State, to: number) {
    const { me, p } = this;
    const admission = this.without.fence ? 'own' : Rows.admit(rowOf(n, this.e), this.self(n));
    if (admission === 'own') {
      if (to === H.WRITES) this.use(n);
      else n[me.session] = to;
    } else if (admission === 'lost') {
      // It is let in: whoever restores a backup needs the connection.
      n[me.isLost] = Number(n[me.stage] === H.BOOTED);
      this.use(n);
    } else {
      H.endBoot(n, p);
    }
  }

  private use(n: State) {
    const { me } = this;
    n[me.session] = H.WRITES;
    if (n[me.stage] !== H.NOTED) return;
    if (n[H.isBroken[this.e]]) return this.fail(n);
    n[me.stage] = H.BOOTED;
    n[me.newest] = 0;
    n[data.lock] = 0;
  }

  /** Its row is gone, or its record says of one that it may not host the app any more. */
  private mustClaim(): boolean {
    return this.get('isLost') === 1 || this.get('isClaiming') === 1 || this.get('left') > this.get('claimedLeft');
  }

  private claimAgain() {
    const { me, p } = this;
    if (this.get('stage') !== H.BOOTED || !this.has(H.RUN) || !this.mustClaim() || !isOurs(this.s)) return;
    if (this.get('isClaiming')) {
      return this.step('end sessions of others again', (n) => {
        this.endOthers(n);
        for (const field of [me.isClaiming, me.isLost]) n[field] = 0;
        n[me.claimedLeft] = n[me.left];
      });
    }
    this.step('claim again', (n) => {
      if (!this.confirm(n)) return;
      const verdict = this.judge(n);
      if ('above' in verdict) return this.takeLease(n, verdict.above);
      if ('newest' in verdict) {
        H.endBoot(n, p);
        n[me.newest] = verdict.newest;
        return;
      }
      this.write(n, verdict);
      n[me.isClaiming] = 1;
    });
  }

  private rest() {
    const isOut = this.get('want') === H.STOP || this.get('want') === H.GONE || this.get('want') === H.DROP;
    if (isOut && this.get('mayAct') && this.get('stage') === H.BOOTED)
      this.step('end app', (n) => H.endBoot(n, this.p));
  }

  /** As `remove` in src/server/worker/apps/removal.ts. */
  private remove() {
    const { s, me, e } = this;
    const isAsked = this.has(H.GONE) || this.has(H.DROP);
    if (!isAsked || this.get('stage') !== 0) return;
    const hasHosted = s[main[e].known.hasHosted] === 1 && isOurs(s);
    switch (this.get('leaving')) {
      case 0:
        return this.step('may leave', (n) => {
          if (this.confirm(n)) n[me.leaving] = hasHosted ? H.MAY_LEAVE : H.SESSIONS_GONE;
        });
      case H.MAY_LEAVE:
        return this.step('row says it is gone', (n) => this.leaveRow(n));
      case H.ROW_GONE:
        return this.step('end sessions of the environment', (n) => {
          for (const [q, it] of processes.entries()) if (H.ENVIRONMENT_OF[q] === e) n[it.session] = 0;
          n[me.leaving] = H.SESSIONS_GONE;
        });
      default:
        if (this.has(H.DROP)) this.drop();
    }
  }

  private leaveRow(n: State) {
    const { me, e } = this;
    if (!isOurs(n)) {
      n[me.leaving] = H.ROW_GONE;
      return;
    }
    const verdict = Rows.leave(rowOf(n, e), n[me.generation], this.self(n));
    if ('newest' in verdict) {
      n[me.newest] = verdict.newest;
      n[me.leaving] = H.SESSIONS_GONE;
    } else {
      writeRow(n, e, verdict.own);
      n[me.leaving] = H.ROW_GONE;
    }
  }

  private drop() {
    const { s, me } = this;
    const dropping = this.get('dropping');
    if (dropping === 0) {
      this.step(isOurs(s) ? 'may drop' : 'data are gone', (n) => {
        this.endDrops(n);
        n[me.dropping] = isOurs(n) ? 1 : 2;
      });
    }
    if (dropping !== 1) return;
    this.step('drop', (n) => {
      if (n[data.owner] === H.ANOTHERS) n[H.seen.wrong] = 4;
      for (const field of [data.exists, data.owner, data.lock]) n[field] = 0;
      for (const it of processes) n[it.session] = 0;
      for (const row of rows) for (const field of Object.values(row)) n[field] = 0;
      n[data.wasDropped] = 1;
      n[me.dropping] = 2;
    });
  }

  private endDrops(n: State) {
    if (this.without.dropMark) return;
    for (const it of processes) if (it !== this.me && n[it.dropping] === 1) n[it.dropping] = 0;
  }
}

export function workerSteps(s: State, p: number, take: Take, without: Omitted, isCalm: boolean, mayStart: boolean) {
  new Process(s, p, take, without).all(isCalm, mayStart);
}
