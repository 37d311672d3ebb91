import type { Action } from '../../shared/types';
import { key } from './text';

/** What several pages call operations and settings. */

export const OPERATION_NAMES: Record<Action, string> = {
  create: key('Create'),
  adopt: key('Adopt'),
  update: key('Change'),
  move: key('Move'),
  start: key('Start'),
  stop: key('Stop'),
  restart: key('Restart'),
  upgrade: key('Upgrade'),
  destroy: key('Delete'),
};

/** Labels of settings, by the names that the server uses for them. */
export const FIELD_LABELS: Record<string, string> = {
  title: key('Application name'),
  name: key('Application ID'),
  icon: key('App icon'),
  language: key('Language'),
  cname: key('Custom domain'),
  environments: key('Environments'),
  targetEnvironment: key('Target environment of the proxy'),
  startMode: key('Start mode'),
  autoUpgrade: key('Upgrade'),
  jwtSecret: key('JWT secret'),
  pinned: key('Show in app switcher'),
  hidden: key('Hide in Applications block'),
  visibleTo: key('Who sees the app'),
  visibleRoles: key('Roles of the main app'),
  options: key('Database connection'),
  database: key('Database connection'),
  'options.database': key('Database connection'),
  plugins: key('Plugins'),
};
