import type { Omitted } from './rules';
import { Layout, type Model, type State, type Take } from './search';

/**
 * Two Supervisors, of which one leads, write a hash with two fields into Redis, and a Worker reads it. As src/server/lease/lease.ts,
 * src/server/supervisor/control/leader.ts and src/server/protocol/published.ts. A lease may be taken from a live leader at any time, and a
 * leader may freeze before any write.
 */

export interface CountsConfig {
  requests: number;
  faults: number;
  takeovers: number;
  can: ('flush' | 'redisCopy' | 'freeze' | 'kill')[];
}

const UP = 1;
const FROZEN = 2;
/** Numbers in a state are small. */
const MOST = 200;

const layout = new Layout();
const twice = <T>(make: () => T): [T, T] => [make(), make()];
const fields = () => [layout.fields('a').a, layout.fields('b').b];

/** `values`: what is published, as a leader has planned it; `wanted`: what was asked for. */
const sql = { ...layout.fields('holder', 'term', 'version'), wanted: fields(), values: fields() };
const redisFrom = layout.size;
/** `term`: of the newest writer. The count of the hash is a term and a number; the mark tells two writes with one count apart. */
const redis = { ...layout.fields('term', 'countTerm', 'count', 'mark'), values: fields() };
const redisTo = layout.size;
const redisCopy = layout.copyOf(redisFrom);
const reader = { ...layout.fields('countTerm', 'count'), values: fields() };
/** `left`: what it left in Redis. `isExact`: the hash had its values, and no others, with that. */
const leaders = twice(() => ({
  ...layout.fields('is', 'term', 'wrote', 'mark', 'countTerm', 'count', 'hasLeft', 'isExact', 'isDoubted'),
  values: fields(),
  // A transaction that is under way, and a write to Redis.
  planned: layout.fields('field', 'value'),
  pending: {
    ...layout.fields('exists', 'from', 'countTerm', 'count'),
    mask: layout.fields('mask').mask,
    values: fields(),
  },
}));
const time = layout.fields('terms', 'marks', 'clock');
const left = layout.fields('requests', 'faults', 'takeovers', 'copy');
const seen = layout.fields('wrong');

type Leader = (typeof leaders)[number];
const fieldsOf = (of: object): number[] =>
  Object.values(of).flatMap((value) => (typeof value === 'number' ? [value] : fieldsOf(value)));
const isAfter = (s: State, one: { countTerm: number; count: number }, other: { countTerm: number; count: number }) =>
  (s[one.countTerm] - s[other.countTerm] || s[one.count] - s[other.count]) > 0;

export class Counts implements Model {
  readonly size = layout.size;

  constructor(
    private readonly config: CountsConfig,
    private readonly without: Omitted = {},
  ) {}

  initial(): State {
    const s: State = new Uint8Array(layout.size);
    const { requests, faults, takeovers } = this.config;
    for (const one of leaders) s[one.is] = UP;
    s[left.requests] = requests;
    s[left.faults] = faults;
    s[left.takeovers] = takeovers;
    return s;
  }

  steps(s: State, take: Take, isCalm = false) {
    const step = (name: string, change: (n: State) => void, isFault = false) => {
      const n = s.slice();
      change(n);
      take(name, isFault, n);
    };
    if (!isCalm && s[left.requests])
      for (const i of [0, 1]) {
        step(
          `request ${i}`,
          (n) => {
            n[left.requests]--;
            n[sql.wanted[i]] = ++n[sql.version];
          },
          true,
        );
      }
    if (!isCalm) this.faults(s, step);
    for (const l of leaders.keys()) this.leader(s, l, isCalm, step);
    if (!isCalm && this.config.can.includes('redisCopy') && s[left.copy] === 0)
      step('copy of Redis', (n) => {
        redisCopy(n, 'keep');
        n[left.copy] = 1;
      });
    if (isAfter(s, redis, reader)) step('reader reads', (n) => this.read(n));
  }

  private read(n: State) {
    for (const i of [0, 1]) n[reader.values[i]] = n[redis.values[i]];
    n[reader.countTerm] = n[redis.countTerm];
    n[reader.count] = n[redis.count];
  }

  private faults(s: State, step: (name: string, change: (n: State) => void, isFault: boolean) => void): void {
    if (!s[left.faults]) return;
    const { can } = this.config;
    const fault = (what: CountsConfig['can'][number], isPossible: boolean, change: (n: State) => void, whom = '') => {
      if (!isPossible || !can.includes(what)) return;
      step(
        `fault: ${what}${whom}`,
        (n) => {
          n[left.faults]--;
          change(n);
        },
        true,
      );
    };
    fault('flush', true, (n) => n.fill(0, redisFrom, redisTo));
    fault('redisCopy', s[left.copy] === 1, (n) => {
      redisCopy(n, 'restore');
      n[left.copy] = 2;
    });
    for (const [l, me] of leaders.entries()) {
      fault('freeze', s[me.is] === UP, (n) => (n[me.is] = FROZEN), ` ${l + 1}`);
      fault(
        'kill',
        s[me.is] === UP,
        (n) => {
          for (const field of fieldsOf(me)) n[field] = 0;
        },
        ` ${l + 1}`,
      );
    }
  }

  private leader(
    s: State,
    l: number,
    isCalm: boolean,
    say: (name: string, change: (n: State) => void, isFault?: boolean) => void,
  ) {
    const me = leaders[l];
    const step = (name: string, change: (n: State) => void, isFault = false) =>
      say(`${name} ${l + 1}`, change, isFault);
    if (s[me.is] === 0) return step('start', (n) => (n[me.is] = UP));
    if (s[me.is] === FROZEN) return step('thaw', (n) => (n[me.is] = UP));
    const holds = s[sql.holder] === l + 1 && s[sql.term] === s[me.term];
    if (!s[me.term]) {
      const other = leaders[1 - l];
      const isSilent = s[sql.holder] !== 2 - l || s[other.is] !== UP || !s[other.term];
      if (isSilent || (!isCalm && s[left.takeovers]))
        step('take the lead', (n) => this.lead(n, l, isSilent), !isSilent);
      return;
    }
    if (!holds) step('is displaced', (n) => this.stop(n, me));
    this.publish(s, l, step);
    if (s[me.pending.exists]) return step('write', (n) => this.write(n, l));
    this.prepare(s, me, step);
  }

  private lead(n: State, l: number, isSilent: boolean) {
    const me = leaders[l];
    if (!isSilent) n[left.takeovers]--;
    n[sql.holder] = l + 1;
    n[sql.term] = n[me.term] = ++n[time.terms];
    // Nothing that is known can be relied on.
    n[me.isExact] = n[me.hasLeft] = 0;
    if (!this.without.newLeaderCompares) n[me.isDoubted] = 1;
  }

  /** As `write` in src/server/supervisor/control/leader.ts: in a transaction with the row of the lead, and only what follows from what is so. */
  private publish(s: State, l: number, step: (name: string, change: (n: State) => void) => void): void {
    const me = leaders[l];
    const { field, value } = me.planned;
    const changed = [0, 1].find((i) => s[sql.wanted[i]] !== s[sql.values[i]]);
    if (!s[field] && changed !== undefined)
      step('plans', (n) => {
        n[field] = changed + 1;
        n[value] = n[sql.wanted[changed]];
      });
    if (!s[field]) return;
    step('publishes', (n) => {
      const i = n[field] - 1;
      const holds = n[sql.holder] === l + 1 && n[sql.term] === n[me.term];
      if ((holds || this.without.sqlTerm) && n[sql.wanted[i]] === n[value]) {
        n[sql.values[i]] = n[value];
        if (!holds) n[seen.wrong] = 1;
      }
      n[field] = n[value] = 0;
    });
  }

  private stop(n: State, me: Leader) {
    n[me.term] = 0;
    for (const field of [...fieldsOf(me.pending), ...fieldsOf(me.planned)]) n[field] = 0;
  }

  /** As `writeOnce` in src/server/protocol/published.ts: what is to be written now. */
  private prepare(s: State, me: Leader, step: (name: string, change: (n: State) => void) => void): void {
    const { without } = this;
    const isOther = s[redis.mark] !== s[me.mark] && !without.looks;
    const compares = s[me.isDoubted] === 1 || (!s[me.hasLeft] && !without.newLeaderCompares) || isOther;
    const differsHere = (i: number) => s[sql.values[i]] !== s[me.values[i]];
    if (!compares && ![0, 1].some(differsHere)) return;
    step(compares ? 'compares' : 'has a change', (n) => {
      const isBehind = n[me.hasLeft] === 1 && n[redis.mark] !== n[me.mark] && isAfter(n, me, redis);
      const isMended = compares && isBehind && (n[me.isExact] === 1 || without.sameCount);
      const differs = (i: number) =>
        compares ? n[redis.values[i]] !== n[(isMended ? me : sql).values[i]] : n[sql.values[i]] !== n[me.values[i]];
      const mask = [0, 1].reduce((all, i) => all | (differs(i) ? 1 << i : 0), 0);
      const values = isMended ? me.values : sql.values;
      const before = compares && !(n[me.hasLeft] && isAfter(n, me, redis)) ? redis : me;
      const from = compares ? n[redis.mark] : n[me.mark];
      if (!isMended) for (const i of [0, 1]) n[me.values[i]] = n[sql.values[i]];
      n[me.isDoubted] = 0;
      if (!mask && !isMended) {
        n[me.countTerm] = n[before.countTerm];
        n[me.count] = n[before.count];
        n[me.mark] = n[redis.mark];
        n[me.hasLeft] = n[me.isExact] = 1;
        return;
      }
      const { pending } = me;
      n[pending.exists] = 1;
      n[pending.from] = from;
      n[pending.mask] = mask;
      for (const i of [0, 1]) n[pending.values[i]] = n[values[i]];
      n[pending.countTerm] = isMended ? n[me.countTerm] : Math.max(n[me.term], n[before.countTerm]);
      n[pending.count] = isMended ? n[me.count] : this.countAfter(n, before, n[me.term]);
    });
  }

  private countAfter(n: State, before: { countTerm: number; count: number }, term: number): number {
    const next = term > n[before.countTerm] ? 0 : n[before.count] + 1;
    n[time.clock] = Math.min(n[time.clock] + 1, MOST);
    return Math.max(next, n[time.clock]);
  }

  /** As writeHash-2.lua. */
  private write(n: State, l: number) {
    const me = leaders[l];
    const { pending } = me;
    n[me.isExact] = 0;
    n[me.isDoubted] = 1;
    const isOver = n[redis.term] > n[me.term];
    n[redis.term] = Math.max(n[redis.term], n[me.term]);
    if (!isOver && (n[redis.mark] === n[pending.from] || this.without.condition)) {
      for (const i of [0, 1]) if ((n[pending.mask] >> i) & 1) n[redis.values[i]] = n[pending.values[i]];
      n[redis.countTerm] = n[me.countTerm] = n[pending.countTerm];
      n[redis.count] = n[me.count] = n[pending.count];
      n[redis.mark] = n[me.mark] = n[time.marks] = Math.min(n[time.marks] + 1, MOST);
      n[me.hasLeft] = n[me.isExact] = 1;
      n[me.isDoubted] = 0;
    }
    for (const field of fieldsOf(pending)) n[field] = 0;
  }

  broken(s: State): string | null {
    return s[seen.wrong] ? 'a leader has written whose term is over' : null;
  }

  missing(s: State): string | null {
    const differs = (one: number[], other: number[]) => one.some((field, i) => s[field] !== s[other[i]]);
    if (differs(sql.values, sql.wanted)) return 'what is wanted is not published';
    if (differs(redis.values, sql.values)) return 'Redis has other values than the database';
    return differs(reader.values, sql.values) ? 'a reader has other values than the database' : null;
  }

  show(s: State): string {
    const count = (of: { countTerm: number; count: number }) => `${s[of.countTerm]}.${s[of.count]}`;
    const all = leaders.map((me, l) => {
      const { pending } = me;
      const about = s[pending.exists] ? `, writes ${count(pending)} from ${s[pending.from]}` : '';
      return `${l + 1}${'xu*'[s[me.is]]}t${s[me.term]} left ${count(me)}#${s[me.mark]} ${me.values.map((f) => s[f])}${about}`;
    });
    const stored = `Redis t${s[redis.term]} ${count(redis)}#${s[redis.mark]} ${redis.values.map((f) => s[f])}`;
    return [
      `wanted ${sql.values.map((f) => s[f])}`,
      stored,
      `reader ${count(reader)} ${reader.values.map((f) => s[f])}`,
      ...all,
    ].join(' | ');
  }
}

export const SEARCHES = {
  past: { requests: 3, faults: 2, takeovers: 0, can: ['flush', 'redisCopy'] },
  leaders: { requests: 2, faults: 1, takeovers: 2, can: ['freeze', 'kill'] },
  both: { requests: 2, faults: 3, takeovers: 1, can: ['flush', 'redisCopy', 'freeze', 'kill'] },
} satisfies { [name: string]: CountsConfig };
