import { useLocalStorageState, useMemoizedFn } from 'ahooks';
import { Button, Card, Empty, Flex, Pagination, Spin } from 'antd';
import { type ComponentProps, useCallback, useEffect, useMemo, useState } from 'react';
import type { AppRow, CreatedApp, EnvironmentRow } from '../../shared/types';
import { type OperateAction, useApi } from '../common/api';
import { MoveDialog } from '../common/MoveDialog';
import { Failure, Freshness } from '../common/Page';
import { type AppsQuery, appsQueryOf, withAppsQuery } from '../common/query';
import { keepPage, type Page } from '../common/refresher';
import { SignInDialog } from '../common/SignInDialog';
import { useAddress } from '../common/useAddress';
import { useLive } from '../common/useLive';
import { useResetAdmin } from '../common/useResetAdmin';
import { type Translate, useHost, useT } from '../host';
import { AppDrawer, isAppBusy } from './AppDrawer';
import { AppForm } from './AppForm';
import { AppsTable } from './AppsTable';
import { AppsToolbar, BulkActions } from './AppsToolbar';
import { columnsOf, OPTIONAL_COLUMNS } from './columns';
import { DeleteDialog } from './DeleteDialog';
import { moveLabel } from './labels';
import type { RowHandler } from './RowActions';
import { useAppActions } from './useAppActions';
import { useEnvironments } from './useEnvironments';

const DEFAULT_COLUMNS = Object.keys(OPTIONAL_COLUMNS).filter((name) => OPTIONAL_COLUMNS[name].isShown);
/** In ms. A faster answer only changes the rows and shows no spinner. */
const SPIN_AFTER = 150;

export function Apps() {
  const t = useT();
  const environments = useEnvironments();
  const [shown = DEFAULT_COLUMNS, setShown] = useLocalStorageState<string[]>('app-supervisor.columns');
  const [selected, setChosen] = useState<AppRow[]>([]);
  const dialogs = useDialogs();
  const { open, setEditing, setMoving, setDeleting } = dialogs;

  const { query, setQuery, ask, data, error, loading, refresh } = useAppsPage();
  const operate = useAppActions(environments, refresh);
  const { reset, dialog } = useResetAdmin(refresh);

  const handle = useMemoizedFn<RowHandler>((action, app) => {
    if (action === 'open') open(app.name);
    else if (action === 'edit') setEditing(app);
    else if (action === 'move') setMoving([app]);
    else if (action === 'destroy') setDeleting([app]);
    else if (action === 'resetAdmin') void reset({ kind: 'app', name: app.name, title: app.title });
    else void operate(action, [app]);
  });
  const columns = useMemo(() => columnsOf(t, environments, shown, handle), [t, environments, shown, handle]);
  const sort = useCallback((order?: string) => ask({ sort: order }), [ask]);
  const selectedNow = selected.map((app) => data?.rows.find(({ name }) => name === app.name) ?? app);

  const bulk = {
    operate: async (action: OperateAction, apps: AppRow[]) => {
      if (await operate(action, apps)) setChosen([]);
    },
    move: setMoving,
    destroy: setDeleting,
    clear: () => setChosen([]),
  };

  if (!data && error) return <Failed error={error} retry={refresh} />;
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
        {selected.length > 0 && <BulkActions selected={selectedNow} environments={environments} {...bulk} />}
        <Spin spinning={loading} delay={SPIN_AFTER}>
          <AppsTable
            rows={data?.rows}
            columns={columns}
            width={720 + 120 * shown.length}
            selected={selected}
            onSelect={setChosen}
            sort={sort}
            empty={data?.rows.length === 0 && <NoApps isFiltered={isFiltered(query)} add={() => setEditing('new')} />}
          />
        </Spin>
        <Pages query={query} setQuery={setQuery} count={data?.count} />
      </Flex>
      <Dialogs
        dialogs={dialogs}
        environments={environments}
        handle={handle}
        onSaved={() => void refresh()}
        onDone={() => {
          setChosen([]);
          void refresh();
        }}
      />
      {dialog}
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
  const setQuery = useCallback<SetQuery>((next) => replace((now) => withAppsQuery(now, next)), [replace]);
  const ask = useCallback(
    (change: Partial<AppsQuery>) => replace((now) => withAppsQuery(now, { ...appsQueryOf(now), page: 1, ...change })),
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

/** Which of the dialogs over the list is open, and for what. */
function useDialogs() {
  const { params, replace, open } = useAddress();
  const [editing, setEditing] = useState<AppRow | 'new' | undefined>(params.has('add') ? 'new' : undefined);
  // A page that is loaded again does not open the form again.
  const adds = params.has('add');
  useEffect(() => {
    if (adds) replace(without('add'));
  }, [adds, replace]);
  const [created, setCreated] = useState<CreatedApp>();
  const [moving, setMoving] = useState<AppRow[]>();
  const [deleting, setDeleting] = useState<AppRow[]>();
  return {
    opened: params.get('app'),
    open: (app: string) => open((now) => new URLSearchParams({ ...Object.fromEntries(now), app })),
    close: () => open(without('app', 'tab')),
    editing,
    setEditing,
    created,
    setCreated,
    moving,
    setMoving,
    deleting,
    setDeleting,
  };
}

interface DialogsProps {
  dialogs: ReturnType<typeof useDialogs>;
  environments: EnvironmentRow[] | null;
  handle: RowHandler;
  onSaved: () => void;
  onDone: () => void;
}

function Dialogs({ dialogs, environments, handle, onSaved, onDone }: DialogsProps) {
  const { opened, close, editing, setEditing, created, setCreated, moving, setMoving, deleting, setDeleting } = dialogs;
  const { appUrl, t } = useHost();
  return (
    <>
      {opened && <AppDrawer name={opened} onClose={close} handle={handle} />}
      {editing && (
        <AppForm
          app={editing === 'new' ? undefined : editing}
          environments={environments}
          onClose={() => setEditing(undefined)}
          onSaved={(app) => {
            setEditing(undefined);
            setCreated(app);
            onSaved();
          }}
        />
      )}
      {created?.initialAdmin && (
        <SignInDialog
          signIn={{ title: created.title, url: appUrl(created.name), administrator: created.initialAdmin }}
          onClose={() => setCreated(undefined)}
        />
      )}
      {moving && (
        <MoveDialog
          subject={{ apps: moving.map(({ name }) => name) }}
          title={moveTitle(t, moving)}
          okText={moving.length === 1 ? t(moveLabel(moving[0])) : undefined}
          onClose={() => setMoving(undefined)}
          onDone={() => {
            setMoving(undefined);
            onDone();
          }}
        />
      )}
      {deleting && (
        <DeleteDialog
          apps={deleting}
          onClose={() => setDeleting(undefined)}
          onDone={() => {
            setDeleting(undefined);
            onDone();
          }}
        />
      )}
    </>
  );
}

function moveTitle(t: Translate, apps: AppRow[]): string {
  const [{ title, environments }] = apps;
  if (apps.length > 1) return t('Move {{count}} apps?', { count: apps.length });
  return environments.length
    ? t('Move "{{app}}"?', { app: title })
    : t('Assign "{{app}}" to an environment?', { app: title });
}

type SetQuery = (query: AppsQuery) => void;

/** Goes to the last page when the one that is shown is gone: its last apps were deleted. */
function useExistingPage(query: AppsQuery, setQuery: SetQuery, count: number | undefined) {
  const lastPage = Math.ceil((count ?? 0) / query.pageSize);
  useEffect(() => {
    if (lastPage && query.page > lastPage) setQuery({ ...query, page: lastPage });
  }, [lastPage, query, setQuery]);
}

function Pages({ query, setQuery, count }: { query: AppsQuery; setQuery: SetQuery; count: number | undefined }) {
  const t = useT();
  return (
    <Pagination
      align="end"
      current={query.page}
      pageSize={query.pageSize}
      total={count}
      showSizeChanger
      showTotal={(count) => t('{{count}} in total', { count })}
      onChange={(page, pageSize) => setQuery({ ...query, page: pageSize === query.pageSize ? page : 1, pageSize })}
    />
  );
}
