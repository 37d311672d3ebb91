import { PlusOutlined, ReloadOutlined } from '@ant-design/icons';
import { useRequest } from 'ahooks';
import { Button, Card, Empty, Flex, Table, Tooltip } from 'antd';
import { useState } from 'react';
import type { EnvironmentRow } from '../../shared/types';
import { type EnvironmentAction, useApi } from '../common/api';
import { useConfirm } from '../common/Confirm';
import { type ApiError, problemText } from '../common/errors';
import { MoveDialog } from '../common/MoveDialog';
import { Failure, Freshness, useIsLocal } from '../common/Page';
import { keepRows } from '../common/refresher';
import { useLive } from '../common/useLive';
import { useResetAdmin } from '../common/useResetAdmin';
import { useHost } from '../host';
import { type Act, columnsOf, Warnings } from './columns';
import { QUESTIONS } from './questions';

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
  const onEnvironment = useEnvironmentActions(refresh);
  const { reset, dialog } = useResetAdmin(() => void refresh());
  const [moving, setMoving] = useState<string>();
  const act: Act = (action, environment) => {
    if (action === 'resetAdmin') void reset({ kind: 'environment', name: environment.name, url: environment.url });
    else if (action === 'move') setMoving(environment.name);
    else void onEnvironment(action, environment);
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
        <Table<EnvironmentRow>
          rowKey="name"
          size="middle"
          columns={columnsOf(t, info?.version ?? null, isLocal, act)}
          dataSource={data}
          loading={loading}
          pagination={{ hideOnSinglePage: true, defaultPageSize: 20 }}
          scroll={{ x: isLocal ? undefined : 1172 }}
          expandable={{
            expandedRowKeys: data?.filter(({ warnings }) => warnings.length > 0).map(({ name }) => name),
            expandedRowRender: (row) => <Warnings environment={row} />,
            showExpandColumn: false,
          }}
          onRow={({ name, health }) => ({ 'data-testid': `environment-row-${name}`, 'data-health': health }) as object}
          locale={{
            emptyText: (
              <Empty image={Empty.PRESENTED_IMAGE_SIMPLE} description={t('No environment has registered yet')}>
                <Button onClick={onAdd}>{t('Add environment')}</Button>
              </Empty>
            ),
          }}
        />
      </Flex>
      {moving !== undefined && (
        <MoveDialog
          subject={{ environment: moving }}
          title={t('Move all apps of environment "{{environment}}"?', { environment: moving })}
          onClose={() => setMoving(undefined)}
          onDone={() => {
            setMoving(undefined);
            void refresh();
          }}
        />
      )}
      {dialog}
    </Card>
  );
}

/** Does something with an environment, after a question where it needs one. */
function useEnvironmentActions(refresh: () => unknown) {
  const host = useHost();
  const { t } = host;
  const confirm = useConfirm();
  const api = useApi();
  return async (action: EnvironmentAction, environment: EnvironmentRow) => {
    const { name } = environment;
    const question = QUESTIONS[action];
    const agreed =
      !question ||
      (await confirm({
        title: t(question.title, { environment: name }),
        content: t(question.consequence),
        okText: t(question.agree),
        danger: action === 'forget',
      }));
    if (!agreed) return;
    try {
      await api.onEnvironment(action, name);
    } catch (thrown) {
      host.failure(problemText(t, (thrown as ApiError).problems[0]));
    }
    void refresh();
  };
}
