import { Card, Skeleton } from 'antd';
import type { EventRow } from '../../shared/types';
import { EventList } from '../activity/EventList';
import { useApi } from '../common/api';
import { PATHS } from '../common/paths';
import type { Page } from '../common/refresher';
import { keepPage } from '../common/refresher';
import { TextLink } from '../common/TextLink';
import { useLive } from '../common/useLive';
import { useT } from '../host';

const SHOWN = 6;

/** What happened last. */
export function Recent() {
  const t = useT();
  const api = useApi();
  const { data } = useLive(
    async (previous: Page<EventRow> | undefined) =>
      keepPage(previous, await api.listEvents({}, 1, SHOWN), ({ id }) => id),
    'recent',
  );
  return (
    <Card size="small" title={t('What happened last')} extra={<TextLink to={PATHS.activity}>{t('Activity')}</TextLink>}>
      {data ? (
        data.rows.length ? (
          <EventList rows={data.rows} appsPath={PATHS.apps} namesApp />
        ) : (
          t('Nothing yet')
        )
      ) : (
        <Skeleton active />
      )}
    </Card>
  );
}
