import { ArrowLeftOutlined } from '@ant-design/icons';
import { useRequest } from 'ahooks';
import { Alert, Button, Card, Flex, Form, Input, Segmented, Typography } from 'antd';
import { useState } from 'react';
import { ENVIRONMENT_NAME } from '../../shared/names';
import type { EnvironmentRow } from '../../shared/types';
import { useApi } from '../common/api';
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

const EXAMPLE: NewEnvironment = { name: 'env_a', url: 'http://localhost:15000', proxyUrl: '' };

/** How to start a worker for a new environment, and the environment as it arrives. */
export function AddEnvironment({ onBack }: { onBack: () => void }) {
  const host = useHost();
  const { t } = host;
  const api = useApi();
  const { data: info } = useRequest(host.info);
  const { data: environments } = useLive(api.listEnvironments, 'environments', () => true);
  const [entered, setEntered] = useState(EXAMPLE);
  const [format, setFormat] = useState<Format>('compose');
  const text = snippet(format, entered, info?.version ?? 'latest');

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
          {t(
            'An environment is a NocoBase instance of its own. Start one with these variables, and it registers itself.',
          )}
        </Typography.Text>
        <NewEnvironmentForm onChange={setEntered} />
        <Segmented value={format} onChange={setFormat} options={FORMATS} style={{ alignSelf: 'start' }} />
        <Typography.Paragraph copyable={{ text, tooltips: [t('Copy'), t('Copied')] }} data-testid="environment-snippet">
          <pre style={{ overflow: 'auto' }}>{text}</pre>
        </Typography.Paragraph>
        <Typography.Text type="secondary">
          {t(
            'Its DB_DATABASE is an empty database of its own, and has to exist. What stands in <> has to be the same as on the Supervisor.',
          )}
        </Typography.Text>
        <Arrival name={entered.name} environment={environments?.find(({ name }) => name === entered.name)} />
      </Flex>
    </Card>
  );
}

function NewEnvironmentForm({ onChange }: { onChange: (environment: NewEnvironment) => void }) {
  const t = useT();
  return (
    <Form
      layout="vertical"
      initialValues={EXAMPLE}
      onValuesChange={(_, values: NewEnvironment) => onChange(values)}
      style={{ maxWidth: 480 }}
    >
      <Form.Item
        name="name"
        label={t('Environment')}
        rules={[{ pattern: ENVIRONMENT_NAME, message: t('Letters, digits, "_", "-" and ".", 64 at most') }]}
      >
        <Input autoComplete="off" />
      </Form.Item>
      <Form.Item
        name="url"
        label={t('Address')}
        extra={t('Where people and, unless you give another address, the Supervisor reach it')}
      >
        <Input autoComplete="off" />
      </Form.Item>
      <Form.Item
        name="proxyUrl"
        label={t('Proxy address')}
        extra={t('Where the Supervisor reaches it, if that is elsewhere')}
      >
        <Input autoComplete="off" placeholder="http://worker_a" />
      </Form.Item>
    </Form>
  );
}

function Arrival({ name, environment }: { name: string; environment?: EnvironmentRow }) {
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
  const { label, look } = HEALTH[environment.health];
  return (
    <Alert
      role="status"
      data-testid="environment-arrived"
      type={environment.available ? 'success' : 'warning'}
      showIcon
      message={
        <Flex gap="small" align="center">
          {t('"{{environment}}" has registered', { environment: name })}
          <StateTag look={look}>{t(label)}</StateTag>
        </Flex>
      }
    />
  );
}
