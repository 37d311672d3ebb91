import { messageOf } from '../errors';
import type { Log } from '../log';
import type { SupervisorPart } from '../supervisor/supervisor';
import type { Managed } from './adapters/managed';

type Wish = Parameters<Managed['wish']>[0];

/** Executes an action that another plugin requests through the core's API. Never rejects: a refusal is logged. */
export async function carryOutWish(supervisor: SupervisorPart, action: Wish, name: string, log: Log): Promise<void> {
  try {
    const { service } = supervisor.parts;
    await service.command(name, action === 'create' ? 'start' : action, null);
  } catch (error) {
    log.warn(`"${action}" of app ${name} was asked for by another plugin and refused: ${messageOf(error)}`, {
      app: name,
    });
  }
}
