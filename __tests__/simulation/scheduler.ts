import type { Clock, Now, Timer } from '../../src/server/clock';
import { SeededRandom } from '../support/random';

/** A Tuesday in 2026. */
const EPOCH = Date.UTC(2026, 10, 24);

interface Event {
  at: number;
  order: number;
  work: (() => void) | null;
}

/** Everything that happens in a simulation, in the order of its true time, which no simulated process can see. */
export class Scheduler {
  /** Ms since the beginning. */
  now = 0;
  events = 0;
  private order = 0;
  /** A binary heap. */
  private readonly heap: Event[] = [];

  /** Two at one time happen in the order in which they were asked for. */
  at(time: number, work: () => void): Timer {
    const event: Event = { at: Math.max(time, this.now), order: this.order++, work };
    this.push(event);
    return {
      cancel: () => {
        event.work = null;
      },
    };
  }

  after(ms: number, work: () => void): Timer {
    return this.at(this.now + ms, work);
  }

  /** Lets everything happen until then, or until `isOver`; what an event leaves to promises is done before the next one. */
  async run(end: number, isOver: () => boolean): Promise<void> {
    await settled();
    for (let next = this.heap[0]; next && next.at <= end && !isOver(); next = this.heap[0]) {
      this.pop();
      if (!next.work) continue;
      this.now = next.at;
      this.events++;
      next.work();
      await settled();
    }
    if (!isOver()) this.now = end;
  }

  private push(event: Event): void {
    const { heap } = this;
    let i = heap.push(event) - 1;
    for (let above = (i - 1) >> 1; i > 0 && isBefore(event, heap[above]); above = (i - 1) >> 1) {
      heap[i] = heap[above];
      i = above;
    }
    heap[i] = event;
  }

  private pop(): void {
    const { heap } = this;
    const last = heap.pop()!;
    if (!heap.length) return;
    let i = 0;
    for (let below = 1; below < heap.length; below = 2 * i + 1) {
      if (below + 1 < heap.length && isBefore(heap[below + 1], heap[below])) below++;
      if (!isBefore(heap[below], last)) break;
      heap[i] = heap[below];
      i = below;
    }
    heap[i] = last;
  }
}

const isBefore = (a: Event, b: Event): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);

/** Nothing here waits for anything but promises, and those are all done before a turn of the event loop ends. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A stream of chances of its own for each purpose, so that one that asks more often does not change the others. */
export function randomFor(seed: number, purpose: string): SeededRandom {
  let hash = 2166136261 ^ seed;
  for (const character of purpose) hash = Math.imul(hash ^ character.charCodeAt(0), 16777619);
  return new SeededRandom(hash);
}

export interface Timepiece {
  /** How fast it runs: 1 is right. */
  rate: number;
  /** What it says wrongly on the wall, in ms. */
  offset: number;
}

/** A process: its view of time, and whether it runs at all. Whatever reaches it, a timer or an answer, comes through `enter`. */
export class Machine implements Clock {
  isDead = false;
  isFrozen = false;
  /** When it last went on after it was frozen, in true ms. */
  thawedAt = Number.NEGATIVE_INFINITY;
  /** How many timers of it wait. */
  timers = 0;
  private backlog: Array<() => void> = [];

  constructor(
    private readonly scheduler: Scheduler,
    readonly name: string,
    readonly timepiece: Timepiece,
  ) {}

  readonly now = (): Now => {
    const passed = this.scheduler.now * this.timepiece.rate;
    return { mono: 1_000 + passed, wall: Math.floor(EPOCH + passed + this.timepiece.offset) };
  };

  readonly timeout = (ms: number, work: () => void): Timer => {
    let waits = true;
    const end = () => {
      if (waits) this.timers--;
      waits = false;
    };
    this.timers++;
    // Node waits for one millisecond at least.
    const timer = this.scheduler.after(Math.max(ms, 1) / this.timepiece.rate, () =>
      this.enter(() => {
        if (!waits) return;
        end();
        work();
      }),
    );
    return {
      cancel: () => {
        end();
        timer.cancel();
      },
    };
  };

  readonly interval = (ms: number, work: () => void): Timer => {
    let timer: Timer;
    const next = () => {
      timer = this.timeout(ms, () => {
        next();
        work();
      });
    };
    next();
    return { cancel: () => timer.cancel() };
  };

  readonly sleep = (ms: number): Promise<void> => new Promise((resolve) => void this.timeout(ms, resolve));

  get isUp(): boolean {
    return !this.isDead && !this.isFrozen;
  }

  /** Whether it was up at some moment since `at`: one that is starved gets short moments only. */
  wasUpSince(at: number): boolean {
    return !this.isDead && (!this.isFrozen || this.thawedAt > at);
  }

  /** Something reaches the process: at once, when it goes on, or never. */
  enter(work: () => void): void {
    if (this.isDead) return;
    if (this.isFrozen) this.backlog.push(work);
    else work();
  }

  freeze(): void {
    this.isFrozen = true;
  }

  /** Called once, when the process has decided to write, and what it writes is not yet on the way. */
  trap: (() => void) | null = null;

  spring(): void {
    const { trap } = this;
    this.trap = null;
    trap?.();
  }

  thaw(): void {
    this.isFrozen = false;
    this.thawedAt = this.scheduler.now;
    const { backlog } = this;
    this.backlog = [];
    for (const work of backlog) this.scheduler.after(0, () => this.enter(work));
  }

  die(): void {
    this.isDead = true;
    this.backlog = [];
  }
}
