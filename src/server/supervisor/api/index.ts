import type { Context, Next } from '@nocobase/actions';
import type { Application } from '@nocobase/server';
import { AppSupervisorError } from '../../errors';
import type { SupervisorPart } from '../supervisor';
import { type Action, allowMissingTarget, CHANGE_SIGN_IN, served } from './action';
import { APPS } from './apps';
import { BATCHES } from './batches';
import { CONTAINERS } from './containers';
import { ENVIRONMENTS } from './environments';
import { EVENTS } from './events';
import { refuseUnreadable } from './filter';
import { FLEET } from './fleet';
import { NOTIFIERS } from './notifiers';
import { OPERATIONS } from './operations';
import { redactPasswords } from './request-log';
import { VIEWS } from './views';

/** By resource and name. */
export const RESOURCES: Record<string, Record<string, Action>> = {
  apps: APPS,
  appEnvironments: ENVIRONMENTS,
  appContainers: CONTAINERS,
  appOperations: OPERATIONS,
  appBatches: BATCHES,
  appViews: VIEWS,
  appEvents: EVENTS,
  appNotifiers: NOTIFIERS,
  appFleet: FLEET,
};

/** What gives access to an app or to a main app is not among what a role gets that manages them. */
const SECURITY = [
  `${CHANGE_SIGN_IN.resource}:${CHANGE_SIGN_IN.action}`,
  'apps:renewSecrets',
  'apps:resetAdmin',
  'appEnvironments:resetAdmin',
  'appEnvironments:join',
  'appEnvironments:arrival',
  'appEnvironments:admit',
  'appEnvironments:logs',
  'appFleet:checklist',
];
const OVERVIEW = ['appFleet:summary', 'appFleet:load', 'appEvents:*', 'appEnvironments:list'];
const managed = (resource: string) =>
  Object.keys(RESOURCES[resource])
    .map((name) => `${resource}:${name}`)
    .filter((name) => !SECURITY.includes(name));

/** By permission, what it allows besides the role of this instance. */
const SNIPPETS = {
  overview: [...OVERVIEW, 'appOperations:list'],
  apps: [...managed('apps'), ...OVERVIEW, 'appOperations:*', 'appBatches:*', 'appViews:*'],
  activity: ['appEvents:*', 'appOperations:list', 'appOperations:get', 'appEnvironments:list'],
  notifications: ['appNotifiers:*'],
  environments: [
    ...managed('appEnvironments'),
    'appEvents:list',
    'appOperations:list',
    'appBatches:list',
    'appBatches:get',
  ],
  security: [...SECURITY, 'appContainers:*'],
};

/**
 * The core would expose every table with its own actions (collections become resources). Of a table without an API of its own
 * nobody may use them, and of none what the core makes up for `apps/1/anything`, which it answers with 500.
 * @param tables those of this plugin
 */
export function closeTables(app: Application, tables: string[]): void {
  for (const name of tables)
    if (!app.resourceManager.isDefined(name)) app.resourceManager.define({ name, only: ['nothing'] as never });
  const refuseBelow = async (ctx: Context, next: Next) => {
    const [table, below] = ctx.action.resourceName.split('.');
    if (below !== undefined && tables.includes(table)) ctx.throw(404);
    await next();
  };
  app.resourceManager.use(refuseBelow as never, { tag: 'appSupervisorTables', before: 'acl' });
}

/**
 * The HTTP API of a main app. Where nothing manages apps, each action answers NOT_ON_THIS_PART.
 * @param supervisor the managing services of this process, or null
 * @param part named in that answer
 */
export function registerResources(app: Application, supervisor: SupervisorPart | null, part: string): void {
  const manager = () => {
    if (!supervisor) throw new AppSupervisorError('NOT_ON_THIS_PART', { part });
    return supervisor;
  };
  for (const [name, actions] of Object.entries(RESOURCES)) {
    app.resourceManager.define({
      name,
      // Only these actions: users must not reach the tables through the core's own actions.
      only: Object.keys(actions) as never,
      actions: Object.fromEntries(
        Object.entries(actions).map(([key, action]) => [key, served(action, manager)]),
      ) as never,
    });
  }
  app.resourceManager.use(allowMissingTarget, { tag: 'appSupervisorNames', before: 'validate-filter-params' });
  app.use(redactPasswords(Object.keys(RESOURCES)), {
    tag: 'appSupervisorLog',
    after: 'logger',
    before: 'dataSource',
  });
  app.use(refuseUnreadable(Object.keys(RESOURCES)), { tag: 'appSupervisorFilters', before: 'dataSource' });
  for (const [name, actions] of Object.entries(SNIPPETS))
    app.acl.registerSnippet({ name: `pm.app-supervisor.${name}`, actions: ['appSupervisor:*', ...actions] });
}
