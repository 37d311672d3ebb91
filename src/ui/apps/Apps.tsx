import { useLocalStorageState, useMemoizedFn } from 'ahooks';
import { Button, Card, Empty, Flex, Pagination, Spin } from 'antd';
import { useCallback, useEffect, useMemo, useState } from 'react';
import { useSearchParams } from 'react-router-dom';
import type { AppRow, CreatedApp } from '../../shared/types';
import { useApi } from '../common/api';
import { Failure, Freshness } from '../common/Page';
import type { AppsQuery } from '../common/query';
import { keepPage, type Page } from '../common/refresher';
import { useLive } from '../common/useLive';
import { useT } from '../host';
import { AppDrawer, isAppBusy } from './AppDrawer';
import { AppForm } from './AppForm';
import { AppsTable } from './AppsTable';
import { AppsToolbar, BulkActions } from './AppsToolbar';
import { columnsOf, OPTIONAL_COLUMNS } from './columns';
import { DeleteDialog } from './DeleteDialog';
import type { RowHandler } from './RowActions';
import { SignInDialog } from './SignInDialog';
import { useAppActions } from './useAppActions';
import { useEnvironments } from './useEnvironments';

const DEFAULT_COLUMNS = Object.keys(OPTIONAL_COLUMNS).filter((name) => OPTIONAL_COLUMNS[name].isShown);
/** In ms: an answer that comes at once changes the rows, and nothing else. */
const SPIN_AFTER = 150;
const FIRST_QUERY: AppsQuery = { text: '', page: 1, pageSize: 20 };

export function Apps() {
  const t = useT();
  const api = useApi();
  const environments = useEnvironments();
  const [query, setQuery] = useState(FIRST_QUERY);
  const [shown = DEFAULT_COLUMNS, setShown] = useLocalStorageState<string[]>('app-supervisor.columns');
  const [chosen, setChosen] = useState<AppRow[]>([]);
  const [editing, setEditing] = useState<AppRow | 'new'>();
  const [created, setCreated] = useState<CreatedApp>();
  const [deleting, setDeleting] = useState<AppRow[]>();
  const [params, setParams] = useSearchParams();
  const opened = params.get('app');

  const { data, error, loading, refresh } = useLive(
    async (previous: Page<AppRow> | undefined) => keepPage(previous, await api.listApps(query), ({ name }) => name),
    JSON.stringify(query),
    ({ rows }) => rows.some(isAppBusy),
  );
  const operate = useAppActions(environments, refresh);
  const ask = (change: Partial<AppsQuery>) => setQuery((before) => ({ ...before, page: 1, ...change }));

  const handle = useMemoizedFn<RowHandler>((action, app) => {
    if (action === 'open') setParams({ app: app.name });
    else if (action === 'edit') setEditing(app);
    else if (action === 'destroy') setDeleting([app]);
    else void operate(action, [app]);
  });
  const columns = useMemo(() => columnsOf(t, environments, shown, handle), [t, environments, shown, handle]);
  const sort = useCallback((order?: string) => setQuery((before) => ({ ...before, page: 1, sort: order })), []);
  const lastPage = Math.ceil((data?.count ?? 0) / query.pageSize);
  useEffect(() => {
    // The last ones of the last page were deleted.
    if (!loading && lastPage && query.page > lastPage) setQuery({ ...query, page: lastPage });
  }, [loading, lastPage, query]);
  const chosenNow = chosen.map((app) => data?.rows.find(({ name }) => name === app.name) ?? app);

  if (!data && error) {
    return (
      <Card>
        <Failure error={error} retry={refresh} />
      </Card>
    );
  }
  return (
    <Card>
      <Flex vertical gap="middle">
        <AppsToolbar
          query={query}
          ask={ask}
          environments={environments}
          shown={shown}
          show={setShown}
          refresh={refresh}
          add={() => setEditing('new')}
        />
        <Freshness error={error} />
        {chosen.length > 0 && (
          <BulkActions
            chosen={chosenNow}
            environments={environments}
            operate={async (action, apps) => {
              if (await operate(action, apps)) setChosen([]);
            }}
            destroy={setDeleting}
            clear={() => setChosen([])}
          />
        )}
        <Spin spinning={loading} delay={SPIN_AFTER}>
          <AppsTable
            rows={data?.rows}
            columns={columns}
            width={720 + 120 * shown.length}
            chosen={chosen}
            choose={setChosen}
            sort={sort}
            empty={data?.rows.length === 0 && <NoApps isFiltered={isFiltered(query)} add={() => setEditing('new')} />}
          />
        </Spin>
        <Pagination
          align="end"
          current={query.page}
          pageSize={query.pageSize}
          total={data?.count}
          showSizeChanger
          showTotal={(count) => t('{{count}} in total', { count })}
          onChange={(page, pageSize) => setQuery({ ...query, page: pageSize === query.pageSize ? page : 1, pageSize })}
        />
      </Flex>
      {opened && (
        <AppDrawer
          name={opened}
          onClose={() => setParams({})}
          onEdit={setEditing}
          onRestart={(app) => void operate('restart', [app])}
        />
      )}
      {editing && (
        <AppForm
          app={editing === 'new' ? undefined : editing}
          environments={environments}
          onClose={() => setEditing(undefined)}
          onSaved={(app) => {
            setEditing(undefined);
            setCreated(app);
            void refresh();
          }}
        />
      )}
      {created?.initialAdmin && <SignInDialog app={created} onClose={() => setCreated(undefined)} />}
      {deleting && (
        <DeleteDialog
          apps={deleting}
          onClose={() => setDeleting(undefined)}
          onDone={() => {
            setDeleting(undefined);
            setChosen([]);
            void refresh();
          }}
        />
      )}
    </Card>
  );
}

const isFiltered = ({ text, environment, status }: AppsQuery) => Boolean(text.trim() || environment || status);

function NoApps({ isFiltered, add }: { isFiltered: boolean; add: () => void }) {
  const t = useT();
  return isFiltered ? (
    <Empty image={Empty.PRESENTED_IMAGE_SIMPLE} description={t('No app matches this filter')} />
  ) : (
    <Empty image={Empty.PRESENTED_IMAGE_SIMPLE} description={t('No apps yet')}>
      <Button onClick={add}>{t('Add the first app')}</Button>
    </Empty>
  );
}
