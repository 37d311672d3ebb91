import type { Clock } from '../../clock';
import type { GuardConfig } from '../../config/guards';
import { AppSupervisorError, answerOf } from '../../errors';
import type { Guard } from './guard';
import { refusalToDisable, refusalToEnable } from './plugin-rules';
import { restartAt, restarts } from './restarts';

/** An action as NocoBase has parsed it from the request, whatever its spelling. */
export interface RequestedAction {
  resourceName: string;
  actionName: string;
  params: { values?: unknown; filterByTk?: unknown };
}

/** The parts of a request that a guard reads, and its answer. */
export interface GuardedContext {
  action?: RequestedAction;
  status?: number;
  body?: unknown;
  withoutDataWrapping?: boolean;
  set?(header: string, value: string): void;
  remove?(header: string): void;
}

/** What decides about an action, besides the action. */
export interface Rules {
  appPlugins: GuardConfig['appPlugins'];
  /** The dialect of the app's database. */
  dialect: string;
}

type Refusal = AppSupervisorError | null;
type Rule = (action: string, params: RequestedAction['params'], rules: Rules) => Refusal;

/** By resource: why a hosted app refuses an action, if it does. */
const REFUSED: Record<string, Rule> = {
  pm: refusedPlugins,
  asyncTasks: (action) => (TASK_ACTIONS.has(action) ? null : new AppSupervisorError('TASK_CHANGE')),
  license: (action) => (LICENSE_ACTIONS.has(action) ? new AppSupervisorError('LICENSE_BY_OPERATOR') : null),
  aiMcpClients: (_, { values }) => (startsProgram(values) ? new AppSupervisorError('MCP_PROGRAM') : null),
  backups: refusedRestores,
  backup: refusedRestores,
  backupFiles: (_, params) => (namesOnly(params) ? null : new AppSupervisorError('BACKUP_FILE')),
};

/** Actions of the plugin manager that change nothing. Those that a later NocoBase adds are refused until they are listed. */
const PLUGIN_READS = new Set(['list', 'listEnabled', 'listEnabledV2', 'get']);
const PLUGIN_CHANGES = new Set(['add', 'update', 'remove', 'npmVersionList']);

function refusedPlugins(action: string, { filterByTk }: RequestedAction['params'], { appPlugins }: Rules): Refusal {
  if (PLUGIN_READS.has(action)) return null;
  if (action === 'enable') return refusalToEnable(filterByTk, appPlugins.allowed);
  if (action === 'disable') return refusalToDisable(filterByTk);
  if (appPlugins.upload && PLUGIN_CHANGES.has(action)) return null;
  return new AppSupervisorError('PLUGINS_BY_OPERATOR');
}

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

const RESTORES = new Set(['upload', 'restore', 'restoreUpload']);

/** The dialects whose backups are read by a client that runs commands of the host (`\! touch x`). */
export const runsCommands = (dialect: string): boolean => dialect === 'mysql' || dialect === 'mariadb';

function refusedRestores(action: string, _: RequestedAction['params'], { dialect }: Rules): Refusal {
  return RESTORES.has(action) && runsCommands(dialect) ? new AppSupervisorError('RESTORE_BY_OPERATOR') : null;
}

/** Whether what names a backup is a name: the plugin "Backup & restore" takes paths, too. */
function namesOnly({ values, filterByTk }: RequestedAction['params']): boolean {
  const { key, filterByTk: named } = (values ?? {}) as { key?: unknown; filterByTk?: unknown };
  return [filterByTk, key, named].every((name) => name === undefined || /^[\w.-]+$/.test(String(name)));
}

/** Why a hosted app refuses the action; null if it is allowed. */
export function refusalOf({ resourceName, actionName, params }: RequestedAction, rules: Rules): Refusal {
  return Object.hasOwn(REFUSED, resourceName) ? REFUSED[resourceName](actionName, params, rules) : null;
}

/** Sends an answer instead of running the action. */
export function refuse(ctx: GuardedContext, error: AppSupervisorError): void {
  ctx.withoutDataWrapping = true;
  ctx.status = error.status;
  if ('seconds' in error.params) ctx.set?.('Retry-After', String(error.params.seconds));
  ctx.body = answerOf(error);
}

/**
 * Runs first: before the core checks for a missing `filterByTk`, before role checks, which root does not have, and
 * before an upload is read.
 */
export function actions({ appPlugins }: GuardConfig, clock: Clock): Guard {
  const started = new Map<string, number[]>();

  /** Only what may be done counts: somebody without the permission would keep others from it. */
  function refuseRestart(app: string): Refusal {
    const at = restartAt(started.get(app) ?? [], clock.now().mono);
    if ('wait' in at) return new AppSupervisorError('TOO_MANY_RESTARTS', { app, seconds: at.wait });
    started.set(app, at.times);
    return null;
  }

  return {
    afterLoad: (app) => {
      const rules: Rules = { appPlugins, dialect: String(app.db.options?.dialect) };
      async function refuseActions(ctx: GuardedContext, next: () => Promise<unknown>): Promise<void> {
        const error = ctx.action ? refusalOf(ctx.action, rules) : null;
        if (error) refuse(ctx, error);
        else await next();
      }
      async function limitRestarts(ctx: GuardedContext, next: () => Promise<unknown>): Promise<void> {
        const { resourceName = '', actionName = '' } = ctx.action ?? {};
        const error = restarts(resourceName, actionName) ? refuseRestart(app.name) : null;
        if (error) refuse(ctx, error);
        else await next();
      }
      app.resourceManager.use(refuseActions, { tag: 'appSupervisorGuards', before: 'validate-filter-params' });
      app.resourceManager.use(limitRestarts, { tag: 'appSupervisorRestarts', after: 'acl' });
    },
  };
}
