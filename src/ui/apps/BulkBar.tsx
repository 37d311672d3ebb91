import { DeleteOutlined, DownOutlined } from '@ant-design/icons';
import { css } from '@emotion/css';
import { Button, Flex, type GlobalToken, Grid, theme } from 'antd';
import { type ReactNode, useRef, useState } from 'react';
import type { AppRow, EnvironmentRow } from '../../shared/types';
import { ActionButton } from '../common/ActionButton';
import { type OperateAction, useApi } from '../common/api';
import { type ApiError, problemText } from '../common/errors';
import { MenuButton } from '../common/MenuButton';
import { useMenuEntry } from '../common/menuEntry';
import { useIsLocal } from '../common/Page';
import type { AppsQuery } from '../common/query';
import type { Page } from '../common/refresher';
import { key } from '../common/text';
import { useHost, useT } from '../host';
import { type Refusal, refusalOfAll } from './actions';
import { ACTION_LABELS } from './labels';
import { SelectedApps } from './SelectedApps';
import { useBarByKey } from './useBarByKey';

/** Most apps that are selected at once. */
const MOST_SELECTED = 1_000;

interface Props {
  selected: AppRow[];
  select: (apps: AppRow[]) => void;
  /** What is shown of the list; null while another page or filter loads. */
  page: Page<AppRow> | null | undefined;
  query: AppsQuery;
  environments: EnvironmentRow[] | null;
  /** @returns whether it was confirmed and accepted */
  operate: (action: OperateAction, apps: AppRow[]) => Promise<boolean>;
  move: (apps: AppRow[]) => void;
  label: (apps: AppRow[]) => void;
  configure: (apps: AppRow[]) => void;
  destroy: (apps: AppRow[]) => void;
}

interface BulkAction {
  key: string;
  label: string;
  refused: Refusal;
  run: () => unknown;
}

/** What is done to all selected apps. */
export function BulkBar({ selected: chosen, select, page, query, environments, ...does }: Props) {
  const t = useT();
  const { token } = theme.useToken();
  const { md: isWide = true } = Grid.useBreakpoint();
  const isLocal = useIsLocal();
  const bar = useRef<HTMLDivElement>(null);
  useBarByKey(bar);
  const selected = chosen.map((app) => page?.rows.find(({ name }) => name === app.name) ?? app);
  const [asking, setAsking] = useState<string | null>(null);
  const command = (action: 'start' | 'stop' | 'restart' | 'upgrade'): BulkAction => ({
    key: action,
    label: ACTION_LABELS[action],
    refused: refusalOfAll(action, selected, environments),
    run: async () => {
      setAsking(action);
      if (await does.operate(action, selected).finally(() => setAsking(null))) select([]);
    },
  });
  const simple = (name: 'move' | 'label' | 'configure', label: string, refused: Refusal = null): BulkAction => ({
    key: name,
    label,
    refused,
    run: () => does[name](selected),
  });
  const first = [command('start'), command('stop')];
  const others = [
    command('restart'),
    command('upgrade'),
    ...(isLocal ? [] : [simple('move', ACTION_LABELS.move, refusalOfAll('move', selected, environments))]),
    simple('label', key('Label')),
    simple('configure', key('Settings')),
  ];
  const destroy = { key: 'delete', label: ACTION_LABELS.destroy, refused: null, run: () => does.destroy(selected) };
  return (
    <div
      ref={bar}
      className={barOf(token)}
      role="toolbar"
      aria-label={t('Actions for the selected apps')}
      aria-keyshortcuts="F6"
      data-testid="bulk-bar"
    >
      <Flex gap="small" align="center" wrap style={{ minWidth: 0 }}>
        <strong>{t('{{count}} selected', { count: selected.length })}</strong>
        <Elsewhere selected={selected} select={select} page={page} />
        <SelectAll selected={selected} select={select} page={page} query={query} />
        <Button size="small" type="text" onClick={() => select([])}>
          {t('Clear selection')}
        </Button>
      </Flex>
      <Flex gap="small" align="center" wrap>
        {(isWide ? [...first, ...others] : first).map((action) => (
          <ActionButton
            key={action.key}
            size="small"
            refused={action.refused}
            onClick={action.run}
            loading={asking === action.key}
            data-testid={`bulk-${action.key}`}
          >
            {t(action.label)}
          </ActionButton>
        ))}
        {isWide ? (
          <Button size="small" danger icon={<DeleteOutlined />} onClick={destroy.run} data-testid="bulk-delete">
            {t(destroy.label)}
          </Button>
        ) : (
          <More actions={[...others, destroy]} />
        )}
      </Flex>
    </div>
  );
}

/** The actions for which there is no room. */
function More({ actions }: { actions: BulkAction[] }) {
  const t = useT();
  const entry = useMenuEntry();
  const items = actions.map(({ key: name, label, refused, run }) =>
    entry({ key: name, label: t(label), refused, onClick: run, 'data-testid': `bulk-${name}` }),
  );
  return (
    <MenuButton size="small" icon={<DownOutlined />} iconPosition="end" menu={{ items }} data-testid="bulk-more">
      {t('More')}
    </MenuButton>
  );
}

/** Names the selected apps that a filter or another page hides. */
function Elsewhere({ selected, select, page }: Pick<Props, 'selected' | 'select' | 'page'>): ReactNode {
  const t = useT();
  const [isOpen, setOpen] = useState(false);
  const hidden = page ? selected.filter(({ name }) => !page.rows.some((row) => row.name === name)).length : 0;
  return (
    <>
      {hidden > 0 && (
        <span data-testid="bulk-hidden">{t('{{count}} of them not on this page', { count: hidden })}</span>
      )}
      <Button size="small" type="link" onClick={() => setOpen(true)} data-testid="show-selected">
        {t('Show selected')}
      </Button>
      {isOpen && <SelectedApps selected={selected} select={select} onClose={() => setOpen(false)} />}
    </>
  );
}

function SelectAll({ selected, select, page, query }: Pick<Props, 'selected' | 'select' | 'page' | 'query'>) {
  const { t, failure } = useHost();
  const api = useApi();
  const [busy, setBusy] = useState(false);
  const count = page?.count ?? 0;
  if (Math.min(count, MOST_SELECTED) <= selected.length) return null;
  const all = async () => {
    setBusy(true);
    await api
      .matchingApps(query, MOST_SELECTED)
      .then(select, (thrown: ApiError) => failure(problemText(t, thrown.problems[0])));
    setBusy(false);
  };
  return (
    <Button size="small" type="link" loading={busy} onClick={all} data-testid="select-all">
      {count > MOST_SELECTED
        ? t('Select the first {{count}} by identifier', { count: MOST_SELECTED })
        : t('Select all {{count}} that match', { count })}
    </Button>
  );
}

const barOf = (token: GlobalToken) =>
  css({
    display: 'flex',
    flexWrap: 'wrap',
    gap: token.marginXS,
    alignItems: 'center',
    justifyContent: 'space-between',
  });
