import { AppSupervisorError, answerOf } from '../../errors';
import type { Guard } from './guard';

/** An action as NocoBase has parsed it from the request, whatever its spelling. */
interface RequestedAction {
  resourceName: string;
  actionName: string;
  params: { values?: unknown };
}

/** The parts of a request that a guard reads, and its answer. */
export interface GuardedContext {
  action?: RequestedAction;
  status?: number;
  body?: unknown;
  withoutDataWrapping?: boolean;
  remove?(header: string): void;
}

/** By resource: the code with which a hosted app refuses an action, if it does. */
const REFUSED: Record<string, (action: string, values: unknown) => Refusal | null> = {
  pm: (action) => (PLUGIN_ACTIONS.has(action) ? null : 'PLUGINS_BY_OPERATOR'),
  asyncTasks: (action) => (TASK_ACTIONS.has(action) ? null : 'TASK_CHANGE'),
  license: (action) => (LICENSE_ACTIONS.has(action) ? 'LICENSE_BY_OPERATOR' : null),
  aiMcpClients: (_, values) => (startsProgram(values) ? 'MCP_PROGRAM' : null),
};

/** Codes with which a hosted app refuses a request. */
export type Refusal = 'PLUGINS_BY_OPERATOR' | 'MCP_PROGRAM' | 'TASK_CHANGE' | 'TASK_FILE' | 'LICENSE_BY_OPERATOR';

/**
 * The allowed actions of the plugin manager. Actions that a later NocoBase adds are refused until they are listed here.
 */
const PLUGIN_ACTIONS = new Set(['list', 'listEnabled', 'listEnabledV2', 'get', 'enable', 'disable']);

/**
 * What a user may do with background tasks. The features that need tasks create them: a manually created task could
 * name any file and command.
 */
const TASK_ACTIONS = new Set(['list', 'get', 'stop', 'fetchFile']);

/** Of the licence page only: an app may have a collection with this name. */
const LICENSE_ACTIONS = new Set(['instance-id', 'license-key', 'is-exists', 'license-validate', 'service-validate']);

/** Whether an MCP client to be tested, stored or enabled starts a program. A stored client can still be disabled. */
function startsProgram(values: unknown): boolean {
  const { transport, enabled } = (values ?? {}) as { transport?: unknown; enabled?: unknown };
  return transport === 'stdio' && enabled !== false;
}

/** The code with which a hosted app refuses the action; null if it is allowed. */
export function refusalOf({ resourceName, actionName, params }: RequestedAction): Refusal | null {
  return Object.hasOwn(REFUSED, resourceName) ? REFUSED[resourceName](actionName, params.values) : null;
}

/** Sends an answer instead of running the action. */
export function refuse(ctx: GuardedContext, code: Refusal): void {
  ctx.withoutDataWrapping = true;
  ctx.status = 403;
  ctx.body = answerOf(new AppSupervisorError(code));
}

async function refuseActions(ctx: GuardedContext, next: () => Promise<unknown>): Promise<void> {
  const code = ctx.action ? refusalOf(ctx.action) : null;
  if (code) refuse(ctx, code);
  else await next();
}

/**
 * Runs first: before the core checks for a missing `filterByTk`, before role checks, which root does not have, and
 * before an upload is read.
 */
export const actions: Guard = {
  afterLoad: (app) =>
    app.resourceManager.use(refuseActions, { tag: 'appSupervisorGuards', before: 'validate-filter-params' }),
};
