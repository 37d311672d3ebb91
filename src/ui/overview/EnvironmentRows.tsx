import { useRequest } from 'ahooks';
import { Button, Card, Empty, Flex, Grid, theme } from 'antd';
import { type CSSProperties, memo, startTransition, useDeferredValue, useState } from 'react';
import type { EnvironmentLoad, EnvironmentSummary, FleetLoad } from '../../shared/summary';
import { useApi } from '../common/api';
import { EnvironmentLink } from '../common/EnvironmentLink';
import { LOAD, type LoadSeries } from '../common/load';
import { Sparkline, TimeLabels } from '../common/Plot';
import { RowStops } from '../common/RowStops';
import { Secondary } from '../common/Secondary';
import { Since } from '../common/Since';
import { Spans, useSpan } from '../common/Spans';
import { StatusCounts } from '../common/StatusCounts';
import { SPANS, type Span } from '../common/spans';
import { HEALTH } from '../common/status';
import { StateTag } from '../common/Tag';
import { Term } from '../common/Term';
import { clockTime, dayOf } from '../common/time';
import { useLive } from '../common/useLive';
import { useHost, useT } from '../host';
import { HeatStrip } from './HeatStrip';
import { CELLS, type HeatCell, heatOf, quiet } from './heat';
import { eventsSince } from './heat-events';
import { shownAtFirst, worstFirst } from './rows';

const REFRESH = 30_000;
const MINUTE = 60_000;
/** How long a strip stays the same, in ms: a twelfth of each of its parts. */
const stepOf = (span: number): number => Math.max(MINUTE, span / CELLS / 12);
const SERIES: LoadSeries[] = ['memory', 'delay', 'requests'];

/** One row for each environment, the worst first: health, apps, what happened, load. */
export function EnvironmentRows({ environments }: { environments: EnvironmentSummary[] }) {
  const t = useT();
  const [isWhole, showAll] = useState(false);
  const { span, heat } = useHeat();
  const load = useLoad(environments);
  const sorted = worstFirst(environments);
  const count = isWhole ? sorted.length : shownAtFirst(sorted);
  const { lg: isWide = true } = Grid.useBreakpoint();
  return (
    <Card size="small" title={t('Environments')} data-testid="environments-overview" extra={<Spans />}>
      {isWide && sorted.length > 0 && <Head span={span} now={heat?.now} />}
      <RowStops>
        <ul style={{ listStyle: 'none', margin: 0, padding: 0 }}>
          {sorted.slice(0, count).map((environment) => (
            <EnvironmentRow
              key={environment.name}
              environment={environment}
              cells={heat && (heat.cells.get(environment.name) ?? heat.quiet)}
              span={span}
              load={load}
              isWide={isWide}
            />
          ))}
        </ul>
      </RowStops>
      {count < sorted.length && (
        <Button
          type="link"
          onClick={() => startTransition(() => showAll(true))}
          style={{ paddingInline: 0 }}
          data-testid="all-environments"
        >
          {t('Show {{count}} more environments, all well', { count: sorted.length - count })}
        </Button>
      )}
      {!sorted.length && (
        <Empty image={Empty.PRESENTED_IMAGE_SIMPLE} description={t('No environment has registered yet')} />
      )}
    </Card>
  );
}

interface Heat {
  /** What it was made of. */
  of: string;
  now: number;
  cells: Map<string, HeatCell[]>;
  quiet: HeatCell[];
}

/** What happened in the chosen time, which is in the address. It ends a little later than now, so that it stays the same until then. */
function useHeat() {
  const api = useApi();
  const span = useSpan();
  const { data: heat, loading } = useLive<Heat>(async (previous) => {
    const step = stepOf(SPANS[span]);
    const now = Math.ceil(Date.now() / step) * step;
    const { events, readFrom } = await eventsSince(api, now - SPANS[span]);
    const of = JSON.stringify([span, now, readFrom, events]);
    if (previous?.of === of) return previous;
    return {
      of,
      now,
      cells: heatOf(events, SPANS[span], now, readFrom),
      quiet: quiet(SPANS[span], now, readFrom),
    };
  }, span);
  // The last answer may be about another time.
  return { span, heat: loading ? undefined : heat };
}

/** The last hour of each environment; undefined until it is known. */
function useLoad(environments: EnvironmentSummary[]): FleetLoad | undefined {
  const api = useApi();
  const names = environments.map(({ name }) => name).join();
  const { data } = useRequest(() => api.load(), {
    pollingInterval: REFRESH,
    pollingWhenHidden: false,
    refreshDeps: [names],
  });
  // All plots anew at once would hold up what is pressed and what changes.
  return useDeferredValue(data);
}

/** Fits beside NocoBase's menu on a screen of 1024 px. */
const COLUMNS = 'minmax(120px, 1.3fr) minmax(104px, 1.1fr) minmax(132px, 1.8fr) repeat(3, minmax(80px, 1fr))';
const WIDE: CSSProperties = { display: 'grid', gridTemplateColumns: COLUMNS, gap: '4px 16px', alignItems: 'center' };
const NARROW: CSSProperties = { display: 'flex', flexDirection: 'column', gap: 8 };

function Head({ span, now }: { span: Span; now: number | undefined }) {
  const { t, language } = useHost();
  const { token } = theme.useToken();
  const nameOf = (at: number) => (span === '7d' ? dayOf(at, language) : clockTime(at, language));
  return (
    <div style={{ ...WIDE, alignItems: 'end', paddingBottom: token.paddingXXS }}>
      <Secondary>{t('Environment')}</Secondary>
      <Secondary>{t('Apps by status')}</Secondary>
      <div>
        <Secondary>{t('Outages and failures')}</Secondary>
        {now !== undefined && <TimeLabels from={now - SPANS[span]} to={now} text={nameOf} most={3} />}
      </div>
      {SERIES.map((series) => (
        <Secondary key={series}>
          <Term help={t(LOAD[series].help ?? '')}>{t('{{what}}, last hour', { what: t(LOAD[series].label) })}</Term>
        </Secondary>
      ))}
    </div>
  );
}

interface RowProps {
  environment: EnvironmentSummary;
  /** Undefined until they are known. */
  cells: HeatCell[] | undefined;
  span: Span;
  load: FleetLoad | undefined;
  isWide: boolean;
}

/** Drawn again only where something has changed: with fifty of them, the others would take most of the time. */
const EnvironmentRow = memo(function EnvironmentRow({ environment, cells, span, load, isWide }: RowProps) {
  const t = useT();
  const { token } = theme.useToken();
  const { name, health, apps } = environment;
  const own = load?.environments.find((each) => each.name === name);
  const sparklines = SERIES.map((series) => (
    <Load key={series} series={series} load={load} own={own} hasLabel={!isWide} />
  ));
  return (
    <li
      data-row=""
      data-testid={`overview-${name}`}
      data-health={health}
      data-apps={JSON.stringify(apps)}
      style={{
        ...(isWide ? WIDE : NARROW),
        padding: `${token.paddingXXS}px 0`,
        borderTop: `1px solid ${token.colorSplit}`,
      }}
    >
      <Name environment={environment} />
      <StatusCounts environment={name} counts={apps} />
      {cells ? <HeatStrip environment={name} cells={cells} span={span} /> : <Secondary>{t('Loading…')}</Secondary>}
      {isWide ? sparklines : <Flex gap="middle">{sparklines}</Flex>}
    </li>
  );
});

function Name({ environment: { name, health, cordoned, since } }: { environment: EnvironmentSummary }) {
  const t = useT();
  const { label, tone } = HEALTH[health];
  return (
    <Flex gap="2px 8px" wrap align="center" style={{ minWidth: 0, overflowWrap: 'anywhere' }}>
      <strong>
        <EnvironmentLink name={name} />
      </strong>
      <StateTag tone={tone}>{t(label)}</StateTag>
      {cordoned && <StateTag tone="off">{t('Cordoned')}</StateTag>}
      {health !== 'online' && (
        <Secondary>
          <Since at={since} />
        </Secondary>
      )}
    </Flex>
  );
}

interface LoadProps {
  series: LoadSeries;
  load: FleetLoad | undefined;
  own: EnvironmentLoad | undefined;
  hasLabel: boolean;
}

/** Requests with errors among them. */
const Load = memo(function Load({ series, load, own, hasLabel }: LoadProps) {
  const t = useT();
  const { help: _, ...kind } = LOAD[series];
  return (
    <Sparkline
      {...kind}
      label={t(kind.label)}
      values={own?.[series]}
      time={load && { end: load.end, step: load.step }}
      bad={series === 'requests' ? own?.errors : undefined}
      hasLabel={hasLabel}
    />
  );
});
