import type { ActiveConfig } from '../config';
import { messageOf } from '../errors';
import type { WorkerPart } from '../worker/worker';
import type { Foundation } from './foundation';

/**
 * Opens the app of a command in this process:
 * - started, in a worker thread that the core has started for a task of this app. Never rejects;
 * - registered, in a command-line run of `nocobase pm … --app NAME` (server/src/commands/pm.ts:136). Rejects if the app is
 * not hosted here: the core would call a method of nothing.
 * @param worker null on a Supervisor, which hosts no app
 * @returns null in any other process, and for any other app
 */
export function openForCommand(
  name: string,
  registered: boolean,
  worker: WorkerPart | null,
  config: ActiveConfig,
  { mainApp, log }: Foundation,
): Promise<void> | null {
  if (config.active || !mainApp.app || name === 'main') return null;
  if (config.isPluginCommand && registered) {
    const notHere = `App ${name} is not hosted by this instance. Run the command on a Worker that hosts it.`;
    return worker?.openForCommand(name, false) ?? Promise.reject(new Error(notHere));
  }
  if (!config.transient || !worker || name !== config.singleApp) return null;
  return worker
    .openForCommand(name, true)
    .catch((error) =>
      log.error(`App ${name} could not be opened for a command of it: ${messageOf(error)}`, { app: name }),
    );
}
