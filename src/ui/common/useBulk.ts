import { useState } from 'react';
import { useHost } from '../host';
import type { BulkAnswer } from './api';
import { type ApiError, refusedText } from './errors';

/**
 * Runs an action for several apps, and says what it refuses.
 * @param onDone called once it is accepted
 */
export function useBulk(onDone: () => void) {
  const { t, success, failure } = useHost();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError>();
  const run = async (work: () => Promise<BulkAnswer>, done: (answer: BulkAnswer) => string | null) => {
    setBusy(true);
    try {
      const answer = await work();
      const text = done(answer);
      if (text) success(text);
      if (answer.refused.length) failure(refusedText(t, answer.refused));
      onDone();
    } catch (thrown) {
      setError(thrown as ApiError);
      setBusy(false);
    }
  };
  return { busy, error, run };
}
