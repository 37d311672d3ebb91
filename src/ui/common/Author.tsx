import { useRequest } from 'ahooks';
import { useHost } from '../host';
import { useApi } from './api';

/** Names of the users with these ids. A role without permission to see users gets their ids. */
export function useNames(createdBy: (string | null)[]): Record<string, string> {
  const api = useApi();
  const { userId } = useHost();
  const ids = [...new Set(createdBy)].filter((id) => id !== null && String(id) !== String(userId));
  const { data } = useRequest(() => api.userNames(ids.map(String)), {
    ready: ids.length > 0,
    refreshDeps: [ids.join()],
    onError: () => {},
  });
  return data ?? {};
}

/** Who requested something. @param id null if nobody did */
export function Author({ id, names }: { id: string | null; names: Record<string, string> }) {
  const { t, userId } = useHost();
  if (id === null) return <>{t('by the system')}</>;
  if (String(id) === String(userId)) return <>{t('by you')}</>;
  return <>{names[id] ? t('by {{name}}', { name: names[id] }) : t('by user {{id}}', { id })}</>;
}
