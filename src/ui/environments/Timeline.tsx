import { Flex, theme } from 'antd';
import { Link } from 'react-router-dom';
import { useApi } from '../common/api';
import { messageText } from '../common/errors';
import { OPERATION_NAMES } from '../common/labels';
import { Failure } from '../common/Page';
import { TimeLabels } from '../common/Plot';
import { appPath, PATHS } from '../common/paths';
import { Secondary } from '../common/Secondary';
import { Spans, useSpan } from '../common/Spans';
import { SPANS } from '../common/spans';
import { OPERATION_STATE } from '../common/status';
import { clockTime, dayOf, duration, exactTime } from '../common/time';
import { useLive } from '../common/useLive';
import { type Translate, useHost, useT } from '../host';
import { type Bar, barsOf } from './timeline';

/** The newest ones; more could not be told apart. */
const MOST = 200;

/** Operations and outages of an environment, with the time below. */
export function Timeline({ environment }: { environment: string }) {
  const { t, language } = useHost();
  const { token } = theme.useToken();
  const api = useApi();
  const span = useSpan();
  const {
    data: answer,
    error,
    loading,
    refresh,
  } = useLive(async () => {
    const now = Date.now();
    const [events, operations] = await Promise.all([
      api.listEvents(outagesSince(environment, now - SPANS[span]), 1, MOST),
      api.listOperations(undefined, MOST),
    ]);
    return { span, now, events: events.rows, operations };
  }, `${environment} ${span}`);
  // What could not be loaded for this time is not what was shown of another one.
  const data = loading || answer?.span !== span ? undefined : answer;
  if (!data && error && !loading) return <Failure error={error} retry={refresh} />;
  const colors = { outage: token.colorError, failure: token.colorWarning, operation: token.colorPrimary };
  const bars = data && barsOf(environment, data.events, data.operations, SPANS[span], data.now);
  return (
    <Flex vertical gap="small" data-testid="timeline">
      <Flex gap="small" justify="space-between" align="center" wrap>
        <Legends colors={colors} />
        <Spans />
      </Flex>
      <div
        style={{
          position: 'relative',
          height: 34,
          background: token.colorFillQuaternary,
          borderRadius: token.borderRadiusSM,
          overflow: 'hidden',
        }}
      >
        {bars?.map((bar) => (
          <Link
            key={bar.id}
            to={pathOf(bar)}
            title={textOf(t, bar, language)}
            aria-label={textOf(t, bar, language)}
            data-kind={bar.kind}
            style={{
              position: 'absolute',
              left: `${bar.left}%`,
              width: `${bar.width}%`,
              minWidth: 4,
              top: bar.kind === 'operation' ? 19 : 3,
              height: 12,
              background: isFailed(bar) ? colors.failure : colors[bar.kind],
              borderRadius: 2,
            }}
          />
        ))}
        {!bars?.length && (
          <Flex align="center" justify="center" style={{ height: '100%' }}>
            <Secondary>{bars ? t('Nothing in this time') : t('Loading…')}</Secondary>
          </Flex>
        )}
      </div>
      {data && (
        <TimeLabels
          from={data.now - SPANS[span]}
          to={data.now}
          text={(at) => (span === '7d' ? dayOf(at, language) : clockTime(at, language))}
        />
      )}
    </Flex>
  );
}

function Legends({ colors }: { colors: Record<Bar['kind'], string> }) {
  const t = useT();
  return (
    <Flex gap="middle" wrap>
      <Legend color={colors.outage} text={t('Outage')} />
      <Legend color={colors.failure} text={t('Crash or failure')} />
      <Legend color={colors.operation} text={t('Operation of an app')} />
    </Flex>
  );
}

function Legend({ color, text }: { color: string; text: string }) {
  return (
    <Flex gap={6} align="center">
      <span aria-hidden style={{ width: 12, height: 8, background: color, borderRadius: 2 }} />
      <Secondary>{text}</Secondary>
    </Flex>
  );
}

/** The filter of `appEvents:list`: also what began earlier and lasts. */
const outagesSince = (environment: string, from: number) => ({
  environment,
  kind: { $in: ['health', 'crash', 'failure'] },
  $or: [{ at: { $gte: from } }, { endedAt: { $gte: from } }, { endedAt: { $eq: null } }],
});

const isFailed = ({ operation }: Bar): boolean => operation?.state === 'failed';

const pathOf = ({ event, operation }: Bar): string =>
  operation
    ? appPath(operation.appName)
    : `${PATHS.activity}?${new URLSearchParams({ environment: event?.environment ?? '' })}`;

function textOf(t: Translate, { event, operation }: Bar, language: string): string {
  const [from, to] = operation ? [operation.createdAt, operation.finishedAt] : [event?.at ?? 0, event?.endedAt ?? null];
  const what = operation
    ? `${operation.appName} · ${t('{{action}}: {{state}}', {
        action: t(OPERATION_NAMES[operation.action]),
        state: t(OPERATION_STATE[operation.state].label),
      })}`
    : event
      ? messageText(t, event.message)
      : '';
  const lasted = to === null ? t('Ongoing') : to > from ? duration(to - from) : null;
  return [what, exactTime(from, language), lasted].filter(Boolean).join(' · ');
}
