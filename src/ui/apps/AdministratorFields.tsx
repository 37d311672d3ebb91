import { Form, Input } from 'antd';
import { DEFAULT_USERNAME, USERNAME } from '../../shared/names';
import { Secondary } from '../common/Secondary';
import { useHost } from '../host';

const MIN_LENGTH = 8;

/** The first administrator of a new app. The placeholders show the values that the server uses for empty fields. */
export function AdministratorFields() {
  const { t, user } = useHost();
  return (
    <>
      <Form.Item>
        <Secondary>
          {t(
            'The first user of the new app. If a field is empty, your own user name and address and a random password are used. The password is shown once. An adopted app keeps its own users.',
          )}
        </Secondary>
      </Form.Item>
      <Form.Item
        name={['initialAdmin', 'username']}
        label={t('User name')}
        rules={[{ pattern: USERNAME, message: t('50 characters at most, without @ < > " \' /') }]}
      >
        <Input autoComplete="off" placeholder={user.username || DEFAULT_USERNAME} />
      </Form.Item>
      <Form.Item
        name={['initialAdmin', 'email']}
        label={t('E-mail address')}
        rules={[{ type: 'email', message: t('Enter an e-mail address') }]}
      >
        <Input autoComplete="off" placeholder={user.email || undefined} />
      </Form.Item>
      <Form.Item
        name={['initialAdmin', 'password']}
        label={t('Password')}
        rules={[{ min: MIN_LENGTH, message: t('At least {{count}} characters', { count: MIN_LENGTH }) }]}
      >
        <Input.Password autoComplete="new-password" placeholder={t('Generated when empty')} />
      </Form.Item>
    </>
  );
}
