import { ArrowLeftOutlined } from '@ant-design/icons';
import { useRequest } from 'ahooks';
import { Alert, Button, Card, Flex, Form, Input, Radio, Typography } from 'antd';
import { useRef, useState } from 'react';
import { ENVIRONMENT_NAME } from '../../shared/names';
import type { EnvironmentRow } from '../../shared/types';
import { useApi } from '../common/api';
import { useVariablesToJoin } from '../common/Page';
import { Secondary } from '../common/Secondary';
import { HEALTH } from '../common/status';
import { StateTag } from '../common/Tag';
import { useLive } from '../common/useLive';
import { useHost, useT } from '../host';
import { type Format, type NewEnvironment, snippet } from './snippets';

const FORMATS: { value: Format; label: string }[] = [
  { value: 'compose', label: 'Docker Compose' },
  { value: 'shell', label: 'Shell' },
  { value: 'kubernetes', label: 'Kubernetes' },
];

const EMPTY: NewEnvironment = { name: '', url: '', proxyUrl: '' };

/** How to start a worker for a new environment, and the environment once it has registered. */
export function AddEnvironment({ onBack }: { onBack: () => void }) {
  const host = useHost();
  const { t } = host;
  const api = useApi();
  const { data: info } = useRequest(host.info);
  const { data: environments } = useLive(api.listEnvironments, 'environments', () => true);
  const [entered, setEntered] = useState(EMPTY);
  const [format, setFormat] = useState<Format>('compose');
  const before = useFirst(environments);
  const known = { ...useVariablesToJoin(), ...(info?.dialect && { DB_DIALECT: info.dialect }) };
  const text = snippet(format, entered, known);

  return (
    <Card
      title={
        <Flex gap="small" align="center">
          <Button type="text" icon={<ArrowLeftOutlined />} onClick={onBack} aria-label={t('Back')} />
          {t('Add environment')}
        </Flex>
      }
    >
      <Flex vertical gap="middle">
        <Typography.Text>
          {t('An environment is a separate NocoBase instance. Start one with these variables; it registers itself.')}
        </Typography.Text>
        <Flex gap="large" wrap>
          <div style={{ flex: '1 1 320px' }}>
            <NewEnvironmentForm onChange={setEntered} />
            {entered.name && (
              <Arrival
                name={entered.name}
                environment={environments?.find(({ name }) => name === entered.name)}
                wasKnown={before?.some(({ name }) => name === entered.name) ?? false}
              />
            )}
          </div>
          <Flex vertical gap="small" style={{ flex: '2 1 480px', minWidth: 0 }}>
            <Flex justify="space-between" align="center">
              <Radio.Group
                optionType="button"
                value={format}
                onChange={({ target }) => setFormat(target.value)}
                options={FORMATS}
                aria-label={t('Format of the variables')}
              />
              <Typography.Text copyable={{ text, tooltips: [t('Copy'), t('Copied')] }} />
            </Flex>
            <Typography.Paragraph style={{ margin: 0 }}>
              {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls has to be in reach of the keyboard */}
              <pre data-testid="environment-snippet" tabIndex={0} style={{ margin: 0, overflow: 'auto' }}>
                {text}
              </pre>
            </Typography.Paragraph>
            {format === 'shell' && (
              <Secondary>
                {t(
                  'DB_DATABASE is a separate, empty database that must already exist. Replace the placeholders in <>.',
                )}
              </Secondary>
            )}
          </Flex>
        </Flex>
      </Flex>
    </Card>
  );
}

/** The first value that is not undefined. */
function useFirst<T>(value: T | undefined): T | undefined {
  const first = useRef(value);
  first.current ??= value;
  return first.current;
}

function NewEnvironmentForm({ onChange }: { onChange: (environment: NewEnvironment) => void }) {
  const t = useT();
  return (
    <Form layout="vertical" initialValues={EMPTY} onValuesChange={(_, values: NewEnvironment) => onChange(values)}>
      <Form.Item
        name="name"
        label={t('Environment')}
        rules={[{ pattern: ENVIRONMENT_NAME, message: t('Letters, digits, "_", "-" and "."; at most 64 characters') }]}
      >
        <Input autoComplete="off" placeholder="env_a" autoFocus />
      </Form.Item>
      <Form.Item
        name="url"
        label={t('Address')}
        extra={t('The address for visitors, and for the Supervisor unless you set a proxy address')}
      >
        <Input autoComplete="off" placeholder="http://localhost:15000" />
      </Form.Item>
      <Form.Item name="proxyUrl" label={t('Proxy address')} extra={t('The address for the Supervisor, if it differs')}>
        <Input autoComplete="off" placeholder="http://worker_a" />
      </Form.Item>
    </Form>
  );
}

function Arrival(props: { name: string; environment?: EnvironmentRow; wasKnown: boolean }) {
  const { name, environment, wasKnown } = props;
  const t = useT();
  if (!environment) {
    return (
      <Alert
        role="status"
        type="info"
        showIcon
        message={t('"{{environment}}" has not registered yet', { environment: name })}
      />
    );
  }
  if (wasKnown) {
    return (
      <Alert
        role="status"
        type="warning"
        showIcon
        message={t(
          '"{{environment}}" already exists. A second worker with this name is a standby and hosts nothing while the first one runs.',
          {
            environment: name,
          },
        )}
      />
    );
  }
  const { label, tone: look } = HEALTH[environment.health];
  return (
    <Alert
      role="status"
      data-testid="environment-arrived"
      type="success"
      message={
        <Flex gap="small" align="center">
          {t('"{{environment}}" has registered', { environment: name })}
          <StateTag tone={look}>{t(label)}</StateTag>
        </Flex>
      }
    />
  );
}
