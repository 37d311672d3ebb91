/**
 * Explicit states: a model is a set of small numbers and the steps that change them, and the search goes through every order of steps.
 * Nothing of the product runs here, and nothing waits: what takes time in the product is a step that may come at any moment.
 */

/** One small number for each of its fields. */
export type State = Uint8Array;

/** Names the numbers of a state. */
export class Layout {
  size = 0;

  fields<T extends string>(...names: T[]): Record<T, number> {
    return Object.fromEntries(names.map((name) => [name, this.size++])) as Record<T, number>;
  }

  /** As many numbers again as were named since one of them, for an older copy of these. */
  copyOf(from: number, to = this.size): (n: State, way: 'keep' | 'restore') => void {
    const at = this.size;
    this.size += to - from;
    return (n, way) => {
      if (way === 'keep') n.copyWithin(at, from, to);
      else n.copyWithin(from, at, at + to - from);
    };
  }
}

/** Takes a step that is possible. @param isFault whether it never has to come */
export type Take = (name: string, isFault: boolean, next: State) => void;

export interface Model {
  /** How many numbers a state has. */
  size: number;
  initial(): State;
  /** @param isCalm no fault comes any more */
  steps(state: State, take: Take, isCalm?: boolean): void;
  /** What must never be, and is. */
  broken(state: State): string | null;
  /** What is missing where nothing is left to be done. */
  missing(state: State): string | null;
  show(state: State): string;
}

export interface Found {
  kind: 'safety' | 'progress';
  what: string;
  /** The steps that lead there. */
  trace: string[];
  end: string;
}

export interface Outcome {
  states: number;
  /** Whether there are no other states. */
  isComplete: boolean;
  found: Found | null;
}

export interface Bounds {
  seconds: number;
  states?: number;
  /** From every so manieth state on nothing fails any more, and all has to come to its end. */
  every?: number;
}

/** More rounds than any of the models needs. */
const ROUNDS = 400;

/** Nothing fails any more, and each step that is possible is taken in its turn. @returns what goes wrong or is missing then */
export function settle(model: Model, from: State): string | null {
  let state = from;
  for (let round = 0; round < ROUNDS; round++) {
    const names: string[] = [];
    model.steps(state, (name, isFault) => !isFault && names.push(name), true);
    let hasMoved = false;
    for (const name of names) {
      const next = taken(model, state, name);
      if (!next || isEqual(next, state)) continue;
      state = next;
      hasMoved = true;
      const broken = model.broken(state);
      if (broken) return broken;
    }
    if (!hasMoved) return model.missing(state);
  }
  return `comes to no end: ${model.show(state)}`;
}

/** @returns the state after a step, if that is possible */
function taken(model: Model, state: State, wanted: string): State | null {
  let found: State | null = null;
  const take: Take = (name, isFault, next) => {
    if (!isFault && name === wanted) found ??= next;
  };
  model.steps(state, take, true);
  return found;
}

/** Follows steps by their names. @returns the state; null if one of them is not possible */
export function follow(model: Model, names: readonly string[]): State | null {
  let state = model.initial();
  for (const wanted of names) {
    let found: State | null = null;
    model.steps(state, (name, _, next) => {
      if (name === wanted) found ??= next;
    });
    if (!found) return null;
    state = found;
  }
  return state;
}

const isEqual = (one: State, other: State) => Buffer.compare(one, other) === 0;

/** Breadth first, so that what is found comes with as few steps as possible. */
export function search(model: Model, { seconds, states: most = 2_000_000, every = 20 }: Bounds): Outcome {
  const until = performance.now() + seconds * 1000;
  const known = new States(model.size, most);
  let found: Found | null = null;
  const report = (kind: Found['kind'], what: string, at: number, state: State) => {
    found ??= { kind, what, trace: known.trace(at), end: model.show(state) };
  };
  known.add(model.initial(), -1, '');
  let head = 0;
  for (; head < known.count && !found; head++) {
    if (head % 64 === 0 && performance.now() > until) break;
    const state = known.at(head);
    model.steps(state, (name, _, next) => {
      const at = found ? -1 : known.add(next, head, name);
      const broken = at < 0 ? null : model.broken(next);
      if (broken) report('safety', broken, at, next);
    });
    const missing = !found && head % every === 0 ? settle(model, state) : null;
    if (missing) report('progress', missing, head, state);
  }
  return { states: known.count, isComplete: head === known.count && !known.isFull && !found, found };
}

/** Long random walks, on which all faults meet. */
export function walk(model: Model, seed: number, { seconds, states: steps = 250 }: Bounds): Outcome {
  const until = performance.now() + seconds * 1000;
  const random = randomOf(seed);
  let states = 0;
  while (performance.now() < until) {
    let state = model.initial();
    const trace: string[] = [];
    const report = (kind: Found['kind'], what: string): Outcome => {
      const found = { kind, what, trace, end: model.show(state) };
      return { states, isComplete: false, found };
    };
    for (let step = 0; step < steps; step++) {
      const good: [string, State][] = [];
      const faults: [string, State][] = [];
      model.steps(state, (name, isFault, next) => (isFault ? faults : good).push([name, next]));
      const isFault = faults.length > 0 && (good.length === 0 || random() < 0.12);
      const from = isFault ? faults : good;
      if (!from.length) break;
      const [name, next] = from[Math.floor(random() * from.length)];
      state = next;
      states++;
      trace.push(name);
      const broken = model.broken(state);
      if (broken) return report('safety', broken);
    }
    const missing = settle(model, state);
    if (missing) return report('progress', missing);
  }
  return { states, isComplete: false, found: null };
}

function randomOf(seed: number): () => number {
  let x = seed >>> 0 || 1;
  return () => {
    x ^= x << 13;
    x >>>= 0;
    x ^= x >>> 17;
    x ^= x << 5;
    x >>>= 0;
    return x / 2 ** 32;
  };
}

const CHUNK = 1 << 16;

/** The states that are known, with the step that led to each. A hash table of bytes: of objects, so many do not fit into memory. */
class States {
  count = 0;
  isFull = false;
  private readonly chunks: Uint8Array[] = [];
  private readonly hashes: Uint32Array;
  private readonly parents: Int32Array;
  private readonly names: string[] = [];
  private table = new Int32Array(1 << 16).fill(-1);

  constructor(
    private readonly size: number,
    private readonly most: number,
  ) {
    this.hashes = new Uint32Array(most);
    this.parents = new Int32Array(most);
  }

  at(index: number): State {
    const from = (index % CHUNK) * this.size;
    return this.chunks[Math.floor(index / CHUNK)].subarray(from, from + this.size);
  }

  /** @returns its index; -1 if it is known, or there is no room for it */
  add(state: State, parent: number, name: string): number {
    const hash = hashOf(state);
    let slot = this.slotOf(hash);
    for (; this.table[slot] >= 0; slot = (slot + 1) % this.table.length) {
      const index = this.table[slot];
      if (this.hashes[index] === hash && isEqual(this.at(index), state)) return -1;
    }
    if (this.count === this.most) {
      this.isFull = true;
      return -1;
    }
    const index = this.count++;
    if (index % CHUNK === 0) this.chunks.push(new Uint8Array(this.size * CHUNK));
    this.at(index).set(state);
    this.hashes[index] = hash;
    this.parents[index] = parent;
    this.names[index] = name;
    this.table[slot] = index;
    if (this.count * 2 > this.table.length) this.grow();
    return index;
  }

  trace(index: number): string[] {
    const names: string[] = [];
    for (let at = index; at > 0; at = this.parents[at]) names.push(this.names[at]);
    return names.reverse();
  }

  private slotOf(hash: number): number {
    return hash & (this.table.length - 1);
  }

  private grow(): void {
    this.table = new Int32Array(this.table.length * 2).fill(-1);
    for (let index = 0; index < this.count; index++) {
      let slot = this.slotOf(this.hashes[index]);
      while (this.table[slot] >= 0) slot = (slot + 1) % this.table.length;
      this.table[slot] = index;
    }
  }
}

function hashOf(state: State): number {
  let hash = 2166136261;
  for (const byte of state) hash = Math.imul(hash ^ byte, 16777619);
  hash ^= hash >>> 15;
  return Math.imul(hash, 2246822519) >>> 0;
}
