import { anyNotifierInput } from '../notices/notifier-input';
import type { DescribedAction } from './openapi-action';
import type { ROWS } from './openapi-schemas';

const ONE_NOTIFIER = { filterByTk: '`channel` (messages to people) or `webhook`.' };

export const NOTIFIER_ACTIONS: Record<string, DescribedAction<keyof typeof ROWS>> = {
  list: {
    summary: 'Who is notified of what happens, and how it is going',
    gives: 'Both rows; `meta` is `{channels: [{name, title, type}], missing: plugin | channels | null}`.',
    rows: ['appSupervisorNotifier'],
  },
  update: {
    summary: 'Change a notifier; it tells what happens from the time on at which it is turned on',
    query: ONE_NOTIFIER,
    body: anyNotifierInput,
    gives: 'The row and, if one was made, `secret`, which is in this answer only.',
    rows: 'appSupervisorNotifier',
  },
  test: {
    summary: 'Send a test message by the stored settings',
    query: ONE_NOTIFIER,
    gives: 'The result.',
    rows: 'appSupervisorNoticeResult',
  },
};
