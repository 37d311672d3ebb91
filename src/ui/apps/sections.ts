import { key } from '../common/text';

/** The folded sections of the form for a new app. */
export const ADVANCED = {
  general: key('Language and start'),
  administrator: key('First administrator'),
  database: key('Database connection'),
  upgrade: key('Upgrade and domain'),
  failover: key('Failover'),
  display: key('Display configuration'),
  sso: key('Single sign-on'),
};
export type AdvancedSection = keyof typeof ADVANCED;

/** The section that has a field; null if it is always shown. */
export function sectionOf([field, part]: readonly (string | number)[]): AdvancedSection | null {
  if (field === 'initialAdmin') return 'administrator';
  if (field === 'options') return part === 'sso' ? 'sso' : 'database';
  if (['language', 'startMode'].includes(String(field))) return 'general';
  if (['autoUpgrade', 'cname'].includes(String(field))) return 'upgrade';
  if (['failover', 'failoverDelay', 'failback'].includes(String(field))) return 'failover';
  return ['title', 'name', 'environments', 'targetEnvironment'].includes(String(field)) ? null : 'display';
}
