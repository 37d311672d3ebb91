import { useRequest } from 'ahooks';
import { Alert, Button, Flex, Form, Input, Typography } from 'antd';
import { useState } from 'react';
import type { NotifierRow } from '../../shared/notice';
import { useApi } from '../common/api';
import { useConfirm } from '../common/Confirm';
import { apiError, problemText } from '../common/errors';
import { Secondary } from '../common/Secondary';
import { useHost } from '../host';
import { NotifierForm, WRAPPED } from './NotifierForm';

/** Requests to another system, signed with a secret that is shown once. */
export function WebhookForm({ row, refresh }: { row: NotifierRow; refresh: () => Promise<void> }) {
  const { t, failure } = useHost();
  const api = useApi();
  const confirm = useConfirm();
  const [secret, setSecret] = useState<string>();
  const { loading, run: renew } = useRequest(() => api.updateNotifier('webhook', { newSecret: true }), {
    manual: true,
    onSuccess: (answer) => {
      setSecret(answer.secret);
      void refresh();
    },
    onError: (error) => failure(problemText(t, apiError(error).problems[0])),
  });
  const askFirst = async () => {
    const isSure = await confirm({
      title: t('Make a new secret?'),
      content: t('Requests are signed with the new secret at once: the receiver rejects them until it knows that one.'),
      okText: t('Make a new secret'),
    });
    if (isSure) renew();
  };
  const { enabled, kinds, url, hasSecret } = row;
  return (
    <NotifierForm
      row={row}
      refresh={refresh}
      values={{ enabled, kinds, url }}
      onSaved={(answer) => answer.secret && setSecret(answer.secret)}
      footer={
        <>
          {secret && (
            <Alert
              type="warning"
              showIcon
              message={t('The secret that signs requests. It is shown only now: store it at the receiver.')}
              description={
                <Typography.Text code copyable style={{ overflowWrap: 'anywhere' }} data-testid="webhook-secret">
                  {secret}
                </Typography.Text>
              }
            />
          )}
          {hasSecret && !secret && (
            <Flex gap="small" align="center" wrap>
              <Secondary>{t('Requests are signed with a secret that is not shown again.')}</Secondary>
              <Button size="small" loading={loading} onClick={askFirst} style={WRAPPED} data-testid="new-secret">
                {t('Make a new secret')}
              </Button>
            </Flex>
          )}
        </>
      }
    >
      <Form.Item
        name="url"
        label={t('Address of the receiver')}
        extra={t(
          'Gets a POST request with up to 100 events as JSON. What does not arrive is sent again for a day. The Supervisor follows no redirects.',
        )}
      >
        <Input placeholder="https://example.com/hooks/nocobase" inputMode="url" />
      </Form.Item>
    </NotifierForm>
  );
}
