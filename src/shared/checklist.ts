import { environmentName } from './app';
import { anything, choice, list, map, message, object, optional, text, type ValueOf } from './fields';
import type { Message } from './message';

/** `red`: somebody can do harm. `yellow`: less safe than it can be, or not known. */
export const CHECKLIST_LEVELS = ['red', 'yellow', 'ok'] as const;
export type ChecklistLevel = (typeof CHECKLIST_LEVELS)[number];

/** One row of the security checklist, as the HTTP API answers it. Its text is that of `code` and `params`. */
export const checklistRow = object({
  /** The requirement that was checked; equal to `code` if it is met. */
  check: text(),
  level: choice(CHECKLIST_LEVELS),
  code: text(),
  params: optional(map(anything())),
  /** The apps that it is about. */
  apps: optional(list(text())),
  /** The environments that it is about. */
  environments: optional(list(environmentName)),
  /** What to do. */
  remedy: optional(message()),
});
export type ChecklistRow = Omit<ValueOf<typeof checklistRow>, 'params'> & Pick<Message, 'params'>;
