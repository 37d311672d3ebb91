import { Alert, Form } from 'antd';
import type { AppRow } from '../../shared/types';
import { useApi } from '../common/api';
import { Dialog } from '../common/Dialog';
import { problemText } from '../common/errors';
import { FormSelect } from '../common/FormSelect';
import { useBulk } from '../common/useBulk';
import { useHost } from '../host';
import { LabelSelect, labelOptions, labelRule } from './LabelSelect';

interface Props {
  apps: AppRow[];
  onClose: () => void;
  onDone: () => void;
}

interface Values {
  add: string[];
  remove: string[];
}

/** Adds labels to apps, and removes some that they have. */
export function LabelDialog({ apps, onClose, onDone }: Props) {
  const { t, language } = useHost();
  const api = useApi();
  const [form] = Form.useForm<Values>();
  const { add = [], remove = [] } = Form.useWatch([], form) ?? {};
  const { busy, error, run } = useBulk(onDone);
  const present = [...new Set(apps.flatMap(({ labels }) => labels))];

  const save = (change: Values) =>
    run(
      () =>
        api.labelApps(
          apps.map(({ name }) => name),
          change,
        ),
      ({ refused }) =>
        refused.length < apps.length
          ? t('Labels saved for {{count}} apps', { count: apps.length - refused.length })
          : null,
    );

  return (
    <Dialog
      title={
        apps.length === 1
          ? t('Labels of "{{app}}"', { app: apps[0].title })
          : t('Labels of {{count}} apps', { count: apps.length })
      }
      okText={t('Save')}
      okButtonProps={{ disabled: !add.length && !remove.length, id: 'confirm-labels' }}
      cancelText={t('Cancel')}
      confirmLoading={busy}
      onOk={form.submit}
      onCancel={onClose}
    >
      <Form form={form} layout="vertical" initialValues={{ add: [], remove: [] }} disabled={busy} onFinish={save}>
        {error && (
          <Alert type="error" showIcon message={problemText(t, error.problems[0])} style={{ marginBottom: 16 }} />
        )}
        <Form.Item name="add" label={t('Add labels')} rules={[labelRule(t)]}>
          <LabelSelect />
        </Form.Item>
        <Form.Item name="remove" label={t('Remove labels')}>
          <FormSelect
            mode="multiple"
            placeholder={present.length ? t('Select labels') : t('None of these apps has a label')}
            disabled={!present.length}
            options={labelOptions(present, language)}
          />
        </Form.Item>
      </Form>
    </Dialog>
  );
}
