import { Alert, Form, InputNumber, Select } from 'antd';
import type { AppRow } from '../../shared/types';
import { batchTitle } from '../batches/batch';
import { type SharedSettings, useApi } from '../common/api';
import { Dialog } from '../common/Dialog';
import { problemText } from '../common/errors';
import { FAILBACK_LABELS, FAILOVER_LABELS, FIELD_LABELS, START_MODE_LABELS } from '../common/labels';
import { useIsLocal } from '../common/Page';
import { useBulk } from '../common/useBulk';
import { useT } from '../host';

interface Props {
  apps: AppRow[];
  onClose: () => void;
  onDone: () => void;
}

/** Changes settings of several apps. What is left empty stays as it is in each of them. */
export function ConfigureDialog({ apps, onClose, onDone }: Props) {
  const t = useT();
  const api = useApi();
  const isLocal = useIsLocal();
  const [form] = Form.useForm<SharedSettings>();
  const values: SharedSettings = Form.useWatch([], form) ?? {};
  const { busy, error, run } = useBulk(onDone);
  const given = Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined && value !== null));
  const choice = (name: 'startMode' | 'failover' | 'failback', labels: Record<string, string>) => (
    <Form.Item name={name} label={t(FIELD_LABELS[name])}>
      <Select
        allowClear
        placeholder={t('Unchanged')}
        options={Object.entries(labels).map(([value, label]) => ({ value, label: t(label) }))}
      />
    </Form.Item>
  );
  return (
    <Dialog
      title={
        apps.length === 1
          ? t('Settings of "{{app}}"', { app: apps[0].title })
          : batchTitle(t, { action: 'configure', total: apps.length, environment: null })
      }
      okText={t('Save')}
      okButtonProps={{ disabled: !Object.keys(given).length, id: 'confirm-settings' }}
      cancelText={t('Cancel')}
      confirmLoading={busy}
      onOk={form.submit}
      onCancel={onClose}
    >
      <Form
        form={form}
        layout="vertical"
        disabled={busy}
        onFinish={() =>
          run(
            () =>
              api.configureApps(
                apps.map(({ name }) => name),
                given,
              ),
            () => t('Settings saved'),
          )
        }
      >
        {error && (
          <Alert type="error" showIcon message={problemText(t, error.problems[0])} style={{ marginBottom: 16 }} />
        )}
        {choice('startMode', START_MODE_LABELS)}
        {!isLocal && (
          <>
            {choice('failover', FAILOVER_LABELS)}
            <Form.Item name="failoverDelay" label={t(FIELD_LABELS.failoverDelay)}>
              <InputNumber
                min={10}
                max={86_400}
                precision={0}
                addonAfter={t('seconds')}
                placeholder={t('Unchanged')}
                style={{ width: 220 }}
              />
            </Form.Item>
            {choice('failback', FAILBACK_LABELS)}
          </>
        )}
      </Form>
    </Dialog>
  );
}
