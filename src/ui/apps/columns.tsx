import { MoreOutlined } from '@ant-design/icons';
import { Button, Dropdown, Flex, type TableColumnType, Typography } from 'antd';
import type { AppRow, EnvironmentRow } from '../../shared/types';
import { ActionButton } from '../common/ActionButton';
import type { OperateAction } from '../common/api';
import { Secondary } from '../common/Secondary';
import { Since } from '../common/Since';
import { key } from '../common/text';
import { type Translate, useT } from '../host';
import { AppAvatar } from './AppAvatar';
import { AppStatuses } from './AppStatuses';
import { refusal } from './actions';
import { ACTION_LABELS, START_MODE_LABELS } from './labels';
import { OperationCell } from './OperationCell';
import { VisitButton } from './VisitButton';

export type RowHandler = (action: OperateAction | 'open' | 'edit' | 'destroy', app: AppRow) => void;

/** Columns that can be hidden, by key; the others always show. */
export const OPTIONAL_COLUMNS: Record<string, { label: string; isShown: boolean }> = {
  operation: { label: key('Operation'), isShown: true },
  cname: { label: key('Custom domain'), isShown: false },
  version: { label: key('Version'), isShown: true },
  lastVisitAt: { label: key('Last visit'), isShown: true },
  startMode: { label: key('Start mode'), isShown: false },
  createdAt: { label: key('Created'), isShown: false },
};

export function columnsOf(
  t: Translate,
  environments: EnvironmentRow[] | null,
  shown: string[],
  handle: RowHandler,
): TableColumnType<AppRow>[] {
  const optional = (name: string, column: TableColumnType<AppRow>) =>
    shown.includes(name) ? [{ key: name, title: t(OPTIONAL_COLUMNS[name].label), ...column }] : [];
  return [
    {
      key: 'title',
      title: t('App'),
      width: 210,
      sorter: true,
      render: (_, app) => <AppName app={app} open={() => handle('open', app)} />,
    },
    { key: 'statuses', title: t('Status'), render: (_, app) => <AppStatuses app={app} isBrief /> },
    ...optional('operation', { width: 180, render: (_, app) => <OperationCell operation={app.operation} /> }),
    ...optional('cname', {
      width: 180,
      render: (_, app) =>
        app.cname && (
          <Typography.Link href={`//${app.cname}/`} target="_blank">
            {app.cname}
          </Typography.Link>
        ),
    }),
    ...optional('version', { width: 90, dataIndex: 'version' }),
    ...optional('lastVisitAt', { width: 110, render: (_, app) => <Since at={app.lastVisitAt} /> }),
    ...optional('startMode', { width: 150, render: (_, app) => t(START_MODE_LABELS[app.startMode]) }),
    ...optional('createdAt', { width: 120, sorter: true, render: (_, app) => <Since at={app.createdAt} /> }),
    {
      key: 'actions',
      fixed: 'right',
      width: 310,
      title: t('Actions'),
      render: (_, app) => <Actions app={app} environments={environments} handle={handle} />,
    },
  ];
}

function AppName({ app, open }: { app: AppRow; open: () => void }) {
  return (
    <Flex gap="small" align="center">
      <AppAvatar app={app} />
      <Flex vertical style={{ minWidth: 0 }}>
        <Button
          type="link"
          size="small"
          style={{ padding: 0, height: 'auto', justifyContent: 'flex-start', whiteSpace: 'normal', textAlign: 'start' }}
          onClick={open}
          data-testid={`app-open-${app.name}`}
        >
          {app.title}
        </Button>
        <Secondary>{app.name}</Secondary>
      </Flex>
    </Flex>
  );
}

function Actions({
  app,
  environments,
  handle,
}: {
  app: AppRow;
  environments: EnvironmentRow[] | null;
  handle: RowHandler;
}) {
  const t = useT();
  const button = (action: 'start' | 'stop' | 'edit' | 'destroy') => (
    <ActionButton
      type="link"
      size="small"
      danger={action === 'destroy'}
      refused={refusal(action, app, environments)}
      onClick={() => handle(action, app)}
      data-testid={`app-${action === 'destroy' ? 'delete' : action}-${app.name}`}
      aria-label={`${t(ACTION_LABELS[action])} ${app.title}`}
    >
      {t(ACTION_LABELS[action])}
    </ActionButton>
  );
  const more = (['restart', 'upgrade'] as const).map((action) => {
    const refused = refusal(action, app, environments);
    return {
      key: action,
      label: t(ACTION_LABELS[action]),
      disabled: Boolean(refused),
      title: refused ? t(refused.text, refused.values) : undefined,
      onClick: () => handle(action, app),
      'data-testid': `app-${action}-${app.name}`,
    };
  });
  return (
    <Flex style={{ marginInlineStart: -8 }}>
      <VisitButton app={app} environments={environments} />
      {button('start')}
      {button('stop')}
      {button('edit')}
      {button('destroy')}
      <Dropdown trigger={['click']} menu={{ items: more }}>
        <Button
          type="text"
          size="small"
          icon={<MoreOutlined />}
          aria-label={t('More actions for {{app}}', { app: app.title })}
          data-testid={`app-more-${app.name}`}
        />
      </Dropdown>
    </Flex>
  );
}
