import type { ActiveConfig } from '../config';
import { messageOf } from '../errors';
import type { WorkerPart } from '../worker/worker';
import type { Foundation } from './foundation';

/**
 * Opens the app in a worker thread that the core started for a command of this app. Never rejects.
 * @returns null in any other process, and for any other app
 */
export function openForCommand(
  name: string,
  worker: WorkerPart,
  config: ActiveConfig,
  { mainApp, log }: Foundation,
): Promise<void> | null {
  if (!config.transient || !mainApp.app || name !== config.singleApp) return null;
  return worker
    .openForCommand(name)
    .catch((error) =>
      log.error(`App ${name} could not be opened for a command of it: ${messageOf(error)}`, { app: name }),
    );
}
