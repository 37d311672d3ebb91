import { Alert, Button, Collapse, Form, Input } from 'antd';
import { useState } from 'react';
import type { JoinRequest } from '../../shared/join';
import { ENVIRONMENT_NAME } from '../../shared/names';
import { type ApiError, type Problem, problemText } from '../common/errors';
import { key } from '../common/text';
import { useT } from '../host';

const HTTP_ADDRESS = /^https?:\/\/[^\s/?#@]+(?:\/[^\s?#]*)?$/;

/** What few need: the rest of the request, each with an example. */
const MORE: [
  name: 'proxyUrl' | 'image' | 'network' | 'redis' | 'database',
  label: string,
  extra: string,
  example: string,
][] = [
  ['proxyUrl', key('Proxy address'), key('The address for the Supervisor, if it differs'), 'http://worker_a'],
  ['image', key('Image'), key('The container image, if it is not that of the Supervisor'), 'nocobase-app-supervisor'],
  [
    'network',
    key('Docker network'),
    key('The network in which Redis and the database server are reached'),
    'nocobase-fleet_nocobase',
  ],
  [
    'redis',
    key('Redis, as the worker reaches it'),
    key('If the worker reaches it at another address than the Supervisor'),
    'redis.example.com:6379',
  ],
  [
    'database',
    key('Database server, as the worker reaches it'),
    key('If the worker reaches it at another address than the Supervisor'),
    'db.example.com:5432',
  ],
];

interface Props {
  loading: boolean;
  /** Rejects with an `ApiError`. */
  onSubmit: (request: JoinRequest) => Promise<unknown>;
}

export function NewEnvironmentForm({ loading, onSubmit }: Props) {
  const t = useT();
  const [form] = Form.useForm<JoinRequest>();
  const [problem, setProblem] = useState<string>();
  const submit = async (request: JoinRequest) => {
    setProblem(undefined);
    try {
      await onSubmit(request);
    } catch (thrown) {
      const { problems } = thrown as ApiError;
      const isShown = ({ field }: Problem) => field !== undefined && form.getFieldInstance(field as keyof JoinRequest);
      form.setFields(
        problems
          .filter(isShown)
          .map((each) => ({ name: each.field as keyof JoinRequest, errors: [problemText(t, each)] })),
      );
      const other = problems.find((each) => !isShown(each));
      if (other) setProblem(problemText(t, other));
    }
  };
  return (
    <Form form={form} layout="vertical" onFinish={submit} requiredMark={false}>
      <Form.Item
        name="name"
        label={t('Environment')}
        rules={[
          { required: true, message: t('Required') },
          { pattern: ENVIRONMENT_NAME, message: t('Letters, digits, "_", "-" and "."; at most 64 characters') },
        ]}
      >
        <Input autoComplete="off" placeholder="env_c" autoFocus />
      </Form.Item>
      <Form.Item
        name="url"
        label={t('Address')}
        extra={t('The address for visitors, and for the Supervisor unless you set a proxy address')}
        rules={[
          { required: true, message: t('Required') },
          { pattern: HTTP_ADDRESS, message: t('An address such as http://localhost:17000') },
        ]}
      >
        <Input autoComplete="off" placeholder="http://localhost:17000" />
      </Form.Item>
      <Collapse
        ghost
        size="small"
        style={{ marginInline: -12, marginBlockEnd: 16 }}
        items={[
          {
            key: 'more',
            label: t('Image, network and other addresses'),
            forceRender: true,
            children: MORE.map(([name, label, extra, example]) => (
              <Form.Item key={name} name={name} label={t(label)} extra={t(extra)}>
                <Input autoComplete="off" placeholder={example} />
              </Form.Item>
            )),
          },
        ]}
      />
      {problem && <Alert type="error" showIcon message={problem} style={{ marginBlockEnd: 16 }} />}
      <Button type="primary" htmlType="submit" loading={loading} data-testid="join">
        {t('Show how to start it')}
      </Button>
    </Form>
  );
}
