import { useRequest } from 'ahooks';
import { Checkbox, Form, Input, Radio } from 'antd';
import { useEffect } from 'react';
import { DOMAIN, isAppName } from '../../shared/names';
import type { AppRow, EnvironmentRow } from '../../shared/types';
import { useApi } from '../common/api';
import { FormSelect } from '../common/FormSelect';
import { START_MODE_LABELS } from '../common/labels';
import { useIsLocal } from '../common/Page';
import { languageName } from '../common/text';
import { useHost, useT } from '../host';
import { domainText } from './Domain';
import { type AppValues, environmentOption } from './form';
import { IconField } from './IconField';
import { LabelSelect, labelRule } from './LabelSelect';

/** The fields that always are in sight where an app is edited. */
export function BasicFields({ app, environments }: { app: AppRow; environments: EnvironmentRow[] | null }) {
  const isLocal = useIsLocal();
  return (
    <>
      <IdentityFields />
      {!isLocal && <EnvironmentFields app={app} environments={environments} />}
      <StartModeField />
    </>
  );
}

export function StartModeField() {
  const t = useT();
  return (
    <Form.Item name="startMode" label={t('Start mode')}>
      <Radio.Group options={Object.entries(START_MODE_LABELS).map(([value, label]) => ({ value, label: t(label) }))} />
    </Form.Item>
  );
}

export function IdentityFields({ isNew = false }: { isNew?: boolean }) {
  const t = useT();
  return (
    <>
      <Form.Item
        name="title"
        label={t('Name')}
        rules={[{ required: true, whitespace: true, message: t('Enter a name') }]}
      >
        <Input maxLength={255} autoComplete="off" />
      </Form.Item>
      <Form.Item
        name="name"
        label={t('Identifier')}
        tooltip={t('Part of the app’s address. It cannot be changed later.')}
        rules={[
          {
            validator: async (_, value?: string) => {
              if (isNew && value && !isAppName(value.trim())) {
                throw new Error(
                  t(
                    'Start with a letter; use letters, digits, "_" and "-"; at most 50 characters. Some names such as "main" are reserved.',
                  ),
                );
              }
            },
          },
        ]}
      >
        <Input disabled={!isNew} placeholder={t('Generated when empty')} autoComplete="off" />
      </Form.Item>
    </>
  );
}

/** The languages of the main app, by their own names. */
export function LanguageField() {
  const t = useT();
  const api = useApi();
  const { language } = useHost();
  const { data } = useRequest(() => api.listLanguages().catch(() => []));
  const options = [...new Set([language, ...(data ?? [])])].map((value) => ({ value, label: languageName(value) }));
  return (
    <Form.Item
      name="language"
      label={t('Language')}
      tooltip={t('The app is installed in this language. Its administrator can change it there.')}
    >
      <FormSelect options={options} />
    </Form.Item>
  );
}

function EnvironmentFields({ app, environments }: { app: AppRow; environments: EnvironmentRow[] | null }) {
  const t = useT();
  const chosen = Form.useWatch<string[] | undefined>('environments') ?? app.environments;
  const known = environments ?? [];
  const gone = chosen.filter((name) => !known.some((each) => each.name === name));
  const form = Form.useFormInstance<AppValues>();
  useEffect(() => {
    const target = form.getFieldValue('targetEnvironment');
    if (chosen.length && !(target && chosen.includes(target))) form.setFieldValue('targetEnvironment', chosen[0]);
  }, [form, chosen]);
  const removed = app.environments.filter((name) => !chosen.includes(name));
  return (
    <>
      <Form.Item
        name="environments"
        label={t('Environments')}
        tooltip={t('Usually one. Select several only if the services of the app are split between them.')}
        rules={[{ required: true, type: 'array', message: t('Select at least one environment') }]}
        extra={
          removed.length > 0 &&
          t('It is stopped in and removed from {{environments}}; its data is kept.', {
            environments: removed.join(t(', ')),
          })
        }
      >
        <FormSelect
          mode="multiple"
          options={[
            ...known.map((each) => environmentOption(t, each, app.environments.includes(each.name))),
            ...gone.map((name) => ({ value: name, label: name })),
          ]}
        />
      </Form.Item>
      {chosen.length > 1 && <TargetField chosen={chosen} />}
    </>
  );
}

export function TargetField({ chosen }: { chosen: string[] }) {
  const t = useT();
  return (
    <Form.Item
      name="targetEnvironment"
      label={t('Target environment of the proxy')}
      tooltip={t('The environment that the Supervisor routes visitors to first.')}
      rules={[{ required: true, message: t('Select the target environment') }]}
    >
      <FormSelect options={chosen.map((name) => ({ value: name, label: name }))} />
    </Form.Item>
  );
}

/** @param app that is edited */
export function AdvancedFields({ app }: { app?: AppRow | null }) {
  const t = useT();
  const isAsStored = Form.useWatch<string | undefined>('cname')?.trim().toLowerCase() === app?.cname;
  return (
    <>
      <Form.Item name="autoUpgrade" valuePropName="checked" label={t('Upgrade')}>
        <Checkbox>{t('Upgrade data of a lower version when the app starts')}</Checkbox>
      </Form.Item>
      <Form.Item
        name="cname"
        label={t('Custom domain')}
        extra={app && isAsStored && domainText(t, app)}
        rules={[
          {
            validator: async (_, value?: string) => {
              if (value?.trim() && !DOMAIN.test(value.trim().toLowerCase())) {
                throw new Error(t('Enter a host name such as crm.example.com, without http:// or a path'));
              }
            },
          },
        ]}
      >
        <Input placeholder="crm.example.com" autoComplete="off" />
      </Form.Item>
    </>
  );
}

export function DisplayFields() {
  const t = useT();
  const form = Form.useFormInstance<AppValues>();
  return (
    <>
      <Form.Item
        name="labels"
        label={t('Labels')}
        tooltip={t('For you and other operators: to find, group and select apps in the list.')}
        rules={[labelRule(t)]}
      >
        <LabelSelect />
      </Form.Item>
      <Form.Item name="icon" label={t('App icon')}>
        <IconField name={() => form.getFieldValue('name') || '?'} title={() => form.getFieldValue('title') || '?'} />
      </Form.Item>
      <Form.Item name="hidden" valuePropName="checked">
        <Checkbox>{t('Hide in Applications block')}</Checkbox>
      </Form.Item>
      <Form.Item name="pinned" valuePropName="checked">
        <Checkbox>{t('Show in app switcher')}</Checkbox>
      </Form.Item>
    </>
  );
}
