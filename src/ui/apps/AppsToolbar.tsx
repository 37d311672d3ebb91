import { MoreOutlined, PlusOutlined, ReloadOutlined, SettingOutlined } from '@ant-design/icons';
import { useRequest } from 'ahooks';
import { Button, Checkbox, Flex, Popover, Select, Space, Tooltip } from 'antd';
import type { ReactNode } from 'react';
import type { AppCounts } from '../../shared/summary';
import type { EnvironmentRow } from '../../shared/types';
import { WORST_FIRST } from '../../shared/words';
import { ALL_BATCHES } from '../batches/BatchDrawer';
import { useApi } from '../common/api';
import { FormSelect } from '../common/FormSelect';
import { MenuButton } from '../common/MenuButton';
import { useIsLocal } from '../common/Page';
import { type AppsChange, type AppsQuery, changedChoices } from '../common/query';
import { Secondary } from '../common/Secondary';
import { shownOf } from '../common/status';
import { StateIcon } from '../common/Tag';
import { TextFilter } from '../common/TextFilter';
import { adding, useAddress } from '../common/useAddress';
import { useHost, useT } from '../host';
import { DELETED } from './DeletedDrawer';
import { labelOptions } from './LabelSelect';
import { OPTIONAL_COLUMNS } from './optional-columns';
import { SavedViews } from './SavedViews';

interface Props {
  query: AppsQuery;
  ask: (change: AppsChange) => void;
  environments: EnvironmentRow[] | null;
  shown: string[];
  show: (columns: string[]) => void;
  refresh: () => void;
  add: () => void;
}

/** Wide enough for what it says when nothing is chosen; two of them beside each other on a phone. */
const FILTER = { flex: '1 1 150px', maxWidth: 170 };

export function AppsToolbar({ query, ask, environments, shown, show, refresh, add }: Props) {
  const t = useT();
  const isLocal = useIsLocal();
  const api = useApi();
  // How many apps each choice would find: asked for when somebody looks.
  const { data: counts, run } = useRequest(() => api.countApps(query), { manual: true });
  const onLook = (isOpen: boolean) => {
    if (isOpen) run();
  };
  return (
    <Flex gap="small" wrap justify="space-between" align="start">
      <Flex gap="small" wrap role="search" style={{ flex: '1 1 440px', minWidth: 0 }}>
        <SavedViews columns={shown} />
        <TextFilter
          text={query.text}
          label={t('Find apps by name, identifier, label, environment, domain or error')}
          ask={(text) => ask({ text })}
        />
        {!isLocal && environments && (
          <Select
            allowClear
            placeholder={t('Any environment')}
            aria-label={t('Find apps by environment')}
            style={FILTER}
            value={query.environment}
            onChange={(environment) => ask({ environment })}
            onDropdownVisibleChange={onLook}
            data-testid="filter-environment"
            options={environments.map(({ name }) => ({
              value: name,
              label: <Counted count={counts && (counts.environments[name] ?? 0)}>{name}</Counted>,
            }))}
          />
        )}
        <StatusFilter status={query.status} ask={ask} counts={counts?.statuses} onLook={onLook} />
        <LabelFilter labels={query.label} ask={ask} counts={counts?.labels} onLook={onLook} />
      </Flex>
      <Space wrap>
        <Tooltip title={t('Refresh')}>
          <Button icon={<ReloadOutlined />} onClick={refresh} aria-label={t('Refresh')} data-testid="refresh-apps" />
        </Tooltip>
        <MoreLists />
        <ColumnChooser shown={shown} show={show} />
        <Button type="primary" icon={<PlusOutlined />} onClick={add} data-testid="add-app">
          {t('Add app')}
        </Button>
      </Space>
    </Flex>
  );
}

interface LabelFilterProps extends Pick<Props, 'ask'> {
  labels?: string[];
  counts?: AppCounts['labels'];
  onLook: (isOpen: boolean) => void;
}

/** Finds the apps that have all of these labels. */
function LabelFilter({ labels = [], ask, counts, onLook }: LabelFilterProps) {
  const { t, language } = useHost();
  const offered = labelOptions([...new Set([...Object.keys(counts ?? {}), ...labels])], language);
  return (
    <FormSelect
      mode="multiple"
      allowClear
      maxTagCount="responsive"
      placeholder={t('Any label')}
      aria-label={t('Find apps by label')}
      style={FILTER}
      value={labels}
      onChange={(label) => {
        ask((now) => ({ label: changedChoices(now.label ?? [], labels, label) }));
      }}
      onDropdownVisibleChange={onLook}
      notFoundContent={counts && t('No labels. Add one with Edit, or to several apps at once.')}
      data-testid="filter-label"
      optionLabelProp="value"
      options={offered.map(({ value }) => ({
        value,
        label: <Counted count={counts && (counts[String(value)] ?? 0)}>{value}</Counted>,
      }))}
    />
  );
}

/** What a filter offers, and how many apps it would find. */
function Counted({ count, children }: { count?: number; children: ReactNode }) {
  return (
    <Space size="small">
      {children}
      {count !== undefined && <Secondary>{count}</Secondary>}
    </Space>
  );
}

interface StatusFilterProps extends Pick<Props, 'ask'> {
  status: AppsQuery['status'];
  counts?: AppCounts['statuses'];
  onLook: (isOpen: boolean) => void;
}

/** Finds the apps that have one of these statuses. */
function StatusFilter({ status = [], ask, counts, onLook }: StatusFilterProps) {
  const t = useT();
  return (
    <FormSelect
      mode="multiple"
      allowClear
      showSearch={false}
      maxTagCount="responsive"
      placeholder={t('Any status')}
      aria-label={t('Find apps by status')}
      style={FILTER}
      value={status}
      onChange={(next) => {
        ask((now) => ({ status: changedChoices(now.status ?? [], status, next) }));
      }}
      onDropdownVisibleChange={onLook}
      data-testid="filter-status"
      optionLabelProp="text"
      options={WORST_FIRST.map((status) => {
        const { label, tone } = shownOf(status);
        return {
          value: status,
          text: t(label),
          label: (
            <Counted count={counts && (counts[status] ?? 0)}>
              <StateIcon tone={tone} />
              {t(label)}
            </Counted>
          ),
        };
      })}
    />
  );
}

/** What there is besides the apps of the list. */
function MoreLists() {
  const t = useT();
  const { open } = useAddress();
  const show = (what: Record<string, string>) => () => open(adding(what));
  const items = [
    { key: 'batches', label: t('Batches'), onClick: show({ batch: ALL_BATCHES }), 'data-testid': 'open-batches' },
    { key: 'deleted', label: t('Recently deleted'), onClick: show(DELETED), 'data-testid': 'open-deleted' },
  ];
  return <MenuButton icon={<MoreOutlined />} aria-label={t('More')} menu={{ items }} data-testid="more-lists" />;
}

function ColumnChooser({ shown, show }: Pick<Props, 'shown' | 'show'>) {
  const t = useT();
  return (
    <Popover
      trigger="click"
      placement="bottomRight"
      content={
        <Checkbox.Group
          value={shown}
          onChange={show}
          style={{ flexDirection: 'column', gap: 8 }}
          options={Object.entries(OPTIONAL_COLUMNS).map(([value, { label }]) => ({ value, label: t(label) }))}
        />
      }
    >
      <Button icon={<SettingOutlined />} aria-label={t('Select columns')} />
    </Popover>
  );
}
