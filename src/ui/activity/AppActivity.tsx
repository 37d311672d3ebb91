import { Empty, Flex, Skeleton } from 'antd';
import type { EventRow } from '../../shared/event';
import { useApi } from '../common/api';
import { Failure } from '../common/Page';
import { keepPage, type Page } from '../common/refresher';
import { Secondary } from '../common/Secondary';
import { useLive } from '../common/useLive';
import { useT } from '../host';
import { EventList } from './EventList';

/** How many of one app are shown; the page "Activity" has all. */
const MOST = 50;

/** What happened to one app: the list of the page "Activity", filtered. */
export function AppActivity({ name }: { name: string }) {
  const t = useT();
  const api = useApi();
  const { data, error, refresh } = useLive(
    async (previous: Page<EventRow> | undefined) =>
      keepPage(previous, await api.listEvents({ appName: name }, 1, MOST), ({ id }) => id),
    name,
  );
  if (!data) return error ? <Failure error={error} retry={refresh} /> : <Skeleton active />;
  if (!data.rows.length)
    return <Empty image={Empty.PRESENTED_IMAGE_SIMPLE} description={t('Nothing has happened yet')} />;
  return (
    <Flex vertical gap="small">
      <EventList rows={data.rows} namesApp={false} />
      {data.count > data.rows.length && (
        <Secondary>{t('The newest {{shown}} of {{count}}', { shown: data.rows.length, count: data.count })}</Secondary>
      )}
    </Flex>
  );
}
