import { Alert, Button, Flex, Form, Input } from 'antd';
import { useState } from 'react';
import { useApi } from '../common/api';
import { Dialog } from '../common/Dialog';
import { problemText } from '../common/errors';
import { useKnowsOwnPassword } from '../common/Page';
import { useBulk } from '../common/useBulk';
import { useHost } from '../host';

/** How long the reminder rests in this browser, in ms. The security checklist says it all the time. */
const REST = 7 * 24 * 3_600_000;
const RESTS_UNTIL = 'app-supervisor:own-password-rests-until';

/** Whoever manages all apps still has the password that everybody knows: he changes it here, or is reminded in a week. */
export function OwnPassword() {
  const { t } = useHost();
  const isKnown = useKnowsOwnPassword();
  const [rests, setRests] = useState(() => Number(localStorage.getItem(RESTS_UNTIL)) > Date.now());
  const [isOpen, setOpen] = useState(false);
  if (!isKnown || rests) return null;
  const later = () => {
    localStorage.setItem(RESTS_UNTIL, String(Date.now() + REST));
    setRests(true);
  };
  return (
    <>
      <Alert
        type="warning"
        showIcon
        data-testid="own-password"
        message={t('message.OWN_ADMIN_KNOWN')}
        action={
          <Flex gap="small" wrap>
            <Button size="small" type="primary" onClick={() => setOpen(true)} data-testid="own-password-change">
              {t('Change password')}
            </Button>
            <Button size="small" onClick={later} data-testid="own-password-later">
              {t('Remind me in a week')}
            </Button>
          </Flex>
        }
      />
      {isOpen && <PasswordDialog onClose={() => setOpen(false)} />}
    </>
  );
}

interface Passwords {
  oldPassword: string;
  newPassword: string;
  confirmPassword: string;
}

/** For whoever is signed in. NocoBase ends his sessions, and asks him to sign in again. */
function PasswordDialog({ onClose }: { onClose: () => void }) {
  const { t } = useHost();
  const api = useApi();
  const [form] = Form.useForm<Passwords>();
  const { busy, error, run } = useBulk(() => window.location.reload());
  const field = (name: keyof Passwords, label: string, autoComplete: string) => (
    <Form.Item
      name={name}
      label={label}
      dependencies={name === 'confirmPassword' ? ['newPassword'] : []}
      rules={[
        { required: true, message: t('Enter a password') },
        ({ getFieldValue }) => ({
          validator: async (_, value) => {
            if (name === 'confirmPassword' && value && value !== getFieldValue('newPassword'))
              throw new Error(t('The two passwords differ'));
          },
        }),
      ]}
    >
      <Input.Password autoComplete={autoComplete} />
    </Form.Item>
  );
  return (
    <Dialog
      title={t('Change password')}
      okText={t('Change password')}
      okButtonProps={{ id: 'confirm-own-password' }}
      cancelText={t('Cancel')}
      confirmLoading={busy}
      onOk={form.submit}
      onCancel={onClose}
    >
      <Form
        form={form}
        layout="vertical"
        disabled={busy}
        onFinish={(passwords) =>
          run(
            async () => {
              await api.changePassword(passwords);
              return { refused: [], batch: null };
            },
            () => t('The password is changed'),
          )
        }
      >
        {error && (
          <Alert type="error" showIcon message={problemText(t, error.problems[0])} style={{ marginBottom: 16 }} />
        )}
        {field('oldPassword', t('Current password'), 'current-password')}
        {field('newPassword', t('New password'), 'new-password')}
        {field('confirmPassword', t('New password again'), 'new-password')}
      </Form>
    </Dialog>
  );
}
