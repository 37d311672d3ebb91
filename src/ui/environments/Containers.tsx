import { MoreOutlined } from '@ant-design/icons';
import { useRequest } from 'ahooks';
import { Card, Drawer, Flex, Spin, type TableColumnType, Typography } from 'antd';
import { useState } from 'react';
import type { ContainerAction, ContainerRow } from '../../shared/container';
import { useApi } from '../common/api';
import { useConfirm } from '../common/Confirm';
import { EnvironmentLink } from '../common/EnvironmentLink';
import { type ApiError, messageText, problemText } from '../common/errors';
import { Failure } from '../common/Page';
import { RowButton, RowButtons } from '../common/RowButton';
import { RowMenu } from '../common/RowMenu';
import { Rows } from '../common/Rows';
import { Secondary } from '../common/Secondary';
import { Since } from '../common/Since';
import { CONTAINER } from '../common/status';
import { StateTag } from '../common/Tag';
import { key } from '../common/text';
import { useLive } from '../common/useLive';
import { type Translate, useHost, useT } from '../host';

const MB = 1024 * 1024;
const LINES = 200;

const ACTIONS: Record<ContainerAction, string> = {
  start: key('Start'),
  stop: key('Stop'),
  restart: key('Restart'),
  upgrade: key('Upgrade'),
  destroy: key('Remove'),
};

/** Questions before an action that takes apps away from visitors. */
const QUESTIONS: Partial<Record<ContainerAction, { title: string; consequence: string }>> = {
  stop: {
    title: key('Stop the container of environment "{{environment}}"?'),
    consequence: key('Its apps are not available until it is started again.'),
  },
  restart: {
    title: key('Restart the container of environment "{{environment}}"?'),
    consequence: key('Its apps are not available while it starts.'),
  },
  upgrade: {
    title: key('Upgrade the container of environment "{{environment}}"?'),
    consequence: key("It is replaced by one with the Supervisor's image. Its apps are not available while it starts."),
  },
  destroy: {
    title: key('Remove the container of environment "{{environment}}"?'),
    consequence: key('Its apps are not available any more. Its files, its database and its apps remain.'),
  },
};

/** The containers that this Supervisor has made in its engine. @param environment of this one alone; default: all */
export function Containers({ environment }: { environment?: string }) {
  const t = useT();
  const api = useApi();
  const {
    data: all,
    error,
    refresh,
  } = useLive(api.listContainers, 'containers', (rows) =>
    rows.some(({ status }) => status !== 'running' && status !== 'stopped'),
  );
  const [logOf, setLogOf] = useState<string>();
  const act = useContainerActions(refresh);
  const data = all?.filter((row) => environment === undefined || row.environment === environment);
  // Whoever may not see them sees the environments alone.
  if (error?.status === 403 || data?.length === 0) return null;
  return (
    <Card title={environment === undefined ? t('Containers') : t('Container')} data-testid="containers">
      {error && !data ? (
        <Failure error={error} retry={refresh} />
      ) : (
        <Rows
          rows={data}
          nameOf={({ environment }) => environment}
          columns={columnsOf(t, act, setLogOf)}
          width={900}
          lines={['environment', 'status']}
          mark={({ environment, status }) => ({
            'data-testid': `container-row-${environment}`,
            'data-status': status,
          })}
          below={(row) => (row.cause ? <End container={row} /> : null)}
        />
      )}
      <Drawer
        title={t('Log of the container of "{{environment}}"', { environment: logOf })}
        open={logOf !== undefined}
        onClose={() => setLogOf(undefined)}
        width="min(960px, 100vw)"
        destroyOnClose
      >
        {logOf !== undefined && <Log environment={logOf} />}
      </Drawer>
    </Card>
  );
}

type Act = (action: ContainerAction, environment: string) => void;

function columnsOf(t: Translate, act: Act, showLog: (environment: string) => void): TableColumnType<ContainerRow>[] {
  return [
    {
      key: 'environment',
      title: t('Environment'),
      render: (_, { environment }) => (
        <strong>
          <EnvironmentLink name={environment} />
        </strong>
      ),
    },
    {
      key: 'status',
      title: t('Status'),
      width: 260,
      render: (_, { status, since }) => (
        <Flex gap="small" align="center">
          <StateTag tone={CONTAINER[status].tone}>{t(CONTAINER[status].label)}</StateTag>
          <Secondary>
            <Since at={since} />
          </Secondary>
        </Flex>
      ),
    },
    {
      key: 'image',
      title: t('Image'),
      render: (_, { image, isOutdated }) => (
        <Flex vertical align="start" gap={2}>
          <span style={{ overflowWrap: 'anywhere' }}>{image}</span>
          {isOutdated && <StateTag tone="warning">{t('Not the image of the Supervisor')}</StateTag>}
        </Flex>
      ),
    },
    {
      key: 'limits',
      title: t('Limits'),
      width: 150,
      render: (_, { memory, cpus }) =>
        [memory && `${Math.round(memory / MB)} MB`, cpus && t('{{cpus}} CPU', { cpus })].filter(Boolean).join(' · ') ||
        '–',
    },
    {
      key: 'actions',
      fixed: 'right',
      width: 200,
      title: t('Actions'),
      render: (_, row) => <Actions container={row} act={act} showLog={showLog} />,
    },
  ];
}

function Actions({ container, act, showLog }: { container: ContainerRow; act: Act; showLog: (name: string) => void }) {
  const t = useT();
  const { environment, status } = container;
  const isOff = status === 'stopped' || status === 'died';
  const item = (action: ContainerAction) => ({
    key: action,
    label: t(ACTIONS[action]),
    danger: action === 'destroy',
    onClick: () => act(action, environment),
    'data-testid': `container-${action}-${environment}`,
  });
  const first = isOff ? 'start' : 'stop';
  return (
    <RowButtons>
      <RowButton
        onClick={() => act(first, environment)}
        data-testid={`container-${first}-${environment}`}
        aria-label={`${t(ACTIONS[first])} ${environment}`}
      >
        {t(ACTIONS[first])}
      </RowButton>
      <RowButton onClick={() => showLog(environment)} aria-label={`${t('Log')} ${environment}`}>
        {t('Log')}
      </RowButton>
      <RowMenu
        menu={() => ({ items: [...(isOff ? [] : [item('restart')]), item('upgrade'), item('destroy')] })}
        aria-label={t('More actions for {{app}}', { app: environment })}
        data-testid={`container-more-${environment}`}
      >
        <MoreOutlined />
      </RowMenu>
    </RowButtons>
  );
}

/** Why it ended, and what it wrote last. */
function End({ container: { cause, lastLines, restarts } }: { container: ContainerRow }) {
  const t = useT();
  return (
    <Flex vertical gap="small">
      <Typography.Text type="danger">
        {cause && messageText(t, cause)}{' '}
        {restarts > 0 && t('It was started again {{count}} times.', { count: restarts })}
      </Typography.Text>
      {lastLines.length > 0 && <Lines lines={lastLines} />}
    </Flex>
  );
}

function Log({ environment }: { environment: string }) {
  const api = useApi();
  const { data, error, refresh } = useRequest<string[], []>(() => api.containerLog(environment, LINES));
  if (error) return <Failure error={error as ApiError} retry={refresh} />;
  return data ? <Lines lines={data} /> : <Spin />;
}

const Lines = ({ lines }: { lines: string[] }) => (
  // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls has to be in reach of the keyboard
  <pre tabIndex={0} style={{ margin: 0, overflow: 'auto', fontSize: 12 }}>
    {lines.join('\n')}
  </pre>
);

/** Does something with a container, after a question where it needs one. */
function useContainerActions(refresh: () => unknown): Act {
  const { t, failure } = useHost();
  const confirm = useConfirm();
  const api = useApi();
  const run = async (action: ContainerAction, environment: string) => {
    const question = QUESTIONS[action];
    const agreed =
      !question ||
      (await confirm({
        title: t(question.title, { environment }),
        content: t(question.consequence),
        okText: t(ACTIONS[action]),
        danger: action === 'destroy',
      }));
    if (!agreed) return;
    try {
      await api.onContainer(action, environment);
    } catch (thrown) {
      failure(problemText(t, (thrown as ApiError).problems[0]));
    }
    void refresh();
  };
  return (action, environment) => void run(action, environment);
}
