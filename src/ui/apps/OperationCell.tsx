import { Flex } from 'antd';
import type { OperationRow } from '../../shared/types';
import { messageText } from '../common/errors';
import { Secondary } from '../common/Secondary';
import { OPERATION_STATE } from '../common/status';
import { StateTag } from '../common/Tag';
import { useT } from '../host';
import { progressOf } from './actions';
import { OPERATION_LABELS } from './labels';

/** The operation in progress, its progress, and what it waits for. */
export function OperationCell({ operation }: { operation: OperationRow | null }) {
  const t = useT();
  if (!operation) {
    return null;
  }
  const { done, total } = progressOf(operation);
  return (
    <Flex vertical gap={2} align="start" style={{ maxWidth: 200 }}>
      <StateTag tone={OPERATION_STATE[operation.state].tone}>
        {t(OPERATION_LABELS[operation.action])}
        {total > 1 && (
          <span title={t('{{done}} of {{total}} environments', { done, total })}>
            {done}/{total}
          </span>
        )}
      </StateTag>
      {operation.waitingFor && (
        <Secondary>{t('Waiting for {{what}}', { what: messageText(t, operation.waitingFor) })}</Secondary>
      )}
    </Flex>
  );
}
