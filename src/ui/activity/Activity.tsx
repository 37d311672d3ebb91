import { BellOutlined, DownloadOutlined, ReloadOutlined } from '@ant-design/icons';
import { Button, Card, Empty, Flex, Pagination, Skeleton, Spin, Tooltip } from 'antd';
import { useCallback, useMemo } from 'react';
import { useNavigate } from 'react-router-dom';
import type { EventRow } from '../../shared/event';
import { useApi } from '../common/api';
import { apiError, problemText } from '../common/errors';
import { MenuButton } from '../common/MenuButton';
import { Failure, Freshness } from '../common/Page';
import { PATHS } from '../common/paths';
import { keepPage, type Page } from '../common/refresher';
import { NOTIFICATIONS } from '../common/snippets';
import { useAddress } from '../common/useAddress';
import { useLive } from '../common/useLive';
import { useHost, useT } from '../host';
import { ActivityFilters } from './ActivityFilters';
import { EventList } from './EventList';
import { type ActivityQuery, addressOf, eventsFilter, isFiltered, PAGE_SIZES, queryOf } from './query';

/** In ms. A faster answer only changes the rows and shows no spinner. */
const SPIN_AFTER = 150;

/** Everything that happened, filtered by what is in the page's address. */
export function Activity({ appsPath }: { appsPath: string }) {
  const { t, maySee } = useHost();
  const navigate = useNavigate();
  const { query, ask } = useQuery();
  const { data, error, loading, refresh } = useEvents(query);
  if (!data) return <Card>{error ? <Failure error={error} retry={refresh} /> : <Skeleton active />}</Card>;
  return (
    <Card>
      <Flex vertical gap="middle">
        <Flex gap="small" wrap justify="space-between" align="start">
          <ActivityFilters query={query} ask={ask} rows={data.rows} />
          <Flex gap="small" wrap>
            <Tooltip title={t('Refresh')}>
              <Button icon={<ReloadOutlined />} onClick={refresh} aria-label={t('Refresh')} />
            </Tooltip>
            {maySee(NOTIFICATIONS) && (
              <Tooltip title={t('Notifications')}>
                <Button
                  icon={<BellOutlined />}
                  onClick={() => navigate(PATHS.notifications)}
                  aria-label={t('Notifications')}
                  data-testid="activity-notifications"
                />
              </Tooltip>
            )}
            <Export query={query} isEmpty={data.count === 0} />
          </Flex>
        </Flex>
        <Freshness error={error} />
        <Spin spinning={loading} delay={SPIN_AFTER}>
          {data.rows.length ? (
            <EventList rows={data.rows} appsPath={appsPath} namesApp />
          ) : (
            <Nothing isFiltered={isFiltered(query)} clear={() => ask(UNFILTERED)} />
          )}
        </Spin>
        <Pagination
          align="end"
          current={query.page}
          pageSize={query.pageSize}
          pageSizeOptions={PAGE_SIZES}
          total={data.count}
          showSizeChanger
          hideOnSinglePage={data.count <= PAGE_SIZES[0]}
          showTotal={(count) => t('{{count}} in total', { count })}
          onChange={(page, pageSize) => ask({ page: pageSize === query.pageSize ? page : 1, pageSize })}
        />
      </Flex>
    </Card>
  );
}

const UNFILTERED: Partial<ActivityQuery> = {
  app: undefined,
  environment: undefined,
  person: undefined,
  kind: undefined,
  last: undefined,
  from: undefined,
  to: undefined,
};

/** The question, in the address. A changed filter begins at the first page, and can be gone back from. */
function useQuery() {
  const { params, open } = useAddress();
  const query = useMemo(() => queryOf(params), [params]);
  const ask = useCallback(
    (change: Partial<ActivityQuery>) =>
      open((now) => new URLSearchParams(addressOf({ ...queryOf(now), page: 1, ...change }))),
    [open],
  );
  return { query, ask };
}

function useEvents(query: ActivityQuery) {
  const api = useApi();
  const { page, pageSize } = query;
  return useLive(
    async (previous: Page<EventRow> | undefined) =>
      keepPage(previous, await api.listEvents(eventsFilter(query, Date.now()), page, pageSize), ({ id }) => id),
    JSON.stringify(query),
  );
}

function Nothing({ isFiltered, clear }: { isFiltered: boolean; clear: () => void }) {
  const t = useT();
  return isFiltered ? (
    <Empty image={Empty.PRESENTED_IMAGE_SIMPLE} description={t('Nothing matches this filter')}>
      <Button onClick={clear}>{t('Show everything')}</Button>
    </Empty>
  ) : (
    <Empty image={Empty.PRESENTED_IMAGE_SIMPLE} description={t('Nothing has happened yet')} />
  );
}

/** What the filter finds, as a file. */
function Export({ query, isEmpty }: { query: ActivityQuery; isEmpty: boolean }) {
  const host = useHost();
  const { t } = host;
  const save = async (format: 'csv' | 'json') => {
    try {
      const filter = JSON.stringify(eventsFilter(query, Date.now()));
      await host.download('appEvents:export', { filter, format }, `activity.${format}`);
    } catch (thrown) {
      host.failure(problemText(t, apiError(thrown).problems[0]));
    }
  };
  return (
    <MenuButton
      icon={<DownloadOutlined />}
      disabled={isEmpty}
      data-testid="activity-export"
      menu={{
        items: [
          { key: 'csv', label: t('As CSV, for spreadsheets') },
          { key: 'json', label: t('As JSON') },
        ],
        onClick: ({ key }) => void save(key as 'csv' | 'json'),
      }}
    >
      {t('Export')}
    </MenuButton>
  );
}
