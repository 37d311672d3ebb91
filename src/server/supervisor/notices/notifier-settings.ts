import type { Application } from '@nocobase/server';
import type { SettingChange } from '../../../shared/event';
import { pickIn } from '../../../shared/fields';
import {
  NOTIFIER,
  type NoticeSettings,
  type Notifier,
  type NotifierId,
  type NotifierRow,
} from '../../../shared/notice';
import type { Clock } from '../../clock';
import { channelsOf } from '../../nocobase/notifications';
import { newSecret, seal } from '../../protocol/secrets';
import { invalid } from '../definitions/input';
import type { ChangeJournal } from '../events/journal';
import type { Notices } from './notices';
import type { NotifierInput } from './notifier-input';
import type { NotifierStore } from './notifier-store';

export interface NotifierSettingsOptions {
  app: Application;
  notifiers: NotifierStore;
  notices: Pick<Notices, 'look'>;
  journal: Pick<ChangeJournal, 'ofNotifier'>;
  clock: Clock;
  aesKey: Buffer | null;
}

/** What people set of notifiers. */
export class NotifierSettings {
  constructor(private readonly options: NotifierSettingsOptions) {}

  async list(): Promise<NoticeSettings> {
    const { app, notifiers } = this.options;
    return { notifiers: (await notifiers.all()).map(rowOf), ...(await channelsOf(app)) };
  }

  /**
   * @returns the row and, if one was made, the secret, which nobody can read again
   * @throws AppSupervisorError INVALID_INPUT if something is missing without which it cannot be turned on
   */
  async update(
    id: NotifierId,
    { newSecret: wantsSecret, ...given }: NotifierInput,
    userId: string | null,
  ): Promise<NotifierRow & { secret?: string }> {
    const { notifiers, notices, journal, clock, aesKey } = this.options;
    const before = await notifiers.get(id);
    const wanted = { ...before, ...given };
    if (wanted.enabled) await this.assertComplete(wanted);
    const needsSecret = before.secret === null && wanted.url !== null;
    const secret = id === 'webhook' && (wantsSecret || needsSecret) ? newSecret() : undefined;
    const { wall } = clock.now();
    const values: Partial<Notifier> = {
      ...given,
      changedAt: wall,
      ...(secret ? { secret: seal(secret, aesKey) } : {}),
      // What happened while it was off is not told.
      ...(wanted.enabled && !before.enabled ? { since: wall, delivery: null, failingSince: null, error: null } : {}),
    };
    await notifiers.save(id, values);
    await journal.ofNotifier(id, changesBetween(before, wanted, secret !== undefined), userId);
    notices.look();
    return { ...rowOf({ ...wanted, ...values }), ...(secret ? { secret } : {}) };
  }

  private async assertComplete({ id, kinds, channel, receivers, url }: Notifier): Promise<void> {
    if (id === 'webhook' && url === null) throw invalid('url', 'INPUT_REQUIRED');
    if (id === 'channel') {
      const { channels } = await channelsOf(this.options.app);
      if (channel === null) throw invalid('channel', 'INPUT_REQUIRED');
      if (!channels.some(({ name }) => name === channel)) throw invalid('channel', 'INPUT_CHANNEL_UNKNOWN');
      if (!receivers.length) throw invalid('receivers', 'INPUT_REQUIRED');
    }
    if (!kinds.length) throw invalid('kinds', 'INPUT_REQUIRED');
  }
}

const rowOf = (notifier: Notifier): NotifierRow => {
  const { secret, delivery, enabled } = notifier;
  const nextAt = enabled && delivery?.failures ? delivery.nextAt : null;
  return pickIn(NOTIFIER, 'row', { ...notifier, hasSecret: secret !== null, nextAt });
};

/** The address of a webhook often contains a secret. */
const SECRET = ['url'];

function changesBetween(before: Notifier, after: Notifier, hasNewSecret: boolean): SettingChange[] {
  const fields = (['enabled', 'kinds', 'channel', 'receivers', 'url'] as const).filter(
    (field) => String(before[field]) !== String(after[field]),
  );
  const text = (value: unknown) =>
    value === null || String(value) === '' ? null : String(value).replaceAll(',', ', ');
  const hidden = (field: string): SettingChange => ({
    field: `notifier.${field}`,
    before: null,
    after: null,
    isSecret: true,
  });
  return [
    ...fields.map((field) =>
      SECRET.includes(field)
        ? hidden(field)
        : { field: `notifier.${field}`, before: text(before[field]), after: text(after[field]) },
    ),
    ...(hasNewSecret ? [hidden('secret')] : []),
  ];
}
