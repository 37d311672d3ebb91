import { ArrowLeftOutlined } from '@ant-design/icons';
import { useRequest } from 'ahooks';
import { Card, Flex, Result, Skeleton, Space, Tabs, Typography } from 'antd';
import type { EnvironmentDetails } from '../../shared/environment';
import type { EventRow } from '../../shared/event';
import { EventList } from '../activity/EventList';
import { useApi } from '../common/api';
import { LogView } from '../common/LogView';
import { Failure, Freshness, useIsLocal, useMakesContainers } from '../common/Page';
import { PATHS } from '../common/paths';
import { keepPage, type Page } from '../common/refresher';
import { Secondary } from '../common/Secondary';
import { Since } from '../common/Since';
import { SECURITY } from '../common/snippets';
import { StateTag } from '../common/Tag';
import { TextLink } from '../common/TextLink';
import { adding, useAddress } from '../common/useAddress';
import { useLive } from '../common/useLive';
import { useHost, useT } from '../host';
import { Addresses } from './Addresses';
import { EnvironmentContainer } from './Containers';
import { Actions, CordonTag, HealthCell, Version, Warnings } from './columns';
import { EnvironmentBatches, useEnvironmentBatches } from './EnvironmentBatches';
import { EnvironmentLoad } from './EnvironmentLoad';
import { HostedApps } from './HostedApps';
import { Timeline } from './Timeline';
import { useEnvironmentActions } from './useEnvironmentActions';

interface Props {
  name: string;
  /** There is no page any more. */
  onForgotten: () => void;
}

/** Everything about one environment: what is wrong with it, its load, its apps, what happened, its log, and what can be done. */
export function EnvironmentPage({ name, onForgotten }: Props) {
  const t = useT();
  const api = useApi();
  const { data, error, refresh } = useLive(
    () => api.getEnvironment(name),
    name,
    ({ health }) => health !== 'online',
  );
  const batches = useEnvironmentBatches(name);
  const reload = () => void Promise.all([refresh(), batches.refresh()]);
  const { act, dialogs } = useEnvironmentActions(reload, onForgotten);
  if (error?.code === 'UNKNOWN_ENVIRONMENT')
    return (
      <Card>
        <Result
          status="404"
          title={t('There is no environment "{{environment}}"', { environment: name })}
          subTitle={t('It may have been forgotten.')}
          extra={<BackToList />}
        />
      </Card>
    );
  if (!data)
    return (
      <Card>
        <BackToList />
        {error ? <Failure error={error} retry={refresh} /> : <Skeleton active />}
      </Card>
    );
  return (
    <Flex vertical gap="middle" data-testid={`environment-page-${name}`}>
      <Head environment={data} reload={reload} actions={<Actions environment={data} act={act} />} />
      <Freshness error={error} />
      <EnvironmentBatches batches={batches.data} onChange={reload} />
      {data.warnings.length > 0 && (
        <Card size="small" role="region" aria-label={t('Problems')}>
          <Warnings environment={data} />
        </Card>
      )}
      <EnvironmentLoad environment={data} />
      <Details environment={data} />
      {dialogs}
    </Flex>
  );
}

function BackToList() {
  const t = useT();
  return (
    <TextLink to={PATHS.environments} data-testid="back-to-environments">
      <ArrowLeftOutlined aria-hidden /> {t('All environments')}
    </TextLink>
  );
}

interface HeadProps {
  environment: EnvironmentDetails;
  reload: () => void;
  actions: React.ReactNode;
}

function Head({ environment, reload, actions }: HeadProps) {
  const host = useHost();
  const { t } = host;
  const isLocal = useIsLocal();
  const { data: info } = useRequest(host.info);
  const { name, appVersion, instance, lastHeartbeatAt, serves } = environment;
  return (
    <Card size="small">
      <Flex vertical gap="small">
        <BackToList />
        <Flex gap="8px 24px" justify="space-between" align="start" wrap>
          <Space wrap size="small">
            <Typography.Title level={4} style={{ margin: 0, overflowWrap: 'anywhere' }}>
              {name}
            </Typography.Title>
            <HealthCell environment={environment} />
            <CordonTag environment={environment} />
            {!serves && <StateTag tone="off">{t('Serves no visitors')}</StateTag>}
          </Space>
          {!isLocal && actions}
        </Flex>
        <Flex gap="8px 32px" wrap>
          <Flex vertical>
            <Secondary>{t('Version')}</Secondary>
            <Version own={appVersion} expected={info?.version ?? null} />
          </Flex>
          {!isLocal && (
            <>
              <Flex vertical>
                <Secondary>{t('Address')}</Secondary>
                <Addresses environment={environment} onChange={reload} />
              </Flex>
              <Flex vertical>
                <Secondary>{t('Last heartbeat')}</Secondary>
                <Since at={lastHeartbeatAt} />
              </Flex>
              <Flex vertical>
                <Secondary>{t('Process')}</Secondary>
                <span style={{ overflowWrap: 'anywhere' }}>{instance ?? t('none')}</span>
              </Flex>
            </>
          )}
        </Flex>
      </Flex>
    </Card>
  );
}

function Details({ environment }: { environment: EnvironmentDetails }) {
  const { t, maySee } = useHost();
  const api = useApi();
  const makesContainers = useMakesContainers();
  const { params, replace } = useAddress();
  const { name } = environment;
  const show = (tab: string) => replace(adding({ tab }));
  const isTrusted = maySee(SECURITY);
  return (
    <Card size="small">
      <Tabs
        activeKey={params.get('tab') ?? 'apps'}
        onChange={show}
        items={[
          { key: 'apps', label: t('Apps'), children: <HostedApps environment={environment} /> },
          { key: 'activity', label: t('Activity'), children: <Happened environment={name} /> },
          ...(isTrusted
            ? [
                {
                  key: 'log',
                  label: t('Log'),
                  children: (
                    <LogView
                      of={name}
                      load={(lines, until) => api.environmentLogs(name, lines, until)}
                      file={`${name}.log`}
                    >
                      <Secondary>
                        {t(
                          'Of the process itself, for the permission Security alone. Keys, passwords and tokens are struck out.',
                        )}
                      </Secondary>
                    </LogView>
                  ),
                },
              ]
            : []),
          ...(isTrusted && makesContainers
            ? [{ key: 'container', label: t('Container'), children: <EnvironmentContainer environment={name} /> }]
            : []),
        ]}
      />
    </Card>
  );
}

const SHOWN = 10;

/** Operations and outages, and the newest events. */
function Happened({ environment }: { environment: string }) {
  const t = useT();
  const api = useApi();
  const { data, error, refresh } = useLive(
    async (previous: Page<EventRow> | undefined) =>
      keepPage(previous, await api.listEvents({ environment }, 1, SHOWN), ({ id }) => id),
    environment,
  );
  if (!data) return error ? <Failure error={error} retry={refresh} /> : <Skeleton active />;
  return (
    <Flex vertical gap="middle">
      <Timeline environment={environment} />
      {data.rows.length ? <EventList rows={data.rows} appsPath={PATHS.apps} namesApp /> : t('Nothing yet')}
      {data.count > SHOWN && (
        <TextLink to={`${PATHS.activity}?${new URLSearchParams({ environment })}`}>
          {t('All {{count}} in Activity', { count: data.count })}
        </TextLink>
      )}
    </Flex>
  );
}
