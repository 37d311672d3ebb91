import { useLocalStorageState, useMemoizedFn } from 'ahooks';
import { Button, Card, Empty, Flex, Table } from 'antd';
import { useMemo, useState } from 'react';
import { useSearchParams } from 'react-router-dom';
import type { AppRow } from '../../shared/types';
import { useApi } from '../common/api';
import { Failure, Freshness } from '../common/Page';
import { keepPage, type Page } from '../common/refresher';
import { useLive } from '../common/useLive';
import { useT } from '../host';
import { AppDrawer, isAppBusy } from './AppDrawer';
import { AppForm } from './AppForm';
import { AppsToolbar, BulkActions } from './AppsToolbar';
import { columnsOf, OPTIONAL_COLUMNS } from './columns';
import { DeleteDialog } from './DeleteDialog';
import type { AppsQuery } from './query';
import type { RowHandler } from './RowActions';
import { useAppActions } from './useAppActions';
import { useEnvironments } from './useEnvironments';

const DEFAULT_COLUMNS = Object.keys(OPTIONAL_COLUMNS).filter((name) => OPTIONAL_COLUMNS[name].isShown);
const FIRST_QUERY: AppsQuery = { text: '', page: 1, pageSize: 20 };

export function Apps() {
  const t = useT();
  const api = useApi();
  const environments = useEnvironments();
  const [query, setQuery] = useState(FIRST_QUERY);
  const [shown = DEFAULT_COLUMNS, setShown] = useLocalStorageState<string[]>('app-supervisor.columns');
  const [chosen, setChosen] = useState<AppRow[]>([]);
  const [editing, setEditing] = useState<AppRow | 'new'>();
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
              await operate(action, apps);
              setChosen([]);
            }}
            destroy={setDeleting}
            clear={() => setChosen([])}
          />
        )}
        <Table<AppRow>
          rowKey="name"
          size="middle"
          columns={columns}
          dataSource={data?.rows}
          loading={loading}
          scroll={{ x: 740 + 130 * shown.length }}
          onRow={(app) => ({ 'data-testid': `app-row-${app.name}` }) as object}
          rowSelection={{
            selectedRowKeys: chosen.map(({ name }) => name),
            preserveSelectedRowKeys: true,
            onChange: (_, apps) => setChosen(apps),
            getCheckboxProps: (app) => ({ 'aria-label': t('Choose {{app}}', { app: app.title }) }) as object,
          }}
          pagination={{
            current: query.page,
            pageSize: query.pageSize,
            total: data?.count,
            showSizeChanger: true,
            showTotal: (count) => t('{{count}} in all', { count }),
          }}
          onChange={({ current = 1, pageSize = query.pageSize }, _, sorter) => {
            const { order, columnKey } = [sorter].flat()[0];
            const sort = order ? `${order === 'descend' ? '-' : ''}${columnKey}` : undefined;
            setQuery({ ...query, page: current, pageSize, sort });
          }}
          locale={{ emptyText: <NoApps isFiltered={isFiltered(query)} add={() => setEditing('new')} /> }}
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
          onSaved={() => {
            setEditing(undefined);
            void refresh();
          }}
        />
      )}
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
    <Empty image={Empty.PRESENTED_IMAGE_SIMPLE} description={t('No app fits this filter')} />
  ) : (
    <Empty image={Empty.PRESENTED_IMAGE_SIMPLE} description={t('There are no apps yet')}>
      <Button onClick={add}>{t('Add the first app')}</Button>
    </Empty>
  );
}
