import { useRequest } from 'ahooks';
import { Button, Flex, Popconfirm, Typography } from 'antd';
import { isToBeAdmitted } from '../../shared/environment';
import { say } from '../../shared/message';
import type { EnvironmentRow } from '../../shared/types';
import { type Reach, useApi } from '../common/api';
import { type ApiError, messageText, problemText } from '../common/errors';
import { Secondary } from '../common/Secondary';
import { StateIcon } from '../common/Tag';
import { useHost, useT } from '../host';
import { reachFromHere } from './reach';

/** The addresses of an environment, and a check on demand whether this browser and the Supervisor reach them. */
export function Addresses({ environment, onChange }: { environment: EnvironmentRow; onChange: () => void }) {
  const { name, url, proxyUrl, unconfirmedProxyUrl } = environment;
  const { t, failure } = useHost();
  const api = useApi();
  const { data, loading, run } = useRequest(
    async () => {
      const [browser, supervisor] = await Promise.all([reachFromHere(url), api.checkEnvironment(name)]);
      return { browser, supervisor };
    },
    { manual: true, onError: (error) => failure(problemText(t, (error as ApiError).problems[0])) },
  );
  return (
    <Flex vertical gap={2} align="start">
      <Typography.Link href={url} target="_blank" rel="noreferrer">
        {url}
      </Typography.Link>
      {proxyUrl !== url && proxyUrl && <Secondary>{t('Proxy: {{url}}', { url: proxyUrl })}</Secondary>}
      {unconfirmedProxyUrl !== null && (
        <Unconfirmed environment={environment} address={unconfirmedProxyUrl} onChange={onChange} />
      )}
      <Button
        type="link"
        size="small"
        style={{ padding: 0 }}
        loading={loading}
        onClick={run}
        data-testid={`environment-check-${name}`}
      >
        {t('Check')}
      </Button>
      {data && (
        <div role="status" data-testid={`environment-reach-${name}`}>
          <Line
            what={t('This browser')}
            reach={{ ok: data.browser, message: say(data.browser ? 'REACH_BROWSER' : 'REACH_NOT_BROWSER') }}
          />
          <Line what={t('Supervisor, web')} reach={data.supervisor.web} />
          <Line what={t('Supervisor, WebSocket')} reach={data.supervisor.ws} />
        </div>
      )}
    </Flex>
  );
}

/** The proxy address that the Worker reports and nobody has confirmed yet: of an environment that is to be admitted the first one. */
function Unconfirmed({
  environment,
  address,
  onChange,
}: {
  environment: EnvironmentRow;
  address: string;
  onChange: () => void;
}) {
  const { name, instance, appVersion } = environment;
  const { t, failure } = useHost();
  const api = useApi();
  const { loading, runAsync } = useRequest(() => api.admit(name, address), {
    manual: true,
    onError: (error) => failure(problemText(t, (error as ApiError).problems[0])),
    onFinally: onChange,
  });
  const isNew = isToBeAdmitted(environment);
  const action = isNew ? t('Admit') : t('Confirm address');
  const sent = t('The Supervisor will send the visitors of its apps there, with their sessions.');
  return (
    <>
      <Typography.Text type="warning" data-testid={`environment-unconfirmed-${name}`}>
        {isNew ? t('To be admitted: {{url}}', { url: address }) : t('Not confirmed: {{url}}', { url: address })}
      </Typography.Text>
      <Popconfirm
        title={
          isNew
            ? t('Admit environment {{environment}}?', { environment: name })
            : t('Confirm {{url}} as the proxy address of {{environment}}?', { url: address, environment: name })
        }
        description={
          isNew ? (
            <Flex vertical gap="small" style={{ maxWidth: 420 }}>
              <span>{t('Apps may run there: its Worker then gets their secrets.')}</span>
              <span>{sent}</span>
              <span>{t('Compare what it says with the Worker that you have started:')}</span>
              <Secondary>{address}</Secondary>
              <Secondary>
                {t('Process: {{instance}}, NocoBase {{version}}', { instance, version: appVersion })}
              </Secondary>
            </Flex>
          ) : (
            sent
          )
        }
        okText={action}
        cancelText={t('Cancel')}
        onConfirm={() => runAsync().catch(() => undefined)}
        okButtonProps={{ 'data-testid': `environment-confirm-${name}` }}
      >
        <Button size="small" loading={loading} data-testid={`environment-confirm-address-${name}`}>
          {action}
        </Button>
      </Popconfirm>
    </>
  );
}

function Line({ what, reach: { ok, message } }: { what: string; reach: Reach }) {
  const t = useT();
  return (
    <div title={messageText(t, message)} style={{ whiteSpace: ok ? 'nowrap' : undefined }}>
      <StateIcon tone={ok ? 'good' : 'bad'} /> {what}
      {!ok && <Secondary>: {messageText(t, message)}</Secondary>}
    </div>
  );
}
