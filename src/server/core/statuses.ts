import type { Status } from '../../shared/types';
import type { AppDefinition } from '../supervisor/definitions/repository';
import type { SupervisorPart } from '../supervisor/supervisor';
import type { AppStatuses } from './adapters/managed';
import type { MainApp } from './main-app';

/** The statuses of these apps; of all if none are named. */
export const statusesOf = (all: AppStatuses, names?: string[]): AppStatuses =>
  Object.fromEntries(Object.entries(all).filter(([name]) => !names || names.includes(name)));

/** By app and environment, one status each; for all apps if none are named. */
export function shownStatuses(supervisor: SupervisorPart, names?: string[]): Record<string, Record<string, Status>> {
  const statusIn = supervisor.parts.view.judge();
  const apps = names?.flatMap((name) => supervisor.app(name) ?? []) ?? supervisor.apps();
  const statusesIn = (app: AppDefinition) =>
    Object.fromEntries(app.environments.map((environment) => [environment, statusIn(app, environment).status]));
  return Object.fromEntries(apps.map((app) => [app.name, statusesIn(app)]));
}

/** The statuses that a managing process knows, including its main app's. */
export const managedStatuses = (supervisor: SupervisorPart, { status }: MainApp, names?: string[]): AppStatuses =>
  statusesOf({ ...shownStatuses(supervisor, names), ...(status ? { main: status } : {}) }, names);
