import type { Clock, Timer } from '../../clock';
import { messageOf } from '../../errors';
import { Feed } from '../../feed';
import type { Log } from '../../log';
import { BOOT, STOP } from '../../timing';
import type { AppHost } from '../hosting/host';
import type { AppState, AppStates } from './app-states';

/** How long the end of an app may take, and what is done to its database, in ms. */
export const STOP_LIMIT = STOP;
export const DATA_LIMIT = 120_000;
/** How long a command of the core may take, in ms: as long as an install or an upgrade. */
export const COMMAND_LIMIT = BOOT;

/**
 * Says of work on an app that it does not end. It cannot be cut off: until it has ended, or the process has, nothing else is begun. So also
 * of a command that runs inside an app, such as the enabling of a plugin. That bars the Worker from nothing: a restart replaces the object
 * that the command runs in.
 */
export class TimeLimits {
  /** Which apps are stuck has changed. */
  readonly changes = new Feed<void>();
  /** By app, when its command is late. */
  private readonly commands = new Map<string, Timer>();

  constructor(
    private readonly apps: AppStates,
    private readonly host: Pick<AppHost, 'isInCommand'>,
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
      this.noteEnd(held);
    }
  }

  noteStuck(name: string, held: AppState, limit: number): void {
    if (held.late === 'work') return;
    this.noteLate(name, held, limit, 'work');
    this.apps.answerLate(name, held);
  }

  /** What was answered meanwhile was not done. */
  noteEnd(held: AppState): void {
    if (held.late !== 'work') return;
    Object.assign(held, { late: null, generation: 0 });
    this.changes.emit();
  }

  /** The core reports something of an app: a command may have begun in it, or ended. */
  noteCommand(name: string): void {
    const held = this.apps.get(name);
    // What this Worker does itself has a limit of its own.
    if (!held || held.doing !== null || !this.host.isInCommand(name)) this.endCommand(name, held);
    else if (!this.commands.has(name))
      this.commands.set(
        name,
        this.clock.timeout(COMMAND_LIMIT, () => this.noteLateCommand(name)),
      );
  }

  /** The command has ended, or the Worker begins to work on the app. */
  endCommand(name: string, held: AppState | undefined): void {
    this.commands.get(name)?.cancel();
    this.commands.delete(name);
    if (held?.late !== 'command') return;
    held.late = null;
    this.changes.emit();
  }

  private noteLateCommand(name: string): void {
    const held = this.apps.get(name);
    if (held) this.noteLate(name, held, COMMAND_LIMIT, 'command');
  }

  private noteLate(name: string, held: AppState, limit: number, what: 'work' | 'command'): void {
    const error = this.apps.showLate(name, held, limit / 1000, what);
    this.log.error(`App ${name}: ${messageOf(error)}`, { app: name });
    this.changes.emit();
  }
}
