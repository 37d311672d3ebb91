import { MoreOutlined } from '@ant-design/icons';
import { Flex, Space, type TableColumnType, Tooltip, Typography } from 'antd';
import type { ReactNode } from 'react';
import type { ContainerRow } from '../../shared/container';
import { isToBeAdmitted } from '../../shared/environment';
import type { EnvironmentRow } from '../../shared/types';
import type { EnvironmentAction } from '../common/api';
import { EnvironmentLink } from '../common/EnvironmentLink';
import { messageText } from '../common/errors';
import { useMenuEntry } from '../common/menuEntry';
import { environmentPath } from '../common/paths';
import { RowButton, RowButtons } from '../common/RowButton';
import { RowMenu } from '../common/RowMenu';
import { Secondary } from '../common/Secondary';
import { Since } from '../common/Since';
import { StatusCounts } from '../common/StatusCounts';
import { CONTAINER, HEALTH } from '../common/status';
import { StateIcon, StateTag } from '../common/Tag';
import { Term } from '../common/Term';
import { TextLink } from '../common/TextLink';
import { key } from '../common/text';
import { type Translate, useT } from '../host';
import { Addresses } from './Addresses';
import { ContainerActions, ContainerTag, type useContainers } from './Containers';
import { LIMITS } from './EnvironmentLoad';
import { ENVIRONMENT_ACTIONS, ENVIRONMENT_HELP } from './labels';
import { nearestLimit } from './limits';
import type { Place } from './places';

export type Act = (action: EnvironmentAction | 'move' | 'resetAdmin', environment: EnvironmentRow) => void;

/** @param version NocoBase version of the Supervisor, to mark environments that differ */
export function columnsOf(
  t: Translate,
  version: string | null,
  isLocal: boolean,
  act: Act,
  onChange: () => void,
  containers: Pick<ReturnType<typeof useContainers>, 'act' | 'showLog'>,
): TableColumnType<Place>[] {
  const column = (
    key: string,
    title: string,
    width: number | undefined,
    show: (environment: EnvironmentRow, container: ContainerRow | undefined) => ReactNode,
    /** Of a container whose Worker has not joined yet. */
    instead: (container: ContainerRow) => ReactNode = () => null,
  ): TableColumnType<Place> => ({
    key,
    title,
    width,
    render: (_, { environment, container }) =>
      environment ? show(environment, container) : container && instead(container),
  });
  const columns = [
    column(
      'name',
      t('Environment'),
      undefined,
      (row) => <Name environment={row} />,
      ({ environment }) => <strong>{environment}</strong>,
    ),
    column(
      'health',
      t('Health'),
      185,
      (row, container) => (
        <Flex vertical gap={4} align="start">
          <HealthCell environment={row} />
          {container && <ContainerLine container={container} isJoined />}
        </Flex>
      ),
      (container) => (
        <Flex vertical gap={4} align="start">
          <StateTag tone="waiting">{t('Not joined yet')}</StateTag>
          <ContainerLine container={container} />
        </Flex>
      ),
    ),
    column('version', t('Version'), 105, (row) => <Version own={row.appVersion} expected={version} />),
    column('url', t('Address'), 190, (row) => <Addresses environment={row} onChange={onChange} />),
    column('lastHeartbeatAt', t('Last heartbeat'), 120, (row) => <Since at={row.lastHeartbeatAt} />),
    {
      ...column('apps', t('Apps and load'), 190, (row) => (
        <Flex vertical gap={2} align="start">
          <StatusCounts environment={row.name} counts={row.apps} />
          <Load environment={row} />
        </Flex>
      )),
      // The fullest first.
      sorter: (one: Place, other: Place) => fullness(one) - fullness(other),
      sortDirections: ['descend' as const, 'ascend' as const],
    },
    {
      ...column(
        'actions',
        t('Actions'),
        220,
        (row) => <Actions environment={row} act={act} />,
        (container) => <ContainerActions container={container} {...containers} />,
      ),
      fixed: 'right' as const,
    },
  ];
  return isLocal ? columns.filter(({ key }) => !REMOTE.includes(String(key))) : columns;
}

/** Columns that say nothing where the Supervisor itself hosts. */
const REMOTE = ['url', 'lastHeartbeatAt', 'actions'];

/** What its container does; it is managed on the page of its environment. */
function ContainerLine({ container, isJoined = false }: { container: ContainerRow; isJoined?: boolean }) {
  const t = useT();
  const { environment, status } = container;
  const tag = <ContainerTag container={container} />;
  return (
    <Flex gap={4} align="center" wrap data-testid={`container-row-${environment}`} data-status={status}>
      <Secondary>{t('Container')}</Secondary>
      {isJoined ? (
        <TextLink
          to={`${environmentPath(environment)}&tab=container`}
          aria-label={t('{{what}}: {{text}}', {
            what: t('Container of {{environment}}', { environment }),
            text: t(CONTAINER[status].label),
          })}
        >
          {tag}
        </TextLink>
      ) : (
        tag
      )}
    </Flex>
  );
}

function Name({ environment }: { environment: EnvironmentRow }) {
  const t = useT();
  const { name, serves, instance } = environment;
  return (
    <Space size="small" wrap>
      <Tooltip title={instance && t('Held by {{instance}}', { instance })}>
        <strong>
          <EnvironmentLink name={name} />
        </strong>
      </Tooltip>
      <CordonTag environment={environment} />
      {!serves && <StateTag tone="off">{t('Serves no visitors')}</StateTag>}
    </Space>
  );
}

/** Whether it takes new apps, and how far a drain is. */
export function CordonTag({ environment: { cordoned, away } }: { environment: EnvironmentRow }) {
  const t = useT();
  if (!cordoned) return null;
  const done = away.filter(({ isGone }) => isGone).length;
  return done < away.length ? (
    <StateTag tone="busy">{t('Draining {{done}}/{{count}}', { done, count: away.length })}</StateTag>
  ) : (
    <StateTag tone="off">{t('Cordoned')}</StateTag>
  );
}

/** Warnings of an environment, which are too long for a column. */
export function Warnings({ environment: { name, warnings } }: { environment: EnvironmentRow }) {
  const t = useT();
  return (
    <Flex vertical gap={2} data-testid={`environment-warnings-${name}`}>
      {warnings.map((warning) => (
        <Flex key={messageText(t, warning)} gap={8} align="baseline">
          <StateIcon tone="warning" />
          <span style={{ overflowWrap: 'anywhere' }}>{messageText(t, warning)}</span>
        </Flex>
      ))}
    </Flex>
  );
}

export function HealthCell({ environment }: { environment: EnvironmentRow }) {
  const t = useT();
  const { health, since } = environment;
  const { label, tone: look, help } = HEALTH[health];
  return (
    <Flex gap="small" align="center" wrap>
      <StateTag tone={look}>{help ? <Term help={t(help)}>{t(label)}</Term> : t(label)}</StateTag>
      {isToBeAdmitted(environment) && <StateTag tone="warning">{t('To be admitted')}</StateTag>}
      <Secondary>
        <Since at={since} />
      </Secondary>
    </Flex>
  );
}

export function Version({ own, expected }: { own: string; expected: string | null }) {
  const t = useT();
  if (!expected || own === expected) {
    return <>{own}</>;
  }
  return (
    <Tooltip
      title={t(
        'The Supervisor runs {{version}}. Pages of apps come from the Supervisor, their data from this environment. Both must have the same version.',
        {
          version: expected,
        },
      )}
    >
      <Flex vertical align="start" gap={2}>
        <StateTag tone="warning">{own}</StateTag>
        <Secondary>{t('Supervisor: {{version}}', { version: expected })}</Secondary>
      </Flex>
    </Tooltip>
  );
}

function Load({ environment }: { environment: EnvironmentRow }) {
  const t = useT();
  const { memory, eventLoopDelay } = environment;
  const parts = [
    memory !== null && `${Math.round(memory / 1024 / 1024)} MB`,
    eventLoopDelay !== null && t('{{ms}} ms delay', { ms: Math.round(eventLoopDelay) }),
  ].filter(Boolean);
  const nearest = nearestLimit(environment);
  return (
    <>
      <span title={t('Memory usage and 99th percentile of the event-loop delay')}>
        <Secondary>{parts.join(' · ') || '–'}</Secondary>
      </span>
      {nearest && (
        <Typography.Text type={nearest.isNear ? 'danger' : 'secondary'} data-testid={`nearest-${environment.name}`}>
          {t('{{what}}: {{share}} %', { what: t(LIMITS[nearest.of].short), share: nearest.share })}
        </Typography.Text>
      )}
    </>
  );
}

const fullness = ({ environment }: Place): number => (environment && nearestLimit(environment)?.share) ?? -1;

export function Actions({ environment, act }: { environment: EnvironmentRow; act: Act }) {
  const t = useT();
  const { name, cordoned, health, apps } = environment;
  const entry = useMenuEntry();
  const isGone = health === 'down' || health === 'unknown';
  const button = (action: EnvironmentAction, refused: string | null = null) => (
    <RowButton
      isDanger={action === 'forget'}
      refused={refused ? { text: refused } : null}
      help={t(ENVIRONMENT_HELP[action])}
      onClick={() => act(action, environment)}
      data-testid={`environment-${action}-${name}`}
      aria-label={`${t(ENVIRONMENT_ACTIONS[action])} ${name}`}
    >
      {t(ENVIRONMENT_ACTIONS[action])}
    </RowButton>
  );
  const more = () => ({
    items: [
      entry({
        key: 'move',
        label: t('Move all apps'),
        refused: Object.keys(apps).length ? null : { text: key('It has no apps.') },
        onClick: () => act('move', environment),
        'data-testid': `environment-move-${name}`,
      }),
      entry({
        key: 'resetAdmin',
        label: t('New administrator password'),
        refused: isGone ? { text: key('Its worker does not answer.') } : null,
        onClick: () => act('resetAdmin', environment),
        'data-testid': `environment-reset-admin-${name}`,
      }),
    ],
  });
  return (
    <RowButtons>
      {button(cordoned ? 'uncordon' : 'cordon')}
      {button('drain', Object.keys(apps).length ? null : key('It has no apps.'))}
      {button('forget', isGone ? null : key('Its worker is running and would register again. Stop it first.'))}
      <RowMenu
        menu={more}
        aria-label={t('More actions for {{app}}', { app: name })}
        data-testid={`environment-more-${name}`}
      >
        <MoreOutlined />
      </RowMenu>
    </RowButtons>
  );
}
