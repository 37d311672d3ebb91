import { labels as labelsType } from '../../../shared/app';
import { changesBetween } from './change-events';
import { settingsIn } from './database-settings';
import { parseInput, type UpdateInput } from './input';
import { inputOf } from './input-schema';
import type { AppDefinition } from './repository';

export interface LabelChange {
  add: string[];
  remove: string[];
}

const labelsInput = inputOf(labelsType);

/**
 * Labels of an app after a change; what is both removed and added is there.
 * @throws AppSupervisorError INVALID_INPUT if these are too many
 */
export function changedLabels(before: readonly string[], { add, remove }: LabelChange): string[] {
  const kept = before.filter((label) => !remove.includes(label));
  return parseInput(labelsInput, [...new Set([...kept, ...add])], 'labels');
}

/**
 * The new labels, if a request changes nothing else; otherwise null.
 * @throws AppSupervisorError as `settingsIn`
 */
export function labelsAlone(
  app: AppDefinition,
  input: UpdateInput,
  aesKey: Buffer | null,
): Pick<AppDefinition, 'labels'> | null {
  const after: AppDefinition = { ...app, ...settingsIn(app, input, aesKey) };
  const changed = changesBetween(app, after).map(({ field }) => field);
  return changed.length === 1 && changed[0] === 'labels' ? { labels: after.labels } : null;
}
