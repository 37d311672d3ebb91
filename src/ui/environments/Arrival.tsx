import { useRequest } from 'ahooks';
import { Alert, Flex } from 'antd';
import type { Arrival as Found, JoinRequest } from '../../shared/join';
import { say } from '../../shared/message';
import { useApi } from '../common/api';
import { type ApiError, messageText, problemText } from '../common/errors';
import { useT } from '../host';
import { reachFromHere } from './reach';

/** How often the Supervisor is asked, in ms. */
const INTERVAL = 3_000;

const TYPES = { waiting: 'info', wrong: 'error', arrived: 'success' } as const;

/** Waits for the newcomer, and says what is wrong with it. */
export function Arrival({ request: { name, url, proxyUrl } }: { request: JoinRequest }) {
  const t = useT();
  const api = useApi();
  const { data, error } = useRequest(
    async () => {
      const found = await api.arrivalOf(name, proxyUrl || url);
      const isReached = found.state !== 'arrived' || (await reachFromHere(url));
      return isReached ? found : { ...found, messages: [...found.messages, say('JOIN_NOT_BROWSER', { address: url })] };
    },
    { pollingInterval: INTERVAL },
  );
  if (error) return <Alert type="warning" showIcon message={problemText(t, (error as ApiError).problems[0])} />;
  const { state, messages }: Found = data ?? { state: 'waiting', messages: [] };
  const titles: Record<Found['state'], string> = {
    waiting: t('Waiting for "{{environment}}"', { environment: name }),
    wrong: t('"{{environment}}" cannot join', { environment: name }),
    arrived: t('"{{environment}}" has joined', { environment: name }),
  };
  return (
    <Alert
      role="status"
      data-testid="environment-arrival"
      data-state={state}
      type={state === 'arrived' && messages.length ? 'warning' : TYPES[state]}
      showIcon
      message={titles[state]}
      description={
        messages.length > 0 && (
          <Flex vertical gap={4}>
            {messages.map((message) => (
              <span key={messageText(t, message)} style={{ overflowWrap: 'anywhere' }}>
                {messageText(t, message)}
              </span>
            ))}
          </Flex>
        )
      }
    />
  );
}
