import { useState } from 'react';
import type { MovePreview } from '../../shared/move';
import { useHost } from '../host';
import type { BulkAnswer } from './api';
import { type ApiError, messageText } from './errors';
import { unforeseen } from './move-groups';
import { useReport } from './Report';

/**
 * Runs an action for several apps, and says what was done and what was refused.
 * @param onDone called once it is accepted
 */
export function useBulk(onDone: () => void) {
  const { t } = useHost();
  const report = useReport();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError>();
  /** @param previews what was shown of the apps before: what it refused was agreed to, and is not told again */
  const run = async <T extends Pick<BulkAnswer, 'refused' | 'batch'>>(
    work: () => Promise<T>,
    done: (answer: T) => string | null,
    previews: readonly MovePreview[] = [],
  ) => {
    setBusy(true);
    try {
      const answer = await work();
      const title = done(answer);
      // A batch says itself what was refused.
      const told = answer.batch ? [] : unforeseen(answer.refused, previews);
      const refused = told.map(({ title, ...each }) => ({ name: each.app, title, reason: messageText(t, each) }));
      if (title || refused.length) report({ title: title ?? t('Nothing was done'), refused });
      onDone();
    } catch (thrown) {
      setError(thrown as ApiError);
      setBusy(false);
    }
  };
  return { busy, error, run };
}
