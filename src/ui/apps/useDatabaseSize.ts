import { useRequest } from 'ahooks';
import type { AppRow } from '../../shared/types';
import { useApi } from '../common/api';

/** Bytes that the app's database takes; null if nobody says so: a Worker that is down, or of an older release. */
export function useDatabaseSize({ name, environments, statuses }: AppRow): number | null {
  const api = useApi();
  const answers = (environment: string) => !['unknown', 'waiting'].includes(statuses[environment]?.status);
  const environment = environments.find(answers);
  const { data } = useRequest(() => api.databaseSize(name, environment as string), {
    ready: environment !== undefined,
    refreshDeps: [name, environment],
    // It is left out then.
    onError: () => {},
  });
  return data?.bytes ?? null;
}
