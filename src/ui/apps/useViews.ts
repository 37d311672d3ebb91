import { useRequest } from 'ahooks';
import { useEffect } from 'react';
import type { ViewRow } from '../../shared/view';
import { useApi } from '../common/api';
import { useAddress } from '../common/useAddress';
import { isExpanded, viewAddress, withView } from './view-address';

/**
 * The saved views of the user, and the one that the address names with `view`. An address that has nothing but its id
 * gets what it shows.
 * @param columns the optional ones that are shown
 */
export function useViews(columns: readonly string[]) {
  const api = useApi();
  const { params, replace, open } = useAddress();
  const { data: views, refreshAsync: refresh } = useRequest(() => api.listViews().catch(() => null));
  const id = params.get('view');
  const chosen = views?.find((view) => view.id === id);
  const isLeft = views && id !== null && (!chosen || !isExpanded(params));
  useEffect(() => {
    if (!isLeft) return;
    replace((now) => {
      if (chosen) return withView(now, chosen);
      // Somebody else's, or deleted.
      now.delete('view');
      return now;
    });
  }, [isLeft, chosen, replace]);
  const address = viewAddress(params, columns);
  const show = (view: ViewRow | null) => open((now) => withView(now, view));
  return {
    views,
    chosen,
    /** What the list shows, as a view keeps it. */
    address,
    isChanged: chosen !== undefined && address !== chosen.address,
    isAll: id === null && !isExpanded(params),
    show,
    refresh,
  };
}
