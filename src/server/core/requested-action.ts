import { messageOf } from '../errors';
import type { Log } from '../log';
import type { SupervisorPart } from '../supervisor/supervisor';
import type { Managed } from './adapters/managed';

type RequestedAction = Parameters<Managed['requestAction']>[0];

/** Executes an action that another plugin requests through the core's API. Never rejects: a refusal is logged. */
export async function executeRequestedAction(
  supervisor: SupervisorPart,
  action: RequestedAction,
  name: string,
  log: Log,
): Promise<void> {
  try {
    const { service } = supervisor.parts;
    await service.command(name, action === 'create' ? 'start' : action, null);
  } catch (error) {
    log.warn(`"${action}" of app ${name}, which another plugin requested, was refused: ${messageOf(error)}`, {
      app: name,
    });
  }
}
