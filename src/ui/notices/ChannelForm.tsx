import { useRequest } from 'ahooks';
import { Alert, Form, type SelectProps } from 'antd';
import type { NoticeSettings, NotifierRow } from '../../shared/notice';
import { useApi } from '../common/api';
import { FormSelect } from '../common/FormSelect';
import { key } from '../common/text';
import { useHost, useT } from '../host';
import { NotifierForm } from './NotifierForm';

const MISSING: Record<NonNullable<NoticeSettings['missing']>, string> = {
  plugin: key(
    'NocoBase’s notification manager is disabled. Enable the plugin "Notification manager" of this main app, and one for a kind of message, such as "Notification: In-app message".',
  ),
  channels: key('There is no channel yet. Add one under Settings > Notification manager.'),
};

/** Messages to people, through a channel of NocoBase's notification manager. */
export function ChannelForm({
  row,
  settings: { channels, missing },
  refresh,
}: {
  row: NotifierRow;
  settings: NoticeSettings;
  refresh: () => Promise<void>;
}) {
  const t = useT();
  // A title is as people entered it, or a template of NocoBase.
  const titleOf = (title: string) => (title.includes('{{') ? t(title) : title);
  const { enabled, kinds, channel, receivers } = row;
  const gone = channel !== null && !channels.some(({ name }) => name === channel);
  return (
    <>
      {missing && (
        <Alert
          type="warning"
          showIcon
          message={t(MISSING[missing])}
          style={{ marginBottom: 16 }}
          data-testid={`missing-${missing}`}
        />
      )}
      <NotifierForm row={row} refresh={refresh} values={{ enabled, kinds, channel, receivers }}>
        <Form.Item name="channel" label={t('Channel')}>
          <FormSelect
            allowClear
            disabled={!channels.length && !gone}
            placeholder={t('Select a channel of the notification manager')}
            options={[
              ...channels.map(({ name, title }) => ({ value: name, label: titleOf(title) })),
              ...(gone ? [{ value: channel, label: t('{{channel}} (not available)', { channel }) }] : []),
            ]}
          />
        </Form.Item>
        <Form.Item
          name="receivers"
          label={t('Receivers')}
          extra={t('They get messages in their own language, at most one a minute; several events become one message.')}
        >
          <Receivers />
        </Form.Item>
      </NotifierForm>
    </>
  );
}

/** A role that may not see users can choose only its own. */
function Receivers({ value = [], ...props }: SelectProps<string[]>) {
  const { t, userId, user } = useHost();
  const api = useApi();
  const { data: found, run } = useRequest(api.findUsers, { manual: true, debounceWait: 250, onError: () => {} });
  const { data: named } = useRequest(() => api.userNames(value ?? []), {
    ready: (value ?? []).length > 0,
    refreshDeps: [String(value)],
    onError: () => {},
  });
  const own = userId === null ? [] : [String(userId)];
  const nameOf = (id: string) =>
    found?.[id] ?? named?.[id] ?? (own.includes(id) ? user.username : undefined) ?? t('User {{id}}', { id });
  const ids = new Set([...own, ...(value ?? []), ...Object.keys(found ?? {})]);
  return (
    <FormSelect
      {...(props as SelectProps)}
      value={value}
      mode="multiple"
      filterOption={false}
      placeholder={t('Select users of this main app')}
      onFocus={() => run('')}
      onSearch={run}
      options={[...ids].map((id) => ({ value: id, label: nameOf(id) }))}
    />
  );
}
