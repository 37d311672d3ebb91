import { useDebounceFn, useRequest } from 'ahooks';
import { AutoComplete, Flex, Input, Select, theme } from 'antd';
import { useEffect, useState } from 'react';
import type { EventRow } from '../../shared/event';
import { EVENT_KINDS } from '../../shared/words';
import { useApi } from '../common/api';
import { useIsLocal } from '../common/Page';
import { contrast } from '../common/theme';
import { useHost, useT } from '../host';
import { KINDS, PERIOD_LABELS } from './labels';
import { type ActivityQuery, fromLocalInput, PERIODS, type Period, toLocalInput } from './query';

export interface FilterProps {
  query: ActivityQuery;
  ask: (change: Partial<ActivityQuery>) => void;
  rows: EventRow[];
}

/** Wide enough for the longest option, and two beside each other on a phone. */
const FIELD = { flex: '1 1 150px', maxWidth: 220, minWidth: 0 };

export function ActivityFilters(props: FilterProps) {
  const t = useT();
  const isLocal = useIsLocal();
  const { query, ask } = props;
  return (
    <Flex gap="small" wrap role="search" style={{ flex: '1 1 320px', minWidth: 0 }}>
      <Select
        allowClear
        placeholder={t('Any kind')}
        aria-label={t('Find by kind')}
        style={FIELD}
        value={query.kind}
        onChange={(kind) => ask({ kind })}
        options={EVENT_KINDS.map((kind) => ({ value: kind, label: t(KINDS[kind].label) }))}
      />
      <AppFilter {...props} />
      {!isLocal && <EnvironmentFilter {...props} />}
      <PersonFilter {...props} />
      <TimeFilter {...props} />
    </Flex>
  );
}

/** Of an app that was deleted, too: its identifier can be typed. */
function AppFilter({ query, ask }: FilterProps) {
  const t = useT();
  const api = useApi();
  const [text, setText] = useState(query.app ?? '');
  useEffect(() => setText(query.app ?? ''), [query.app]);
  const { data, run } = useRequest((typed: string) => api.listApps({ text: typed, page: 1, pageSize: 10 }), {
    manual: true,
    debounceWait: 250,
    onError: () => {},
  });
  const { run: choose } = useDebounceFn((app: string) => ask({ app: app.trim() || undefined }), { wait: 400 });
  return (
    <AutoComplete
      allowClear
      placeholder={t('Any app')}
      aria-label={t('Find by identifier of an app')}
      style={FIELD}
      value={text}
      onFocus={() => run(text)}
      onSearch={run}
      onChange={(value: string = '') => {
        setText(value);
        choose(value);
      }}
      options={data?.rows.map(({ name, title }) => ({
        value: name,
        label: name === title ? name : `${title} (${name})`,
      }))}
      data-testid="activity-app"
    />
  );
}

function EnvironmentFilter({ query, ask }: FilterProps) {
  const t = useT();
  const api = useApi();
  const { data } = useRequest(api.listEnvironments, { onError: () => {} });
  const names = new Set([...(data ?? []).map(({ name }) => name), ...(query.environment ? [query.environment] : [])]);
  return (
    <Select
      allowClear
      placeholder={t('Any environment')}
      aria-label={t('Find by environment')}
      style={FIELD}
      value={query.environment}
      onChange={(environment) => ask({ environment })}
      options={[...names].map((name) => ({ value: name, label: name }))}
    />
  );
}

/** A role that may not see users chooses among the ids on the page. */
function PersonFilter({ query, ask, rows }: FilterProps) {
  const { t, userId, user } = useHost();
  const api = useApi();
  const { data, run } = useRequest(api.findUsers, { manual: true, debounceWait: 250, onError: () => {} });
  const { data: named } = useRequest(() => api.userNames([query.person ?? '']), {
    ready: query.person !== undefined,
    refreshDeps: [query.person],
    onError: () => {},
  });
  const seen = rows.flatMap(({ createdBy }) => (createdBy === null ? [] : [createdBy]));
  const own = userId === null ? [] : [String(userId)];
  const ids = new Set([
    ...own,
    ...(query.person ? [query.person] : []),
    ...Object.keys(data ?? {}),
    ...(data ? [] : seen),
  ]);
  const nameOf = (id: string) => {
    const name = data?.[id] ?? named?.[id] ?? (own.includes(id) ? user.username : undefined);
    return name ?? t('User {{id}}', { id });
  };
  return (
    <Select
      allowClear
      showSearch
      filterOption={false}
      placeholder={t('Anybody')}
      aria-label={t('Find by person')}
      style={FIELD}
      value={query.person}
      onFocus={() => run('')}
      onSearch={run}
      onChange={(person) => ask({ person })}
      options={[...ids].map((id) => ({ value: id, label: nameOf(id) }))}
    />
  );
}

type Choice = Period | 'custom';

function TimeFilter({ query: { last, from, to }, ask }: FilterProps) {
  const t = useT();
  const isCustom = from !== undefined || to !== undefined;
  const [isOpen, setOpen] = useState(isCustom);
  const { token } = theme.useToken();
  const isDark = contrast(token.colorBgContainer, '#ffffff') > contrast(token.colorBgContainer, '#000000');
  // The browser draws the calendar's icon itself.
  const style = { ...FIELD, flex: '1 1 190px', colorScheme: isDark ? 'dark' : 'light' };
  const choice: Choice | undefined = last ?? (isOpen || isCustom ? 'custom' : undefined);
  const choose = (value?: Choice) => {
    setOpen(value === 'custom');
    ask({ last: value === 'custom' ? undefined : value, from: undefined, to: undefined });
  };
  return (
    <>
      <Select<Choice>
        allowClear
        placeholder={t('Any time')}
        aria-label={t('Find by time')}
        style={FIELD}
        value={choice}
        onChange={choose}
        options={[
          ...(Object.keys(PERIODS) as Period[]).map((value) => ({ value, label: t(PERIOD_LABELS[value]) })),
          { value: 'custom' as const, label: t('From … to …') },
        ]}
      />
      {choice === 'custom' && (
        <>
          <Input
            type="datetime-local"
            aria-label={t('From')}
            style={style}
            defaultValue={toLocalInput(from)}
            onChange={(event) => ask({ from: fromLocalInput(event.target.value), last: undefined })}
          />
          <Input
            type="datetime-local"
            aria-label={t('To')}
            style={style}
            defaultValue={toLocalInput(to)}
            onChange={(event) => ask({ to: fromLocalInput(event.target.value), last: undefined })}
          />
        </>
      )}
    </>
  );
}
