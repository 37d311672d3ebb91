import { Alert, Checkbox, ConfigProvider, Form, Input, Select } from 'antd';
import { SIGNUP_ROLE } from '../../shared/names';
import { MAPPING_LABELS } from '../common/labels';
import { SECURITY } from '../common/snippets';
import { useHost } from '../host';
import type { AppValues } from './form';
import { RolesOfMain } from './VisibilityFields';

const SSO = ['options', 'sso'] as const;

/** Sign-in of users of the main app. Fields that do not count now keep their values. */
export function SsoFields() {
  const { t, maySee } = useHost();
  const isMine = maySee(SECURITY);
  const sso = Form.useWatch<AppValues['options']['sso']>([...SSO]);
  const isOn = sso?.enabled === true;
  const creates = isOn && sso?.autoSignup === true;
  return (
    <ConfigProvider componentDisabled={isMine ? undefined : true}>
      {!isMine && (
        <Alert
          type="info"
          showIcon
          message={t(
            'These settings decide who gets into the app. Users with the permission "Security checklist" change them.',
          )}
          style={{ marginBottom: 16 }}
        />
      )}
      <Form.Item
        name={[...SSO, 'enabled']}
        valuePropName="checked"
        tooltip={t('Whoever is signed in to the main app, and sees the app, is signed in there when he opens it.')}
        label={t('Sign-in by the main app')}
      >
        <Checkbox>{t('Sign users of the main app in')}</Checkbox>
      </Form.Item>
      <Form.Item
        name={[...SSO, 'mapping']}
        label={t('First sign-in')}
        hidden={!isOn}
        extra={t(
          'Users choose their names themselves: whoever has the name of an account in the main app gets that account, except an administrator’s. After the first sign-in the account stays bound to the user, even if the name changes.',
        )}
      >
        <Select options={Object.entries(MAPPING_LABELS).map(([value, label]) => ({ value, label: t(label) }))} />
      </Form.Item>
      <Form.Item
        name={[...SSO, 'autoSignup']}
        valuePropName="checked"
        hidden={!isOn}
        extra={
          isOn && !creates && sso?.mapping === 'none'
            ? t('With these settings, only users whose account is already bound can sign in.')
            : undefined
        }
      >
        <Checkbox>{t('Create missing accounts')}</Checkbox>
      </Form.Item>
      <Form.Item
        name={[...SSO, 'signupRole']}
        label={t('Role of created accounts')}
        hidden={!creates}
        rules={[
          {
            validator: async (_, value?: string) => {
              if (value && !SIGNUP_ROLE.test(value))
                throw new Error(t('Enter the name of a role, but neither "root" nor "admin"'));
            },
          },
        ]}
      >
        <Input placeholder={t('The default role of the app')} autoComplete="off" />
      </Form.Item>
      <Form.Item name={[...SSO, 'signupFor']} label={t('Accounts are created for')} hidden={!creates}>
        <RolesOfMain placeholder={t('Everybody who sees the app')} />
      </Form.Item>
      <Form.Item
        name={[...SSO, 'passwordSignIn']}
        valuePropName="checked"
        hidden={!isOn}
        extra={t('Without it, nobody enters the app while the main app cannot be reached.')}
      >
        <Checkbox>{t('Own sign-in of the app')}</Checkbox>
      </Form.Item>
    </ConfigProvider>
  );
}
