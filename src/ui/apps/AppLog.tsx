import { useRequest } from 'ahooks';
import { Button, Empty, Flex, Radio, Spin, theme } from 'antd';
import { useEffect, useRef } from 'react';
import type { AppRow } from '../../shared/types';
import { useApi } from '../common/api';
import type { ApiError } from '../common/errors';
import { Failure, useIsLocal } from '../common/Page';
import { Secondary } from '../common/Secondary';
import { exactTime } from '../common/time';
import { useAddress } from '../common/useAddress';
import { useHost, useT } from '../host';

const LINES = 100;

/** The last lines of an app's log in one of its environments, or those until a time that the address names, loaded on demand. */
export function AppLog({ app }: { app: AppRow }) {
  const { t, language } = useHost();
  const api = useApi();
  const isLocal = useIsLocal();
  const environments = [...app.environments].sort();
  const { of, until, ask } = useQuestion();
  const environment = of !== null && environments.includes(of) ? of : environments[0];
  const { data, error, loading, refresh } = useRequest<string[], []>(
    () => api.logs(app.name, environment, LINES, until),
    { refreshDeps: [app.name, environment, until] },
  );
  return (
    <Flex vertical gap="small">
      <Flex justify="space-between">
        {isLocal ? (
          <span />
        ) : (
          <Radio.Group
            size="small"
            optionType="button"
            value={environment}
            onChange={({ target }) => ask({ logOf: target.value })}
            options={environments}
            aria-label={t('Environment')}
          />
        )}
        <Button size="small" loading={loading} onClick={refresh}>
          {t('Refresh')}
        </Button>
      </Flex>
      {until !== undefined && (
        <Flex gap="small" align="center" wrap data-testid="log-until">
          <Secondary>{t('Until {{time}}', { time: exactTime(until, language) })}</Secondary>
          <Button size="small" onClick={() => ask({ logUntil: null })}>
            {t('Newest lines')}
          </Button>
        </Flex>
      )}
      {error ? <Failure error={error as ApiError} retry={refresh} /> : data ? <Lines lines={data} /> : <Spin />}
    </Flex>
  );
}

/** What of the log is shown, in the address. */
function useQuestion() {
  const { params, replace } = useAddress();
  const time = Date.parse(params.get('logUntil') ?? '');
  const ask = (change: Record<string, string | null>) =>
    replace((now) => {
      for (const [key, value] of Object.entries(change)) {
        if (value === null) now.delete(key);
        else now.set(key, value);
      }
      return now;
    });
  return { of: params.get('logOf'), until: Number.isNaN(time) ? undefined : time, ask };
}

function Lines({ lines }: { lines: string[] }) {
  const t = useT();
  const { token } = theme.useToken();
  const shown = useRef<HTMLPreElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: new lines come with their end in sight
  useEffect(() => {
    shown.current?.scrollTo({ top: shown.current.scrollHeight });
  }, [lines]);
  if (!lines.some(Boolean)) {
    return <Empty image={Empty.PRESENTED_IMAGE_SIMPLE} description={t('No log yet')} />;
  }
  return (
    <pre
      // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls has to be in reach of the keyboard
      tabIndex={0}
      data-testid="app-log"
      ref={shown}
      style={{
        margin: 0,
        padding: token.paddingXS,
        maxHeight: 480,
        overflow: 'auto',
        fontSize: 12,
        border: `1px solid ${token.colorBorderSecondary}`,
        borderRadius: token.borderRadius,
        background: token.colorFillQuaternary,
      }}
    >
      {lines.join('\n')}
    </pre>
  );
}
