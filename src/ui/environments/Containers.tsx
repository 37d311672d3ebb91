import { MoreOutlined } from '@ant-design/icons';
import { useRequest } from 'ahooks';
import { Drawer, Flex, Skeleton, Spin, Typography } from 'antd';
import { useState } from 'react';
import type { ContainerAction, ContainerRow } from '../../shared/container';
import { useApi } from '../common/api';
import { useConfirm } from '../common/Confirm';
import { type ApiError, messageText, problemText } from '../common/errors';
import { Failure, Freshness } from '../common/Page';
import { RowButton, RowButtons } from '../common/RowButton';
import { RowMenu } from '../common/RowMenu';
import { Secondary } from '../common/Secondary';
import { Since } from '../common/Since';
import { CONTAINER } from '../common/status';
import { StateTag } from '../common/Tag';
import { key } from '../common/text';
import { useLive } from '../common/useLive';
import { useHost, useT } from '../host';

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

/**
 * The containers that this Supervisor has made in its engine, what can be done with them, and the drawer of a log.
 * @param isAsked false: there are none
 */
export function useContainers(isAsked: boolean) {
  const t = useT();
  const api = useApi();
  const { data, error, refresh } = useLive(
    async () => (isAsked ? api.listContainers() : []),
    `containers ${isAsked}`,
    (rows) => rows.some(({ status }) => status !== 'running' && status !== 'stopped'),
  );
  const [logOf, setLogOf] = useState<string>();
  const act = useContainerActions(refresh);
  const title = t('Log of the container of "{{environment}}"', { environment: logOf });
  const drawer = (
    <Drawer
      title={title}
      aria-label={title}
      open={logOf !== undefined}
      onClose={() => setLogOf(undefined)}
      width="min(960px, 100vw)"
      destroyOnClose
    >
      {logOf !== undefined && <Log environment={logOf} />}
    </Drawer>
  );
  // Without the permission there is nothing to see, which is no failure.
  const failure = error?.status === 403 ? undefined : error;
  return { data, error, failure, refresh, act, showLog: setLogOf, drawer };
}

/** The container of an environment, on its page. */
export function EnvironmentContainer({ environment }: { environment: string }) {
  const t = useT();
  const { data, error, failure, refresh, act, showLog, drawer } = useContainers(true);
  const container = data?.find((row) => row.environment === environment);
  if (error && !data) return <Failure error={error} retry={refresh} />;
  if (!data) return <Skeleton active />;
  if (!container) return <>{t('It has no container of this Supervisor.')}</>;
  const { status, since, image, isOutdated, memory, cpus } = container;
  const limits = [memory && `${Math.round(memory / MB)} MB`, cpus && t('{{cpus}} CPU', { cpus })].filter(Boolean);
  return (
    <Flex vertical gap="middle" align="start" data-testid={`container-row-${environment}`} data-status={status}>
      {failure && <Freshness error={failure} />}
      <Flex gap="8px 32px" wrap align="start">
        <Flex vertical>
          <Secondary>{t('Status')}</Secondary>
          <Flex gap="small" align="center">
            <ContainerTag container={container} />
            <Secondary>
              <Since at={since} />
            </Secondary>
          </Flex>
        </Flex>
        <Flex vertical>
          <Secondary>{t('Image')}</Secondary>
          <span style={{ overflowWrap: 'anywhere' }}>{image}</span>
          {isOutdated && <StateTag tone="warning">{t('Not the image of the Supervisor')}</StateTag>}
        </Flex>
        <Flex vertical>
          <Secondary>{t('Limits')}</Secondary>
          {limits.join(' · ') || '–'}
        </Flex>
        <ContainerActions container={container} act={act} showLog={showLog} />
      </Flex>
      <ContainerEnd container={container} />
      {drawer}
    </Flex>
  );
}

export function ContainerTag({ container: { status } }: { container: ContainerRow }) {
  const t = useT();
  return <StateTag tone={CONTAINER[status].tone}>{t(CONTAINER[status].label)}</StateTag>;
}

type ContainerAct = (action: ContainerAction, environment: string) => void;

interface ActionsProps {
  container: ContainerRow;
  act: ContainerAct;
  showLog: (environment: string) => void;
}

export function ContainerActions({ container, act, showLog }: ActionsProps) {
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
export function ContainerEnd({ container: { cause, lastLines, restarts } }: { container: ContainerRow }) {
  const t = useT();
  if (!cause) return null;
  return (
    <Flex vertical gap="small">
      <Typography.Text type="danger">
        {messageText(t, cause)} {restarts > 0 && t('It was started again {{count}} times.', { count: restarts })}
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
function useContainerActions(refresh: () => unknown): ContainerAct {
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
