import type { Clock, Now } from '../../src/server/clock';

/** A Tuesday in 2026; what is written under it looks like what is written in production. */
const EPOCH = Date.UTC(2026, 10, 24);

/** Both clocks of a process, moved by hand. `wall` can jump on its own, as clocks do. */
export class FakeClock {
  mono = 1_000;
  wall = EPOCH;

  readonly read: Clock = () => this.now;

  get now(): Now {
    return { mono: this.mono, wall: this.wall };
  }

  /** Time passes. */
  pass(ms: number): this {
    this.mono += ms;
    this.wall += ms;
    return this;
  }

  /** Somebody sets the clock on the wall. */
  jump(ms: number): this {
    this.wall += ms;
    return this;
  }
}
