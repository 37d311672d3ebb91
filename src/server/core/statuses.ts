import type { SupervisorPart } from '../supervisor/supervisor';
import type { AppStatuses } from './adapters/managed';
import type { MainApp } from './main-app';

/** Those of these apps; of all when none are named. */
export const statusesOf = (all: AppStatuses, names?: string[]): AppStatuses =>
  Object.fromEntries(Object.entries(all).filter(([name]) => !names || names.includes(name)));

/** What a process that manages apps knows of them, and of its main app. */
export const managedStatuses = (supervisor: SupervisorPart, { status }: MainApp, names?: string[]): AppStatuses =>
  statusesOf({ ...supervisor.statuses(names), ...(status ? { main: status } : {}) }, names);
