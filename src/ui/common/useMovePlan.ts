import { useRequest } from 'ahooks';
import { useState } from 'react';
import { type MoveSubject, useApi } from './api';
import type { ApiError } from './errors';

/** What a move would do, to an environment that may be chosen. @param first chosen in the beginning */
export function useMovePlan(subject: MoveSubject, first?: string) {
  const api = useApi();
  const [to, setTo] = useState(first);
  const { data, error, loading } = useRequest(() => api.previewMove(subject, to), { refreshDeps: [to] });
  return { plan: data, error: error as ApiError | undefined, loading, to, setTo };
}
export type MoveChoice = ReturnType<typeof useMovePlan>;
