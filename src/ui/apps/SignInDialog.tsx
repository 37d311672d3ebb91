import { Alert, Button, Descriptions, Flex, Modal, Typography } from 'antd';
import type { CreatedApp } from '../../shared/types';
import { useHost } from '../host';

/** How to sign in to an app that was just created. The administrator's password is shown only here. */
export function SignInDialog({ app, onClose }: { app: CreatedApp; onClose: () => void }) {
  const { t, appUrl } = useHost();
  const { username, email, password } = app.initialAdmin;
  const address = new URL(appUrl(app.name), window.location.href).href;
  const rows: { label: string; value: string; isCode?: boolean }[] = [
    { label: t('Address'), value: address },
    { label: t('User name'), value: username },
    ...(email ? [{ label: t('E-mail address'), value: email }] : []),
    { label: t('Password'), value: password, isCode: true },
  ];
  const text = rows.map(({ label, value }) => `${label}: ${value}`).join('\n');
  return (
    <Modal
      open
      // The password is shown only once, so only the button closes the dialog.
      closable={false}
      keyboard={false}
      maskClosable={false}
      title={t('Sign in to "{{app}}"', { app: app.title })}
      footer={
        <Button type="primary" onClick={onClose} data-testid="sign-in-close">
          {t('I have saved it')}
        </Button>
      }
    >
      <Flex vertical gap="middle" data-testid="sign-in-dialog">
        <Alert
          type="warning"
          showIcon
          message={t('The password is shown only once. Save it now. You can open the app when it is running.')}
        />
        <Descriptions
          bordered
          size="small"
          column={1}
          items={rows.map(({ label, value, isCode }) => ({
            key: label,
            label,
            children: (
              <Typography.Text code={isCode} style={{ wordBreak: 'break-all' }}>
                {value}
              </Typography.Text>
            ),
          }))}
        />
        <Typography.Text
          copyable={{ text, tooltips: [t('Copy'), t('Copied')], tabIndex: 0 }}
          style={{ alignSelf: 'flex-end' }}
          data-testid="sign-in-copy"
        >
          {t('Copy all')}
        </Typography.Text>
      </Flex>
    </Modal>
  );
}
