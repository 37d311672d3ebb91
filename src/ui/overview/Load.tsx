import { useRequest } from 'ahooks';
import { Card, Flex } from 'antd';
import type { EnvironmentLoad, EnvironmentSummary } from '../../shared/summary';
import { useApi } from '../common/api';
import { Plot, type PlotKind, rounded } from '../common/Plot';
import { key } from '../common/text';
import { useT } from '../host';

const REFRESH = 30_000;

type Series = Exclude<keyof EnvironmentLoad, 'name'>;
const PLOTS: Record<Series, PlotKind> = {
  memory: { label: key('Memory'), show: (value) => `${Math.round(value / 1024 / 1024)} MB` },
  delay: { label: key('Delay'), show: (value) => `${rounded(value)} ms` },
  requests: { label: key('Requests'), show: (value) => `${rounded(value)}/s` },
  errors: { label: key('Errors'), show: (value) => `${rounded(value)}/s` },
};

/** The last hour of each environment. */
export function Load({ environments }: { environments: EnvironmentSummary[] }) {
  const t = useT();
  const api = useApi();
  const names = environments.map(({ name }) => name).join();
  const { data } = useRequest(() => api.load(), {
    pollingInterval: REFRESH,
    pollingWhenHidden: false,
    refreshDeps: [names],
  });
  if (!data?.environments.length) return null;
  return (
    <Card size="small" title={t('Load in the last hour')} data-testid="load">
      <Flex vertical gap="middle">
        {data.environments.map((environment) => (
          <Flex key={environment.name} gap="small" vertical>
            <strong style={{ overflowWrap: 'anywhere' }}>{environment.name}</strong>
            <Flex gap="middle" wrap>
              {(Object.keys(PLOTS) as Series[]).map((series) => (
                <Plot
                  key={series}
                  {...PLOTS[series]}
                  label={t(PLOTS[series].label)}
                  values={environment[series]}
                  isBad={series === 'errors'}
                />
              ))}
            </Flex>
          </Flex>
        ))}
      </Flex>
    </Card>
  );
}
