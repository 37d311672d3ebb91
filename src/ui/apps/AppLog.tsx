import { useRequest } from 'ahooks';
import { Button, Empty, Flex, Radio, Spin, theme } from 'antd';
import { useEffect, useRef, useState } from 'react';
import type { AppRow } from '../../shared/types';
import { useApi } from '../common/api';
import type { ApiError } from '../common/errors';
import { Failure, useIsLocal } from '../common/Page';
import { useT } from '../host';

const LINES = 100;

/** The last lines of an app's log in one of its environments, loaded on demand. */
export function AppLog({ app }: { app: AppRow }) {
  const t = useT();
  const api = useApi();
  const isLocal = useIsLocal();
  const environments = [...app.environments].sort();
  const [environment, setEnvironment] = useState(environments[0]);
  const { data, error, loading, refresh } = useRequest<string[], []>(() => api.logs(app.name, environment, LINES), {
    refreshDeps: [app.name, environment],
  });
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
            onChange={({ target }) => setEnvironment(target.value)}
            options={environments}
            aria-label={t('Environment')}
          />
        )}
        <Button size="small" loading={loading} onClick={refresh}>
          {t('Refresh')}
        </Button>
      </Flex>
      {error ? <Failure error={error as ApiError} retry={refresh} /> : data ? <Lines lines={data} /> : <Spin />}
    </Flex>
  );
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
