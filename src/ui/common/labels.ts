import type { Action, DbConnType, StartMode, VisibleTo } from '../../shared/types';
import type { FailoverMode, SsoMapping } from '../../shared/words';
import { key } from './text';

/** What several pages call operations and settings. */

export const OPERATION_NAMES: Record<Action, string> = {
  create: key('Create'),
  adopt: key('Adopt'),
  restore: key('Restore'),
  update: key('Change'),
  move: key('Move'),
  start: key('Start'),
  stop: key('Stop'),
  restart: key('Restart'),
  upgrade: key('Upgrade'),
  renewSecrets: key('New secrets'),
  destroy: key('Delete'),
};

/** Labels of settings, by the names that the server uses for them. */
export const FIELD_LABELS: Record<string, string> = {
  title: key('Name'),
  name: key('Identifier'),
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
  labels: key('Labels'),
  visibleTo: key('Who sees the app'),
  visibleRoles: key('Roles of the main app'),
  failover: key('When its environment is down'),
  failoverDelay: key('Delay'),
  failback: key('When its environment is back'),
  options: key('Database connection'),
  database: key('Database connection'),
  'options.database': key('Database connection'),
  plugins: key('Plugins'),
};

export const START_MODE_LABELS: Record<StartMode, string> = {
  onVisit: key('Start on first visit'),
  withMain: key('Start with main application'),
};

export const VISIBLE_TO_LABELS: Record<VisibleTo, string> = {
  everybody: key('Everybody who can sign in'),
  roles: key('Chosen roles'),
  nobody: key('Nobody'),
};

/** What `visibleTo` is about. */
export const VISIBLE_TO_HELP = key(
  'In the app switcher, in Applications blocks and in portals. The app’s own address works for everybody.',
);

export const FAILOVER_LABELS: Record<FailoverMode, string> = {
  manual: key('Move it only on request'),
  automatic: key('Move it after a delay'),
};

export const FAILBACK_LABELS: Record<FailoverMode, string> = {
  manual: key('Return on request'),
  automatic: key('Return by itself'),
};

export const MAPPING_LABELS: Record<SsoMapping, string> = {
  username: key('To the account with the same user name'),
  email: key('To the account with the same e-mail address'),
  none: key('To no existing account'),
};

export const DATABASE_LABELS: Record<DbConnType, string> = {
  new_database: key('New database'),
  new_connection: key('New connection'),
  new_schema: key('New schema'),
};

/** Labels of values that are words, by the names of their settings. */
export const VALUE_LABELS: Record<string, Record<string, string>> = {
  startMode: START_MODE_LABELS,
  visibleTo: VISIBLE_TO_LABELS,
  failover: FAILOVER_LABELS,
  failback: FAILBACK_LABELS,
  'sso.mapping': MAPPING_LABELS,
};
