import type { BatchAction, BatchRow } from '../../shared/batch';
import { OPERATION_NAMES } from '../common/labels';
import { key } from '../common/text';
import type { Translate } from '../host';

const LABELS: Record<BatchAction, string> = {
  ...OPERATION_NAMES,
  label: key('Label'),
  configure: key('Settings'),
  drain: key('Drain'),
};

type Named = Pick<BatchRow, 'action' | 'total' | 'environment'>;

/** What is done to how many apps: `Restart: 32 apps`; `Drain env_a: 32 apps`. */
export function batchTitle(t: Translate, { action, total, environment }: Named): string {
  const what = t(LABELS[action]);
  return t('{{what}}: {{text}}', {
    what: environment === null ? what : t('{{action}} {{environment}}', { action: what, environment }),
    text: t('{{count}} apps', { count: total }),
  });
}

/** How far it is: `12 of 32 done, 1 failed`. */
export function batchProgress(t: Translate, { done, total, failed, cancelled }: BatchRow): string {
  const parts = [
    t('{{done}} of {{total}} done', { done, total }),
    failed > 0 && t('{{count}} failed', { count: failed }),
    cancelled > 0 && t('{{count}} cancelled', { count: cancelled }),
  ];
  return parts.filter(Boolean).join(t(', '));
}

/** In ms: how long what has ended is shown above the list. */
const DONE_SHOWN = 3_600_000;
const FAILED_SHOWN = 24 * 3_600_000;

/**
 * The batches that are shown above the list: those that go on, and of the user's own that have ended lately and were not dismissed
 * those with failures and the newest without. The others are in the list of all batches.
 * @param batches newest first
 * @param now in ms since 1970
 */
export const shownBatches = (
  batches: readonly BatchRow[],
  userId: string | number | null,
  dismissed: readonly string[],
  now: number,
): BatchRow[] => {
  const recent = batches.filter(({ isOver, failed, createdBy, createdAt }) => {
    if (!isOver) return true;
    const isOwn = createdBy === (userId === null ? null : String(userId));
    return isOwn && now - createdAt < (failed ? FAILED_SHOWN : DONE_SHOWN);
  });
  const newest = recent.find(({ isOver, failed }) => isOver && !failed);
  return recent.filter(
    (batch) => !batch.isOver || (!dismissed.includes(batch.id) && (batch.failed > 0 || batch === newest)),
  );
};
