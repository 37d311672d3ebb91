import { useState } from 'react';
import { useHost } from '../host';
import type { BulkAnswer } from './api';
import { type ApiError, messageText } from './errors';
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
  const run = async <T extends Pick<BulkAnswer, 'refused' | 'batch'>>(
    work: () => Promise<T>,
    done: (answer: T) => string | null,
  ) => {
    setBusy(true);
    try {
      const answer = await work();
      const title = done(answer);
      // A batch says itself what was refused.
      const told = answer.batch ? [] : answer.refused;
      const refused = told.map((each) => ({ name: each.app, reason: messageText(t, each) }));
      if (title || refused.length) report({ title: title ?? t('Nothing was done'), refused });
      onDone();
    } catch (thrown) {
      setError(thrown as ApiError);
      setBusy(false);
    }
  };
  return { busy, error, run };
}
