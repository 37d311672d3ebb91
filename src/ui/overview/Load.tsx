import { useRequest } from 'ahooks';
import { Card, Flex, theme } from 'antd';
import type { EnvironmentLoad, EnvironmentSummary } from '../../shared/summary';
import { useApi } from '../common/api';
import { Secondary } from '../common/Secondary';
import { key } from '../common/text';
import { readableColors } from '../common/theme';
import { useT } from '../host';
import { highestOf, lastOf, linesOf } from './plot';

/** In the units of the drawing, which is as wide as there is room. */
const WIDTH = 150;
const HEIGHT = 36;
const REFRESH = 30_000;

type Series = Exclude<keyof EnvironmentLoad, 'name'>;
interface PlotKind {
  label: string;
  show: (value: number) => string;
}
const round = (value: number) => String(value < 10 ? Math.round(value * 10) / 10 : Math.round(value));
const PLOTS: Record<Series, PlotKind> = {
  memory: { label: key('Memory'), show: (value) => `${Math.round(value / 1024 / 1024)} MB` },
  delay: { label: key('Delay'), show: (value) => `${round(value)} ms` },
  requests: { label: key('Requests'), show: (value) => `${round(value)}/s` },
  errors: { label: key('Errors'), show: (value) => `${round(value)}/s` },
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
                <Plot key={series} {...PLOTS[series]} values={environment[series]} isBad={series === 'errors'} />
              ))}
            </Flex>
          </Flex>
        ))}
      </Flex>
    </Card>
  );
}

/** A line without axes: how it went, the value now, and the highest one. */
function Plot({ label, show, values, isBad }: PlotKind & { values: Array<number | null>; isBad: boolean }) {
  const t = useT();
  const { token } = theme.useToken();
  const [highest, last] = [highestOf(values), lastOf(values)];
  const text = (value: number | null) => (value === null ? '–' : show(value));
  const { link, danger } = readableColors(token);
  return (
    <Flex vertical gap={2} style={{ flex: '1 1 0', minWidth: 110 }}>
      <Flex justify="space-between" gap="small">
        <Secondary>{t(label)}</Secondary>
        <span>{text(values.at(-1) ?? last)}</span>
      </Flex>
      <svg
        width="100%"
        height={HEIGHT}
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={t('{{what}}: now {{now}}, at most {{highest}}', {
          what: t(label),
          now: text(last),
          highest: text(highest),
        })}
        style={{ borderBottom: `1px solid ${token.colorSplit}` }}
      >
        <title>{t('at most {{highest}}', { highest: text(highest) })}</title>
        {linesOf(values, highest ?? 0, WIDTH, HEIGHT - 2).map((points) => (
          <polyline
            key={points.slice(0, 20)}
            points={points}
            transform="translate(0 1)"
            fill="none"
            stroke={isBad && highest ? danger : link}
            strokeWidth={1.5}
            vectorEffect="non-scaling-stroke"
            strokeLinecap="round"
            strokeLinejoin="round"
          />
        ))}
      </svg>
    </Flex>
  );
}
