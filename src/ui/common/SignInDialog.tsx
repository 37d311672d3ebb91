import { Alert, Button, Descriptions, Flex, Typography } from 'antd';
import type { ReactNode } from 'react';
import type { CreatedApp } from '../../shared/types';
import { useHost } from '../host';
import { Dialog } from './Dialog';

export interface SignIn {
  /** Of the app or of the environment. */
  title: string;
  /** Where to sign in; relative to this page or absolute. */
  url: string;
  administrator: CreatedApp['initialAdmin'];
  /** Environments in which sessions of before may go on. */
  unconfirmed?: string[];
}

/** How to sign in as an administrator who was just created or has a new password, which is shown only here. */
export function SignInDialog({
  signIn,
  onClose,
  action,
  children,
}: {
  signIn: SignIn;
  onClose: () => void;
  /** What else can be done; absent: the dialog says that the app has to run. */
  action?: ReactNode;
  children?: ReactNode;
}) {
  const { t } = useHost();
  const { username, email, password } = signIn.administrator;
  const address = new URL(signIn.url, window.location.href).href;
  const rows: { label: string; value: string; isCode?: boolean; href?: string }[] = [
    { label: t('Address'), value: address, href: address },
    { label: t('User name'), value: username },
    ...(email ? [{ label: t('E-mail address'), value: email }] : []),
    { label: t('Password'), value: password, isCode: true },
  ];
  const text = rows.map(({ label, value }) => `${label}: ${value}`).join('\n');
  return (
    <Dialog
      // The password is shown only once, so only the button closes the dialog.
      closable={false}
      keyboard={false}
      maskClosable={false}
      title={t('Sign in to "{{app}}"', { app: signIn.title })}
      footer={
        <Flex gap="small" justify="end" wrap>
          <Button type={action ? 'default' : 'primary'} onClick={onClose} data-testid="sign-in-close">
            {t('I have saved it')}
          </Button>
          {action}
        </Flex>
      }
    >
      <Flex vertical gap="middle" data-testid="sign-in-dialog">
        <Alert
          type="warning"
          showIcon
          message={
            action
              ? t('The password is shown only once. Save it now.')
              : t('The password is shown only once. Save it now. You can open the app when it is running.')
          }
        />
        {signIn.unconfirmed?.length ? (
          <Alert
            type="error"
            showIcon
            message={t('Earlier sessions may continue in {{environments}} until the app restarts there.', {
              environments: signIn.unconfirmed.join(t(', ')),
            })}
          />
        ) : null}
        <Descriptions
          bordered
          size="small"
          column={1}
          items={rows.map(({ label, value, isCode, href }) => ({
            key: label,
            label,
            children: href ? (
              <Typography.Link href={href} target="_blank" style={{ wordBreak: 'break-all', paddingBlock: 4 }}>
                {value}
              </Typography.Link>
            ) : (
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
        {children}
      </Flex>
    </Dialog>
  );
}
