import { useLocalStorageState, useMemoizedFn } from 'ahooks';
import { Button, Card, Empty, Flex, Grid, Pagination, Spin } from 'antd';
import { type ComponentProps, useCallback, useEffect, useMemo, useRef, useState } from 'react';
import type { BatchRow } from '../../shared/batch';
import type { AppRow, EnvironmentRow } from '../../shared/types';
import { BatchDrawer, isAnyOpen } from '../batches/BatchDrawer';
import { Batches, useShownBatches } from '../batches/Batches';
import { useApi } from '../common/api';
import { Failure, Freshness } from '../common/Page';
import { LOG_PARAMS } from '../common/paths';
import { type AppsChange, type AppsQuery, appsQueryOf, withAppsQuery } from '../common/query';
import { RowStops } from '../common/RowStops';
import { keepPage, type Page } from '../common/refresher';
import { adding, useAddress } from '../common/useAddress';
import { useLive } from '../common/useLive';
import { useSelectedTab } from '../common/useSelectedTab';
import { useT } from '../host';
import { AppCards } from './AppCards';
import { AppPage } from './AppPage';
import { AppsTable } from './AppsTable';
import { AppsToolbar } from './AppsToolbar';
import { isAppBusy } from './actions';
import { BulkBar } from './BulkBar';
import { columnsOf } from './columns';
import { DELETED, DeletedDrawer } from './DeletedDrawer';
import { Dock } from './Dock';
import { OPTIONAL_COLUMNS } from './optional-columns';
import type { RowHandler } from './RowActions';
import { SelectableNow } from './SelectPage';
import { useAppDialogs } from './useAppDialogs';
import { useEnvironments } from './useEnvironments';
import { columnsOfParam, withColumns } from './view-address';

const DEFAULT_COLUMNS = Object.keys(OPTIONAL_COLUMNS).filter((name) => OPTIONAL_COLUMNS[name].isShown);
/** Among them are those that go on and those that were begun by this user. */
const NEWEST_BATCHES = 10;
/** In px: so high is NocoBase's header, which stays above the page. */
const ABOVE = 64;
/** In ms. A faster answer only changes the rows and shows no spinner. */
const SPIN_AFTER = 150;

/** The list of apps, or the page of one of them: `?app=` of the address names it. */
export function Apps() {
  const { params, open } = useAddress();
  const opened = params.get('app');
  const [selected, select] = useState<AppRow[]>([]);
  useFocusAfter(selected);
  /** The app whose page was open last: its row gets the focus back. */
  const last = useRef<string>();
  useEffect(() => {
    if (opened) last.current = opened;
  }, [opened]);
  const leave = () => open(without('app', 'tab', ...LOG_PARAMS));
  useSelectedTab(opened !== null, leave);
  if (opened) {
    const onDeleted = () => {
      select((before) => before.filter(({ name }) => name !== opened));
      leave();
    };
    return <AppPage key={opened} name={opened} onDeleted={onDeleted} />;
  }
  return <AppList selected={selected} select={select} focused={last.current} />;
}

interface ListProps {
  selected: AppRow[];
  select: (apps: AppRow[]) => void;
  /** The app whose name is focused when the list is there. */
  focused?: string;
}

function AppList({ selected, select, focused }: ListProps) {
  const api = useApi();
  const { open } = useAddress();
  const environments = useEnvironments();

  const { query, setQuery, ask, data, error, loading, refresh } = useAppsPage();
  const batches = useLive(() => api.listBatches(NEWEST_BATCHES), 'batches', isAnyOpen);
  const refreshAll = () => void Promise.all([refresh(), batches.refresh()]);
  const { handle, edit, dialogs, ...several } = useAppDialogs({
    environments,
    adds: useAdds(),
    refresh: refreshAll,
    onDone: () => {
      select([]);
      refreshAll();
    },
  });
  const onRow = useMemoizedFn<RowHandler>((action, app) => {
    if (action === 'open') open(adding({ app: app.name }));
    else handle(action, app);
  });
  useFocusOn(focused, data !== undefined);
  const { shown, setShown, columns } = useColumns(environments, onRow);
  const { above, below, dismiss } = useBatchesAround(batches.data);
  const start = useRef<HTMLDivElement>(null);
  const sort = useCallback((order?: string) => ask({ sort: order }), [ask]);
  const list = {
    rows: data?.rows,
    columns,
    selected,
    onSelect: select,
    order: query.sort,
    sort,
    empty: data?.rows.length === 0 && <NoApps isFiltered={isFiltered(query)} add={() => edit('new')} />,
  };

  if (!data && error) return <Failed error={error} retry={refresh} />;
  return (
    <Card>
      <Flex vertical gap="middle">
        <div ref={start} style={{ scrollMarginTop: ABOVE }}>
          <AppsToolbar
            query={query}
            ask={ask}
            environments={environments}
            shown={shown}
            show={setShown}
            refresh={refreshAll}
            add={() => edit('new')}
          />
        </div>
        <Freshness error={error} />
        <Batches batches={above} dismiss={dismiss} />
        <AppRows {...list} loading={loading} width={720 + 120 * shown.length} />
        <Pages
          query={query}
          setQuery={(change) => {
            setQuery(change);
            // Whoever went on at the end of a page reads the next one from its beginning.
            start.current?.scrollIntoView({ block: 'nearest' });
          }}
          count={data?.count}
        />
        {(below.length > 0 || selected.length > 0) && (
          <Dock>
            <Batches batches={below} dismiss={dismiss} />
            {selected.length > 0 && (
              <BulkBar page={loading ? null : data} {...{ selected, select, query, environments, ...several }} />
            )}
          </Dock>
        )}
      </Flex>
      <BatchDrawer onChange={refreshAll} />
      <DeletedDrawer environments={environments} onChange={refreshAll} />
      {dialogs}
    </Card>
  );
}

/** What began or went on while the list is open is in sight below it, also once it is over; what was over before is above. */
function useBatchesAround(batches: BatchRow[] | undefined) {
  const { batches: shown, dismiss } = useShownBatches(batches ?? []);
  const before = useRef<Set<string>>();
  if (batches) before.current ??= new Set(batches.flatMap(({ id, isOver }) => (isOver ? [id] : [])));
  const isBefore = ({ id }: BatchRow) => before.current?.has(id) ?? false;
  return { above: shown.filter(isBefore), below: shown.filter((batch) => !isBefore(batch)), dismiss };
}

/** The apps as a table, or as cards. */
function AppRows({ loading, ...list }: { loading: boolean } & ComponentProps<typeof AppsTable>) {
  // Before the first measurement there is room. On a narrower screen columns would lie behind the one that is fixed.
  const { xl: isWide = true } = Grid.useBreakpoint();
  return (
    <SelectableNow.Provider value={!loading}>
      <Spin spinning={loading} delay={SPIN_AFTER}>
        <RowStops first="[id^=app-open-]">{isWide ? <AppsTable {...list} /> : <AppCards {...list} />}</RowStops>
      </Spin>
    </SelectableNow.Provider>
  );
}

/** Those that the address names, as that of a saved view does; otherwise those that this browser keeps. */
function useColumns(environments: EnvironmentRow[] | null, onRow: RowHandler) {
  const t = useT();
  const { params, replace } = useAddress();
  const [own = DEFAULT_COLUMNS, setOwn] = useLocalStorageState<string[]>('app-supervisor.columns');
  const asked = params.get('columns');
  const shown = useMemo(() => columnsOfParam(asked) ?? own, [asked, own]);
  const setShown = (chosen: string[]) => (asked === null ? setOwn(chosen) : replace((now) => withColumns(now, chosen)));
  const columns = useMemo(() => columnsOf(t, environments, shown, onRow), [t, environments, shown, onRow]);
  return { shown, setShown, columns };
}

/** Once, when the list is there, unless something else was focused meanwhile. */
function useFocusOn(app: string | undefined, isThere: boolean) {
  useEffect(() => {
    if (!app || !isThere || document.activeElement !== document.body) return;
    document.getElementById(`app-open-${app}`)?.focus();
  }, [app, isThere]);
}

/** When nothing is selected any more: the actions for the selection are gone, and the focus with them. */
function useFocusAfter(selected: AppRow[]) {
  const before = useRef(selected);
  useEffect(() => {
    const [first] = before.current;
    before.current = selected;
    const { activeElement } = document;
    // A question that was answered keeps the focus until it has faded.
    const isLost = activeElement === document.body || activeElement?.closest('[role=dialog]');
    if (!first || selected.length || !isLost) return;
    const row = document.getElementById(`app-open-${first.name}`) ?? document.querySelector('[id^=app-open-]');
    if (row instanceof HTMLElement) row.focus();
  }, [selected]);
}

/** Whether the address asks for the form of a new app. A page that is loaded again does not open it again. */
function useAdds(): boolean {
  const { params, replace } = useAddress();
  const adds = params.has('add');
  useEffect(() => {
    if (adds) replace(without('add'));
  }, [adds, replace]);
  return adds;
}

const isFiltered = ({ text, environment, status, label }: AppsQuery) =>
  Boolean(text.trim() || environment || status?.length || label?.length);

function NoApps({ isFiltered, add }: { isFiltered: boolean; add: () => void }) {
  const t = useT();
  const { open } = useAddress();
  return isFiltered ? (
    <Empty image={Empty.PRESENTED_IMAGE_SIMPLE} description={t('No app matches this filter')}>
      <Button type="link" onClick={() => open(adding(DELETED))} data-testid="no-apps-deleted">
        {t('Recently deleted')}
      </Button>
    </Empty>
  ) : (
    <Empty image={Empty.PRESENTED_IMAGE_SIMPLE} description={t('No apps yet')}>
      <Button onClick={add}>{t('Add the first app')}</Button>
    </Empty>
  );
}

function Failed(props: ComponentProps<typeof Failure>) {
  return (
    <Card>
      <Failure {...props} />
    </Card>
  );
}

/** The apps that match the query, kept up to date. */
function useAppsPage() {
  const api = useApi();
  const { params, replace } = useAddress();
  const query = useMemo(() => appsQueryOf(params), [params]);
  const setQuery = useCallback<Ask>((change) => replace((now) => withAppsQuery(now, change)), [replace]);
  // What is filtered or sorted in another way is shown from its first page.
  const ask = useCallback<Ask>(
    (change) => replace((now) => withAppsQuery(withAppsQuery(now, { page: 1 }), change)),
    [replace],
  );
  const live = useLive(
    async (previous: Page<AppRow> | undefined) => keepPage(previous, await api.listApps(query), ({ name }) => name),
    JSON.stringify(query),
    ({ rows }) => rows.some(isAppBusy),
  );
  useExistingPage(query, setQuery, live.loading ? undefined : live.data?.count);
  return { query, setQuery, ask, ...live };
}

/** An address without these. */
const without =
  (...keys: string[]) =>
  (before: URLSearchParams) =>
    new URLSearchParams([...before].filter(([key]) => !keys.includes(key)));

type Ask = (change: AppsChange) => void;

/** Goes to the last page when the one that is shown is gone: its last apps were deleted. */
function useExistingPage(query: AppsQuery, setQuery: Ask, count: number | undefined) {
  const lastPage = Math.ceil((count ?? 0) / query.pageSize);
  useEffect(() => {
    if (lastPage && query.page > lastPage) setQuery({ page: lastPage });
  }, [lastPage, query.page, setQuery]);
}

function Pages({ query, setQuery, count }: { query: AppsQuery; setQuery: Ask; count: number | undefined }) {
  const t = useT();
  return (
    <Pagination
      align="end"
      style={{ flexWrap: 'wrap', rowGap: 8 }}
      current={query.page}
      pageSize={query.pageSize}
      total={count}
      showSizeChanger
      showTotal={(count) => t('{{count}} in total', { count })}
      onChange={(page, pageSize) => setQuery({ page: pageSize === query.pageSize ? page : 1, pageSize })}
    />
  );
}
