import type { Log } from '../../log';

/**
 * The core's command adapter. Commands in this plugin are records that workers converge to, so the core's own commands
 * are not needed. The adapter exists because its presence marks a fleet (`APP_COMMAND_ADAPTER=redis`).
 */
export class CommandAdapter {
  constructor(private readonly log: Log) {}

  registerCommandHandler(): void {}

  async dispatchCommand(command: { action: string; appName: string }): Promise<void> {
    this.log.warn(
      `The command "${command.action}" for app ${command.appName} was not sent: use the App Supervisor's own API.`,
    );
  }

  async dispose(): Promise<void> {}
}
