import { Alert, Card, Descriptions, Result, Space, Typography } from 'antd';
import type { Message } from '../../shared/message';
import type { HostedAppInfo, PartInfo } from '../../shared/types';
import { useHost, useT } from '../host';
import { messageText } from './errors';
import { Rows } from './Rows';
import { Secondary } from './Secondary';
import { Since } from './Since';
import { STATUS } from './status';
import { StateTag } from './Tag';

const ROWS = ['APP_MODE', 'APP_DISCOVERY_ADAPTER', 'APP_PROCESS_ADAPTER', 'APP_COMMAND_ADAPTER'].map(
  (variable, index) => ({
    variable,
    local: ['', 'local', 'local', ''][index],
    supervisor: ['supervisor', 'remote', 'remote', 'redis'][index],
    worker: ['worker', 'remote', 'local', 'redis'][index],
  }),
);

/** The settings page of an instance that manages no apps. */
export function OtherPart({ info }: { info: PartInfo }) {
  return <Card>{info.part === 'worker' ? <Worker info={info} /> : <Dormant warnings={info.warnings} />}</Card>;
}

function Worker({ info }: { info: PartInfo }) {
  const t = useT();
  return (
    <Space direction="vertical" size="large" style={{ width: '100%' }} data-testid="worker-page">
      <Result
        status="info"
        title={t('This instance is a worker')}
        subTitle={t('It hosts apps for the environment "{{environment}}". They are managed on the Supervisor.', {
          environment: info.environment ?? '',
        })}
      />
      <Descriptions
        column={1}
        bordered
        items={[
          { key: 'environment', label: t('Environment'), children: info.environment },
          { key: 'supervisor', label: t('Supervisor'), children: <Supervisor supervisor={info.supervisor ?? null} /> },
        ]}
      />
      <HostedApps apps={info.apps ?? []} />
      <Warnings warnings={info.warnings} />
    </Space>
  );
}

function Supervisor({ supervisor }: { supervisor: NonNullable<PartInfo['supervisor']> | null }) {
  const t = useT();
  const host = useHost();
  if (!supervisor) {
    return <>{t('No heartbeat received yet.')}</>;
  }
  const { publicUrl, instance } = supervisor;
  return (
    <Space direction="vertical" size={0}>
      {publicUrl ? (
        <Typography.Link href={host.supervisorUrl(publicUrl)} data-testid="supervisor-link">
          {publicUrl}
        </Typography.Link>
      ) : (
        t('The address of the Supervisor is not known here. Set APP_SUPERVISOR_PUBLIC_URL to show it.')
      )}
      <Secondary>{t('Process {{instance}}', { instance })}</Secondary>
    </Space>
  );
}

function HostedApps({ apps }: { apps: HostedAppInfo[] }) {
  const t = useT();
  return (
    <Rows
      rows={apps}
      nameOf={({ name }) => name}
      width="max-content"
      lines={['app', 'status']}
      empty={t('It hosts no apps yet')}
      columns={[
        {
          key: 'app',
          title: t('App'),
          render: (_, { name, title }) => (
            <>
              {title} <Secondary>{name}</Secondary>
            </>
          ),
        },
        {
          key: 'status',
          title: t('Status'),
          render: (_, app) => (
            <Space size="small" wrap>
              <StateTag tone={STATUS[app.status].tone} data-testid={`hosted-${app.name}`} data-status={app.status}>
                {t(STATUS[app.status].label)}
              </StateTag>
              <Secondary>
                <Since at={app.since} />
              </Secondary>
              {app.error ? messageText(t, app.error) : app.message && messageText(t, app.message)}
            </Space>
          ),
        },
        { key: 'version', title: t('Version'), render: (_, { version }) => version ?? '–' },
      ]}
    />
  );
}

function Dormant({ warnings }: { warnings: Message[] }) {
  const t = useT();
  return (
    <Space direction="vertical" size="large" style={{ width: '100%' }} data-testid="dormant-page">
      <Result
        status="info"
        title={t('App Supervisor is installed but inactive')}
        subTitle={t('Set the environment variables for the role of this instance, then restart it.')}
      />
      <Rows
        rows={ROWS}
        nameOf={({ variable }) => variable}
        width="max-content"
        lines={['variable']}
        columns={[
          { key: 'variable', title: t('Variable'), render: (_, row) => code(row.variable) },
          { key: 'local', title: t('One process for all apps'), render: (_, row) => code(row.local) },
          {
            key: 'supervisor',
            title: t('Supervisor of several environments'),
            render: (_, row) => code(row.supervisor),
          },
          { key: 'worker', title: t('Worker (an environment)'), render: (_, row) => code(row.worker) },
        ]}
      />
      <Typography.Paragraph>
        {t(
          'The Supervisor and the workers also need {{redis}}; a worker also needs {{worker}}. All instances share one {{key}}.',
          {
            redis: 'APP_SUPERVISOR_REDIS_URL, APP_COMMAND_REDIS_URL',
            worker: 'ENVIRONMENT_NAME, ENVIRONMENT_URL',
            key: 'APP_SUPERVISOR_AES_SECRET_KEY',
          },
        )}
      </Typography.Paragraph>
      <Warnings warnings={warnings} />
    </Space>
  );
}

const code = (value: string) => (value ? <Typography.Text code>{value}</Typography.Text> : '–');

function Warnings({ warnings }: { warnings: Message[] }) {
  const t = useT();
  return warnings.map((warning) => (
    <Alert key={messageText(t, warning)} type="warning" showIcon message={messageText(t, warning)} />
  ));
}
