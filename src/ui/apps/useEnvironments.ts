import type { EnvironmentRow } from '../../shared/types';
import { useApi } from '../common/api';
import { keepRows } from '../common/refresher';
import { useLive } from '../common/useLive';

/** The environments that can host apps; null while unknown, and for users without permission to see them. */
export function useEnvironments(): EnvironmentRow[] | null {
  const api = useApi();
  const { data } = useLive(
    async (previous: EnvironmentRow[] | undefined) =>
      keepRows(previous, await api.listEnvironments(), ({ name }) => name),
    'environments',
  );
  return data ?? null;
}
