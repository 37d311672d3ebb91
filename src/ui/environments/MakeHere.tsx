import { useRequest } from 'ahooks';
import { Alert, Button, Flex, Form, InputNumber, Typography } from 'antd';
import type { JoinRequest } from '../../shared/join';
import { useApi } from '../common/api';
import { type ApiError, problemText } from '../common/errors';
import { useT } from '../host';

interface Limits {
  memory?: number | null;
  cpus?: number | null;
}

/** Makes the Worker in the engine of the Supervisor. */
export function MakeHere({ request }: { request: JoinRequest }) {
  const t = useT();
  const api = useApi();
  const { image: _, network: __, ...wanted } = request;
  const { data, error, loading, run } = useRequest(
    ({ memory, cpus }: Limits) =>
      api.createContainer({ ...wanted, ...(memory ? { memory } : {}), ...(cpus ? { cpus } : {}) }),
    { manual: true },
  );
  return (
    <Flex vertical gap="middle">
      <Typography.Text>
        {t('The Supervisor starts a container with its own image in its Docker Engine, next to its own container.')}
      </Typography.Text>
      <Form layout="inline" onFinish={run} style={{ rowGap: 12 }} disabled={Boolean(data)}>
        <Form.Item name="memory" label={t('Memory, MB')}>
          <InputNumber min={512} precision={0} placeholder={t('No limit')} />
        </Form.Item>
        <Form.Item name="cpus" label={t('CPUs')}>
          <InputNumber min={0.1} placeholder={t('No limit')} />
        </Form.Item>
        <Button type="primary" htmlType="submit" loading={loading} data-testid="make-container">
          {t('Create and start')}
        </Button>
      </Form>
      {error && <Alert type="error" showIcon message={problemText(t, (error as ApiError).problems[0])} />}
      {data && (
        <Alert type="success" showIcon message={t('The container was started. NocoBase needs a few minutes.')} />
      )}
    </Flex>
  );
}
