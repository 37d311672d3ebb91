import type { Clock, Timer } from '../../clock';
import { messageOf } from '../../errors';
import type { Feed } from '../../feed';
import type { Log } from '../../log';
import type { AppHost } from '../hosting/host';
import type { AppState, AppStates } from './app-states';

/** How long a command of the core may take, in ms: as long as an install or an upgrade. */
export const COMMAND_LIMIT = 900_000;

export interface CommandWatchOptions {
  apps: AppStates;
  host: Pick<AppHost, 'isInCommand'>;
  clock: Clock;
  log: Log;
  /** Emits when the apps that are stuck have changed. */
  changes: Feed<void>;
}

/**
 * Reports commands that run inside an app and do not end, such as the enabling of a plugin. They hold no place in a
 * queue, and do not bar the Worker from the app: a restart replaces the object that the command runs in.
 */
export class CommandWatch {
  private readonly running = new Map<string, Timer>();

  constructor(private readonly options: CommandWatchOptions) {}

  /** The core reports something of an app. */
  note(name: string): void {
    const { apps, host, clock } = this.options;
    const held = apps.get(name);
    // What this Worker does itself has a limit of its own.
    if (!held || held.doing !== null || !host.isInCommand(name)) {
      this.forget(name, held);
      return;
    }
    if (!this.running.has(name))
      this.running.set(
        name,
        clock.timeout(COMMAND_LIMIT, () => this.noteLate(name)),
      );
  }

  /** The command has ended, or the Worker begins to work on the app. */
  forget(name: string, held: AppState | undefined): void {
    this.running.get(name)?.cancel();
    this.running.delete(name);
    if (!held?.isHung) return;
    held.isHung = false;
    this.options.changes.emit();
  }

  private noteLate(name: string): void {
    const { apps, log, changes } = this.options;
    const error = apps.showHung(name, COMMAND_LIMIT / 1000);
    if (!error) return;
    log.error(`App ${name}: ${messageOf(error)}`, { app: name });
    changes.emit();
  }
}
