import { Alert, Button, Empty, Flex, Spin, Timeline, Typography } from 'antd';
import type { OperationRow, OperationStep } from '../../shared/types';
import { Author, useNames } from '../common/Author';
import { type Api, useApi } from '../common/api';
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

/** An app's operations, newest first: who requested what, when, the duration, and each step. */
export function OperationTimeline({ appName }: { appName: string }) {
  const host = useHost();
  const api = useApi();
  const { data, error, refresh } = useLive(
    () => api.listOperations(appName),
    appName,
    (operations) => operations.some(isUnderway),
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
        children: <Operation operation={operation} isNewest={index === 0} names={names} act={act} />,
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
}

function Operation({ operation, isNewest, names, act }: OperationProps) {
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
        {isNewest && (state === 'failed' || state === 'cancelled') && (
          <Button size="small" onClick={() => act('retry', id)}>
            {t('Retry')}
          </Button>
        )}
        {isUnderway(operation) && (
          <Button size="small" onClick={() => act('cancel', id)}>
            {t('Cancel')}
          </Button>
        )}
      </Flex>
      {waitingFor && <Secondary>{t('Waiting for {{what}}', { what: messageText(t, waitingFor) })}</Secondary>}
      {operation.steps.map((step) => (
        <Step key={step.environment} step={step} />
      ))}
    </Flex>
  );
}

function Step({ step }: { step: OperationStep }) {
  const t = useT();
  const isLocal = useIsLocal();
  const { label, tone: look } = OPERATION_STATE[step.state];
  const took = step.startedAt && step.finishedAt ? duration(step.finishedAt - step.startedAt) : null;
  return (
    <div>
      <Flex gap="small" align="center">
        <StateIcon tone={look} />
        {!isLocal && <span>{step.environment}</span>}
        <Secondary>
          {[t(label), took, step.message && messageText(t, step.message)].filter(Boolean).join(' · ')}
        </Secondary>
      </Flex>
      {step.error && <Alert type="error" showIcon message={messageText(t, step.error)} style={{ marginTop: 4 }} />}
    </div>
  );
}
