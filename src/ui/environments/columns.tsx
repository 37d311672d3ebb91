import { Flex, Space, type TableColumnType, Tooltip, Typography } from 'antd';
import type { EnvironmentRow, Status } from '../../shared/types';
import { ActionButton } from '../common/ActionButton';
import type { EnvironmentAction } from '../common/api';
import { Since } from '../common/Since';
import { HEALTH, STATUS } from '../common/status';
import { StateIcon, StateTag } from '../common/Tag';
import { key } from '../common/text';
import { type Translate, useT } from '../host';
import { ENVIRONMENT_ACTIONS } from './questions';

type Act = (action: EnvironmentAction, environment: EnvironmentRow) => void;

/** @param version of the Supervisor's NocoBase, to tell environments that differ */
export function columnsOf(
  t: Translate,
  version: string | null,
  isLocal: boolean,
  act: Act,
): TableColumnType<EnvironmentRow>[] {
  const columns: TableColumnType<EnvironmentRow>[] = [
    { key: 'name', title: t('Environment'), render: (_, row) => <Name environment={row} /> },
    { key: 'health', title: t('Health'), render: (_, row) => <HealthCell environment={row} /> },
    { key: 'version', title: t('Version'), render: (_, row) => <Version own={row.appVersion} expected={version} /> },
    { key: 'apps', title: t('Apps'), render: (_, row) => <AppCounts counts={row.apps} /> },
    { key: 'load', title: t('Load'), render: (_, row) => <Load environment={row} /> },
  ];
  if (isLocal) {
    return columns;
  }
  return [
    ...columns.slice(0, 3),
    { key: 'url', title: t('Address'), render: (_, row) => <Addresses environment={row} /> },
    {
      key: 'lastHeartbeatAt',
      title: t('Last heartbeat'),
      render: (_, row) => <Since at={row.lastHeartbeatAt} />,
    },
    ...columns.slice(3),
    {
      key: 'actions',
      fixed: 'right',
      width: 1,
      title: t('Actions'),
      render: (_, row) => <Actions environment={row} act={act} />,
    },
  ];
}

function Name({ environment }: { environment: EnvironmentRow }) {
  const t = useT();
  const { name, cordoned, serves, standby, instance, warnings } = environment;
  return (
    <Flex vertical gap={2} style={{ maxWidth: 280 }}>
      <Space size="small" wrap>
        <Tooltip title={instance && t('Held by {{instance}}', { instance })}>
          <Typography.Text strong>{name}</Typography.Text>
        </Tooltip>
        {cordoned && <StateTag look="off">{t('Cordoned')}</StateTag>}
        {!serves && <StateTag look="off">{t('Serves no visitors')}</StateTag>}
      </Space>
      {standby && (
        <Typography.Text type="secondary">
          {t('Standby, which hosts nothing: {{instance}}', { instance: standby })}
        </Typography.Text>
      )}
      {warnings.map((warning) => (
        <Flex key={warning} gap={4} align="baseline">
          <StateIcon look="warning" />
          <Typography.Text>{warning}</Typography.Text>
        </Flex>
      ))}
    </Flex>
  );
}

function HealthCell({ environment: { health, since } }: { environment: EnvironmentRow }) {
  const t = useT();
  const { label, look } = HEALTH[health];
  return (
    <Flex gap="small" align="center">
      <StateTag look={look}>{t(label)}</StateTag>
      <Typography.Text type="secondary">
        <Since at={since} />
      </Typography.Text>
    </Flex>
  );
}

function Version({ own, expected }: { own: string; expected: string | null }) {
  const t = useT();
  if (!expected || own === expected) {
    return <>{own}</>;
  }
  return (
    <Tooltip
      title={t(
        'The Supervisor runs {{version}}. Pages of apps come from the Supervisor, their data from here: they fit only when both are equal.',
        {
          version: expected,
        },
      )}
    >
      <span>
        <StateTag look="warning">{own}</StateTag>
      </span>
    </Tooltip>
  );
}

function Addresses({ environment: { url, proxyUrl } }: { environment: EnvironmentRow }) {
  const t = useT();
  return (
    <Flex vertical gap={2}>
      <Typography.Link href={url} target="_blank" rel="noreferrer">
        {url}
      </Typography.Link>
      {proxyUrl !== url && <Typography.Text type="secondary">{t('Proxy: {{url}}', { url: proxyUrl })}</Typography.Text>}
    </Flex>
  );
}

function AppCounts({ counts }: { counts: EnvironmentRow['apps'] }) {
  const t = useT();
  const entries = Object.entries(counts) as [Status, number][];
  if (!entries.length) {
    return <>–</>;
  }
  return (
    <Space size="small" wrap>
      {entries.map(([status, count]) => (
        <Tooltip key={status} title={t(STATUS[status].label)}>
          <span>
            <StateIcon look={STATUS[status].look} /> {count}
          </span>
        </Tooltip>
      ))}
    </Space>
  );
}

function Load({ environment: { memory, eventLoopDelay } }: { environment: EnvironmentRow }) {
  const t = useT();
  const parts = [
    memory !== null && `${Math.round(memory / 1024 / 1024)} MB`,
    eventLoopDelay !== null && `${Math.round(eventLoopDelay)} ms`,
  ].filter(Boolean);
  return (
    <Tooltip title={t('Memory in use, and the 99th percentile of the event-loop delay')}>
      <span style={{ whiteSpace: 'nowrap' }}>{parts.join(' · ') || '–'}</span>
    </Tooltip>
  );
}

function Actions({ environment, act }: { environment: EnvironmentRow; act: Act }) {
  const t = useT();
  const { name, cordoned, available, apps } = environment;
  const button = (action: EnvironmentAction, refused: string | null = null) => (
    <ActionButton
      type="link"
      size="small"
      danger={action === 'forget'}
      refused={refused ? { text: refused } : null}
      onClick={() => act(action, environment)}
      data-testid={`environment-${action}-${name}`}
      aria-label={`${t(ENVIRONMENT_ACTIONS[action])} ${name}`}
    >
      {t(ENVIRONMENT_ACTIONS[action])}
    </ActionButton>
  );
  return (
    <Flex style={{ marginInlineStart: -8 }}>
      {button(cordoned ? 'uncordon' : 'cordon')}
      {button('drain', Object.keys(apps).length ? null : key('No apps are in it.'))}
      {button('forget', available ? key('Its worker is alive and would register again. Stop it first.') : null)}
    </Flex>
  );
}
