import type { Clock } from '../../clock';
import { messageOf } from '../../errors';
import { Feed } from '../../feed';
import type { Log } from '../../log';
import { STOP } from '../../timing';
import type { AppState, AppStates } from './app-states';

/** How long the end of an app may take, and what is done to its database, in ms. */
export const STOP_LIMIT = STOP;
export const DATA_LIMIT = 120_000;

/** Says of work on an app that it does not end. It cannot be cut off: until it has ended, or the process has, nothing else is begun. */
export class TimeLimits {
  /** Which apps are stuck has changed. */
  readonly changes = new Feed<void>();

  constructor(
    private readonly apps: AppStates,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {}

  /** Waits for work on an app, and says so when it takes too long; nothing else is begun on the app before it has ended. */
  async run<T>(name: string, held: AppState, limit: number, work: Promise<T>): Promise<T> {
    const timer = this.clock.timeout(limit, () => this.noteStuck(name, held, limit));
    try {
      return await work;
    } finally {
      timer.cancel();
      this.noteEnd(name, held);
    }
  }

  noteStuck(name: string, held: AppState, limit: number): void {
    if (held.isStuck) return;
    const error = this.apps.showStuck(name, held, limit / 1000);
    this.log.error(`App ${name}: ${messageOf(error)}`, { app: name });
    this.changes.emit();
  }

  noteEnd(name: string, held: AppState): void {
    if (!held.isStuck) return;
    this.apps.endStuck(name, held);
    this.changes.emit();
  }
}
