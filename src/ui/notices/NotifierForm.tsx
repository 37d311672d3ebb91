import { useRequest } from 'ahooks';
import { Alert, Button, Checkbox, Flex, Form, Switch } from 'antd';
import { type ReactNode, useState } from 'react';
import { NOTICE_KINDS, type NoticeKind, type NoticeResult, type NotifierRow } from '../../shared/notice';
import { useApi } from '../common/api';
import { type ApiError, apiError, messageText, problemText } from '../common/errors';
import { Secondary } from '../common/Secondary';
import { Since } from '../common/Since';
import { StateTag } from '../common/Tag';
import { exactTime } from '../common/time';
import { useHost, useT } from '../host';
import { NOTICE_LABELS } from './labels';

export interface NotifierValues {
  enabled: boolean;
  kinds: NoticeKind[];
  channel?: string | null;
  receivers?: string[];
  url?: string | null;
}

/** On a phone NocoBase's menu leaves little room beside it. */
export const WRAPPED = { maxWidth: '100%', height: 'auto', whiteSpace: 'normal' } as const;

interface Props {
  row: NotifierRow;
  refresh: () => Promise<void>;
  /** What the form begins with. */
  values: NotifierValues;
  children: ReactNode;
  /** Text below the buttons. */
  footer?: ReactNode;
  onSaved?: (answer: NotifierRow & { secret?: string }) => void;
}

/** The settings of one notifier, how it is going, and a test message. */
export function NotifierForm({ row, refresh, values, children, footer, onSaved }: Props) {
  const { t, success } = useHost();
  const api = useApi();
  const [form] = Form.useForm<NotifierValues>();
  const [isChanged, setChanged] = useState(false);
  const [error, setError] = useState<ApiError>();
  const { loading: saving, run: save } = useRequest((given: NotifierValues) => api.updateNotifier(row.id, given), {
    manual: true,
    onBefore: () => setError(undefined),
    onSuccess: (answer) => {
      setChanged(false);
      success(t('Saved'));
      onSaved?.(answer);
      void refresh();
    },
    onError: (thrown) => setError(apiError(thrown)),
  });
  return (
    <Form
      form={form}
      // Both forms are on one page: their fields need ids of their own, so that each label leads to its own field.
      name={row.id}
      layout="vertical"
      initialValues={values}
      onValuesChange={() => setChanged(true)}
      onFinish={save}
      data-testid={`notifier-${row.id}`}
      style={{ maxWidth: 720 }}
    >
      <Flex vertical gap="middle">
        <Going row={row} />
        <div>
          <Form.Item name="enabled" label={t('Send notifications')} valuePropName="checked">
            <Switch />
          </Form.Item>
          <Form.Item name="kinds" label={t('About')}>
            <Checkbox.Group style={{ width: '100%' }}>
              <Flex wrap gap="small">
                {NOTICE_KINDS.map((kind) => (
                  <Checkbox key={kind} value={kind} style={{ flex: '1 1 260px' }}>
                    {t(NOTICE_LABELS[kind])}
                  </Checkbox>
                ))}
              </Flex>
            </Checkbox.Group>
          </Form.Item>
          {children}
        </div>
        {error && <Alert type="error" showIcon message={problemText(t, error.problems[0])} />}
        <Flex gap="small" wrap>
          <Button type="primary" htmlType="submit" loading={saving} data-testid={`save-${row.id}`}>
            {t('Save')}
          </Button>
          <TestButton row={row} isChanged={isChanged} refresh={refresh} />
        </Flex>
        {footer}
      </Flex>
    </Form>
  );
}

/** A text that is also a status: when it last arrived, or since when it does not. */
function Going({ row: { enabled, deliveredAt, failingSince, error, status, nextAt } }: { row: NotifierRow }) {
  const { t, language } = useHost();
  if (!enabled) return null;
  if (failingSince !== null)
    return (
      <Alert
        type="error"
        showIcon
        message={
          <>
            {t('Sending fails. The first attempt that failed:')} <Since at={failingSince} />
          </>
        }
        description={
          <>
            {error && <div>{messageText(t, error)}</div>}
            {nextAt !== null && <div>{t('Next attempt: {{time}}', { time: exactTime(nextAt, language) })}</div>}
          </>
        }
      />
    );
  return (
    <Flex gap="small" wrap align="center" role="status">
      <StateTag tone="good">{t('On')}</StateTag>
      <Secondary>
        {deliveredAt === null ? (
          t('Nothing was sent yet')
        ) : (
          <>
            {t('Last sent')} <Since at={deliveredAt} />
            {status !== null && ` · HTTP ${status}`}
          </>
        )}
      </Secondary>
    </Flex>
  );
}

function TestButton({ row, isChanged, refresh }: { row: NotifierRow; isChanged: boolean; refresh: () => void }) {
  const t = useT();
  const api = useApi();
  const { data, error, loading, run } = useRequest(() => api.testNotifier(row.id), {
    manual: true,
    onFinally: refresh,
  });
  const isEmpty = row.id === 'channel' ? !row.channel : !row.url;
  return (
    <>
      <Button
        onClick={run}
        loading={loading}
        disabled={isChanged || isEmpty}
        style={WRAPPED}
        data-testid={`test-${row.id}`}
      >
        {t('Send a test message')}
      </Button>
      {(isChanged || isEmpty) && (
        <Flex align="center">
          <Secondary>
            {isChanged ? t('Save first: a test uses the stored settings.') : t('A test needs a channel or an address.')}
          </Secondary>
        </Flex>
      )}
      {error && !loading && (
        <Alert type="error" showIcon message={problemText(t, apiError(error).problems[0])} style={{ width: '100%' }} />
      )}
      {data && !loading && <Result result={data} />}
    </>
  );
}

function Result({ result: { ok, status, error } }: { result: NoticeResult }) {
  const t = useT();
  const sent =
    status === null ? t('The test message was sent.') : t('The receiver answered: HTTP {{status}}', { status });
  return (
    <Alert
      type={ok ? 'success' : 'error'}
      showIcon
      style={{ width: '100%' }}
      data-testid="test-result"
      message={ok ? sent : error ? messageText(t, error) : t('The test message could not be sent.')}
    />
  );
}
