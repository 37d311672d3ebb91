import { AppSupervisorError, answerOf } from '../../errors';
import type { Guard } from './guard';

/** An action as NocoBase has read it from the request, however that was spelled. */
interface Asked {
  resourceName: string;
  actionName: string;
  params: { values?: unknown };
}

/** What a guard sees of a request, and answers it with. */
export interface GuardedContext {
  action?: Asked;
  status?: number;
  body?: unknown;
  withoutDataWrapping?: boolean;
  remove?(header: string): void;
}

/** By resource: with which code an action is refused in a hosted app, if it is. */
const REFUSED: Record<string, (action: string, values: unknown) => Refusal | null> = {
  pm: (action) => (PLUGIN_ACTIONS.has(action) ? null : 'PLUGINS_BY_OPERATOR'),
  asyncTasks: (action) => (TASK_ACTIONS.has(action) ? null : 'TASK_CHANGE'),
  license: (action) => (LICENSE_ACTIONS.has(action) ? 'LICENSE_BY_OPERATOR' : null),
  aiMcpClients: (_, values) => (startsProgram(values) ? 'MCP_PROGRAM' : null),
};

/** What a hosted app is refused with. */
export type Refusal = 'PLUGINS_BY_OPERATOR' | 'MCP_PROGRAM' | 'TASK_CHANGE' | 'TASK_FILE' | 'LICENSE_BY_OPERATOR';

/** What is left of the plugin manager. What a later NocoBase adds is refused until it is named here. */
const PLUGIN_ACTIONS = new Set(['list', 'listEnabled', 'listEnabledV2', 'get', 'enable', 'disable']);

/** What a user does with background tasks. They are created by what they are for: a task by hand could name any file and command. */
const TASK_ACTIONS = new Set(['list', 'get', 'stop', 'fetchFile']);

/** Of the licence's page alone: an app may have a collection of this name. */
const LICENSE_ACTIONS = new Set(['instance-id', 'license-key', 'is-exists', 'license-validate', 'service-validate']);

/** An MCP client that is to be tested, stored or enabled. What is stored already can be disabled. */
function startsProgram(values: unknown): boolean {
  const { transport, enabled } = (values ?? {}) as { transport?: unknown; enabled?: unknown };
  return transport === 'stdio' && enabled !== false;
}

/** The code that a hosted app's action is refused with; null lets it pass. */
export function refusalOf({ resourceName, actionName, params }: Asked): Refusal | null {
  return Object.hasOwn(REFUSED, resourceName) ? REFUSED[resourceName](actionName, params.values) : null;
}

/** Answers in place of an action. */
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

/** First of all: before the core misses a `filterByTk`, before the role is asked, which root has none of, and before an upload is read. */
export const actions: Guard = {
  afterLoad: (app) =>
    app.resourceManager.use(refuseActions, { tag: 'appSupervisorGuards', before: 'validate-filter-params' }),
};
