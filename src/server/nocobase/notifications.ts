import type { Model } from '@nocobase/database';
import type { Application } from '@nocobase/server';
import { z } from 'zod';
import type { NoticeChannel, NoticeSettings } from '../../shared/notice';
import type { WithDatabase } from './main-database';

/** NocoBase's notification manager, as far as this plugin uses it: a plugin that may be disabled or absent. */

interface NotificationManager {
  enabled?: boolean;
  channelTypes?: { get(type: string): unknown };
  /** Sends at once, and says how it went. */
  sendNow?(options: object): Promise<unknown>;
  /** In older releases: may only put it in a queue. */
  send(options: object): Promise<unknown>;
}

const channelRow = z.object({ name: z.string(), title: z.string().nullish(), notificationType: z.string() });
const answer = z.object({ status: z.enum(['success', 'failure']), reason: z.unknown().optional() });

function managerOf(app: Pick<Application, 'pm'>): NotificationManager | null {
  const plugin = app.pm.get('notification-manager') as unknown as NotificationManager | undefined;
  return plugin?.enabled && typeof plugin.send === 'function' ? plugin : null;
}

/** The channels that can be used now: their rows stay when the plugin of their type is disabled. */
export async function channelsOf(
  app: Pick<Application, 'pm'> & WithDatabase,
): Promise<Pick<NoticeSettings, 'channels' | 'missing'>> {
  const manager = managerOf(app);
  if (!manager || !app.db.hasCollection('notificationChannels')) return { channels: [], missing: 'plugin' };
  const rows = await app.db.getRepository('notificationChannels').find({ sort: ['title', 'name'] });
  const channels = rows.flatMap((row: Model): NoticeChannel[] => {
    const parsed = channelRow.safeParse(row.toJSON());
    if (!parsed.success || !manager.channelTypes?.get(parsed.data.notificationType)) return [];
    const { name, title, notificationType } = parsed.data;
    return [{ name, title: title || name, type: notificationType }];
  });
  return { channels, missing: channels.length ? null : 'channels' };
}

export interface ChannelMessage {
  channel: string;
  /** Ids of users. */
  users: string[];
  title: string;
  content: string;
  /** Path in the main app that it leads to. */
  path: string;
}

/**
 * Sends a message to users.
 * @returns null if it was sent, or why it was not
 */
export async function sendToUsers(app: Pick<Application, 'pm'>, message: ChannelMessage): Promise<string | null> {
  const manager = managerOf(app);
  if (!manager) return 'The notification manager is disabled.';
  const { channel, users, title, content, path } = message;
  const options = {
    channelName: channel,
    triggerFrom: 'app-supervisor',
    receivers: { type: 'userId', value: users.map(Number) },
    // The manager takes every text for a template of Handlebars. What comes from apps must not be one.
    message: {
      title: '{{{title}}}',
      content: '{{{content}}}',
      subject: '{{{title}}}',
      text: '{{{content}}}',
      contentType: 'text',
      options: { url: path },
    },
    data: { title, content },
  };
  const sent = answer.safeParse(await (manager.sendNow ? manager.sendNow(options) : manager.send(options)));
  if (!sent.success) return 'The notification manager gave no answer.';
  return sent.data.status === 'success' ? null : String(sent.data.reason ?? 'No reason was given.');
}

/** Users of the main app by the language that they read NocoBase in; those who are gone are left out. */
export async function languagesOf({ db }: WithDatabase, ids: readonly string[]): Promise<Map<string, string[]>> {
  const found = new Map<string, string[]>();
  if (!ids.length) return found;
  const filter = { id: { $in: ids } };
  const users = await db.getRepository('users').find({ filter, fields: ['id', 'appLang'], sort: ['id'] });
  const settings = db.hasCollection('systemSettings') ? await db.getRepository('systemSettings').findOne() : null;
  const enabled = settings?.get('enabledLanguages') as string[] | null | undefined;
  for (const user of users) {
    const language = (user.get('appLang') as string | null) || enabled?.[0] || 'en-US';
    found.set(language, [...(found.get(language) ?? []), String(user.get('id'))]);
  }
  return found;
}
