import { Alert, Checkbox, Flex } from 'antd';
import { useState } from 'react';
import type { EnvironmentRow } from '../../shared/types';
import { useApi } from '../common/api';
import { Dialog } from '../common/Dialog';
import { problemText } from '../common/errors';
import { Secondary } from '../common/Secondary';
import { useBulk } from '../common/useBulk';
import { useHost } from '../host';

interface Props {
  environment: EnvironmentRow;
  onClose: () => void;
  onDone: () => void;
}

/** Offers to bring home what a drain has moved or stopped. */
export function UncordonDialog({ environment: { name, away }, onClose, onDone }: Props) {
  const { t } = useHost();
  const api = useApi();
  const { busy, error, run } = useBulk(onDone);
  const [bringsHome, setBringsHome] = useState(true);
  const uncordon = () =>
    run(
      () => api.uncordon(name, bringsHome),
      ({ operations }) =>
        operations.length ? t('{{count}} apps are being brought home', { count: operations.length }) : null,
    );
  return (
    <Dialog
      title={t('Uncordon environment "{{environment}}"?', { environment: name })}
      okText={t('Uncordon')}
      okButtonProps={{ id: 'confirm-ok' }}
      cancelText={t('Cancel')}
      confirmLoading={busy}
      onOk={uncordon}
      onCancel={onClose}
    >
      <Flex vertical gap="middle" data-testid="uncordon-dialog">
        {error && <Alert type="error" showIcon message={problemText(t, error.problems[0])} />}
        <Checkbox checked={bringsHome} onChange={(event) => setBringsHome(event.target.checked)}>
          {t('Bring home the {{count}} apps that were moved or stopped when it was drained', { count: away.length })}
        </Checkbox>
        <ul style={{ margin: 0, paddingInlineStart: 20, maxHeight: 240, overflow: 'auto' }}>
          {away.map(({ app, title, to }) => (
            <li key={app}>
              {title} <Secondary>{to === null ? t('starts again') : `${to} → ${name}`}</Secondary>
            </li>
          ))}
        </ul>
      </Flex>
    </Dialog>
  );
}
