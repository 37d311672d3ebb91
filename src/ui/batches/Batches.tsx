import { CloseOutlined } from '@ant-design/icons';
import { css } from '@emotion/css';
import { useLocalStorageState } from 'ahooks';
import { Button, Flex, type GlobalToken, Progress, theme } from 'antd';
import type { BatchRow } from '../../shared/batch';
import { StateIcon } from '../common/Tag';
import { adding, useAddress } from '../common/useAddress';
import { useHost } from '../host';
import { batchProgress, batchTitle, shownBatches } from './batch';

/** How many batches that were dismissed are remembered. */
const REMEMBERED = 50;

interface Props {
  batches: readonly BatchRow[];
  dismiss: (id: string) => void;
}

/** What is being done to several apps, and what came of it, as far as it is shown here, and not dismissed. */
export function useShownBatches(batches: readonly BatchRow[]): Props {
  const { userId } = useHost();
  const [dismissed = [], setDismissed] = useLocalStorageState<string[]>('app-supervisor.batches-dismissed');
  return {
    batches: shownBatches(batches, userId, dismissed, Date.now()),
    dismiss: (id) => setDismissed([id, ...dismissed].slice(0, REMEMBERED)),
  };
}

/** These, each in a row. */
export function Batches({ batches, dismiss }: Props) {
  const { open } = useAddress();
  if (!batches.length) return null;
  return (
    <Flex vertical gap="small" role="status" data-testid="batches" style={{ maxHeight: '40vh', overflowY: 'auto' }}>
      {batches.map((batch) => (
        <OneBatch
          key={batch.id}
          batch={batch}
          show={() => open(adding({ batch: batch.id }))}
          dismiss={() => dismiss(batch.id)}
        />
      ))}
    </Flex>
  );
}

function OneBatch({ batch, show, dismiss }: { batch: BatchRow; show: () => void; dismiss: () => void }) {
  const { t } = useHost();
  const { token } = theme.useToken();
  const title = batchTitle(t, batch);
  return (
    <div className={rowOf(token)} data-testid={`batch-${batch.id}`} data-over={batch.isOver}>
      <StateIcon tone={toneOf(batch)} />
      <span style={{ flex: '1 1 160px', minWidth: 0 }}>
        <strong>{title}</strong> {batchProgress(t, batch)}
      </span>
      {!batch.isOver && (
        <div style={{ flex: '0 1 160px' }}>
          <BatchBar batch={batch} />
        </div>
      )}
      <Flex gap="small">
        <Button
          size="small"
          type="link"
          onClick={show}
          data-testid={`batch-open-${batch.id}`}
          aria-label={`${t('Details')}: ${title}`}
        >
          {t('Details')}
        </Button>
        {batch.isOver && (
          <Button
            size="small"
            type="text"
            icon={<CloseOutlined />}
            onClick={dismiss}
            aria-label={`${t('Dismiss')}: ${title}`}
            data-testid={`batch-dismiss-${batch.id}`}
          />
        )}
      </Flex>
    </div>
  );
}

export const toneOf = ({ isOver, failed, cancelled }: BatchRow) =>
  !isOver ? 'busy' : failed ? 'bad' : cancelled ? 'off' : 'good';

/** What is over of it. */
export function BatchBar({ batch }: { batch: BatchRow }) {
  const { t } = useHost();
  const { done, failed, cancelled, total } = batch;
  return (
    <Progress
      percent={Math.round(((done + failed + cancelled) / Math.max(total, 1)) * 100)}
      success={{ percent: Math.round((done / Math.max(total, 1)) * 100) }}
      status={failed ? 'exception' : batch.isOver ? 'success' : 'active'}
      showInfo={false}
      size="small"
      style={{ margin: 0 }}
      aria-label={batchProgress(t, batch)}
    />
  );
}

const rowOf = (token: GlobalToken) =>
  css({
    display: 'flex',
    flexWrap: 'wrap',
    alignItems: 'center',
    gap: 8,
    padding: '4px 12px',
    border: `1px solid ${token.colorBorderSecondary}`,
    borderRadius: token.borderRadius,
    background: token.colorFillQuaternary,
  });
