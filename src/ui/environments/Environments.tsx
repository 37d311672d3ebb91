import { PlusOutlined, ReloadOutlined } from '@ant-design/icons';
import { useRequest } from 'ahooks';
import { Button, Card, Empty, Flex, Tooltip } from 'antd';
import { useState } from 'react';
import type { EnvironmentRow } from '../../shared/types';
import { type EnvironmentAction, useApi } from '../common/api';
import { type ApiError, problemText } from '../common/errors';
import { MoveDialog } from '../common/MoveDialog';
import { Failure, Freshness, useIsLocal } from '../common/Page';
import { Rows } from '../common/Rows';
import { keepRows } from '../common/refresher';
import { useLive } from '../common/useLive';
import { useResetAdmin } from '../common/useResetAdmin';
import { useHost, useT } from '../host';
import { type Act, columnsOf, Warnings } from './columns';
import { DrainDialog } from './DrainDialog';
import { ForgetDialog } from './ForgetDialog';
import { UncordonDialog } from './UncordonDialog';

/** What is asked about, in a dialog. */
interface Asked {
  action: Exclude<EnvironmentAction, 'cordon'> | 'move';
  environment: EnvironmentRow;
}

export function Environments({ onAdd }: { onAdd: () => void }) {
  const host = useHost();
  const { t } = host;
  const api = useApi();
  const isLocal = useIsLocal();
  const { data: info } = useRequest(host.info);
  const { data, error, loading, refresh } = useLive(
    async (previous: EnvironmentRow[] | undefined) =>
      keepRows(previous, await api.listEnvironments(), ({ name }) => name),
    'environments',
    (rows) => rows.some(({ health }) => health !== 'online'),
  );
  const { reset, dialog } = useResetAdmin(() => void refresh());
  const [asked, setAsked] = useState<Asked>();
  const at = async (work: Promise<unknown>) => {
    await work.catch((thrown: ApiError) => host.failure(problemText(t, thrown.problems[0])));
    void refresh();
  };
  const act: Act = (action, environment) => {
    const { name, url, away } = environment;
    if (action === 'resetAdmin') void reset({ kind: 'environment', name, url });
    // Both are harmless and easy to undo.
    else if (action === 'cordon') void at(api.cordon(name));
    else if (action === 'uncordon' && !away.length) void at(api.uncordon(name, false));
    else setAsked({ action, environment });
  };

  if (!data && error) {
    return (
      <Card>
        <Failure error={error} retry={refresh} />
      </Card>
    );
  }
  return (
    <Card>
      <Flex vertical gap="middle">
        <Flex gap="small" justify="end">
          <Tooltip title={t('Refresh')}>
            <Button icon={<ReloadOutlined />} onClick={refresh} aria-label={t('Refresh')} />
          </Tooltip>
          {!isLocal && (
            <Button type="primary" icon={<PlusOutlined />} onClick={onAdd} data-testid="add-environment">
              {t('Add environment')}
            </Button>
          )}
        </Flex>
        <Freshness error={error} />
        <Rows
          rows={data}
          nameOf={({ name }) => name}
          columns={columnsOf(t, info?.version ?? null, isLocal, act, () => void refresh())}
          width={isLocal ? undefined : 1140}
          lines={['name', 'health']}
          mark={({ name, health }) => ({ 'data-testid': `environment-row-${name}`, 'data-health': health })}
          below={(row) => (row.warnings.length > 0 ? <Warnings environment={row} /> : null)}
          loading={loading}
          empty={
            <Empty image={Empty.PRESENTED_IMAGE_SIMPLE} description={t('No environment has registered yet')}>
              <Button onClick={onAdd}>{t('Add environment')}</Button>
            </Empty>
          }
        />
      </Flex>
      <Dialogs
        asked={asked}
        onClose={() => setAsked(undefined)}
        onDone={() => {
          setAsked(undefined);
          void refresh();
        }}
      />
      {dialog}
    </Card>
  );
}

const DIALOGS = { drain: DrainDialog, forget: ForgetDialog };

function Dialogs({ asked, onClose, onDone }: { asked: Asked | undefined; onClose: () => void; onDone: () => void }) {
  const t = useT();
  if (!asked) return null;
  const { action, environment } = asked;
  const { name } = environment;
  if (action === 'uncordon') return <UncordonDialog environment={environment} onClose={onClose} onDone={onDone} />;
  if (action !== 'move') {
    const Dialog = DIALOGS[action];
    return <Dialog environment={name} onClose={onClose} onDone={onDone} />;
  }
  const title = t('Move all apps of environment "{{environment}}"?', { environment: name });
  return <MoveDialog subject={{ environment: name }} title={title} onClose={onClose} onDone={onDone} />;
}
