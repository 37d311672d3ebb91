import type { Application } from '@nocobase/server';
import { messageOf } from '../../errors';
import type { Log } from '../../log';
import type { CommandOutcome } from '../../supervisor/requests/commands';
import type { Managed } from './managed';

/** What main apps hear of the commands of plugins: see docs/core-contract.md. */
export const COMMAND_EVENT = 'app-supervisor:command';

/**
 * The core's command adapter. In this plugin Workers converge to records, so a command becomes the request that the page would make
 * (supervisor/requests/commands.ts).
 */
export class CommandAdapter {
  private readonly hearers = new Set<Application>();

  constructor(
    private readonly managed: Pick<Managed, 'command' | 'commands'>,
    private readonly log: Log,
  ) {
    managed.commands.listen((outcome) => this.tell(outcome));
  }

  /** The main app hears of all commands that are carried out or refused in this process. */
  registerCommandHandler(mainApp: Application): void {
    this.hearers.add(mainApp);
  }

  /** The only method of the adapters that rejects: whoever dispatches learns why nothing comes of it. */
  async dispatchCommand(command: unknown): Promise<void> {
    await this.managed.command(command);
  }

  async dispose(): Promise<void> {
    this.hearers.clear();
  }

  /** Never throws. */
  private tell(outcome: CommandOutcome): void {
    for (const app of this.hearers) {
      app.emitAsync(COMMAND_EVENT, outcome).catch((error) => {
        this.log.warn(`A listener of ${COMMAND_EVENT} failed: ${messageOf(error)}`, { app: outcome.appName });
      });
    }
  }
}
