import { parseInput } from '../definitions/input';
import { anyNotifierInput, notifierId, notifierInput } from '../notices/notifier-input';
import { action } from './action';

const ONE_NOTIFIER = { filterByTk: '`channel` (messages to people) or `webhook`.' };
const idIn = (name: string) => parseInput(notifierId, name, 'filterByTk');

export const NOTIFIERS = {
  list: action({
    summary: 'Who is notified of what happens, and how it is going',
    reads: 'get',
    gives: 'Both rows; `meta` is `{channels: [{name, title, type}], missing: plugin | channels | null}`.',
    rows: ['appSupervisorNotifier'],
    async work({ parts }) {
      const { notifiers, ...meta } = await parts.notifierSettings.list();
      return { data: notifiers, meta };
    },
  }),
  update: action({
    summary: 'Change a notifier; it tells what happens from the time on at which it is turned on',
    query: ONE_NOTIFIER,
    body: anyNotifierInput,
    gives: 'The row and, if one was made, `secret`, which is in this answer only.',
    rows: 'appSupervisorNotifier',
    async work({ parts, name, values, userId }) {
      const id = idIn(name);
      const settings = parseInput(notifierInput[id], values);
      return { data: await parts.notifierSettings.update(id, settings, userId) };
    },
  }),
  test: action({
    summary: 'Send a test message by the stored settings',
    query: ONE_NOTIFIER,
    gives: 'The result.',
    rows: 'appSupervisorNoticeResult',
    work: async ({ parts, name }) => ({ data: await parts.notices.test(idIn(name)) }),
  }),
};
