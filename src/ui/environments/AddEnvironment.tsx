import { ArrowLeftOutlined } from '@ant-design/icons';
import { useRequest } from 'ahooks';
import { Alert, Button, Card, Flex, Typography } from 'antd';
import { useRef, useState } from 'react';
import type { JoinRequest } from '../../shared/join';
import { useApi } from '../common/api';
import { useLive } from '../common/useLive';
import { useT } from '../host';
import { Arrival } from './Arrival';
import { JoinFiles } from './JoinFiles';
import { NewEnvironmentForm } from './NewEnvironmentForm';

/** How to start a Worker for a new environment, and what is known of it until it has joined. */
export function AddEnvironment({ onBack }: { onBack: () => void }) {
  const t = useT();
  const api = useApi();
  const { data: environments } = useLive(api.listEnvironments, 'environments', () => true);
  const [requested, setRequested] = useState<JoinRequest>();
  const { data, loading, runAsync } = useRequest(
    async (request: JoinRequest) => {
      const answer = await api.joinEnvironment(request);
      setRequested(request);
      return answer;
    },
    { manual: true },
  );
  const before = useFirst(environments);
  const isKnown = (rows: typeof environments) => rows?.some(({ name }) => name === requested?.name) ?? false;

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
            'An environment is a separate NocoBase instance. Fill in the form to see how to start it. It registers itself.',
          )}
        </Typography.Text>
        <Flex gap="large" wrap>
          <div style={{ flex: '1 1 320px' }}>
            <NewEnvironmentForm loading={loading} onSubmit={runAsync} />
          </div>
          <Flex vertical gap="middle" style={{ flex: '2 1 480px', minWidth: 0 }}>
            {data && requested && data.name === requested.name ? (
              <>
                {isKnown(before) && <AlreadyKnown name={requested.name} />}
                <Arrival key={requested.name} request={requested} />
                <JoinFiles join={data} request={requested} />
              </>
            ) : (
              <Alert
                type="info"
                showIcon
                message={t(
                  'The instructions contain the keys and passwords of the new environment. Each view is recorded.',
                )}
              />
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

function AlreadyKnown({ name }: { name: string }) {
  const t = useT();
  return (
    <Alert
      type="warning"
      showIcon
      message={t(
        '"{{environment}}" already exists. A second worker with this name is a standby and hosts nothing while the first one runs.',
        { environment: name },
      )}
    />
  );
}
