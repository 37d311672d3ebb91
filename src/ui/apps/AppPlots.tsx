import { useRequest } from 'ahooks';
import { Card, Flex } from 'antd';
import type { AppRow } from '../../shared/types';
import { useApi } from '../common/api';
import { LOAD } from '../common/load';
import { Plot, type PlotKind, rounded } from '../common/Plot';
import { Secondary } from '../common/Secondary';
import { key } from '../common/text';
import { bytesText, duration } from '../common/time';
import { useLive } from '../common/useLive';
import { useT } from '../host';
import { startTimes } from './starts';
import { useDatabaseSize } from './useDatabaseSize';

const REFRESH = 30_000;
/** The newest operations that start times are taken from. */
const OPERATIONS = 50;

const PLOTS: Record<'requests' | 'errors' | 'latency', PlotKind> = {
  requests: LOAD.requests,
  errors: LOAD.errors,
  latency: {
    label: key('95 % answered within'),
    help: key('Within this time, 95 of 100 answers began. The others took longer.'),
    show: (value) => `${rounded(value)} ms`,
  },
};

/** What visitors got of an app in the last hour, and how long it took to start. Without what is not measured. */
export function AppPlots({ app }: { app: AppRow }) {
  const { name } = app;
  const t = useT();
  const api = useApi();
  const { data: load, error } = useRequest(() => api.appLoad(name), {
    pollingInterval: REFRESH,
    pollingWhenHidden: false,
    refreshDeps: [name],
  });
  const { data: starts = [] } = useLive(async () => startTimes(await api.listOperations(name, OPERATIONS)), name);
  const size = useDatabaseSize(app);
  const hasLoad = load !== null && (load || !error);
  if (!hasLoad && !starts.length && size === null) return null;
  const kinds = !hasLoad ? [] : (Object.keys(PLOTS) as (keyof typeof PLOTS)[]);
  return (
    <Card size="small" data-testid="app-plots">
      <Flex gap="16px 32px" wrap>
        {(load?.isKept ?? true) &&
          kinds.map((series) => (
            <Plot
              key={series}
              {...PLOTS[series]}
              label={t('{{what}}, last hour', { what: t(PLOTS[series].label) })}
              help={t(PLOTS[series].help ?? '')}
              values={load?.[series]}
              time={load ?? undefined}
              isBad={series === 'errors'}
            />
          ))}
        {starts.length > 0 && (
          <Plot
            label={t('Start time, last {{count}} starts', { count: starts.length })}
            show={duration}
            values={starts}
          />
        )}
        {size !== null && (
          <Flex vertical gap={2} style={{ flex: '0 1 auto', minWidth: 110 }} data-testid="database-size">
            <Secondary>{t('Database size')}</Secondary>
            <span>{bytesText(size)}</span>
          </Flex>
        )}
      </Flex>
      {load && !load.isKept && (
        <Secondary>{t('Requests, errors and latency are recorded for the busiest apps only.')}</Secondary>
      )}
    </Card>
  );
}
