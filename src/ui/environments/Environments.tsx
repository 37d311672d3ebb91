import { PlusOutlined, ReloadOutlined } from '@ant-design/icons';
import { useRequest } from 'ahooks';
import { Button, Card, Empty, Flex, Tooltip } from 'antd';
import type { EnvironmentRow } from '../../shared/types';
import { useApi } from '../common/api';
import { Failure, Freshness, useIsLocal } from '../common/Page';
import { Rows } from '../common/Rows';
import { keepRows } from '../common/refresher';
import { useLive } from '../common/useLive';
import { useHost } from '../host';
import { columnsOf, Warnings } from './columns';
import { useEnvironmentActions } from './useEnvironmentActions';

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
  const { act, dialogs } = useEnvironmentActions(() => void refresh());

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
      {dialogs}
    </Card>
  );
}
