import type { Application } from '@nocobase/server';
import { type ClientPaths, clientPath, clientPathsOf } from '../../../shared/client-paths';
import type { EventRow } from '../../../shared/event';
import { say, verbatim } from '../../../shared/message';
import type { Delivery, Notifier, NotifierId } from '../../../shared/notice';
import type { Clock } from '../../clock';
import { messageOf } from '../../errors';
import { languagesOf, sendToUsers } from '../../nocobase/notifications';
import { unseal } from '../../protocol/secrets';
import type { Attempt } from './deliveries';
import { type NoticeText, noticeText, type ToldEvent, testText } from './texts';
import { bodyOf, post, type WebhookBody } from './webhook';

/** Path of the page Activity in the main app. */
const ACTIVITY = '/admin/settings/app-supervisor/activity';

/** One attempt to tell events; for a test message there are none. Does not reject. */
export type Send = (
  notifier: Notifier,
  delivery: Pick<Delivery, 'id' | 'done'>,
  events: readonly ToldEvent[] | 'test',
) => Promise<Attempt>;

export interface SendersOptions {
  app: Application;
  clock: Clock;
  aesKey: Buffer | null;
  publicUrl: string | null;
  /** Of the main app's client. */
  pages: ClientPaths;
  fleet(): string;
  rowOf(event: ToldEvent['event']): EventRow;
}

const failedFor = (error: Attempt['error'], done: string[] = []): Attempt => ({ ok: false, status: null, error, done });

export function createSenders(options: SendersOptions): Record<NotifierId, Send> {
  return { channel: channelSender(options), webhook: webhookSender(options) };
}

/** Each receiver gets the text in his language; after a failure, those who have it do not get it again. */
function channelSender({ app, publicUrl, pages }: SendersOptions): Send {
  const client = clientPath(clientPathsOf(pages)).replace(/\/$/, '');
  const link = publicUrl === null ? null : `${publicUrl}${client}${ACTIVITY}`;
  return async ({ channel, receivers }, delivery, events) => {
    const done = [...delivery.done];
    if (channel === null) return failedFor(say('NOTIFIER_INCOMPLETE'));
    const textIn = (language: string): NoticeText =>
      events === 'test' ? testText(language) : noticeText(events, language, link);
    try {
      const users = await languagesOf(app, receivers);
      if (!users.size) return failedFor(say('NOTICE_NOBODY'));
      for (const [language, ids] of users) {
        if (done.includes(language)) continue;
        const reason = await sendToUsers(app, { channel, users: ids, ...textIn(language), path: ACTIVITY });
        if (reason !== null) return failedFor(say('CHANNEL_FAILED', { cause: verbatim(reason) }), done);
        done.push(language);
      }
      return { ok: true, status: null, error: null, done };
    } catch (error) {
      return failedFor(say('CHANNEL_FAILED', { cause: messageOf(error) }), done);
    }
  };
}

function webhookSender({ clock, aesKey, fleet, rowOf }: SendersOptions): Send {
  return async ({ url, secret }, { id }, events) => {
    if (url === null || secret === null) return failedFor(say('NOTIFIER_INCOMPLETE'));
    const head: Pick<WebhookBody, 'id' | 'type' | 'fleet'> = {
      id,
      type: events === 'test' ? 'test' : 'events',
      fleet: fleet(),
    };
    const key = opened(secret, aesKey);
    if (key === null) return failedFor(say('WEBHOOK_SECRET_UNREADABLE', { variable: 'APP_SUPERVISOR_AES_SECRET_KEY' }));
    const rows = events === 'test' ? [] : events.map(({ event, phase }) => ({ row: rowOf(event), phase }));
    return post(clock, url, key, bodyOf(head, rows, clock.now().wall));
  };
}

/** @returns null if it was sealed with another key */
function opened(secret: string, aesKey: Buffer | null): string | null {
  try {
    return unseal(secret, aesKey, 'webhook');
  } catch {
    return null;
  }
}
