import type { Message } from '../../shared/message';
import { APP_REMEDIES, type AppRemedy } from '../../shared/remedies';
import type { AppRow } from '../../shared/types';
import { isUnderway } from '../common/status';
import { key } from '../common/text';

export const REMEDY_LABELS: Record<AppRemedy, string> = {
  connection: key('Edit the connection'),
  edit: key('Edit'),
  retry: key('Retry'),
  adopt: key('Adopt'),
  restart: key('Restart'),
  upgrade: key('Upgrade'),
  move: key('Move'),
  assign: key('Assign'),
  resetAdmin: key('New password'),
  log: key('Log'),
  environments: key('Environments'),
};

/** What those do whose names do not say so. */
export const REMEDY_HELP: Partial<Record<AppRemedy, string>> = {
  adopt: key('Manage the app that is in this database already, with its data, instead of creating one.'),
};

/** What begins an operation that would take the place of the one that goes on. */
const BEGINS: AppRemedy[] = ['retry', 'adopt', 'restart', 'upgrade'];

/** What can be done about an error of an app, the best first. @param isLocal there is one environment only */
export function remediesOf(
  { code }: Message,
  app: Pick<AppRow, 'options' | 'version' | 'operation'>,
  isLocal: boolean,
): AppRemedy[] {
  // The server of another kind of connection is the environment's.
  const isOwn = app.options.dbConnType === 'new_connection';
  return (APP_REMEDIES[code] ?? ['retry']).filter(
    (remedy) =>
      (remedy !== 'connection' || isOwn) &&
      (!BEGINS.includes(remedy) || !isUnderway(app.operation)) &&
      // One that has run has a database of its own: another one's is in its place.
      (remedy !== 'adopt' || app.version === null) &&
      (!isLocal || (remedy !== 'move' && remedy !== 'environments')),
  );
}

/** The same for what is not wrong yet. */
export const remediesOfWarning = ({ code }: Message): AppRemedy[] =>
  code === 'APP_ADMIN_LOCKED' || code === 'APP_ADMIN_KNOWN' ? ['resetAdmin'] : [];
