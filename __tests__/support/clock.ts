import type { Clock, Now, Timer } from '../../src/server/clock';

/** A Tuesday in 2026; what is written under it looks like what is written in production. */
const EPOCH = Date.UTC(2026, 10, 24);

interface Due {
  at: number;
  /** Null of a timeout. */
  every: number | null;
  work: () => void;
}

/** The time of a process, turned by hand: it stands still but for `pass` and `run`. `wall` can jump on its own, as clocks do. */
export class FakeClock implements Clock {
  mono = 1_000;
  wall = EPOCH;
  /** In the order in which they were set. */
  private readonly timers = new Set<Due>();

  /** As a machine has it: of what people read no parts. */
  readonly now = (): Now => ({ mono: this.mono, wall: Math.floor(this.wall) });

  readonly timeout = (ms: number, work: () => void): Timer => this.set({ at: this.mono + ms, every: null, work });

  readonly interval = (ms: number, work: () => void): Timer => this.set({ at: this.mono + ms, every: ms, work });

  readonly sleep = (ms: number): Promise<void> => new Promise((resolve) => void this.timeout(ms, resolve));

  /** How many timers wait. */
  get waiting(): number {
    return this.timers.size;
  }

  /** Time passes in one go: what falls due is called in its order; what it leaves to promises comes after all of that. */
  pass(ms: number): this {
    const end = this.mono + ms;
    for (let next = this.next(end); next; next = this.next(end)) this.fire(next);
    this.turnTo(end);
    return this;
  }

  /** Time passes as it does: what a timer begins goes on as far as it can before the next one. */
  async run(ms: number): Promise<void> {
    const end = this.mono + ms;
    await settled();
    for (let next = this.next(end); next; next = this.next(end)) {
      this.fire(next);
      await settled();
    }
    this.turnTo(end);
  }

  /** Somebody sets the clock on the wall. */
  jump(ms: number): this {
    this.wall += ms;
    return this;
  }

  private set(due: Due): Timer {
    this.timers.add(due);
    return { cancel: () => void this.timers.delete(due) };
  }

  /** The first that falls due until then; of two at once, the one that was set first. */
  private next(end: number): Due | undefined {
    let first: Due | undefined;
    for (const due of this.timers) if (due.at <= end && (!first || due.at < first.at)) first = due;
    return first;
  }

  private fire(due: Due): void {
    this.turnTo(Math.max(due.at, this.mono));
    this.timers.delete(due);
    if (due.every !== null) {
      due.at += Math.max(due.every, 1);
      this.timers.add(due);
    }
    due.work();
  }

  private turnTo(mono: number): void {
    this.wall += mono - this.mono;
    this.mono = mono;
  }
}

/** Resolves when everything that only waits for promises has come as far as it can. */
async function settled(): Promise<void> {
  for (let turns = 0; turns < 3; turns++) await new Promise((resolve) => setImmediate(resolve));
}
