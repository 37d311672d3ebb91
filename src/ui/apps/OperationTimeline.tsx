import { Alert, Button, Empty, Flex, Spin, Timeline, Tooltip, Typography } from 'antd';
import type { ReactNode } from 'react';
import type { Message } from '../../shared/message';
import type { AppRow, OperationRow, Progress } from '../../shared/types';
import { Author, useNames } from '../common/Author';
import { type Api, useApi } from '../common/api';
import { EnvironmentLink } from '../common/EnvironmentLink';
import { type ApiError, messageText, problemText } from '../common/errors';
import { OPERATION_NAMES } from '../common/labels';
import { Failure, useIsLocal } from '../common/Page';
import { Secondary } from '../common/Secondary';
import { Since } from '../common/Since';
import { isUnderway, OPERATION_STATE } from '../common/status';
import { StateIcon, StateTag } from '../common/Tag';
import { duration } from '../common/time';
import { useLive } from '../common/useLive';
import { useHost, useT } from '../host';
import { isRetryable } from './actions';
import { RemedyButtons } from './RemedyButtons';
import { remediesOf } from './remedies';
import type { AppHandler } from './useAppDialogs';

/** An app's operations, newest first: who requested what, when, the duration, and how far it is in each environment. */
export function OperationTimeline({ app, handle }: { app: AppRow; handle: AppHandler }) {
  const appName = app.name;
  const host = useHost();
  const api = useApi();
  const isLocal = useIsLocal();
  const { data, error, refresh } = useLive(
    () => api.listOperations(appName),
    appName,
    (operations) => operations.some(isUnderway),
  );
  // The operation itself has the button that tries it again.
  const remediesFor = (error: Message, environment: string) => (
    <RemedyButtons
      app={app}
      environment={environment}
      remedies={remediesOf(error, app, isLocal).filter((remedy) => remedy !== 'retry')}
      handle={handle}
    />
  );
  const names = useNames((data ?? []).map(({ createdBy }) => createdBy));
  const act: Act = async (action, id) => {
    try {
      await api.onOperation(action, id);
    } catch (thrown) {
      host.failure(problemText(host.t, (thrown as ApiError).problems[0]));
    }
    void refresh();
  };
  if (!data) {
    return error ? <Failure error={error} retry={refresh} /> : <Spin />;
  }
  if (!data.length) {
    return <Empty image={Empty.PRESENTED_IMAGE_SIMPLE} description={host.t('This app has no operations yet')} />;
  }
  return (
    <Timeline
      style={{ paddingTop: 8 }}
      items={data.map((operation, index) => ({
        key: operation.id,
        dot: <StateIcon tone={OPERATION_STATE[operation.state].tone} />,
        children: (
          <Operation operation={operation} isNewest={index === 0} names={names} act={act} remediesFor={remediesFor} />
        ),
      }))}
    />
  );
}

type Act = (...args: Parameters<Api['onOperation']>) => void;

interface OperationProps {
  operation: OperationRow;
  /** Of its app. An older one cannot be tried again: it would undo what came after it. */
  isNewest: boolean;
  names: Record<string, string>;
  act: Act;
  /** Buttons for what can be done about an error. */
  remediesFor: (error: Message, environment: string) => ReactNode;
}

function Operation({ operation, isNewest, names, act, remediesFor }: OperationProps) {
  const t = useT();
  const { id, state, finishedAt, createdAt, waitingFor } = operation;
  return (
    <Flex vertical gap="small" data-testid={`operation-${id}`} data-state={state}>
      <Flex gap="small" align="center" wrap>
        <Typography.Text strong>{t(OPERATION_NAMES[operation.action])}</Typography.Text>
        <StateTag tone={OPERATION_STATE[state].tone}>{t(OPERATION_STATE[state].label)}</StateTag>
        <Secondary>
          <Since at={createdAt} /> · <Author id={operation.createdBy} names={names} />
          {finishedAt !== null && ` · ${duration(finishedAt - createdAt)}`}
        </Secondary>
        {isNewest && isRetryable(operation) && (
          <Tooltip title={t('Asks for the same again, in the environments that the app still has.')}>
            <Button size="small" onClick={() => act('retry', id)}>
              {t('Retry')}
            </Button>
          </Tooltip>
        )}
        {isUnderway(operation) && (
          <Tooltip title={t('What has begun stays, and nothing else is begun.')}>
            <Button size="small" onClick={() => act('cancel', id)}>
              {t('Cancel')}
            </Button>
          </Tooltip>
        )}
      </Flex>
      {waitingFor && <Secondary>{t('Waiting for {{what}}', { what: messageText(t, waitingFor) })}</Secondary>}
      {operation.progress.map((item) => (
        // An environment may have several; the order stays.
        <Item key={operation.progress.indexOf(item)} item={item} remediesFor={isNewest ? remediesFor : () => null} />
      ))}
    </Flex>
  );
}

function Item({ item, remediesFor }: { item: Progress; remediesFor: OperationProps['remediesFor'] }) {
  const t = useT();
  const isLocal = useIsLocal();
  const { label, tone: look } = OPERATION_STATE[item.state];
  const took = item.startedAt && item.finishedAt ? duration(item.finishedAt - item.startedAt) : null;
  return (
    <div>
      <Flex gap="0 8px" align="center" wrap>
        <StateIcon tone={look} />
        {!isLocal && <EnvironmentLink name={item.environment} />}
        <Secondary>
          {[item.of === 'data' && t('Data of the app'), t(label), took, item.message && messageText(t, item.message)]
            .filter(Boolean)
            .join(' · ')}
        </Secondary>
      </Flex>
      {item.error && (
        <Flex vertical gap="small" style={{ marginTop: 4 }}>
          <Alert type="error" showIcon message={messageText(t, item.error)} />
          {remediesFor(item.error, item.environment)}
        </Flex>
      )}
    </div>
  );
}
