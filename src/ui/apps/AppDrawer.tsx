import { Alert, Button, Descriptions, Drawer, Flex, Spin, Tabs } from 'antd';
import { useSearchParams } from 'react-router-dom';
import { ssoOf } from '../../shared/sso';
import type { AppRow } from '../../shared/types';
import { AppActivity } from '../activity/AppActivity';
import { ActionButton } from '../common/ActionButton';
import { AppAvatar } from '../common/AppAvatar';
import { useApi } from '../common/api';
import { messageText } from '../common/errors';
import { DATABASE_LABELS, FIELD_LABELS, START_MODE_LABELS } from '../common/labels';
import { Failure, Freshness, useIsLocal } from '../common/Page';
import { Secondary } from '../common/Secondary';
import { Since } from '../common/Since';
import { inTransition, isUnderway } from '../common/status';
import { useLive } from '../common/useLive';
import { useT } from '../host';
import { AppLog } from './AppLog';
import { AppStatuses } from './AppStatuses';
import { refusal } from './actions';
import { databasePlace } from './database';
import { DESIRED_LABELS, moveLabel } from './labels';
import { OperationTimeline } from './OperationTimeline';
import type { RowHandler } from './RowActions';

interface Props {
  name: string;
  onClose: () => void;
  handle: RowHandler;
}

export const isAppBusy = (app: AppRow): boolean =>
  isUnderway(app.operation) || Object.values(app.statuses).some(({ status }) => inTransition(status));

/** One app: its status in each environment, its operations, and its settings. */
export function AppDrawer({ name, onClose, handle }: Props) {
  const t = useT();
  const api = useApi();
  const isLocal = useIsLocal();
  const { data: app, error, refresh } = useLive(() => api.getApp(name), name, isAppBusy);
  const [params, setParams] = useSearchParams();
  const tab = params.get('tab') ?? 'operations';
  return (
    <Drawer
      open
      width={720}
      onClose={onClose}
      aria-label={app?.title ?? name}
      title={
        <Flex gap="small" align="center">
          {app && <AppAvatar app={app} />}
          {app?.title ?? name}
          <Secondary>{name}</Secondary>
        </Flex>
      }
      extra={
        app && (
          <Flex gap="small">
            <ActionButton
              refused={refusal('resetAdmin', app, null)}
              onClick={() => handle('resetAdmin', app)}
              data-testid="app-drawer-reset-admin"
            >
              {t('New password')}
            </ActionButton>
            {!isLocal && (
              <ActionButton
                refused={refusal('move', app, null)}
                onClick={() => handle('move', app)}
                data-testid="app-drawer-move"
              >
                {t(moveLabel(app))}
              </ActionButton>
            )}
            <Button onClick={() => handle('edit', app)} data-testid="app-drawer-edit">
              {t('Edit')}
            </Button>
          </Flex>
        )
      }
    >
      {app ? (
        <Flex vertical gap="middle" data-testid={`app-drawer-${name}`}>
          <Freshness error={error} />
          {app.warnings.map((warning) => (
            <Alert key={messageText(t, warning)} type="warning" showIcon message={messageText(t, warning)} />
          ))}
          <PendingChanges app={app} onRestart={() => handle('restart', app)} />
          <AppStatuses app={app} assign={(app) => handle('move', app)} />
          <Tabs
            activeKey={tab}
            onChange={(key) => setParams((before) => ({ ...Object.fromEntries(before), tab: key }), { replace: true })}
            items={[
              { key: 'operations', label: t('Operations'), children: <OperationTimeline appName={name} /> },
              { key: 'log', label: t('Log'), children: <AppLog app={app} /> },
              { key: 'settings', label: t('Settings'), children: <Settings app={app} /> },
              { key: 'activity', label: t('Activity'), children: <AppActivity name={name} /> },
            ]}
          />
        </Flex>
      ) : error ? (
        <Failure error={error} retry={refresh} />
      ) : (
        <Spin />
      )}
    </Drawer>
  );
}

function PendingChanges({ app, onRestart }: { app: AppRow; onRestart: () => void }) {
  const t = useT();
  if (!app.pendingChanges.length) {
    return null;
  }
  const changes = app.pendingChanges.map((field) => (FIELD_LABELS[field] ? t(FIELD_LABELS[field]) : field)).join(', ');
  return (
    <Alert
      type="info"
      showIcon
      message={t('Takes effect at the next restart: {{changes}}', { changes })}
      action={
        <Button size="small" onClick={onRestart}>
          {t('Restart')}
        </Button>
      }
    />
  );
}

function Settings({ app }: { app: AppRow }) {
  const t = useT();
  const isLocal = useIsLocal();
  const yesNo = (value: boolean) => (value ? t('Yes') : t('No'));
  const { dbConnType } = app.options;
  const environments = [
    { key: 'environments', children: app.environments.join(', ') },
    { key: 'targetEnvironment', children: app.targetEnvironment ?? '–' },
  ];
  const items = [
    { key: 'name', children: app.name },
    ...(isLocal ? [] : environments),
    { key: 'desiredState', label: t('Expected'), children: t(DESIRED_LABELS[app.desiredState]) },
    { key: 'startMode', children: t(START_MODE_LABELS[app.startMode]) },
    {
      key: 'database',
      children: [dbConnType && t(DATABASE_LABELS[dbConnType]), databasePlace(t, app)].filter(Boolean).join(': '),
    },
    { key: 'version', label: t('Data version'), children: app.version ?? '–' },
    { key: 'autoUpgrade', children: app.autoUpgrade ? t('When the app starts') : t('Only on request') },
    { key: 'cname', children: app.cname ?? '–' },
    {
      key: 'sso',
      label: t('Sign-in by the main app'),
      children: ssoOf(app.options.sso).enabled ? t('On') : t('Off'),
    },
    { key: 'pinned', children: yesNo(app.pinned) },
    { key: 'hidden', children: yesNo(app.hidden) },
    { key: 'lastVisitAt', label: t('Last visit'), children: <Since at={app.lastVisitAt} /> },
    { key: 'createdAt', label: t('Created'), children: <Since at={app.createdAt} /> },
    { key: 'updatedAt', label: t('Changed'), children: <Since at={app.updatedAt} /> },
  ];
  return (
    <Descriptions
      bordered
      size="small"
      column={1}
      items={items.map((item) => ({ label: t(FIELD_LABELS[item.key] ?? item.key), ...item }))}
    />
  );
}
