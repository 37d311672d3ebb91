import type { Attention, FleetSummary, Remedy } from '../../shared/summary';
import type { MoveSubject } from '../common/api';
import { PATHS } from '../common/paths';
import { key, type Message } from '../common/text';
import type { Translate } from '../host';

/** What the dialog of a move is opened with. */
export interface Moving {
  subject: MoveSubject;
  title: string;
  okText?: string;
  to?: string;
}

export const inTrouble = ({ problems }: FleetSummary): boolean => problems.some(({ level }) => level === 'red');

/** Whether what needs attention is shown in red: beside it, nothing says that all is well. */
export const isRed = ({ kind }: Pick<Attention, 'kind'>): boolean => kind === 'failed' || kind === 'security';

/** The text of a remedy's button. */
export function remedyLabel({ kind, to }: Remedy): Message {
  switch (kind) {
    case 'move':
      return { text: key('Move them to {{environment}}'), values: { environment: to } };
    case 'addEnvironment':
      return { text: key('Add an environment') };
    case 'assign':
      return { text: key('Assign') };
    case 'restart':
      return { text: key('Restart') };
    case 'log':
      return { text: key('Log') };
    case 'open':
      return { text: key('Open') };
    case 'list':
      return { text: key('Show them') };
    case 'why':
      return { text: key('Why') };
    case 'environments':
      return { text: key('Environments') };
  }
}

/** Where a remedy leads; null for one that does something. */
export function remedyPath({ kind, apps = [], environment = '', filter = '' }: Remedy): string | null {
  const [app] = apps;
  const at = (path: string, params: Record<string, string>) => `${path}?${new URLSearchParams(params)}`;
  switch (kind) {
    case 'log':
      return at(PATHS.apps, { app, tab: 'log' });
    case 'open':
      return at(PATHS.apps, { app });
    case 'list':
      return at(PATHS.apps, { status: filter });
    case 'why':
      return at(PATHS.activity, { environment });
    case 'addEnvironment':
    case 'environments':
      return PATHS.environments;
    default:
      return null;
  }
}

/** The dialog of a remedy that moves apps; null for another one. */
export function movingOf(t: Translate, { kind, environment = '', to, apps = [] }: Remedy): Moving | null {
  if (kind === 'move') {
    const title = t('Move all apps of environment "{{environment}}"?', { environment });
    return { subject: { environment }, title, to };
  }
  if (kind !== 'assign') return null;
  const title = t('Assign {{count}} apps to environments?', { count: apps.length });
  return { subject: { apps }, title, okText: t('Assign') };
}
