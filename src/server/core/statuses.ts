import type { SupervisorPart } from '../supervisor/supervisor';
import type { AppStatuses } from './adapters/managed';
import type { MainApp } from './main-app';

/** The statuses of these apps; of all if none are named. */
export const statusesOf = (all: AppStatuses, names?: string[]): AppStatuses =>
  Object.fromEntries(Object.entries(all).filter(([name]) => !names || names.includes(name)));

/** The statuses that a managing process knows, including its main app's. */
export const managedStatuses = (supervisor: SupervisorPart, { status }: MainApp, names?: string[]): AppStatuses =>
  statusesOf({ ...supervisor.statuses(names), ...(status ? { main: status } : {}) }, names);
