import type { Context, Next } from '@nocobase/actions';
import type { Application } from '@nocobase/server';
import { AppSupervisorError } from '../../errors';
import type { SupervisorPart } from '../supervisor';
import { type ActionContext, type Answer, action, allowMissingTarget, CHANGE_SIGN_IN, type FileAnswer } from './action';
import * as apps from './apps';
import * as containers from './containers';
import * as environments from './environments';
import * as events from './events';
import { refuseUnreadable } from './filter';
import * as fleet from './fleet';
import * as notifiers from './notifiers';
import * as operations from './operations';
import { redactPasswords } from './request-log';
import * as views from './views';

type Work = (context: ActionContext) => Promise<Answer | FileAnswer>;

/** By resource and action: whether it changes data, and its implementation. */
export const RESOURCES: Record<string, Record<string, [changes: boolean, work: Work]>> = {
  apps: {
    list: [false, apps.list],
    counts: [false, apps.counts],
    get: [false, apps.get],
    create: [true, apps.create],
    adopt: [true, apps.adopt],
    update: [true, apps.update],
    label: [true, apps.label],
    start: [true, apps.command('start')],
    stop: [true, apps.command('stop')],
    restart: [true, apps.command('restart')],
    upgrade: [true, apps.command('upgrade')],
    move: [true, apps.move],
    previewMove: [false, apps.previewMove],
    destroy: [true, apps.destroy],
    checkDatabase: [false, apps.checkDatabase],
    logs: [false, apps.logs],
    load: [false, apps.load],
    databaseSize: [false, apps.databaseSize],
    migrate: [true, apps.migrate],
    resetAdmin: [true, apps.resetAdmin],
  },
  appEnvironments: {
    list: [false, environments.list],
    cordon: [true, environments.cordon],
    uncordon: [true, environments.uncordon],
    drain: [true, environments.drain],
    move: [true, environments.move],
    previewMove: [false, environments.previewMove],
    forget: [true, environments.forget],
    check: [false, environments.check],
    join: [true, environments.join],
    arrival: [false, environments.arrival],
    confirmAddress: [true, environments.confirmAddress],
    resetAdmin: [true, environments.resetAdmin],
  },
  appContainers: {
    list: [false, containers.list],
    create: [true, containers.create],
    start: [true, containers.act('start')],
    stop: [true, containers.act('stop')],
    restart: [true, containers.act('restart')],
    upgrade: [true, containers.act('upgrade')],
    destroy: [true, containers.destroy],
    logs: [false, containers.logs],
  },
  appOperations: {
    list: [false, operations.list],
    get: [false, operations.get],
    cancel: [true, operations.cancel],
    retry: [true, operations.retry],
  },
  appViews: {
    list: [false, views.list],
    create: [true, views.create],
    update: [true, views.update],
    destroy: [true, views.destroy],
  },
  appEvents: {
    list: [false, events.list],
    export: [false, events.exportFile],
  },
  appNotifiers: {
    list: [false, notifiers.list],
    update: [true, notifiers.update],
    test: [true, notifiers.test],
  },
  appFleet: {
    checklist: [false, fleet.checklist],
    summary: [false, fleet.summary],
    load: [false, fleet.load],
  },
};

/** What gives access to an app or to a main app is not among what a role gets that manages them. */
const SECURITY = [
  `${CHANGE_SIGN_IN.resource}:${CHANGE_SIGN_IN.action}`,
  'apps:resetAdmin',
  'appEnvironments:resetAdmin',
  'appEnvironments:join',
  'appEnvironments:arrival',
  'appEnvironments:confirmAddress',
  'appFleet:checklist',
];
const OVERVIEW = ['appFleet:summary', 'appFleet:load', 'appEvents:*', 'appEnvironments:list'];
const managed = (resource: string) =>
  Object.keys(RESOURCES[resource])
    .map((name) => `${resource}:${name}`)
    .filter((name) => !SECURITY.includes(name));

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
        Object.entries(actions).map(([key, [changes, work]]) => [key, action(changes, work, manager)]),
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
  app.acl.registerSnippet({
    name: 'pm.app-supervisor.overview',
    actions: ['appSupervisor:*', ...OVERVIEW, 'appOperations:list'],
  });
  app.acl.registerSnippet({
    name: 'pm.app-supervisor.apps',
    actions: ['appSupervisor:*', ...managed('apps'), ...OVERVIEW, 'appOperations:*', 'appViews:*'],
  });
  app.acl.registerSnippet({
    name: 'pm.app-supervisor.activity',
    actions: ['appSupervisor:*', 'appEvents:*', 'appOperations:list', 'appOperations:get', 'appEnvironments:list'],
  });
  app.acl.registerSnippet({
    name: 'pm.app-supervisor.notifications',
    actions: ['appSupervisor:*', 'appNotifiers:*'],
  });
  app.acl.registerSnippet({
    name: 'pm.app-supervisor.environments',
    actions: ['appSupervisor:*', ...managed('appEnvironments')],
  });
  app.acl.registerSnippet({
    name: 'pm.app-supervisor.security',
    actions: ['appSupervisor:*', ...SECURITY, 'appContainers:*'],
  });
}
