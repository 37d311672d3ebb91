import { Form, InputNumber, Radio } from 'antd';
import { FAILBACK_LABELS, FAILOVER_LABELS } from '../common/labels';
import { useT } from '../host';
import type { AppValues } from './form';

/** What happens when the only environment of the app is down. */
export function FailoverFields() {
  const t = useT();
  const failover = Form.useWatch<AppValues['failover'] | undefined>('failover');
  const count = Form.useWatch<string[] | undefined>('environments')?.length ?? 0;
  return (
    <>
      <Form.Item
        name="failover"
        label={t('When its environment is down')}
        tooltip={t(
          'The app is cut off from its database there before it starts elsewhere. Files uploaded to local storage stay on that environment, unless both share the folder.',
        )}
        extra={
          count > 1 && t('Of no effect while the app has several environments: visitors are served by another one.')
        }
      >
        <Radio.Group options={Object.entries(FAILOVER_LABELS).map(([value, label]) => ({ value, label: t(label) }))} />
      </Form.Item>
      {failover === 'automatic' && (
        <Form.Item
          name="failoverDelay"
          label={t('Delay')}
          tooltip={t(
            'How long the environment is shown as down before the app moves. A restart takes less than a minute.',
          )}
          rules={[{ required: true, message: t('Enter between 10 and 86400 seconds') }]}
        >
          <InputNumber min={10} max={86_400} precision={0} addonAfter={t('seconds')} style={{ width: 200 }} />
        </Form.Item>
      )}
      <Form.Item
        name="failback"
        label={t('When its environment is back')}
        tooltip={t(
          'The app returns by itself when its environment has been online for two minutes, at most once an hour.',
        )}
      >
        <Radio.Group options={Object.entries(FAILBACK_LABELS).map(([value, label]) => ({ value, label: t(label) }))} />
      </Form.Item>
    </>
  );
}
