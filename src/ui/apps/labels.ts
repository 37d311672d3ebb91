import type { Action, AppRow } from '../../shared/types';
import { key } from '../common/text';
import type { Translate } from '../host';
import type { AppAction } from './actions';

export const ACTION_LABELS: Record<AppAction, string> = {
  start: key('Start'),
  stop: key('Stop'),
  restart: key('Restart'),
  upgrade: key('Upgrade'),
  renewSecrets: key('New secrets'),
  visit: key('Visit'),
  edit: key('Edit'),
  move: key('Move'),
  destroy: key('Delete'),
  resetAdmin: key('New administrator password'),
};

/** An app without an environment is assigned to one. */
export const moveLabel = ({ environments }: Pick<AppRow, 'environments'>): string =>
  environments.length ? ACTION_LABELS.move : key('Assign');

/** For operations in progress. */
export const OPERATION_LABELS: Record<Action, string> = {
  create: key('Creating'),
  adopt: key('Adopting'),
  restore: key('Restoring'),
  update: key('Changing'),
  move: key('Moving'),
  start: key('Starting'),
  stop: key('Stopping'),
  restart: key('Restarting'),
  upgrade: key('Upgrading'),
  renewSecrets: key('Getting new secrets'),
  destroy: key('Deleting'),
};

/** Most apps whose titles are named; of more only the number. */
const NAMED = 3;

/** What was begun, with which apps: `Stopping: CRM, Orders`. */
export function begun(t: Translate, action: Action, apps: readonly Pick<AppRow, 'title'>[]): string {
  if (!apps.length) return t('Nothing was done');
  const which =
    apps.length > NAMED ? t('{{count}} apps', { count: apps.length }) : apps.map(({ title }) => title).join(t(', '));
  return t('{{what}}: {{text}}', { what: t(OPERATION_LABELS[action]), text: which });
}

export const DESIRED_LABELS: Record<AppRow['desiredState'], string> = {
  running: key('Running'),
  onDemand: key('Starts when visited'),
  stopped: key('Stopped'),
};
