import { useRequest } from 'ahooks';
import { Form, Radio, type SelectProps } from 'antd';
import { useApi } from '../common/api';
import { FormSelect } from '../common/FormSelect';
import { VISIBLE_TO_HELP, VISIBLE_TO_LABELS } from '../common/labels';
import { useT } from '../host';
import type { AppValues } from './form';

/** Who sees the app in switchers, blocks and portals. */
export function VisibilityFields() {
  const t = useT();
  const visibleTo = Form.useWatch<AppValues['visibleTo'] | undefined>('visibleTo');
  return (
    <>
      <Form.Item name="visibleTo" label={t('Who sees the app')} tooltip={t(VISIBLE_TO_HELP)}>
        <Radio.Group
          options={Object.entries(VISIBLE_TO_LABELS).map(([value, label]) => ({ value, label: t(label) }))}
        />
      </Form.Item>
      {visibleTo === 'roles' && <RolesField />}
    </>
  );
}

function RolesField() {
  const t = useT();
  return (
    <Form.Item
      name="visibleRoles"
      label={t('Roles of the main app')}
      extra={t('Inside other apps, whose users have no roles of the main app, the app is not listed.')}
      rules={[{ required: true, type: 'array', message: t('Select at least one role') }]}
    >
      <RolesOfMain />
    </Form.Item>
  );
}

/** Whoever may not read the roles enters their names. */
export function RolesOfMain(props: SelectProps) {
  const t = useT();
  const api = useApi();
  const { data, loading } = useRequest(() => api.listRoles().catch(() => null));
  return (
    <FormSelect
      {...props}
      mode={data || loading ? 'multiple' : 'tags'}
      loading={loading}
      optionFilterProp="label"
      options={data?.map(({ name, title }) => ({ value: name, label: title ? t(title) : name }))}
    />
  );
}
