import { ArrowLeftOutlined } from '@ant-design/icons';
import { Button, Drawer, Empty, Flex, Skeleton } from 'antd';
import { useState } from 'react';
import type { BatchFailure, BatchRow } from '../../shared/batch';
import { Author, useNames } from '../common/Author';
import { useApi } from '../common/api';
import { useConfirm } from '../common/Confirm';
import { type ApiError, messageText, problemText } from '../common/errors';
import { Failure } from '../common/Page';
import { PATHS } from '../common/paths';
import { Secondary } from '../common/Secondary';
import { Since } from '../common/Since';
import { APPS, ENVIRONMENTS } from '../common/snippets';
import { StateIcon } from '../common/Tag';
import { TextLink } from '../common/TextLink';
import { useAddress } from '../common/useAddress';
import { useLive } from '../common/useLive';
import { useHost, useT } from '../host';
import { BatchBar, toneOf } from './Batches';
import { batchProgress, batchTitle } from './batch';

/** Stands in the address for the list of batches. */
export const ALL_BATCHES = 'all';
/** Most batches in the list of them. */
const LISTED = 30;

/** One batch, or the list of them, as the address says: `?batch=`. */
export function BatchDrawer({ onChange }: { onChange: () => void }) {
  const t = useT();
  const { params, open } = useAddress();
  const id = params.get('batch');
  const show = (next: string | null) =>
    open((now) => {
      const others = [...now].filter(([key]) => key !== 'batch');
      return new URLSearchParams(next === null ? others : [...others, ['batch', next]]);
    });
  return (
    <Drawer
      open={id !== null}
      title={t('Batches')}
      aria-label={t('Batches')}
      width={560}
      onClose={() => show(null)}
      destroyOnClose
    >
      {id === ALL_BATCHES ? (
        <List show={show} />
      ) : (
        id !== null && <Details key={id} id={id} onChange={onChange} back={() => show(ALL_BATCHES)} />
      )}
    </Drawer>
  );
}

function List({ show }: { show: (id: string) => void }) {
  const t = useT();
  const api = useApi();
  const { data, error, refresh } = useLive(() => api.listBatches(LISTED), 'batches', isAnyOpen);
  const names = useNames(data?.map(({ createdBy }) => createdBy) ?? []);
  if (!data) return error ? <Failure error={error} retry={refresh} /> : <Skeleton active />;
  if (!data.length)
    return (
      <Empty image={Empty.PRESENTED_IMAGE_SIMPLE} description={t('Nothing was done to several apps at once yet')} />
    );
  return (
    <Flex vertical gap="middle" role="list">
      {data.map((batch) => (
        <Flex key={batch.id} gap="small" align="baseline" role="listitem">
          <StateIcon tone={toneOf(batch)} />
          <div style={{ minWidth: 0 }}>
            <Button type="link" size="small" style={{ padding: 0 }} onClick={() => show(batch.id)}>
              {batchTitle(t, batch)}
            </Button>
            <div>
              {batchProgress(t, batch)}{' '}
              <Secondary>
                <Since at={batch.createdAt} /> <Author id={batch.createdBy} names={names} />
              </Secondary>
            </div>
          </div>
        </Flex>
      ))}
    </Flex>
  );
}

export const isAnyOpen = (batches: readonly BatchRow[]): boolean => batches.some(({ isOver }) => !isOver);

function Details({ id, onChange, back }: { id: string; onChange: () => void; back: () => void }) {
  const { t, failure, maySee } = useHost();
  const api = useApi();
  const confirm = useConfirm();
  const {
    data: batch,
    error,
    refresh,
  } = useLive(
    () => api.getBatch(id),
    id,
    ({ isOver }) => !isOver,
  );
  const names = useNames(batch ? [batch.createdBy] : []);
  const [busy, setBusy] = useState(false);
  const retry = async () => {
    if (batch?.action === 'destroy') {
      const title = t('Delete {{count}} apps?', { count: batch.failed });
      const content = t(
        'The deletions that have failed are requested again as before. An app that was restored since is left as it is.',
      );
      if (!(await confirm({ title, content, okText: t('Delete'), danger: true }))) return;
    }
    setBusy(true);
    try {
      await api.retryBatch(id);
    } catch (thrown) {
      failure(problemText(t, (thrown as ApiError).problems[0]));
    }
    setBusy(false);
    onChange();
    void refresh();
  };
  return (
    <Flex vertical gap="middle" align="start">
      <Button type="link" size="small" style={{ padding: 0 }} icon={<ArrowLeftOutlined />} onClick={back}>
        {t('All batches')}
      </Button>
      {!batch && (error ? <Failure error={error} retry={refresh} /> : <Skeleton active />)}
      {batch && (
        <Flex vertical gap="middle" style={{ width: '100%' }} data-testid={`batch-details-${id}`}>
          <Flex vertical gap={4}>
            <strong>{batchTitle(t, batch)}</strong>
            <span role="status">{batchProgress(t, batch)}</span>
            <BatchBar batch={batch} />
            <Secondary>
              <Since at={batch.createdAt} /> <Author id={batch.createdBy} names={names} />
            </Secondary>
          </Flex>
          {batch.failures.map((failed) => (
            <Cause key={JSON.stringify(failed.cause)} failure={failed} />
          ))}
          {batch.failed > 0 && maySee(APPS) && (batch.environment === null || maySee(ENVIRONMENTS)) && (
            <div>
              <Button type="primary" loading={busy} onClick={retry} data-testid="batch-retry">
                {t('Retry the failed ({{count}})', { count: batch.failed })}
              </Button>
            </div>
          )}
        </Flex>
      )}
    </Flex>
  );
}

/** What several apps have failed for, and which. */
function Cause({ failure: { cause, apps } }: { failure: BatchFailure }) {
  const t = useT();
  return (
    <Flex gap="small" align="baseline" data-testid={`batch-cause-${cause.code}`}>
      <StateIcon tone="bad" />
      <div style={{ minWidth: 0, overflowWrap: 'anywhere' }}>
        <div>{t('{{count}} × {{text}}', { count: apps.length, text: messageText(t, cause) })}</div>
        {apps.map(({ name, title }, index) => (
          <span key={name}>
            {index > 0 && t(', ')}
            <TextLink to={`${PATHS.apps}?${new URLSearchParams({ app: name })}`}>{title}</TextLink>
          </span>
        ))}
      </div>
    </Flex>
  );
}
