import { ArrowLeftOutlined, DownOutlined } from '@ant-design/icons';
import { Alert, Button, Card, Flex, Result, Skeleton, Tabs, Typography } from 'antd';
import { useEffect, useRef } from 'react';
import type { AppRow, EnvironmentRow } from '../../shared/types';
import { AppActivity } from '../activity/AppActivity';
import { ActionButton } from '../common/ActionButton';
import { AppAvatar } from '../common/AppAvatar';
import { useApi } from '../common/api';
import { messageText } from '../common/errors';
import { LabelTags } from '../common/LabelTags';
import { FIELD_LABELS } from '../common/labels';
import { MenuButton } from '../common/MenuButton';
import { useMenuEntry } from '../common/menuEntry';
import { Failure, Freshness, useIsLocal } from '../common/Page';
import { LOG_PARAMS } from '../common/paths';
import { Secondary } from '../common/Secondary';
import { TextLink } from '../common/TextLink';
import { adding, useAddress } from '../common/useAddress';
import { useLive } from '../common/useLive';
import { useT } from '../host';
import { AppLog } from './AppLog';
import { AppPlots } from './AppPlots';
import { AppSettings } from './AppSettings';
import { AwayNotice } from './AwayNotice';
import { isAppBusy, refusal } from './actions';
import { EnvironmentCards } from './EnvironmentCards';
import { ACTION_LABELS, moveLabel } from './labels';
import { OperationTimeline } from './OperationTimeline';
import { DETAILS, RemedyButtons } from './RemedyButtons';
import { remediesOfWarning } from './remedies';
import { type AppHandler, useAppDialogs } from './useAppDialogs';
import { useEnvironments } from './useEnvironments';
import { VisitButton } from './VisitButton';

interface Props {
  name: string;
  /** Called once a deletion was accepted: there is no page any more. */
  onDeleted: () => void;
}

/** Everything about one app: what is wrong with it, where it runs, what was done with it, and what can be done. */
export function AppPage({ name, onDeleted }: Props) {
  const api = useApi();
  const environments = useEnvironments();
  const { data: app, error, refresh } = useLive(() => api.getApp(name), name, isAppBusy);
  const { handle, dialogs } = useAppDialogs({
    environments,
    refresh: () => void refresh(),
    onDone: (what) => {
      if (what === 'deleted') onDeleted();
      else void refresh();
    },
  });
  if (error?.code === 'UNKNOWN_APP') return <Gone name={name} />;
  return (
    <Flex vertical gap="middle" data-testid={`app-page-${name}`}>
      {app ? (
        <>
          <Head app={app} environments={environments} handle={handle} />
          <Freshness error={error} />
          <Warnings app={app} handle={handle} />
          <AwayNotice app={app} onDone={() => void refresh()} />
          <EnvironmentCards app={app} environments={environments} handle={handle} />
          <AppPlots app={app} />
          <Details app={app} handle={handle} />
        </>
      ) : (
        <Card>
          <BackToList />
          {error ? <Failure error={error} retry={refresh} /> : <Skeleton active />}
        </Card>
      )}
      {dialogs}
    </Flex>
  );
}

/** The address of the list that the page was opened from. */
function BackToList() {
  const t = useT();
  const { params } = useAddress();
  const list = new URLSearchParams([...params].filter(([key]) => !['app', 'tab', ...LOG_PARAMS].includes(key)));
  return (
    <TextLink to={`?${list}`} data-testid="back-to-apps">
      <ArrowLeftOutlined aria-hidden /> {t('All apps')}
    </TextLink>
  );
}

function Gone({ name }: { name: string }) {
  const t = useT();
  return (
    <Card>
      <Result
        status="404"
        title={t('No app has the identifier "{{name}}"', { name })}
        subTitle={t('It may have been deleted.')}
        extra={<BackToList />}
      />
    </Card>
  );
}

const DIRECT = ['start', 'stop', 'restart'] as const;
const MORE = ['upgrade', 'resetAdmin', 'renewSecrets', 'destroy'] as const;

function Head({
  app,
  environments,
  handle,
}: {
  app: AppRow;
  environments: EnvironmentRow[] | null;
  handle: AppHandler;
}) {
  const t = useT();
  const isLocal = useIsLocal();
  const entry = useMenuEntry();
  const title = useRef<HTMLElement>(null);
  // The row or link that opened the page is gone, and the focus with it.
  useEffect(() => {
    if (document.activeElement === document.body) title.current?.focus({ preventScroll: true });
  }, []);
  const more = MORE.map((action) =>
    entry({
      key: action,
      label: t(ACTION_LABELS[action]),
      danger: action === 'destroy',
      refused: refusal(action, app, environments),
      onClick: () => handle(action, app),
      'data-testid': `app-page-${action === 'resetAdmin' ? 'reset-admin' : action}`,
    }),
  );
  return (
    <Card size="small">
      <Flex vertical gap="small">
        <BackToList />
        <Flex gap="middle" align="center" justify="space-between" wrap>
          <Flex gap="small" align="center" style={{ flex: '1 1 240px', minWidth: 0 }}>
            <AppAvatar app={app} />
            <div style={{ minWidth: 0, overflowWrap: 'anywhere' }}>
              <Typography.Title level={4} ref={title} tabIndex={-1} style={{ margin: 0, outline: 'none' }}>
                {app.title}
              </Typography.Title>
              <Flex gap={4} wrap align="center">
                <Secondary>{app.name}</Secondary>
                <LabelTags labels={app.labels} />
              </Flex>
            </div>
          </Flex>
          <Flex gap="small" wrap role="toolbar" aria-label={t('Actions for {{app}}', { app: app.title })}>
            <VisitButton app={app} environments={environments} isMain />
            {DIRECT.map((action) => (
              <ActionButton
                key={action}
                refused={refusal(action, app, environments)}
                onClick={() => handle(action, app)}
                data-testid={`app-page-${action}`}
              >
                {t(ACTION_LABELS[action])}
              </ActionButton>
            ))}
            {!isLocal && (
              <ActionButton
                refused={refusal('move', app, environments)}
                onClick={() => handle('move', app)}
                data-testid="app-page-move"
              >
                {t(moveLabel(app))}
              </ActionButton>
            )}
            <ActionButton
              refused={refusal('edit', app, environments)}
              onClick={() => handle('edit', app)}
              data-testid="app-page-edit"
            >
              {t('Edit')}
            </ActionButton>
            <MenuButton menu={{ items: more }} data-testid="app-page-more">
              {t('More')} <DownOutlined aria-hidden style={{ fontSize: 12 }} />
            </MenuButton>
          </Flex>
        </Flex>
      </Flex>
    </Card>
  );
}

function Warnings({ app, handle }: { app: AppRow; handle: AppHandler }) {
  const t = useT();
  return (
    <>
      {app.warnings.map((warning) => (
        <Alert
          key={messageText(t, warning)}
          type="warning"
          showIcon
          message={messageText(t, warning)}
          action={<RemedyButtons app={app} remedies={remediesOfWarning(warning)} handle={handle} />}
        />
      ))}
      <PendingChanges app={app} onRestart={() => handle('restart', app)} />
    </>
  );
}

function PendingChanges({ app, onRestart }: { app: AppRow; onRestart: () => void }) {
  const t = useT();
  if (!app.pendingChanges.length) return null;
  const changes = app.pendingChanges
    .map((field) => (FIELD_LABELS[field] ? t(FIELD_LABELS[field]) : field))
    .join(t(', '));
  return (
    <Alert
      type="info"
      showIcon
      message={t('Takes effect at the next restart: {{changes}}', { changes })}
      action={
        <Button size="small" onClick={onRestart} data-testid="app-page-apply">
          {t('Restart')}
        </Button>
      }
    />
  );
}

function Details({ app, handle }: { app: AppRow; handle: AppHandler }) {
  const t = useT();
  const { params, replace } = useAddress();
  const show = (tab: string) => replace(adding({ tab }));
  return (
    <Card size="small">
      <Tabs
        id={DETAILS}
        activeKey={params.get('tab') ?? 'operations'}
        onChange={show}
        items={[
          {
            key: 'operations',
            label: t('Operations'),
            children: <OperationTimeline app={app} handle={handle} />,
          },
          { key: 'activity', label: t('Activity'), children: <AppActivity name={app.name} /> },
          { key: 'log', label: t('Log'), children: <AppLog app={app} /> },
          { key: 'settings', label: t('Settings'), children: <AppSettings app={app} /> },
        ]}
      />
    </Card>
  );
}
